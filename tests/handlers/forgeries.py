"""Worlds in which one event would make a function act, and events that are that one with something forged or broken."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from lockkeeper.domain.approval import Answer
from lockkeeper.use_cases.decide_approval import decide_by_link

from tests.unit.drifting import Drifting, pipeline_event
from tests.unit.harbour import (
    ALARM,
    GROUP,
    Harbour,
    alarm_event,
    endpoint_event,
    execution_event,
    package_event,
    policy_document,
    release_id,
)
from tests.unit.trained import train, training_event, tune, tuning_event

STRANGER = "999988887777"
ELSEWHERE = "ap-southeast-2"
LONG = "x" * 5000
HALF_A_CHARACTER = "\ud800"
BROKEN: tuple[Any, ...] = (
    None,
    "",
    [],
    {},
    [None],
    {"a": {"b": []}},
    0,
    -1,
    True,
    1e308,
    LONG,
    HALF_A_CHARACTER,
    "\x00\n<!--",
    STRANGER,
)

Event = dict[str, Any]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Situation:
    """`event` makes `function` act in the world that `prepare` leaves; `identity` are the places that say whose it is."""

    function: str
    prepare: Callable[[Harbour], None]
    event: Callable[[Harbour], Event]
    identity: tuple[Place, ...]


def register_untold(harbour: Harbour) -> None:
    """A version is in the registry; nobody has told."""
    tell = harbour.tell_registry
    harbour.tell_registry = lambda version: None  # type: ignore[method-assign, assignment]
    harbour.register(1)
    harbour.tell_registry = tell  # type: ignore[method-assign]


def staging_untold(harbour: Harbour) -> None:
    """The staging endpoint is in service; nobody has told."""
    harbour.register(1)
    decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)
    harbour.machine.run()
    (name,) = harbour.world.staging.endpoints
    harbour.world.staging.advance(name)


def alarm_untold(harbour: Harbour) -> None:
    """Production bakes and its alarm is on; nobody has told."""
    baking(harbour)
    harbour.world.production.change_alarm(ALARM, "ALARM")


def baking(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.traffic()


def stopped_untold(harbour: Harbour) -> None:
    """Somebody stopped the execution of a release that asks people; nobody has told."""
    harbour.register(1)
    harbour.machine.stop(release_id(1))


def dead_and_untold(harbour: Harbour) -> None:
    """A dead release waits for its staging endpoint, which is in service by now; nobody has told."""
    harbour.register(1)
    decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)
    harbour.machine.run()
    harbour.machine.stop(release_id(1))
    harbour.reap(1)
    (name,) = harbour.world.staging.endpoints
    harbour.world.staging.advance(name)


def staging_event(harbour: Harbour) -> Event:
    (name,) = harbour.world.staging.endpoints
    return whole(endpoint_event(harbour.world.staging.arn_of(name)))


def deadline(harbour: Harbour) -> Event:
    ((_, payload),) = harbour.world.schedules.planned.values()
    return payload


def promoted(harbour: Harbour) -> Event:
    detail = {"release_id": release_id(1), "model_package_group": GROUP, "version": 1, "status": "promoted"}
    return whole(
        {
            "source": "lockkeeper",
            "detail-type": "Release Promoted",
            "account": harbour.world.accounts.hub,
            "detail": detail,
        }
    )


def whole(event: Event) -> Event:
    """An event with everything that EventBridge writes."""
    envelope = {"version": "0", "id": "5c3f", "time": "2026-11-24T09:05:00Z", "region": "eu-central-1", "resources": []}
    return {**envelope, **event}


def monitored_untold(harbour: Harbour) -> None:
    """A version serves that the policy wants to be monitored; nobody has told."""
    harbour.apply({**policy_document(), "drift": {"monitor": {}}})
    harbour.promote(1)


def drifting(harbour: Harbour) -> None:
    """Version 1 serves, and its policy trains anew; nobody has told that it drifts."""
    harbour.told = [Drifting(harbour).event()]


def alarm_of_drift(harbour: Harbour) -> None:
    """The same, and its alarm is on."""
    harbour.told = [Drifting(harbour).alarm()]


def monitor_found(harbour: Harbour) -> None:
    """The same, and a monitor has found something."""
    harbour.told = [Drifting(harbour).monitor([EXP])]


def pipeline_ended(harbour: Harbour) -> None:
    """The same, and the pipeline that it started has failed."""
    drifting = Drifting(harbour)
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.end(arn, "Failed", "it was out of memory")
    harbour.told = [pipeline_event(arn)]


def untold(harbour: Harbour) -> Event:
    return whole(harbour.told[0])


ENVELOPE: tuple[Place, ...] = (("source",), ("detail-type",), ("account",), ("detail",))
EXP = {
    "feature_name": "exp",
    "constraint_check_type": "baseline_drift_check",
    "description": "Baseline drift distance: 0.136 exceeds threshold: 0.1",
}
SITUATIONS = {
    "a version is registered": Situation(
        "react_to_registry",
        register_untold,
        lambda _: whole(package_event(1)),
        (*ENVELOPE, ("region",), ("detail", "ModelPackageArn")),
    ),
    "a training job has ended": Situation(
        "react_to_training",
        lambda harbour: train(harbour.world),
        lambda _: whole(training_event()),
        (*ENVELOPE, ("region",), ("detail", "TrainingJobArn")),
    ),
    "a tuning job has ended": Situation(
        "react_to_training",
        lambda harbour: tune(harbour.world),
        lambda _: whole(tuning_event()),
        (*ENVELOPE, ("region",), ("detail", "HyperParameterTuningJobArn")),
    ),
    "an endpoint is in service": Situation(
        "resume_release", staging_untold, staging_event, (*ENVELOPE, ("detail", "EndpointArn"))
    ),
    "an alarm is on": Situation(
        "resume_release",
        alarm_untold,
        lambda harbour: whole(alarm_event(harbour.world.production.alarm_arn(ALARM))),
        (*ENVELOPE, ("resources",), ("resources", 0), ("detail", "state"), ("detail", "state", "value")),
    ),
    "a bake is over": Situation(
        "resume_release",
        baking,
        deadline,
        (("deadline",), ("deadline", "release_id"), ("deadline", "state")),
    ),
    "an execution died": Situation(
        "reap_release",
        stopped_untold,
        lambda _: whole(execution_event(release_id(1))),
        (*ENVELOPE, ("detail", "name")),
    ),
    "a dead release's endpoint changed": Situation(
        "reap_release", dead_and_untold, staging_event, (*ENVELOPE, ("detail", "EndpointArn"))
    ),
    "a monitored version was promoted": Situation(
        "start_drift_monitor", monitored_untold, promoted, (*ENVELOPE, ("detail", "model_package_group"))
    ),
    "somebody tells of drift": Situation(
        "react_to_drift",
        drifting,
        untold,
        (*ENVELOPE, ("time",), ("detail", "model_package_group")),
    ),
    "an alarm of drift is on": Situation(
        "react_to_drift",
        alarm_of_drift,
        untold,
        (*ENVELOPE, ("resources",), ("resources", 0), ("detail", "state"), ("detail", "state", "value")),
    ),
    "a retraining's pipeline failed": Situation(
        "react_to_training",
        pipeline_ended,
        untold,
        (*ENVELOPE, ("detail", "pipelineExecutionArn")),
    ),
    "a monitor found drift": Situation(
        "react_to_drift",
        monitor_found,
        untold,
        (*ENVELOPE, ("detail", "ProcessingJobArn")),
    ),
    "a release was promoted": Situation(
        "notify",
        lambda _: None,
        promoted,
        (*ENVELOPE, ("detail", "release_id"), ("detail", "model_package_group"), ("detail", "version")),
    ),
}


def forged(situation: Situation, event: Event) -> Iterator[tuple[str, Event]]:
    """Events that claim what `event` says and are not it, each with what is wrong."""
    for place in situation.identity:
        for value in BROKEN:
            yield f"{place} is {value!r:.30}", put(event, place, value)
        yield f"no {place}", remove(event, place)
        known = at(event, place)
        if isinstance(known, str):
            for what, value in pretences(known):
                yield f"{place} {what}", put(event, place, value)
    for kind, other in KINDS.items():
        if event.get("detail-type") not in (None, kind):
            yield f"said to be {kind}", {**event, "detail-type": kind, "source": other}
    if "source" not in event:
        for source in (None, "", "lockkeeper", "aws.scheduler"):
            yield f"with source {source!r}", {**event, "source": source}


KINDS = {
    "SageMaker Model Package State Change": "aws.sagemaker",
    "CloudWatch Alarm State Change": "aws.cloudwatch",
    "Step Functions Execution Status Change": "aws.states",
    "Scheduled Event": "aws.events",
}


def pretences(text: str) -> Iterator[tuple[str, str]]:
    """Texts that look like another: of another account, region, service, version, name, or with something around them."""
    yield "with a space", f"{text} "
    yield "cut", text[:-1]
    yield "with a line break", f"{text}\n"
    yield "of a stranger inside", f"{text}:{STRANGER}"
    if text.startswith("arn:"):
        parts = text.split(":")
        yield "of a stranger", ":".join([*parts[:4], STRANGER, *parts[5:]])
        yield "of another region", ":".join([*parts[:3], ELSEWHERE, *parts[4:]])
        yield "of another service", ":".join([*parts[:2], "s3", *parts[3:]])
        yield "of nothing known", f"{text.rpartition('/')[0]}/unknown"
        yield "of a version that is not there", f"{text.rpartition('/')[0]}/99"
        yield "without a region", ":".join([*parts[:3], "", *parts[4:]])
        yield "twice", f"{text}{text}"
        yield "too long for a key", f"{text}{LONG}"
    if text.isdigit():
        yield "of a stranger", STRANGER


def anywhere(event: Event) -> Iterator[tuple[str, Event]]:
    """The event broken in any one place: those that do not say whose it is may be anything."""
    for place in places(event):
        for value in BROKEN:
            yield f"{place} is {value!r:.30}", put(event, place, value)
        yield f"no {place}", remove(event, place)


def places(document: Any, place: Place = ()) -> Iterator[Place]:
    inside = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inside:
        yield (*place, key)
        yield from places(value, (*place, key))


def at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def put(event: Event, place: Place, value: Any) -> Event:
    changed = copy.deepcopy(event)
    at(changed, place[:-1])[place[-1]] = copy.deepcopy(value)
    return changed


def remove(event: Event, place: Place) -> Event:
    changed = copy.deepcopy(event)
    del at(changed, place[:-1])[place[-1]]
    return changed


def state_of(thing: Any) -> Any:
    """Everything that a world holds, as plain documents: equal before and after means that nothing was done."""
    if isinstance(thing, dict):
        return {str(key): state_of(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [state_of(item) for item in thing]
    if isinstance(thing, set | frozenset):
        return sorted(str(item) for item in thing)
    if thing is None or isinstance(thing, str | bytes | int | float | bool | datetime | Enum):
        return thing
    if isinstance(thing, type(threading.Lock()) | type(threading.RLock())) or callable(thing):
        return None
    return state_of(vars(thing))
