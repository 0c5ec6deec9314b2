"""A training or tuning job ended: register its model, once, tell people that it failed, or say why it is left alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lockkeeper.domain.errors import PolicyMissing, RegistrationRefused
from lockkeeper.domain.pipeline_hint import is_about_pipelines
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.training import (
    Refuse,
    Register,
    Report,
    Trained,
    TrainingHint,
    decide_on_training,
    training_hint,
)
from lockkeeper.domain.training_failure import PASSING
from lockkeeper.domain.training_report import report_from
from lockkeeper.ports import World
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.react_to_pipeline import Followed, react_to_pipeline

REMEMBERED = timedelta(days=400)
"""Longer than any event of a job may come late, dead letters among them; the registry is asked as well."""
BEFORE_ANY_JOB = datetime(2017, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Registered:
    """A version was registered from the job; `report` is where its metrics are, or empty."""

    group: str
    model_package_arn: str
    report: str


@dataclass(frozen=True)
class Told:
    """People of the group were told."""

    group: str
    detail_type: str
    reason: str


def react_to_training(event: dict[str, Any], world: World) -> Registered | Told | Followed | Ignore:
    """Read the event as a hint, SageMaker as the truth. Repeating it changes nothing. Of pipelines only their end is looked at."""
    if is_about_pipelines(event):
        return react_to_pipeline(event, world)
    hint = training_hint(event, world.accounts)
    if isinstance(hint, Ignore):
        return hint
    return settle_training(hint, world)


def settle_training(hint: TrainingHint, world: World) -> Registered | Told | Ignore:
    """Look at a job that may have ended, and do once what follows from it."""
    job = _look(hint, world)
    if job is None or job.arn.lower() != hint.arn.lower():
        return Ignore(f"{hint.arn} is not there")
    decision = decide_on_training(job)
    if isinstance(decision, Register):
        return _register_once(decision, job, world)
    if isinstance(decision, Report):
        facts = {"status": job.status, "cause": str(decision.cause), "passing": decision.cause in PASSING}
        return _tell_once("Training Failed", decision.group, decision.reason, job, facts, world)
    if isinstance(decision, Refuse):
        return _tell_once("Training Refused", decision.group, decision.reason, job, {}, world)
    return decision


def _look(hint: TrainingHint, world: World) -> Trained | None:
    described = world.training.tuning_job(hint.name) if hint.tuning else world.training.training_job(hint.name)
    if described is None:
        return None
    best = None
    if hint.tuning:
        chosen = described.get("BestTrainingJob")
        named = chosen.get("TrainingJobName") if isinstance(chosen, dict) else None
        best = world.training.training_job(named) if named else None
    return Trained(hint.tuning, described, world.training.tags(hint.arn), best)


def _register_once(wanted: Register, job: Trained, world: World) -> Registered | Told | Ignore:
    """Create, then remember: who dies between the two finds the version by its description, and gets it by its token."""
    note = f"registered: {job.identity}"
    if world.ledger.remembers(note):
        return Ignore(f"{job.what} was registered before")
    try:
        world.policies.load(wanted.group)
        report = report_from(wanted.metrics)
        place = _write_report(wanted, report, world) if report else ""
        since = job.description.get("CreationTime")
        after = since if isinstance(since, datetime) else BEFORE_ANY_JOB
        known = world.registry.registered_as(wanted.group, wanted.description, after)
        arn = known or world.registry.register(wanted, place)
    except (PolicyMissing, RegistrationRefused) as error:
        reason = f"{job.what} gave a model that is not registered: {error}"
        return _tell_once("Training Refused", wanted.group, reason, job, {}, world)
    facts = {"model_package_arn": arn, "report": place}
    reason = f"{job.what} gave {arn}"
    world.publisher.publish("Training Registered", {**_facts(wanted.group, reason, job, world), **facts})
    world.ledger.remember(note, world.clock.now() + REMEMBERED)
    return Registered(wanted.group, arn, place)


def _write_report(wanted: Register, report: dict[str, Any], world: World) -> str:
    key = f"training/{wanted.group}/{wanted.token}/statistics.json"
    return world.objects.write(key, json.dumps(report).encode(), "application/json")


def _tell_once(
    detail_type: str, group: str, reason: str, job: Trained, more: dict[str, Any], world: World
) -> Told | Ignore:
    """The same is told once; something else about the same job, such as another tag that is missing, is told again."""
    note = f"{detail_type}: {job.identity}: {reason}"
    if world.ledger.remembers(note):
        return Ignore(f"told before: {reason}")
    facts = {**_facts(group, reason, job, world), **more}
    if detail_type == "Training Failed":
        world.publisher.publish("Training Failed", facts)
    else:
        world.publisher.publish("Training Refused", facts)
    # Afterwards: who dies between the two tells it once more, and not never.
    world.ledger.remember(note, world.clock.now() + REMEMBERED)
    return Told(group, detail_type, reason)


def _facts(group: str, reason: str, job: Trained, world: World) -> dict[str, Any]:
    return {"model_package_group": group, "at": iso(world.clock.now()), "reason": reason, "job": job.arn}
