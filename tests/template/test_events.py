"""The samples in `events/`: what comes in is understood, what goes out has a schema and keeps to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from lockkeeper.adapters.in_memory.world import HUB as ROOT
from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.drift import DriftSignal
from lockkeeper.domain.drift_hints import AlarmTold, JobTold, ScheduleTold, drift_hint
from lockkeeper.domain.errors import DecisionRefused
from lockkeeper.domain.events import (
    AlarmHint,
    DeadlineHint,
    EndpointHint,
    ExecutionHint,
    JobHint,
    Unusable,
    execution_hint,
    wait_hint,
)
from lockkeeper.domain.monitoring import Align, Look, what_is_asked
from lockkeeper.domain.pipeline_hint import PipelineTold, pipeline_hint
from lockkeeper.domain.registration import PackageHint, name_of, package_hint
from lockkeeper.domain.release import Status
from lockkeeper.domain.replay import DeadLetter, read_letter
from lockkeeper.domain.slack_press import Press, Shown
from lockkeeper.domain.training import TrainingHint, training_hint
from lockkeeper.use_cases.adopt_endpoint import adopt_endpoint
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.brake import freeze_group, hold_version, lift_hold, resume_retraining, unfreeze_group
from lockkeeper.use_cases.decide_approval import decide_by_slack
from lockkeeper.use_cases.keep_house import QUIET, keep_house
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.react_to_training import react_to_training
from lockkeeper.use_cases.reap_release import reap_release

from tests.template.project import PROJECT, functions, published_detail_types, resources
from tests.unit.drifting import Drifting
from tests.unit.harbour import ALARM, Harbour, alarm_event, package_arn, package_event, policy_document
from tests.unit.settled import foreign, serve
from tests.unit.trained import train, training_event

EVENTS = PROJECT / "events"
HUB = "111122223333"
ACCOUNTS = Accounts(hub=HUB, registry=HUB, staging=HUB, production=HUB)
HINTS = {
    "endpoint-in-service": EndpointHint(
        "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/lockkeeper-wages-v3-a1-staging"
    ),
    "endpoint-failed": EndpointHint(
        "arn:aws:sagemaker:eu-central-1:111122223333:endpoint/lockkeeper-wages-v3-a1-staging"
    ),
    "endpoint-deployment": Unusable("arn:aws:sagemaker:eu-central-1:111122223333:endpoint/wages is still UPDATING"),
    "replay-ended": JobHint("arn:aws:sagemaker:eu-central-1:111122223333:processing-job/lockkeeper-wages-v3-a1-replay"),
    "alarm": AlarmHint("arn:aws:cloudwatch:eu-central-1:111122223333:alarm:wages-errors"),
    "deadline": DeadlineHint("wages-v3-a1", "WatchProduction", "2026-11-24T11:00:00.000Z"),
}
PACKAGES: dict[str, tuple[str, ...]] = {
    "model-package-created": (),
    "model-package-updated": ("ModelApprovalStatus", "ApprovalDescription"),
}
TRAINING = {
    "training-job-completed": TrainingHint(
        "arn:aws:sagemaker:eu-central-1:111122223333:training-job/wages-night", "wages-night", tuning=False
    ),
    "tuning-job-completed": TrainingHint(
        "arn:aws:sagemaker:eu-central-1:111122223333:hyper-parameter-tuning-job/wages-search",
        "wages-search",
        tuning=True,
    ),
}


DRIFT = {
    "monitor-ended": JobTold(
        "lockkeeper-monitor-wages-1",
        "arn:aws:sagemaker:eu-central-1:111122223333:processing-job/lockkeeper-monitor-wages-1",
    ),
    "monitoring-schedule": ScheduleTold("wages-hourly"),
    "alarm": AlarmTold("wages-errors", "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:wages-errors"),
}
"""Samples that may tell of drift, beside that of somebody's own."""


def kebab(detail_type: str) -> str:
    return detail_type.lower().replace(" ", "-")


def read(folder: str, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / folder / f"{name}.json").read_text())
    return document


def names(folder: str) -> set[str]:
    return {path.stem for path in (EVENTS / folder).glob("*.json")}


@pytest.mark.parametrize("name", sorted(HINTS))
def test_a_sample_that_may_end_a_wait_is_understood(name: str) -> None:
    assert wait_hint(read("in", name), ACCOUNTS) == HINTS[name]


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_sample_of_a_registration_is_understood(name: str) -> None:
    hint = package_hint(read("in", name))
    assert isinstance(hint, PackageHint)
    assert hint.updated_fields == PACKAGES[name]
    package = name_of(hint, ACCOUNTS)
    assert (package.group, package.version) == ("wages", 3)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", sorted(TRAINING))
def test_a_sample_of_training_is_understood(name: str) -> None:
    assert training_hint(read("in", name), ACCOUNTS) == TRAINING[name]


def test_a_sample_of_a_pipelines_end_is_understood() -> None:
    sample = read("in", "pipeline-ended")
    assert pipeline_hint(sample, ACCOUNTS) == PipelineTold(sample["detail"]["pipelineExecutionArn"])


