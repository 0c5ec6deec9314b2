"""Step Functions: executions and their events, as AWS runs them."""

import contextvars
import json
import threading
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import eventbridge, stepfunctions

from localcloud.clock import CLOCK
from localcloud.conformance import callback_tokens, definitions, task_states
from localcloud.conformance.callback_tokens import OFFICE
from localcloud.conformance.patching import replaces, wraps
from localcloud.settings import PAYLOAD_LIMIT_BYTES

Execution = dict[str, Any]

DEAD = ("FAILED", "TIMED_OUT", "ABORTED")
"""How an execution ends that did not end well."""
EVENT_PAYLOAD_LIMIT_BYTES = 248 * 1024
"""The largest input or output that AWS puts into a status event."""


def scale_waits() -> None:
    """Wait states and retry pauses follow the clock scale; callback deadlines do in `task_states`."""
    replaces(stepfunctions, "_SFN_WAIT_SCALE", 1 / CLOCK.scale)


def honour_succeed_output() -> None:
    """The emulator returns a Succeed state's input; AWS evaluates its JSONata Output."""

    @wraps(stepfunctions, "_apply_output_path")
    def apply(original: Any, state: Any, data: Any, context: Any = None) -> Any:
        if state.get("Type") == "Succeed" and stepfunctions._state_query_language(state, context) == "JSONata":
            return stepfunctions._apply_jsonata_output(state, data, context, default=data)
        return original(state, data, context)


def limit_state_output() -> None:
    """The emulator carries payloads of any size; AWS fails the execution above 262,144 bytes."""

    @wraps(stepfunctions, "_add_event")
    def add(original: Any, execution: Execution, kind: str, details: Any = None) -> Any:
        output = ((details or {}).get("stateExitedEventDetails") or {}).get("output")
        if output is not None and len(output.encode()) > PAYLOAD_LIMIT_BYTES:
            name = details["stateExitedEventDetails"]["name"]
            raise stepfunctions._ExecutionError(
                "States.DataLimitExceeded",
                f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes "
                "service limit.",
            )
        event = original(execution, kind, details)
        event["previousEventId"] = event["id"] - 1
        return event


def repeat_running_execution() -> None:
    """The emulator refuses any second use of a name; AWS returns the running execution when the input is the same."""

    @wraps(stepfunctions, "_start_execution")
    def start(original: Any, request: dict[str, Any]) -> Any:
        text = request.get("input", "{}")
        if len(text.encode()) > PAYLOAD_LIMIT_BYTES:
            message = f"Value at 'input' failed to satisfy constraint: at most {PAYLOAD_LIMIT_BYTES} bytes"
            return error_response_json("ValidationException", f"1 validation error detected: {message}", 400)
        try:
            json.loads(text)
        except ValueError as error:
            return error_response_json(
                "InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'", 400
            )
        running = _execution_named(request)
        if running and running["status"] == "RUNNING" and running["input"] == text:
            return json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})
        return original(request)


def _execution_named(request: dict[str, Any]) -> Execution | None:
    machine = stepfunctions._resolve_state_machine_arn(request.get("stateMachineArn", ""))
    if machine is None or not request.get("name"):
        return None
    found: Execution | None = stepfunctions._executions.get(
        f"{machine.replace(':stateMachine:', ':execution:')}:{request['name']}"
    )
    return found


