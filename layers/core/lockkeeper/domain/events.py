"""Events that may end a wait, read as hints: of any shape, from anybody, in any order."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.release import ENDED

UNDERWAY = frozenset({"CREATING", "UPDATING", "SYSTEMUPDATING", "ROLLINGBACK", "DELETING"})
"""Endpoint statuses, without case and underscores, that no wait ends with; another event follows them."""

ENDPOINT_CHANGES = frozenset({"SageMaker Endpoint State Change", "SageMaker Endpoint Deployment State Change"})

PROCESSING_CHANGE = "SageMaker Processing Job State Change"

EXECUTION_CHANGE = "Step Functions Execution Status Change"

# What is looked up is a key of the ledger or a part of a request: only what SageMaker, CloudWatch and Step Functions allow
# as a name gets there.
ENDPOINT_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:(?P<account>[0-9]{12}):endpoint/[a-zA-Z0-9-]{1,63}")
JOB_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:(?P<account>[0-9]{12}):processing-job/[a-zA-Z0-9-]{1,63}")
ALARM_ARN = re.compile(
    r"arn:aws[a-z-]*:cloudwatch:[a-z0-9-]+:(?P<account>[0-9]{12}):alarm:[^\x00-\x1f\ud800-\udfff]{1,255}"
)
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")

TOLD = frozenset({"Release Opened", *(f"Release {str(status).replace('-', ' ').title()}" for status in ENDED)})
"""What becomes of a release, as Lockkeeper says it."""

QUESTIONS = frozenset({"Approval Requested", "Approval Decided", "Approval Refused"})
"""What becomes of a question: who was asked is told by the question itself, so this is for the message in Slack."""

WITHDRAWN = "Promotion Withdrawn"
"""Somebody who may has rejected what serves; what served before is to come back."""

ABOUT_GROUPS = frozenset(
    {
        "Group Frozen",
        "Group Unfrozen",
        "Version Held",
        "Hold Lifted",
        "Rollback Requested",
        "Cleanup Due",
        "Endpoint Adopted",
        "Training Failed",
        "Training Refused",
        "Drift Observed",
        "Retraining Started",
        "Retraining Ended",
        "Retraining Given Up",
        "Retraining Resumed",
    }
)
"""What somebody did with a brake or an endpoint, what nobody needs any more, training that gave no version, drift and retrainings:
about a group, and seldom of a release."""
SERVING_CHANGED = frozenset({"Release Promoted", "Release Rolled Back", "Cleanup Due", "Endpoint Adopted"})
"""After which another version may serve, or none: what production is monitored for changes with it."""

GROUP_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")

LONGEST_QUIET = timedelta(days=1)


@dataclass(frozen=True)
class EndpointHint:
    """An endpoint changed; `arn` in lower case, as SageMaker writes endpoint names in ARNs."""

    arn: str

    @property
    def what(self) -> str:
        return f"a change of {self.arn}"


@dataclass(frozen=True)
class JobHint:
    """A Processing job ended; `arn` in lower case, as SageMaker writes names of jobs in ARNs."""

    arn: str

    @property
    def what(self) -> str:
        return f"the end of {self.arn}"


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
    at: str = ""
    """Which deadline it was, as the wait has it: it may have been put off since. Schedules of the version before do not say."""

    @property
    def what(self) -> str:
        return f"the deadline of {self.state}"


@dataclass(frozen=True)
class ExecutionHint:
    """An execution of the release machine ended otherwise than by its last state."""

    release_id: str


@dataclass(frozen=True)
class Announcement:
    """One of Lockkeeper's own events, to be told to people."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def release_id(self) -> str:
        return str(self.detail["release_id"])


