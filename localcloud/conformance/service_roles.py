"""The roles that services assume to call other services: Step Functions, EventBridge and Scheduler.

The emulator enforces IAM for every API call of a client and of a function, but calls its own services without looking
at the state machine's, rule's or schedule's role. A missing permission would be found in AWS only.
"""

import hashlib
from contextvars import ContextVar
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, request_scope
from ministack.services import iam, lambda_svc, stepfunctions, sts

from localcloud import decision_log
from localcloud.conformance.patching import wraps

_role_of_this_execution: ContextVar[tuple[str, str]] = ContextVar("role_of_this_execution", default=("", ""))
"""The role's ARN and the ARN of its state machine."""


def refusal(role_arn: str, service: str, action: str, resource_arn: str, source_arn: str = "") -> str | None:
    """Why `service` may not do `action` with this role, in AWS's words, or None when it may.

    The role must exist and trust the service on behalf of this account and of `source_arn`: the rule, schedule or state machine.
    """
    if not role_arn:
        return f"{service} needs a role to call {resource_arn}, and none is named."
    try:
        spec = parse_arn(role_arn)
    except ArnParseError as error:
        return f"{role_arn} is no role: {error}"
    name = spec.resource.rpartition("/")[2]
    role = iam._roles.get_scoped(spec.account_id, None, name)
    if role is None or not trusts(role, service, source_arn):
        return f"{service} is not authorized to assume the provided role {role_arn}."
    assumed = session_arn(role_arn, service)
    digest = hashlib.sha256(f"{role_arn} {service}".encode()).hexdigest().upper()
    session = {"Arn": assumed, "UserId": f"{name}:{service}", "SecretAccessKey": digest, "SessionToken": digest}
    key = f"ASIA{digest[:16]}"
    sts.register_session(key, session)
    region = parse_arn(resource_arn).region or "us-east-1"
    with request_scope(spec.account_id, region):
        denied = iam_evaluator.enforce(key, action, action.partition(":")[0], region, resource_arn=resource_arn)
    return f"{assumed} is not authorized to perform: {action} on resource: {resource_arn}" if denied else None


def session_arn(role_arn: str, service: str) -> str:
    """Who a service is while it works with a role."""
    account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    return f"arn:aws:sts::{account}:assumed-role/{name}/{service.partition('.')[0]}"


def trusts(role: dict[str, Any], service: str, source_arn: str = "") -> bool:
    """Whether a role's trust policy lets the service take the role for the account whose request this is."""
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region="",
        service_context={"aws:sourceaccount": get_account_id(), "aws:sourcearn": _source_of(source_arn) or None},
    )
    trust = role.get("AssumeRolePolicyDocument") or "{}"
    allowed = bool(iam_evaluator.evaluate_resource_policy(trust, context, service=service).decision == "Allow")
    decision_log.note_trust(context, allowed)
    return allowed


def _source_of(arn: str) -> str:
    """What a service says it acts for: Scheduler names a schedule's group, the others the thing itself."""
    head, separator, name = arn.partition(":schedule/")
    return f"{head}:schedule-group/{name.partition('/')[0]}" if separator else arn


def enforce_state_machine_roles() -> None:
    """A state machine invokes functions with its own role; the emulator invokes them with none."""

    @wraps(stepfunctions, "_run_execution")
    def run(original: Any, execution_arn: str) -> None:
        execution = stepfunctions._executions.get(execution_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn", "")) or {}
        _role_of_this_execution.set((machine.get("roleArn", ""), machine.get("stateMachineArn", "")))
        original(execution_arn)

    @wraps(stepfunctions, "_call_lambda")
    def call(original: Any, function: str, event: Any) -> Any:
        _, config, _ = lambda_svc._get_func_record_for_ref(function)
        role_arn, machine_arn = _role_of_this_execution.get()
        if config and role_arn:
            why = refusal(role_arn, "states.amazonaws.com", "lambda:InvokeFunction", config["FunctionArn"], machine_arn)
            if why:
                raise stepfunctions._ExecutionError("Lambda.AWSLambdaException", why)
        return original(function, event)


def install() -> None:
    """Apply every patch of this concern; `events` asks for the roles of rules and schedules."""
    enforce_state_machine_roles()
