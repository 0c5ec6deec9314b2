"""EventBridge: delivery to targets with retries and dead-letter queues, and the size of PutEvents."""

import contextvars
import fnmatch
import json
import logging
import threading
import time
from typing import Any

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import error_response_json, get_account_id, json_response, request_scope
from ministack.services import eventbridge, lambda_svc, sns, sqs, stepfunctions

from localcloud.clock import CLOCK
from localcloud.conformance import bus_policies, service_roles
from localcloud.conformance.patching import replaces, wraps
from localcloud.settings import PAYLOAD_LIMIT_BYTES

Target = dict[str, Any]

DEFAULT_RETRIES = 185
DEFAULT_AGE_SECONDS = 86_400
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 600.0

ACTIONS = {
    "lambda": "lambda:InvokeFunction",
    "states": "states:StartExecution",
    "events": "events:PutEvents",
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
}
"""What a schedule's role must allow for a target of each service."""

CALLED_WITH_A_ROLE = {"states", "events"}
"""Services that a rule calls with the target's role; the others have policies of their own."""

logger = logging.getLogger(__name__)


class DeliveryError(Exception):
    """A delivery that failed. `code` is what AWS writes into the dead-letter message's ERROR_CODE."""

    def __init__(self, code: str, message: str, retried: bool) -> None:
        super().__init__(message)
        self.code = code
        self.retried = retried


_failure: contextvars.ContextVar[DeliveryError | None] = contextvars.ContextVar("delivery_failure", default=None)


def refuse_oversized_entries() -> None:
    """The emulator accepts entries of any size; AWS refuses a request above 262,144 bytes as a whole."""

    @wraps(eventbridge, "_put_events")
    def put(original: Any, request: dict[str, Any], **keywords: Any) -> Any:
        if sum(entry_size(entry) for entry in request.get("Entries", [])) > PAYLOAD_LIMIT_BYTES:
            message = "Total size of the entries in the request is over the limit."
            return error_response_json("ValidationException", message, 400)
        return original(request, **keywords)


def entry_size(entry: dict[str, Any]) -> int:
    """Bytes of a PutEvents entry, counted as the EventBridge user guide does."""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")] + (entry.get("Resources") or [])
    return sum(len(str(text).encode()) for text in texts) + (14 if entry.get("Time") else 0)


def refuse_malformed_entries() -> None:
    """The emulator takes entries without a source or with any text as their detail; AWS fails each of them alone."""

    @wraps(eventbridge, "_put_events")
    def put(original: Any, request: dict[str, Any], **keywords: Any) -> Any:
        entries = request.get("Entries", [])
        wrong = [entry_problem(entry) for entry in entries]
        if not any(wrong):
            return original(request, **keywords)
        good = [entry for entry, problem in zip(entries, wrong, strict=True) if problem is None]
        status, headers, body = original({**request, "Entries": good}, **keywords)
        if status != 200:
            return status, headers, body
        answer = json.loads(body)
        taken = iter(answer["Entries"])
        answer["Entries"] = [problem or next(taken) for problem in wrong]
        answer["FailedEntryCount"] += sum(problem is not None for problem in wrong)
        return json_response(answer)


def entry_problem(entry: dict[str, Any]) -> dict[str, str] | None:
    """Why AWS does not take an entry, in its words."""
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            message = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    try:
        detail = json.loads(entry["Detail"])
    except (TypeError, ValueError):
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    return None