@dataclass(frozen=True)
class GroupTold:
    """One of Lockkeeper's own events about a group, to be told to people. `urgent`: a rollback failed, look now."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def group(self) -> str:
        return str(self.detail["model_package_group"])

    @property
    def urgent(self) -> bool:
        return self.detail.get("urgent") is True


@dataclass(frozen=True)
class Unusable:
    """An event that ends no wait, and why."""

    reason: str


Hint = EndpointHint | JobHint | AlarmHint | DeadlineHint


def wait_hint(event: dict[str, Any], accounts: Accounts) -> Hint | Unusable:
    """What an event hints at. Anything that is not understood, or comes from elsewhere, is `Unusable`."""
    deadline = event.get("deadline")
    if isinstance(deadline, dict) and "source" not in event:
        return _deadline_hint(deadline)
    detail = event.get("detail")
    kind = str(event.get("detail-type"))
    if not isinstance(detail, dict):
        return Unusable("the event has no detail")
    if event.get("source") == "aws.sagemaker" and kind == PROCESSING_CHANGE:
        return _job_hint(event, detail, accounts)
    if str(event.get("account")) not in accounts.endpoints:
        return Unusable(f"account {shown(event.get('account'))} is not one whose endpoints and alarms count")
    if event.get("source") == "aws.sagemaker" and kind in ENDPOINT_CHANGES:
        return _endpoint_hint(event, detail)
    if event.get("source") == "aws.cloudwatch" and kind == "CloudWatch Alarm State Change":
        return _alarm_hint(event, detail)
    return Unusable(f"no wait ends with {shown(event.get('source'))} {shown(kind)}")


def execution_hint(event: dict[str, Any], accounts: Accounts) -> ExecutionHint | Unusable:
    """Whose execution an event says has died: executions have the names of their releases."""
    detail = event.get("detail")
    if event.get("source") != "aws.states" or event.get("detail-type") != EXECUTION_CHANGE:
        return Unusable(f"{shown(event.get('source'))} {shown(event.get('detail-type'))} is not about an execution")
    if str(event.get("account")) != accounts.hub:
        return Unusable(f"account {shown(event.get('account'))} is not the hub, where releases run")
    name = detail.get("name") if isinstance(detail, dict) else None
    if not _is_name(name):
        return Unusable("the event names no execution")
    return ExecutionHint(str(name))


def announcement(event: dict[str, Any], accounts: Accounts) -> Announcement | Unusable:
    """What Lockkeeper itself says about a release. Nobody else speaks in its name."""
    detail, kind = event.get("detail"), event.get("detail-type")
    if event.get("source") != "lockkeeper" or not isinstance(kind, str) or kind not in TOLD | QUESTIONS | {WITHDRAWN}:
        return Unusable(f"{shown(event.get('source'))} {shown(kind)} is not what became of a release")
    if event.get("account") != accounts.hub:
        return Unusable(f"account {shown(event.get('account'))} is not the hub, where releases run")
    if not isinstance(detail, dict) or not _is_name(detail.get("release_id")):
        return Unusable("the event names no release")
    release_id, group, version = detail["release_id"], detail.get("model_package_group"), detail.get("version")
    if not re.fullmatch(re.escape(f"{group}-v{version}-a") + r"\d+", release_id) or isinstance(version, bool):
        return Unusable(f"{release_id} is no release of version {shown(version)} of {shown(group)}")
    return Announcement(kind, detail)


def is_about_group(event: dict[str, Any]) -> bool:
    """Whether an event says that it is about a group as a whole."""
    kind = event.get("detail-type")
    return event.get("source") == "lockkeeper" and isinstance(kind, str) and kind in ABOUT_GROUPS


def group_told(event: dict[str, Any], accounts: Accounts) -> GroupTold | Unusable:
    """What Lockkeeper itself says about a group. Nobody else speaks in its name."""
    detail = event.get("detail")
    if not is_about_group(event):
        return Unusable(f"{shown(event.get('source'))} {shown(event.get('detail-type'))} is not about a group")
    if event.get("account") != accounts.hub:
        return Unusable(f"account {shown(event.get('account'))} is not the hub, where releases run")
    group = detail.get("model_package_group") if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(group, str) or not GROUP_NAME.fullmatch(group):
        return Unusable("the event names no model package group")
    return GroupTold(str(event["detail-type"]), detail)


def quiet_before_a_look(event: dict[str, Any], usual: timedelta) -> timedelta | Unusable:
    """How long nothing was written about a release that is looked at now: `quiet_seconds` of the event, else as usual."""
    if "source" in event or not ("housekeeping" in event or "quiet_seconds" in event):
        return Unusable("this is no call of the schedule")
    seconds = event.get("quiet_seconds", usual.total_seconds())
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return Unusable(f"quiet_seconds is {shown(seconds)}, which is no number of seconds")
    if not 0 <= seconds <= LONGEST_QUIET.total_seconds():
        return Unusable(f"quiet_seconds is {shown(seconds)}; it is from 0 to {LONGEST_QUIET.total_seconds():.0f}")
    return timedelta(seconds=seconds)


def wants_cleanup(event: dict[str, Any]) -> bool:
    """Whether a call of the schedule asks for what nobody needs any more, too."""
    asked = event.get("housekeeping")
    return isinstance(asked, dict) and asked.get("cleanup") is True


def shown(value: object) -> str:
    """A part of an event as it may stand in a log or an answer: short, and with nothing in it that breaks a line."""
    return ascii(value)[:200]


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def _deadline_hint(deadline: dict[str, Any]) -> DeadlineHint | Unusable:
    release_id, state = deadline.get("release_id"), deadline.get("state")
    if not (_is_name(release_id) and _is_name(state)):
        return Unusable("the deadline names no release and state")
    at = deadline.get("at")
    if "at" in deadline and not _is_time(at):
        return Unusable(f"the deadline's time is {shown(at)}")
    # Schedules of the minor version before name no time.
    return DeadlineHint(str(release_id), str(state), at or "")


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _endpoint_hint(event: dict[str, Any], detail: dict[str, Any]) -> EndpointHint | Unusable:
    arn = detail.get("EndpointArn")
    found = ENDPOINT_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        return Unusable("the event names no EndpointArn")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    status = str(detail.get("EndpointStatus", ""))
    if status.upper().replace("_", "") in UNDERWAY:
        return Unusable(f"{found[0]} is still {status}")
    return EndpointHint(found[0].lower())


def _job_hint(event: dict[str, Any], detail: dict[str, Any], accounts: Accounts) -> JobHint | Unusable:
    if str(event.get("account")) not in accounts.jobs:
        return Unusable(f"account {shown(event.get('account'))} is not one whose jobs count")
    arn = detail.get("ProcessingJobArn")
    found = JOB_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        return Unusable("the event names no ProcessingJobArn")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    status = str(detail.get("ProcessingJobStatus", ""))
    if status.upper().replace("_", "") in {"INPROGRESS", "STOPPING"}:
        return Unusable(f"{found[0]} is still {status}")
    return JobHint(found[0].lower())


def _alarm_hint(event: dict[str, Any], detail: dict[str, Any]) -> AlarmHint | Unusable:
    state = detail.get("state")
    value = state.get("value") if isinstance(state, dict) else None
    if value != "ALARM":
        return Unusable(f"the alarm is {shown(value)}")
    resources = event.get("resources")
    named = resources[0] if isinstance(resources, list) and resources else None
    found = ALARM_ARN.fullmatch(named) if isinstance(named, str) else None
    if found is None:
        return Unusable("the alarm event names no alarm")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    return AlarmHint(found[0])
