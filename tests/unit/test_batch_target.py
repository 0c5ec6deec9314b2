"""Target batch: jobs are told which model is the champion, a job compares before, and there is no endpoint in production."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from lockkeeper.adapters.in_memory.endpoints import Endpoint
from lockkeeper.domain.batch import champion_document, is_parameter, model_named_in, parameter_of, place_in_words
from lockkeeper.domain.brakes import Did
from lockkeeper.domain.errors import AdoptionRefused
from lockkeeper.domain.gates.cost import cost_of_production
from lockkeeper.domain.gates.preflight import fleets_of
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Outcome, Status
from lockkeeper.domain.rollout import EndpointState, Step, look_at_endpoint
from lockkeeper.ports import Wait
from lockkeeper.use_cases.adopt_endpoint import adopt_endpoint
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.promote_to_production import STATE as PROMOTE
from lockkeeper.use_cases.resume_release import look_at_endpoint_of
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from rich.console import Console

from cli.policy_table import rules
from cli.release_tables import draw_release
from tests.unit.braking import ADA, FIRST, SECOND, champion, rollback
from tests.unit.harbour import ALARM, GROUP, Harbour, alarm_event, release_id
from tests.unit.scoring import PARAMETER, answering, batch_document, compared, for_jobs, named, promoted
from tests.unit.test_policy import GOOD, refusal
from tests.unit.test_replay_by_job import IMAGE

REPLAY = f"""\
  tests:
    replay:
      dataset: s3://models/suite.csv
      at_least: {{accuracy: 0.5}}
      job: {{image: '{IMAGE}'}}
