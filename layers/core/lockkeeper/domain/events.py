"""Events that may end a wait, read as hints: of any shape, from anybody, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.accounts import Accounts

UNDERWAY = frozenset({"CREATING", "UPDATING", "SYSTEMUPDATING", "ROLLINGBACK", "DELETING"})
"""Endpoint statuses, without case and underscores, that no wait ends with; another event follows them."""

ENDPOINT_CHANGES = frozenset({"SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"})

EXECUTION_CHANGE = "Step Functions Execution Status Change"


@dataclass(frozen=True)
class EndpointHint:
    """An endpoint changed; `arn` in lower case, as SageMaker writes endpoint names in ARNs."""

    arn: str

    @property
    def what(self) -> str:
        return f"a change of {self.arn}"


@dataclass(frozen=True)
class AlarmHint:
    """An alarm went into ALARM."""

    arn: str

    @property
    def what(self) -> str:
        return f"alarm {self.arn.rsplit(':', 1)[-1]} in ALARM"


@dataclass(frozen=True)
class DeadlineHint:
    """A one-time schedule of our own fired."""

    release_id: str
    state: str

    @property
    def what(self) -> str:
        return f"the deadline of {self.state}"


@dataclass(frozen=True)
class ExecutionHint:
    """An execution of the release machine ended otherwise than by its last state."""

    release_id: str


@dataclass(frozen=True)
class Unusable:
    """An event that ends no wait, and why."""

    reason: str


def wait_hint(event: dict[str, Any], accounts: Accounts) -> EndpointHint | AlarmHint | DeadlineHint | Unusable:
    """What an event hints at. Anything that is not understood, or comes from elsewhere, is `Unusable`."""
    deadline = event.get("deadline")
    if isinstance(deadline, dict) and "source" not in event:
        return DeadlineHint(str(deadline.get("release_id", "")), str(deadline.get("state", "")))
    detail = event.get("detail")
    kind = str(event.get("detail-type"))
    if not isinstance(detail, dict):
        return Unusable("the event has no detail")
    if str(event.get("account")) not in accounts.endpoints:
        return Unusable(f"account {event.get('account')!r} is not one whose endpoints and alarms count")
    if event.get("source") == "aws.sagemaker" and kind in ENDPOINT_CHANGES:
        return _endpoint_hint(event, detail)
    if event.get("source") == "aws.cloudwatch" and kind == "CloudWatch Alarm State Change":
        return _alarm_hint(event, detail)
    return Unusable(f"no wait ends with {event.get('source')!r} {kind!r}")


def execution_hint(event: dict[str, Any], accounts: Accounts) -> ExecutionHint | Unusable:
    """Whose execution an event says has died: executions have the names of their releases."""
    detail = event.get("detail")
    if event.get("source") != "aws.states" or event.get("detail-type") != EXECUTION_CHANGE:
        return Unusable(f"{event.get('source')!r} {event.get('detail-type')!r} is not about an execution")
    if str(event.get("account")) != accounts.hub:
        return Unusable(f"account {event.get('account')!r} is not the hub, where releases run")
    name = detail.get("name") if isinstance(detail, dict) else None
    if not isinstance(name, str) or not name:
        return Unusable("the event names no execution")
    return ExecutionHint(name)


def _endpoint_hint(event: dict[str, Any], detail: dict[str, Any]) -> EndpointHint | Unusable:
    arn = detail.get("EndpointArn")
    if not isinstance(arn, str) or len(arn.split(":")) < 6:
        return Unusable("the event names no EndpointArn")
    if arn.split(":")[4] != event.get("account"):
        return Unusable(f"the event of {event.get('account')} is about another account: {arn}")
    status = str(detail.get("EndpointStatus", ""))
    if status.upper().replace("_", "") in UNDERWAY:
        return Unusable(f"{arn} is still {status}")
    return EndpointHint(arn.lower())


def _alarm_hint(event: dict[str, Any], detail: dict[str, Any]) -> AlarmHint | Unusable:
    state = detail.get("state")
    value = state.get("value") if isinstance(state, dict) else None
    if value != "ALARM":
        return Unusable(f"the alarm is {value}")
    resources = event.get("resources")
    if not isinstance(resources, list) or not resources or not isinstance(resources[0], str):
        return Unusable("the alarm event names no alarm")
    if f":{event.get('account')}:" not in resources[0]:
        return Unusable(f"the event of {event.get('account')} is about another account: {resources[0]}")
    return AlarmHint(resources[0])