@pytest.mark.parametrize("name", sorted(DRIFT))
def test_a_sample_that_may_tell_of_drift_is_understood(name: str) -> None:
    assert drift_hint(read("in", name), ACCOUNTS) == DRIFT[name]


def test_what_others_tell_of_drift_has_a_schema_and_is_understood() -> None:
    sample, schema = read("in", "drift-detected"), read("schemas", "drift-detected")
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sample)
    assert set(sample["detail"]) == set(schema["properties"]["detail"]["properties"])
    signal = drift_hint(sample, ACCOUNTS)
    assert isinstance(signal, DriftSignal)
    assert (signal.group, signal.names, signal.version, signal.rows) == ("wages", {"exp"}, 3, 612)
    for field in schema["properties"]["detail"]["required"]:
        broken = read("in", "drift-detected")
        del broken["detail"][field]
        assert not Draft202012Validator(schema).is_valid(broken)
        assert isinstance(drift_hint(broken, ACCOUNTS), Unusable)


def test_a_sample_of_a_dead_execution_is_understood() -> None:
    assert execution_hint(read("in", "execution-aborted"), ACCOUNTS) == ExecutionHint("wages-v3-a1")


def test_the_look_around_is_called_with_its_sample() -> None:
    schedules = resources("AWS::Scheduler::Schedule")
    inputs = {name: json.loads(one["Target"]["Input"]) for name, one in schedules.items()}
    assert inputs == {"HouseKeeping": read("in", "housekeeping"), "CleaningUp": read("in", "cleanup"),
                      "AligningMonitors": read("in", "monitors")}  # fmt: skip
    every = {name: one["ScheduleExpression"] for name, one in schedules.items()}
    assert every == {"HouseKeeping": "rate(5 minutes)", "CleaningUp": "rate(1 day)", "AligningMonitors": "rate(1 hour)"}


def test_the_samples_of_a_monitors_schedules_are_understood() -> None:
    now = datetime(2026, 11, 24, 11, 20, tzinfo=UTC)
    assert what_is_asked(read("in", "monitors"), ACCOUNTS, now) == Align("")
    assert what_is_asked(read("in", "drift-monitor"), ACCOUNTS, now) == Look("wages", now.replace(minute=0))


@pytest.mark.parametrize("name", sorted(names("in")))
def test_every_sample_that_comes_in_finds_its_way_back_from_the_dead_letters(name: str) -> None:
    letter = read_letter(json.dumps(read("in", name)), {})
    assert isinstance(letter, DeadLetter)


def test_dead_letters_go_to_whoever_listens() -> None:
    listening: dict[tuple[str, str], set[str]] = {}
    for name, properties in functions().items():
        for event in (properties.get("Events") or {}).values():
            pattern = event["Properties"].get("Pattern", {})
            for kind in pattern.get("detail-type", []):
                listening.setdefault((pattern["source"][0], kind), set()).add(name)
    for (source, kind), names_of_functions in listening.items():
        letter = read_letter(json.dumps({"source": source, "detail-type": kind}), {})
        assert isinstance(letter, DeadLetter)
        assert set(letter.recipients) == names_of_functions, kind


def test_every_sample_is_tested_and_every_listened_event_has_one() -> None:
    others = {
        "execution-aborted",
        "housekeeping",
        "cleanup",
        "monitors",
        "drift-monitor",
        "drift-detected",
        "pipeline-ended",
    }
    assert names("in") == set(HINTS) | set(PACKAGES) | set(TRAINING) | set(DRIFT) | others
    listened = {
        kind
        for properties in functions().values()
        for event in (properties.get("Events") or {}).values()
        for kind in event["Properties"].get("Pattern", {}).get("detail-type", [])
    }
    sampled = {read("in", name).get("detail-type") for name in names("in")}
    # Samples of what Lockkeeper says itself are in the other folder.
    assert listened - published_detail_types() == sampled - {None}


def test_every_published_event_has_a_sample_and_a_schema() -> None:
    wanted = {kebab(kind) for kind in published_detail_types()}
    assert (names("out"), names("schemas")) == (wanted, wanted | {"drift-detected"})


@pytest.mark.parametrize("detail_type", sorted(published_detail_types()))
def test_a_sample_keeps_to_its_schema_and_shows_every_field(detail_type: str) -> None:
    schema = read("schemas", kebab(detail_type))
    sample = read("out", kebab(detail_type))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sample)
    assert sample["detail-type"] == schema["title"] == detail_type
    assert set(sample["detail"]) == set(schema["properties"]["detail"]["properties"])


@pytest.mark.parametrize("detail_type", sorted(published_detail_types()))
def test_a_schema_refuses_an_event_without_one_of_its_fields(detail_type: str) -> None:
    schema = read("schemas", kebab(detail_type))
    for field in schema["properties"]["detail"]["required"]:
        sample = read("out", kebab(detail_type))
        del sample["detail"][field]
        assert not Draft202012Validator(schema).is_valid(sample), field