"""
JOBS = GOOD.replace("  endpoint_name: wages\n  instance_type: ml.m5.large\n", "  target: batch\n").replace(
    "production:\n", f"staging:\n  instance_type: ml.m5.large\n{REPLAY}production:\n"
)
BATCH, BAKE = "  target: batch\n", "    bake: 10m\n"
NONE = "with target batch, which has no endpoint; remove it"


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    for_jobs(harbour)
    return harbour


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (BATCH, f"{BATCH}  endpoint_name: wages\n", f"endpoint_name {NONE}"),
        (BATCH, f"{BATCH}  instance_type: ml.m5.large\n", f"instance_type {NONE}"),
        (BATCH, f"{BATCH}  initial_instances: 2\n", f"initial_instances {NONE}"),
        (BATCH, f"{BATCH}  hourly_usd: 1\n", f"hourly_usd {NONE}"),
        (BATCH, f"{BATCH}  monthly_budget_usd: 100\n", f"monthly_budget_usd {NONE}"),
        (BATCH, f"{BATCH}  startup_timeout: 30m\n", f"startup_timeout {NONE}"),
        (BATCH, f"{BATCH}  capture: {{percent: 10}}\n", f"capture {NONE}"),
        (BATCH, f"{BATCH}  kms_key: alias/own\n", f"kms_key {NONE}"),
        (BATCH, f"{BATCH}  autoscaling: {{min: 1, max: 2, invocations_per_instance: 9}}\n", f"autoscaling {NONE}"),
        (BATCH, f"{BATCH}  serverless: {{memory_mb: 1024, max_concurrency: 1}}\n", f"serverless {NONE}"),
        (BATCH, f"{BATCH}  asynchronous: {{output: s3://team/answers}}\n", f"asynchronous {NONE}"),
        (BAKE, f"{BAKE}    canary: {{percent: 10, wait: 10m}}\n", "canary with target batch: there is no traffic"),
        (BAKE, f"{BAKE}    linear: {{percent: 10, wait: 10m}}\n", "linear with target batch: there is no traffic"),
        (BAKE, f"{BAKE}    rolling: {{percent: 10, wait: 10m}}\n", "rolling with target batch: there is no traffic"),
        (BAKE, f"{BAKE}    shadow: {{wait: 1h}}\n", "shadow with target batch: there are no requests"),
        (BAKE, f"{BAKE}    minimum_invocations: 9\n", "minimum_invocations with target batch: nobody counts"),
        (BATCH, f"{BATCH}  alarms: [{{errors_5xx: 5}}]\n", "the alarm errors_5xx with target batch: it would be made"),
        (BATCH, f"{BATCH}  alarms: [{{model_latency_ms: {{p95: 9}}}}]\n", "the alarm model_latency_ms p95 with target"),
        (
            BATCH, f"{BATCH}  alarms: [{{metric: {{namespace: Team, name: Late, statistic: Sum, above: 0}}}}]\n",
            "name an alarm of your own on what your jobs report",
        ),
        (REPLAY, "", "target batch without a comparison: a job has to hold the version against the champion"),
        (f"      job: {{image: '{IMAGE}'}}\n", "", "add staging.tests.replay with a dataset, bounds and job: {image: ...}"),
        ("      job:", "      champion: {compare: false}\n      job:", "champion.compare: false with target batch"),
        (f"{IMAGE}'}}", f"{IMAGE}', above_rows: 9}}", "above_rows with target batch, where the job sends every suite"),
        ("  instance_type: ml.m5.large\n", "", "staging on target real-time without instances; add staging.instance_type"),
        ("staging:\n", "staging:\n  target: batch\n", "target batch: the tests of staging ask an endpoint"),
        ("production:\n", "cleanup: {remove: [idle-endpoint]}\nproduction:\n", "cleanup.remove has idle-endpoint, and target batch"),
        (
            "production:\n", "drift: {signals: [model-monitor]}\nproduction:\n",
            "drift.signals has model-monitor, and jobs of target batch capture nothing",
        ),
    ],
)  # fmt: skip
def test_what_jobs_cannot_have_is_refused_with_its_cure(old: str, new: str, said: str) -> None:
    assert old in JOBS
    (told,) = refusal(JOBS.replace(old, new, 1)).splitlines()
    assert told.startswith("wages.yaml:")
    assert said in told


def test_production_of_jobs_is_a_parameter_of_its_group() -> None:
    policy = parse_policy(JOBS, source="wages.yaml")
    assert policy.production.endpoint_name == PARAMETER == parameter_of("wages")
    assert (policy.staging_target, policy.staging_fleet.instance_type) == ("real-time", "ml.m5.large")
    assert ("production", f"a model for jobs, named in parameter {PARAMETER}") in list(rules(policy))
    assert place_in_words(PARAMETER) == f"parameter {PARAMETER}"
    assert place_in_words("wages") == "endpoint wages"
    assert not is_parameter("wages")


def test_staging_may_be_serverless_all_the_same() -> None:
    size = "  target: serverless\n  serverless: {memory_mb: 1024, max_concurrency: 2}\n"
    policy = parse_policy(JOBS.replace("  instance_type: ml.m5.large\n", size, 1), source="wages.yaml")
    assert policy.staging_fleet.in_words == "serverless with 1024 MB, 2 requests at once"


def test_jobs_cost_what_they_cost_and_need_instances_of_staging_alone() -> None:
    policy = parse_policy(JOBS, source="wages.yaml")
    cost = cost_of_production(policy.production)
    assert (cost.monthly_usd, cost.size) == (None, "the jobs of its team")
    assert "there is no endpoint" in cost.words
    assert fleets_of(policy, serves=True, staging_here=True) == {"ml.m5.large": 1}


def test_a_parameter_says_which_model_and_where_it_is_from() -> None:
    arn = "arn:aws:sagemaker:eu-central-1:111111111111:model-package/wages/12"
    text = champion_document(FIRST, arn, "wages-v12-a1", "2026-11-24T09:00:00.000Z")
    assert json.loads(text) == {
        "model_name": FIRST,
        "release_id": "wages-v12-a1",
        "version": 12,
        "model_package_arn": arn,
        "since": "2026-11-24T09:00:00.000Z",
    }
    assert model_named_in(text) == FIRST


@pytest.mark.parametrize("text", ["", "wages-v1", "[]", "{}", '{"model_name": 1}', '{"model_name": "by-hand"}', "null"])
def test_what_no_release_has_written_names_no_model(text: str) -> None:
    assert model_named_in(text) == ""


@pytest.mark.parametrize(
    ("state", "step", "said"),
    [
        (EndpointState(PARAMETER, "arn", "InService", "new"), Step.DONE, f"parameter {PARAMETER} names new"),
        (EndpointState(PARAMETER, "arn", "InService", "old"), Step.FAILED, f"parameter {PARAMETER} names old, not new"),
        (EndpointState(PARAMETER, "arn", "Failed", "", "nonsense"), Step.FAILED, f"parameter {PARAMETER} is Failed: nonsense"),
    ],
)  # fmt: skip
def test_a_look_at_a_parameter_says_what_it_names(state: EndpointState, step: Step, said: str) -> None:
    seen = look_at_endpoint(state, "new")
    assert (seen.step, seen.reason) == (step, said)


def test_a_version_is_made_known_to_jobs_after_a_job_has_compared_it(harbour: Harbour) -> None:
    compared(harbour, 1)
    assert (harbour.release(1).status, named(harbour)) == (Status.BAKING, FIRST)
    harbour.pass_time(minutes=11)
    assert harbour.release(1).status is Status.PROMOTED
    assert champion(harbour) == (1, FIRST)
    promoted(harbour, 2)
    assert (harbour.release(2).status, named(harbour)) == (Status.PROMOTED, SECOND)
    compared_with = [one for one in harbour.release(2).verdicts if one.gate == "replay: accuracy against the champion"]
    assert [one.verdict for one in compared_with] == [Outcome.PASSED]
    assert not [one.gate for one in harbour.release(2).verdicts if "invocations" in one.gate or "endpoint" in one.gate]


def test_production_has_models_and_nothing_else(harbour: Harbour) -> None:
    promoted(harbour, 1)
    world = harbour.world
    assert set(world.production.models) == {FIRST}
    assert (world.production.configs, set(world.production.endpoints)) == ({}, {PARAMETER})
    assert (world.staging.models, world.staging.configs, world.staging.endpoints) == ({}, {}, {})


def test_a_promotion_says_which_parameter_names_which_model(harbour: Harbour) -> None:
    promoted(harbour, 1)
    (told,) = harbour.published("Release Promoted")
    assert (told["champion_parameter"], told["model_name"]) == (PARAMETER, FIRST)


def test_what_is_shown_of_production_is_a_parameter_and_a_model(harbour: Harbour) -> None:
    promoted(harbour, 1)
    promoted(harbour, 2)
    terminal = Console(width=200, record=True, file=io.StringIO())
    for part in draw_release(harbour.release(2), harbour.world.clock.now()):
        terminal.print(part)
    shown = terminal.export_text()
    for part in (f"parameter {PARAMETER}", f"model {SECOND}", f"previous model {FIRST}", "target batch"):
        assert part in shown


def test_a_suite_of_any_size_is_sent_by_the_job(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    assert harbour.release(1).status is Status.TESTING
    assert set(harbour.world.replay_jobs.jobs) == {"lockkeeper-wages-v1-a1-replay"}
    assert harbour.world.staging.requests == []


def test_a_version_that_is_worse_than_the_champion_is_not_made_known(harbour: Harbour) -> None:
    promoted(harbour, 1)
    answering(harbour, right=80)  # Still above the bound of 0.5.
    compared(harbour, 2)
    assert harbour.release(2).status is Status.FAILED
    assert "replay: accuracy against the champion" in harbour.release(2).reason
    assert named(harbour) == FIRST
    assert set(harbour.world.production.models) == {FIRST}


def test_an_alarm_in_the_bake_names_the_champion_again(harbour: Harbour) -> None:
    promoted(harbour, 1)
    compared(harbour, 2)
    assert named(harbour) == SECOND
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert (harbour.release(2).status, named(harbour)) == (Status.ROLLED_BACK, FIRST)
    assert set(harbour.world.production.models) == {FIRST}
    (back,) = [entry.why for entry in harbour.release(2).timeline if entry.what == "the champion is named again"]
    assert back == f"parameter {PARAMETER} names {FIRST}; jobs that read it from now on run that"


def test_a_first_version_that_is_rolled_back_takes_the_parameter_with_it(harbour: Harbour) -> None:
    compared(harbour, 1)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert (harbour.release(1).status, named(harbour)) == (Status.ROLLED_BACK, None)
    assert harbour.world.production.models == {}


@pytest.mark.parametrize("baked", [True, False])
def test_a_person_brings_the_champion_back_and_the_version_is_held(harbour: Harbour, baked: bool) -> None:
    promoted(harbour, 1)
    compared(harbour, 2)
    if baked:
        harbour.pass_time(minutes=11)
    said = rollback(harbour)
    assert f"model {FIRST}" in said["note"]
    if baked:
        harbour.reap(2)
    assert (harbour.release(2).status, named(harbour), champion(harbour)) == (Status.ROLLED_BACK, FIRST, (1, FIRST))
    held = harbour.world.ledger.held(GROUP, 2)
    assert held is not None
    assert held.did is Did.HELD


def test_what_is_deleted_by_hand_in_the_bake_fails_it_and_is_written_again(harbour: Harbour) -> None:
    promoted(harbour, 1)
    compared(harbour, 2)
    harbour.world.production.delete(PARAMETER)
    harbour.pass_time(minutes=11)
    assert (harbour.release(2).status, named(harbour)) == (Status.ROLLED_BACK, FIRST)
    assert "bake: serving: it does not exist" in harbour.release(2).reason


def test_a_parameter_that_somebody_else_has_written_is_left_as_it_is(harbour: Harbour) -> None:
    foreign = EndpointState(PARAMETER, "arn", "Failed", "", "it names no model of a release", "batch")
    harbour.world.production.endpoints[PARAMETER] = Endpoint(foreign)
    compared(harbour, 1)
    assert harbour.release(1).status is Status.FAILED
    assert (
        f"production parameter {PARAMETER} is Failed: it names no model of a release; nothing was changed"
        in harbour.release(1).reason
    )
    assert harbour.world.production.look(PARAMETER) == foreign


def test_a_champion_whose_model_is_gone_is_not_named_and_people_are_paged(harbour: Harbour) -> None:
    promoted(harbour, 1)
    compared(harbour, 2)
    harbour.world.production.delete_model(FIRST)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    for _ in range(40):
        harbour.pass_time(minutes=5)
    assert harbour.release(2).status is Status.FAILED
    assert f"cannot name model {FIRST}" in harbour.release(2).reason
    assert harbour.published("Group Frozen")


def test_nobody_calls_what_only_jobs_run_idle(harbour: Harbour) -> None:
    promoted(harbour, 1)
    harbour.world.clock.advance(timedelta(days=60))
    found = [one for one in keep_house(QUIET, harbour.inside, cleanup=True) if one.kind in (Kind.CLEANUP, Kind.PROBLEM)]
    assert found == []


def test_models_that_nothing_goes_back_to_are_told_and_removed(harbour: Harbour) -> None:
    harbour.apply({**batch_document(), "cleanup": {"remove": ["leftovers"], "leftovers_after": "1d"}})
    for version in (1, 2, 3):
        promoted(harbour, version)
    harbour.world.clock.advance(timedelta(days=2))
    keep_house(QUIET, harbour.inside, cleanup=True)
    assert set(harbour.world.production.models) == {SECOND, "lockkeeper-wages-v3-a1-production"}
    assert named(harbour) == "lockkeeper-wages-v3-a1-production"


def test_there_is_nothing_to_adopt(harbour: Harbour) -> None:
    with pytest.raises(AdoptionRefused, match="there is no endpoint to adopt with target batch"):
        adopt_endpoint(GROUP, ADA, harbour.inside, take_over=False)


def test_a_look_after_a_crash_finds_that_the_champion_is_named(harbour: Harbour) -> None:
    promoted(harbour, 1)
    for state in (PROMOTE, ROLL_BACK):
        details = {"environment": "production", "endpoint_name": PARAMETER, "config_name": FIRST}
        wait = Wait(release_id(1), state, f"token of {state}", details=details, acted=True)
        harbour.world.ledger.store_wait(wait)
        assert look_at_endpoint_of(wait, harbour.inside) == f"parameter {PARAMETER} names {FIRST}"
        stored = harbour.world.ledger.wait_of(release_id(1), state)
        assert stored is not None
        assert stored.settled
    assert [entry.what for entry in harbour.release(1).timeline].count("champion named") == 2


def test_a_release_whose_execution_died_in_its_bake_gives_the_parameter_back(harbour: Harbour) -> None:
    promoted(harbour, 1)
    compared(harbour, 2)
    harbour.machine.stop(release_id(2))
    harbour.reap(2)
    assert (harbour.release(2).status, named(harbour)) == (Status.FAILED, FIRST)
    assert harbour.release(2).reason == "its execution was ABORTED in WatchProduction; production is as it was before"
    assert set(harbour.world.production.models) == {FIRST}