def end_executions_at_their_timeout() -> None:
    """The emulator ignores the definition's TimeoutSeconds; AWS ends the execution as TIMED_OUT.

    No Catch runs then, and no later error may change the status.
    """

    @wraps(stepfunctions, "_run_execution")
    def run(original: Any, execution_arn: str) -> None:
        timer = _deadline(stepfunctions._executions.get(execution_arn))
        try:
            original(execution_arn)
        finally:
            if timer is not None:
                timer.cancel()
            OFFICE.close_execution(execution_arn)

    @wraps(stepfunctions, "_fail_execution")
    def fail(original: Any, execution: Execution, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            original(execution, error, cause)
            # AWS reports no output for a failed execution.
            execution["output"] = None

    @wraps(stepfunctions, "_stop_execution")
    def stop(original: Any, request: dict[str, Any]) -> Any:
        response = original(request)
        # Who may not stop it, another account for instance, closes nothing.
        if response[0] < 400:
            OFFICE.close_execution(str(request.get("executionArn")))
        return response


def _deadline(execution: Execution | None) -> threading.Timer | None:
    machine = execution and stepfunctions._state_machines.get(execution["stateMachineArn"])
    if not machine:
        return None
    seconds = json.loads(machine["definition"]).get("TimeoutSeconds")
    if seconds is None:
        return None
    scope = contextvars.copy_context()
    # A timer thread cannot wait longer than this.
    timer = threading.Timer(
        min(CLOCK.shorten(float(seconds)), threading.TIMEOUT_MAX / 2), scope.run, (_expire, execution)
    )
    timer.daemon = True
    timer.start()
    return timer


def _expire(execution: Execution) -> None:
    if execution["status"] != "RUNNING":
        return
    execution.update(status="TIMED_OUT", stopDate=now_iso(), error="States.Timeout")
    stepfunctions._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    stepfunctions._emit_execution_status_event(execution)
    OFFICE.close_execution(execution["executionArn"])


def describe_redrives() -> None:
    """The emulator's description says nothing of redrives; AWS says whether an execution can be redriven, and why not.

    RedriveExecution itself is refused: the emulator forgets a dead execution's variables and where it stood.
    """

    @wraps(stepfunctions, "_describe_execution")
    def describe(original: Any, request: dict[str, Any]) -> Any:
        status, headers, body = original(request)
        if status >= 400:
            return status, headers, body
        described = json.loads(body)
        return json_response({**described, **_redrive(described["status"])})


def _redrive(status: str) -> dict[str, Any]:
    if status in DEAD:
        return {"redriveCount": 0, "redriveStatus": "REDRIVABLE"}
    reason = f"Execution is {status} and cannot be redriven"
    return {"redriveCount": 0, "redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}


def emit_status_event(execution: Execution) -> None:
    """Publish `Step Functions Execution Status Change` on the default bus.

    The emulator's event names an error for FAILED only and never says that TIMED_OUT and ABORTED can be redriven. A
    payload that does not fit the event is left out and reported as not included, as on AWS.
    """
    if execution.get("sync"):
        return
    status = execution["status"]
    dead = status in DEAD
    output = execution.get("output") if status == "SUCCEEDED" else None
    detail = {
        "executionArn": execution["executionArn"],
        "stateMachineArn": execution["stateMachineArn"],
        "name": execution["name"],
        "status": status,
        "startDate": stepfunctions._iso_to_epoch_ms(execution.get("startDate")),
        "stopDate": stepfunctions._iso_to_epoch_ms(execution.get("stopDate")),
        **_carried("input", execution.get("input")),
        **_carried("output", output),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveDate": None,
        "redriveStatusReason": None,
        **_redrive(status),
        "error": execution.get("error") if dead else None,
        "cause": execution.get("cause") if dead else None,
    }
    entry = {
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [execution["executionArn"]],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def _carried(name: str, text: str | None) -> dict[str, Any]:
    if text is None:
        return {name: None, f"{name}Details": None}
    fits = len(text.encode()) <= EVENT_PAYLOAD_LIMIT_BYTES
    return {name: text if fits else None, f"{name}Details": {"included": fits}}


def install() -> None:
    """Apply every patch of this service."""
    callback_tokens.install()
    definitions.install()
    task_states.install()
    scale_waits()
    honour_succeed_output()
    limit_state_output()
    repeat_running_execution()
    end_executions_at_their_timeout()
    describe_redrives()
    replaces(stepfunctions, "_emit_execution_status_event", emit_status_event)