def reject_in_registry(harbour: Harbour, version: int) -> None:
    """Ada rejects what serves, and what served before is brought back."""
    now = harbour.world.clock.now()
    ada = {"IamIdentity": {"Arn": "arn:aws:iam::111111111111:role/Ada"}}
    package = harbour.world.registry.packages[package_arn(version)]
    package |= {"ModelApprovalStatus": "Rejected", "LastModifiedBy": ada, "LastModifiedTime": now}
    event = package_event(version)
    event["detail"] |= {"UpdatedModelPackageFields": ["ModelApprovalStatus"], "LastModifiedTime": now.isoformat()}
    react_to_registry(event, harbour.inside)
    (told,) = harbour.published("Promotion Withdrawn")
    withdrawn = {"source": "lockkeeper", "detail-type": "Promotion Withdrawn", "account": ROOT, "detail": told}
    reap_release(withdrawn, harbour.inside)
    harbour.settle()
    assert harbour.release(version).status is Status.ROLLED_BACK


def journeys() -> Harbour:
    """Journeys to seven different ends: promoted (and withdrawn), rejected, superseded, failed, expired, rolled back and observed."""
    harbour = Harbour()
    harbour.promote(1)
    harbour.promote(2)
    reject_in_registry(harbour, 2)
    harbour.register(3)
    with pytest.raises(DecisionRefused):
        decide_by_slack(Press("U0STRANGER", Shown("wages-v3-a1", "staging", "5e")), harbour.inside)
    harbour.decide(Answer.REJECT, comment="not before the audit")
    harbour.register(4)
    harbour.register(5, accuracy=0.1)
    harbour.register(6)
    harbour.pass_time(hours=73)
    harbour.register(7)
    harbour.approve()
    arn = harbour.world.production.alarm_arn(ALARM)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(arn))
    harbour.settle()
    harbour.apply(policy_document() | {"mode": "observe"})
    harbour.register(8)
    harbour.apply(policy_document())
    use_brakes(harbour)
    learn(harbour)
    for _ in range(3):  # The first looks find what nobody has brought on its way: a rollback is still to be done.
        harbour.pass_time(hours=15 * 24)
        keep_house(QUIET, harbour.inside, cleanup=True)
    return harbour


def learn(harbour: Harbour) -> None:
    """A job that gives a version, one that fails, and one whose model nobody can register."""
    train(harbour.world, "good")
    train(harbour.world, "bad", TrainingJobStatus="Failed", FailureReason="AlgorithmError: out of memory")
    train(harbour.world, "bare", tags={"lockkeeper:group": "wages"})
    for name in ("good", "bad", "bare"):
        react_to_training(training_event(name), harbour.inside)


def use_brakes(harbour: Harbour) -> None:
    """Each brake once, by whom the policy knows and by whom it does not."""
    ada, operator = "arn:aws:sts::111111111111:assumed-role/Ada/session", "arn:aws:iam::111111111111:user/operator"
    hold_version("wages", 9, ada, "the data were wrong", harbour.inside)
    lift_hold("wages", 9, operator, "the data were right", harbour.inside)
    freeze_group("wages", operator, "the audit", "64h", harbour.inside)
    unfreeze_group("wages", ada, "the audit is over", harbour.inside)
    prices = policy_document() | {"model_package_group": "prices"}
    prices["production"] = {**prices["production"], "endpoint_name": "prices"}
    harbour.world.policies.save("prices", json.dumps(prices), operator)
    serve(harbour.world, foreign("prices"))
    adopt_endpoint("prices", operator, harbour.inside, take_over=False)
    harbour.world.production.change_alarm(ALARM, "OK")
    for version in (10, 11):
        harbour.promote(version)
    ask_for_rollback("wages", ada, "customers complain", harbour.inside)


def train_in_vain() -> list[tuple[str, Any]]:
    """Two retrainings that do not help, and a person who lets the next one start."""
    drifting = Drifting()
    for _ in range(2):
        drifting.drift()
        drifting.fail()
        drifting.pass_time(hours=2)
    drifting.drift()
    resume_retraining(
        "wages", "arn:aws:iam::111111111111:user/operator", "the data are whole again", drifting.harbour.inside
    )
    return drifting.world.publisher.published


def test_what_is_really_published_keeps_to_the_schemas() -> None:
    published = [*journeys().world.publisher.published, *train_in_vain()]
    for detail_type, detail in published:
        schema = read("schemas", kebab(detail_type))
        event = {"source": "lockkeeper", "detail-type": detail_type, "detail": detail}
        Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(event)
        assert set(detail) - set(schema["properties"]["detail"]["properties"]) == set(), detail_type
    assert {detail_type for detail_type, _ in published} == published_detail_types()


def test_the_folder_holds_nothing_else() -> None:
    known = {EVENTS / "README.md", *(EVENTS / folder for folder in ("in", "out", "schemas"))}
    assert set(Path(EVENTS).iterdir()) == known