def deliver_with_retries() -> None:
    """The emulator tries each delivery once and drops what fails.

    AWS keeps trying within the target's RetryPolicy and then writes to its dead-letter queue; what can never succeed
    (no such target, no permission) goes there at once.
    """

    @wraps(eventbridge, "_invoke_target")
    def invoke(original: Any, target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        view = view or eventbridge._pattern_event_view(event)
        try:
            attempt(original, target, event, rule, view)
        except DeliveryError as error:
            if not error.retried:
                bury(target, rule, view, error, attempts=1)
                return
            scope = contextvars.copy_context()
            arguments = (original, target, event, rule, view, error)
            threading.Thread(target=scope.run, args=(retry, *arguments), daemon=True).start()


def attempt(original: Any, target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    """Deliver once. Raises DeliveryError; the emulator's own function would only log."""
    arn = str(target.get("Arn", ""))
    check_target(target, rule)
    _failure.set(None)
    if ":event-bus/" in arn:
        forward(original, target, event, rule, view)
    else:
        original(target, event, rule, view)
    failure = _failure.get()
    if failure is not None:
        raise failure


def check_target(target: Target, rule: dict[str, Any]) -> None:
    """Raise DeliveryError when the target does not exist or the rule or schedule may not call it."""
    arn, source = str(target.get("Arn", "")), str(rule.get("Arn", ""))
    try:
        spec = parse_arn(arn)
    except ArnParseError as error:
        raise DeliveryError("INVALID_PARAMETER", str(error), retried=False) from error
    with request_scope(spec.account_id or get_account_id(), spec.region or "us-east-1"):
        exists = target_exists(spec.service, spec.resource, arn)
    if not exists:
        raise DeliveryError("NO_RESOURCE", f"The target {arn} does not exist.", retried=False)
    action = ACTIONS.get(spec.service)
    if action is not None and (":schedule/" in source or spec.service in CALLED_WITH_A_ROLE):
        service = "scheduler.amazonaws.com" if ":schedule/" in source else "events.amazonaws.com"
        why = service_roles.refusal(str(target.get("RoleArn", "")), service, action, arn, source)
        if why is not None:
            raise DeliveryError("NO_PERMISSIONS", why, retried=False)
    elif (spec.service == "lambda" and not may_invoke(arn, source)) or (
        spec.service == "sqs" and not rule_may_send(arn, source)
    ):
        message = f"{arn} has no permission for events.amazonaws.com."
        raise DeliveryError("NO_PERMISSIONS", message, retried=False)


def target_exists(service: str, resource: str, arn: str) -> bool:
    """Whether the resource is there; services that the application does not use are taken on trust."""
    if service == "lambda":
        return bool(lambda_svc._get_func_record_for_ref(arn)[0])
    if service == "states":
        return stepfunctions._resolve_state_machine_arn(arn) is not None
    if service == "sqs":
        return sqs._queue_by_arn(arn) is not None
    if service == "sns":
        return arn in sns._topics
    if service == "events" and resource.startswith("event-bus/"):
        eventbridge._ensure_default_bus()
        return resource.removeprefix("event-bus/") in eventbridge._event_buses
    return True


def may_invoke(function_arn: str, rule_arn: str) -> bool:
    """Whether the function's policy lets EventBridge invoke it for this rule."""
    function = lambda_svc._get_func_record_for_ref(function_arn)[0] or {}
    policy = function.get("policy") or {}
    return any(_allows(statement, rule_arn) for statement in policy.get("Statement", []))


def _allows(statement: dict[str, Any], rule_arn: str) -> bool:
    principal = statement.get("Principal")
    service = principal.get("Service") if isinstance(principal, dict) else principal
    if statement.get("Effect") != "Allow" or service not in ("events.amazonaws.com", "*"):
        return False
    conditions = statement.get("Condition") or {}
    wanted = [
        value for operator in conditions.values() for key, value in operator.items() if key.lower() == "aws:sourcearn"
    ]
    return all(fnmatch.fnmatchcase(rule_arn, str(pattern)) for pattern in wanted)


def forward(original: Any, target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any) -> None:
    """Deliver to another bus, in this account or, which the emulator drops, in another account whose bus lets us in."""
    spec = parse_arn(target["Arn"])
    if spec.account_id == get_account_id():
        original(target, event, rule, view)
        return
    caller = service_roles.session_arn(str(target["RoleArn"]), "events.amazonaws.com")
    if not bus_policies.admits(target["Arn"], caller, event):
        message = f"{caller} is not authorized to perform: events:PutEvents on resource: {target['Arn']}"
        raise DeliveryError("NO_PERMISSIONS", message, retried=False)
    path = [*event.get("_DispatchPath", []), eventbridge._rule_key(rule["Name"], rule.get("EventBusName", "default"))]
    bus = spec.resource.removeprefix("event-bus/")
    # The event keeps the account and region it comes from: rules on a shared bus tell joined accounts apart by them.
    forwarded = event | {"EventBusName": bus, "_DispatchPath": path}
    with request_scope(spec.account_id, spec.region):
        eventbridge._dispatch_event(forwarded)


def retry(
    original: Any, target: Target, event: dict[str, Any], rule: dict[str, Any], view: Any, error: DeliveryError
) -> None:
    """Try again with growing pauses until the policy's attempts or the event's age are used up, then bury it."""
    policy = target.get("RetryPolicy") or {}
    retries = policy.get("MaximumRetryAttempts", DEFAULT_RETRIES)
    expires = time.monotonic() + CLOCK.shorten(policy.get("MaximumEventAgeInSeconds", DEFAULT_AGE_SECONDS))
    done = 0
    while done < retries and time.monotonic() < expires:
        pause = min(FIRST_PAUSE_SECONDS * 2**done, LONGEST_PAUSE_SECONDS)
        time.sleep(CLOCK.shorten(pause))
        done += 1
        try:
            attempt(original, target, event, rule, view)
            return
        except DeliveryError as later:
            error = later
            if not error.retried:
                break
    condition = "MaximumRetryAttempts" if done >= retries else "MaximumEventAgeInSeconds"
    bury(target, rule, view, error, attempts=done + 1, exhausted=condition if error.retried else None)


def bury(
    target: Target,
    rule: dict[str, Any],
    view: Any,
    error: DeliveryError,
    attempts: int,
    exhausted: str | None = None,
) -> None:
    """Write the event to the target's dead-letter queue with AWS's attributes, or drop it as AWS does without one."""
    logger.warning("EventBridge gave up on %s: %s", target.get("Arn"), error)
    queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue_arn:
        return
    attributes = {
        "RULE_ARN": rule.get("Arn", ""),
        "TARGET_ARN": target.get("Arn", ""),
        "ERROR_CODE": error.code,
        "ERROR_MESSAGE": str(error),
        "RETRY_ATTEMPTS": str(attempts - 1),
    }
    if exhausted:
        attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted
    why = buries_not(queue_arn, target, str(rule.get("Arn", "")))
    if why:
        logger.error("The event is lost: %s", why)
        return
    send_to_queue(queue_arn, target.get("Input") or json.dumps(view.event_with_detail()), attributes)


def buries_not(queue_arn: str, target: Target, source: str) -> str | None:
    """Why a rule or schedule may not write to its dead-letter queue, or None when it may; the emulator never asks.

    A schedule writes with its target's role, a rule as EventBridge, which the queue's policy has to let in.
    """
    if ":schedule/" in source:
        role = str(target.get("RoleArn", ""))
        return service_roles.refusal(role, "scheduler.amazonaws.com", "sqs:SendMessage", queue_arn, source)
    return None if rule_may_send(queue_arn, source) else f"the policy of {queue_arn} does not let in {source}"


def rule_may_send(queue_arn: str, rule_arn: str) -> bool:
    """Whether the queue's policy lets EventBridge write for this rule."""
    return bool(sqs.queue_policy_allows(queue_arn, "events.amazonaws.com", rule_arn, get_account_id()))


def send_to_queue(queue_arn: str, body: str, attributes: dict[str, str]) -> None:
    """Put a message with string attributes on a queue of this emulator."""
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        logger.error("The dead-letter queue %s does not exist; the message is lost.", queue_arn)
        return
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
    try:
        sqs._act_send_message({"MessageBody": body, "MessageAttributes": typed}, queue["url"])
    except sqs._Err:
        logger.exception("The dead-letter queue %s refused a message.", queue_arn)


def dispatch_to_lambda(arn: str, payload: str) -> None:
    """Hand an event to a function asynchronously, with Lambda's two retries and its failure destination.

    The emulator invokes once and forgets.
    """
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    record = lambda_svc._execution_record_for_config(function, config)
    lambda_svc.invoke_async_with_retry(record, json.loads(payload))


def dispatch_to_step_functions(arn: str, payload: str) -> None:
    """Start an execution; the emulator ignores a refusal."""
    status, _, body = stepfunctions._start_execution({"stateMachineArn": arn, "input": payload})
    if status >= 400:
        # The emulator's delivery swallows every exception, so the failure is left where `attempt` finds it.
        _failure.set(DeliveryError("SDK_CLIENT_ERROR", str(body), retried=True))


def fire_rules_in_time() -> None:
    """The emulator looks every ten seconds for scheduled rules that are due; scaled rates need a closer look."""
    replaces(eventbridge, "_SCHEDULER_TICK_INTERVAL", 0.5)

    @wraps(eventbridge, "_parse_rate_seconds")
    def parse(original: Any, expression: str) -> float | None:
        seconds = original(expression)
        return None if seconds is None else CLOCK.shorten(seconds)


def install() -> None:
    """Apply every patch of this service."""
    refuse_oversized_entries()
    refuse_malformed_entries()
    deliver_with_retries()
    replaces(eventbridge, "_dispatch_to_lambda", dispatch_to_lambda)
    replaces(eventbridge, "_dispatch_to_stepfunctions", dispatch_to_step_functions)
    fire_rules_in_time()
