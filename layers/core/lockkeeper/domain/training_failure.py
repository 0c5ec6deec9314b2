"""Why a job ended without a model: what its code did, what its data did, and what AWS did to it are told apart."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from lockkeeper.domain.words import one_line


class Cause(StrEnum):
    """Whose doing it was."""

    SPOT = "spot-interruption"
    CAPACITY = "capacity"
    CODE = "code"
    INPUT = "input"
    SERVICE = "service"
    TOO_LONG = "too-long"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


PASSING = frozenset({Cause.SPOT, Cause.CAPACITY, Cause.SERVICE})
"""What says nothing about code or data: the same job may succeed another time."""

CURES = {
    Cause.SPOT: "AWS took its spot instances; start it again, with checkpoints or a longer MaxWaitTimeInSeconds, or without spot",
    Cause.CAPACITY: "AWS had no instances of that type; start it again later, or with another instance type",
    Cause.CODE: "the training code failed; its log in /aws/sagemaker/TrainingJobs says where",
    Cause.INPUT: "what it was given was wrong: data, image, role or configuration; mend what the reason names",
    Cause.SERVICE: "SageMaker itself failed; start it again",
    Cause.TOO_LONG: "it reached MaxRuntimeInSeconds; give it longer, or less to do",
    Cause.STOPPED: "somebody stopped it",
    Cause.UNKNOWN: "SageMaker gives no reason that Lockkeeper knows; look at the job",
}
"""What each cause means, and what a person can do."""

# How FailureReason begins, without what comes after the colon: a script's own words follow AlgorithmError.
BY_PREFIX = {
    "algorithmerror": Cause.CODE,
    "capacityerror": Cause.CAPACITY,
    "insufficientcapacity": Cause.CAPACITY,
    "insufficientcapacityerror": Cause.CAPACITY,
    "insufficientinstancecapacity": Cause.CAPACITY,
    "clienterror": Cause.INPUT,
    "internalservererror": Cause.SERVICE,
    "maxruntimeexceeded": Cause.TOO_LONG,
    "maxwaittimeexceeded": Cause.SPOT,
}
SECONDARY = {"MaxRuntimeExceeded": Cause.TOO_LONG, "MaxWaitTimeExceeded": Cause.SPOT}
NO_CAPACITY = re.compile(
    r"insufficient\s*(instance\s*)?capacity|unable to provision requested ml compute capacity", re.I
)


def cause_of(description: dict[str, Any], status: str) -> Cause:
    """The cause, from DescribeTrainingJob's or DescribeHyperParameterTuningJob's answer of a job that is Failed or Stopped."""
    secondary = description.get("SecondaryStatus")
    if isinstance(secondary, str) and secondary in SECONDARY:
        return SECONDARY[secondary]
    reason = str(description.get("FailureReason") or "")
    begins = re.match(r"\s*([A-Za-z]+)", reason)
    named = BY_PREFIX.get(begins[1].lower()) if begins else None
    if named in (Cause.CODE, Cause.CAPACITY, Cause.TOO_LONG, Cause.SPOT):
        return named
    if NO_CAPACITY.search(reason):
        return Cause.CAPACITY
    if _was_interrupted(description):
        return Cause.SPOT
    if named:
        return named
    return Cause.STOPPED if status == "Stopped" else Cause.UNKNOWN


def _was_interrupted(description: dict[str, Any]) -> bool:
    """Whether the last thing that happened before the job's end was that its spot instances were taken."""
    changes = description.get("SecondaryStatusTransitions")
    statuses = [one.get("Status") for one in changes if isinstance(one, dict)] if isinstance(changes, list) else []
    before_the_end = [one for one in statuses if one not in ("Failed", "Stopped", "Stopping")]
    return bool(before_the_end) and before_the_end[-1] == "Interrupted"


def in_words(cause: Cause, what: str, status: str, failure_reason: Any) -> str:
    """One sentence for people: what happened, what SageMaker says, what to do."""
    said = one_line(str(failure_reason or ""))[:500]
    return f"{what} is {status}{f' ({said})' if said else ''}: {CURES[cause]}"
