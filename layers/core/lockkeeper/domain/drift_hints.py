"""Events that may be about drift, read as hints: of any shape, from anybody, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.drift import DriftSignal, moment_in, signal_of_event
from lockkeeper.domain.events import (
    ALARM_ARN,
    GROUP_NAME,
    JOB_ARN,
    PROCESSING_CHANGE,
    TOLD,
    Unusable,
    announcement,
    shown,
)

SCHEDULE_CHANGE = "SageMaker Monitoring Schedule State Change"
DETECTED = "Drift Detected"
OWN_SOURCE = "lockkeeper.drift"
"""The source of `Drift Detected`: whoever is asked to tell Lockkeeper says it under this name."""
SCHEDULE_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:(?P<account>[0-9]{12}):monitoring-schedule/(?P<name>[a-zA-Z0-9-]{1,63})"
)
OTHER_ALARMS = re.compile(r"lockkeeper-.*-alarm-.*|TargetTracking-.*", re.DOTALL)
"""Alarms of releases and of autoscaling: they are never about drift, and they are many."""


@dataclass(frozen=True)
class AlarmTold:
    """An alarm of production went off."""

    name: str
    arn: str


@dataclass(frozen=True)
class JobTold:
    """A Processing job of production ended; its name as the event spells it or, in lower case, as in ARNs."""

    name: str
    arn: str


@dataclass(frozen=True)
class ScheduleTold:
    """A monitoring schedule of production changed."""

    name: str


@dataclass(frozen=True)
class ReleaseTold:
    """A release ended."""

    group: str
    version: int


Hint = AlarmTold | JobTold | ScheduleTold | ReleaseTold | DriftSignal


def drift_hint(event: dict[str, Any], accounts: Accounts) -> Hint | Unusable:
    """What an event hints at. Anything that is not understood, or comes from elsewhere, is `Unusable`."""
    detail, kind, source = event.get("detail"), event.get("detail-type"), event.get("source")
    if not isinstance(detail, dict):
        return Unusable("the event has no detail")
    if source == "lockkeeper":
        return _release(event, accounts)
    if source == OWN_SOURCE and kind == DETECTED:
        return _detected(event, detail, accounts)
    if event.get("account") != accounts.production:
        return Unusable(f"account {shown(event.get('account'))} is not production, where drift is seen")
    if source == "aws.cloudwatch" and kind == "CloudWatch Alarm State Change":
        return _alarm(event, detail)
    if source == "aws.sagemaker" and kind == PROCESSING_CHANGE:
        return _job(event, detail)
    if source == "aws.sagemaker" and kind == SCHEDULE_CHANGE:
        return _schedule(event, detail)
    return Unusable(f"{shown(source)} {shown(kind)} is not about drift")


def _release(event: dict[str, Any], accounts: Accounts) -> ReleaseTold | Unusable:
    told = announcement(event, accounts)
    if isinstance(told, Unusable):
        return told
    if told.detail_type not in TOLD or told.detail_type == "Release Opened":
        return Unusable(f"{told.detail_type} is not the end of a release")
    return ReleaseTold(str(told.detail["model_package_group"]), int(told.detail["version"]))


def _detected(event: dict[str, Any], detail: dict[str, Any], accounts: Accounts) -> DriftSignal | Unusable:
    if event.get("account") not in (accounts.hub, accounts.registry, accounts.production):
        return Unusable(f"account {shown(event.get('account'))} is not one that may tell of drift")
    group = detail.get("model_package_group")
    if not isinstance(group, str) or not GROUP_NAME.fullmatch(group):
        return Unusable("the event names no model package group")
    at = moment_in(event.get("time"))
    if not at:
        return Unusable(f"the event's time is {shown(event.get('time'))}")
    signal = signal_of_event(detail, at)
    return Unusable(signal) if isinstance(signal, str) else signal


def _alarm(event: dict[str, Any], detail: dict[str, Any]) -> AlarmTold | Unusable:
    state = detail.get("state")
    value = state.get("value") if isinstance(state, dict) else None
    if value != "ALARM":
        return Unusable(f"the alarm is {shown(value)}")
    if detail.get("muteDetail"):
        return Unusable("the alarm is muted")
    resources = event.get("resources")
    named = resources[0] if isinstance(resources, list) and resources else None
    found = ALARM_ARN.fullmatch(named) if isinstance(named, str) else None
    if found is None:
        return Unusable("the alarm event names no alarm")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {shown(found[0])}")
    name = found[0].split(":", 6)[6]
    if OTHER_ALARMS.fullmatch(name):
        return Unusable(f"alarm {shown(name)} watches a release or scales an endpoint")
    return AlarmTold(name, found[0])


def _job(event: dict[str, Any], detail: dict[str, Any]) -> JobTold | Unusable:
    arn, name = detail.get("ProcessingJobArn"), detail.get("ProcessingJobName")
    found = JOB_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        return Unusable("the event names no ProcessingJobArn")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    status = str(detail.get("ProcessingJobStatus", "")).upper()
    if status in {"INPROGRESS", "IN_PROGRESS", "STOPPING"}:
        return Unusable(f"{found[0]} is still {status}")
    in_arn = found[0].rpartition("/")[2]
    if in_arn.lower().startswith("lockkeeper-") and not in_arn.lower().startswith("lockkeeper-monitor-"):
        return Unusable(f"{in_arn} is a job of a release")
    # SageMaker writes names in lower case in ARNs, and knows jobs by the names that they were given.
    spelt = name if isinstance(name, str) and name.lower() == in_arn.lower() else in_arn
    return JobTold(spelt, found[0])


def _schedule(event: dict[str, Any], detail: dict[str, Any]) -> ScheduleTold | Unusable:
    """No payload of this event is documented: its schedule may be named in the detail or in the resources."""
    resources = event.get("resources")
    named = [detail.get("MonitoringScheduleArn"), *(resources if isinstance(resources, list) else [])]
    found = next((hit for one in named if isinstance(one, str) and (hit := SCHEDULE_ARN.fullmatch(one))), None)
    if found is None:
        return Unusable("the event names no monitoring schedule")
    if found["account"] != event.get("account"):
        return Unusable(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    return ScheduleTold(found["name"])
