"""Doing it again: which release may be tried again, and which functions a dead letter was for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.drift_hints import DETECTED, OWN_SOURCE, SCHEDULE_CHANGE
from lockkeeper.domain.errors import GroupFrozen, ReplayRefused
from lockkeeper.domain.events import (
    ABOUT_GROUPS,
    EXECUTION_CHANGE,
    QUESTIONS,
    SERVING_CHANGED,
    TOLD,
    WITHDRAWN,
    Unusable,
)
from lockkeeper.domain.release import Release, Status, release_id_for

RECIPIENTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("aws.sagemaker", "SageMaker Model Package State Change"): ("ReactToRegistry",),
    ("aws.sagemaker", "SageMaker Training Job State Change"): ("ReactToTraining",),
    ("aws.sagemaker", "SageMaker HyperParameter Tuning Job State Change"): ("ReactToTraining",),
    ("aws.sagemaker", "SageMaker Model Building Pipeline Execution Status Change"): ("ReactToTraining",),
    ("aws.sagemaker", "SageMaker Endpoint State Change"): ("ResumeRelease", "ReapRelease"),
    ("aws.sagemaker", "SageMaker Endpoint Deployment State Change"): ("ResumeRelease", "ReapRelease"),
    ("aws.sagemaker", "SageMaker Processing Job State Change"): ("ResumeRelease", "ReactToDrift"),
    ("aws.sagemaker", SCHEDULE_CHANGE): ("ReactToDrift",),
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): ("ResumeRelease", "ReactToDrift"),
    (OWN_SOURCE, DETECTED): ("ReactToDrift",),
    ("aws.states", EXECUTION_CHANGE): ("ReapRelease",),
}
"""The functions that listen to a service's event, by source and detail type: logical IDs of template.yaml."""
SCHEDULED = {"deadline": "ResumeRelease", "housekeeping": "KeepHouse", "drift_monitor": "StartDriftMonitor"}
"""The function that a schedule calls, by the key of its input."""


@dataclass(frozen=True)
class DeadLetter:
    """An event that did not arrive, the functions that it is for, and why it did not (in AWS's words)."""

    event: dict[str, Any]
    recipients: tuple[str, ...]
    why: str

    @property
    def about(self) -> str:
        """What it is, in a few words."""
        return str(self.event.get("detail-type") or next(iter(self.event)))


def decide_on_replay(release: Release, latest: str | None, held: str | None, champion: int | None) -> str:
    """Name of the next attempt of a release. `ReplayRefused` says why there is none.

    Args:
        release: The release to try again.
        latest: Id of the latest attempt to release its version.
        held: Why the version is held, if it is.
        champion: The version that serves its group.
    """
    what = f"version {release.version} of {release.model_package_group}"
    if release.unfinished and not stopped_by_freeze(release):
        if release.ended:  # What it held is not handed on yet.
            raise ReplayRefused(f"{release.release_id} is {release.status}, and being closed", cure="try again soon")
        raise ReplayRefused(f"{release.release_id} has not ended: it is {release.status}")
    if release.status is Status.PROMOTED:
        raise ReplayRefused(f"{release.release_id} was promoted", cure="register a new version")
    if latest != release.release_id:
        raise ReplayRefused(f"{release.release_id} was tried again already", cure=f"look at {latest}")
    if held:
        raise ReplayRefused(f"{what} is held: {held}", cure="register a new version, or lift the hold first")
    if champion is not None and champion > release.version:
        raise ReplayRefused(
            f"{what} is older than version {champion}, which serves", cure="register it as a new version"
        )
    return release_id_for(release.model_package_group, release.version, release.attempt + 1)


def stopped_by_freeze(release: Release) -> bool:
    """Whether it ended since its group was frozen: its next attempt is still to be started when that has ended."""
    return release.ended and release.ending.get("error") == GroupFrozen.__name__


def read_letter(body: str, attributes: Mapping[str, str]) -> DeadLetter | Unusable:
    """Read a message of the dead letter queue: `attributes` are its message attributes' string values.

    EventBridge and Lambda leave the event itself; Scheduler leaves the call that it wanted to make, with the input in it.
    """
    event = _object(body)
    if event is None:
        return Unusable("the message is not a JSON object")
    if "SCHEDULE_ARN" in attributes and isinstance(event.get("Payload"), str):
        event = _object(event["Payload"]) or {}
    recipients = _recipients(event)
    if not recipients:
        return Unusable(f"no function is for {event.get('source')!r} {event.get('detail-type')!r}")
    why = attributes.get("ERROR_MESSAGE") or attributes.get("ErrorMessage") or "no reason given"
    return DeadLetter(event, recipients, why)


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _recipients(event: dict[str, Any]) -> tuple[str, ...]:
    source, kind = str(event.get("source", "")), str(event.get("detail-type", ""))
    if source == "lockkeeper":
        if kind == WITHDRAWN:
            return ("ReapRelease",)
        told: tuple[str, ...] = ("Notify",) if kind in TOLD | QUESTIONS | ABOUT_GROUPS else ()
        told += ("ReactToDrift",) if kind in TOLD - {"Release Opened"} else ()
        return (*told, "StartDriftMonitor") if kind in SERVING_CHANGED else told
    if source:
        return RECIPIENTS.get((source, kind), ())
    return tuple(function for key, function in SCHEDULED.items() if key in event)
