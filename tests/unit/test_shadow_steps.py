"""The candidate as a shadow beside the champion: it answers nobody, is compared with the champion, and then moves in or goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.release import Outcome, Status
from lockkeeper.domain.scaling import Scaled
from lockkeeper.use_cases import compare_shadow
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.promote_to_production import promote_to_production

from tests.unit.braking import rollback
from tests.unit.harbour import ALARM, ENDPOINT, GROUP, Harbour, alarm_event, package_arn, release_id
from tests.unit.shadowing import (
    BESIDE,
    CHAMPION,
    FIRST,
    SCHEDULE,
    SECOND,
    SHADOW,
    asked_both,
    at_once_policy,
    begin_shadow,
    captured,
    shadowed_policy,
    took,
)

PROMOTE = "PromoteToProduction"


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    harbour.apply(shadowed_policy())
    return harbour


def verdicts(harbour: Harbour, version: int = 2) -> dict[str, Outcome]:
    return {one.gate: one.verdict for one in harbour.release(version).verdicts if one.gate.startswith("shadow:")}


def words(harbour: Harbour) -> list[str]:
    return [entry.what for entry in harbour.release(2).timeline]


def went_back(harbour: Harbour) -> None:
    """What served before serves with its own configuration, and nothing is left of the shadow."""
    assert harbour.serving() == FIRST
    assert set(harbour.world.production.configs) == {FIRST}
    assert set(harbour.world.production.models) == {FIRST}
    assert harbour.world.schedules.planned == {}
    assert harbour.world.ledger.champion(GROUP).version == 1  # type: ignore[union-attr]
    assert [wait for wait in harbour.world.ledger.open_waits(release_id(2)) if not wait.settled] == []


@pytest.mark.parametrize("update", [1, 2], ids=["shadow", "shift"])
def test_a_scaling_that_begins_before_an_update_is_waited_for(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, update: int
) -> None:
    production = harbour.world.production
    real, advance, updates, slowly = production.update, production.advance, [], [False]

    def overtaken(*arguments: Any, **named: Any) -> None:
        updates.append(arguments)
        if len(updates) == update:
            production.change(ENDPOINT, "Updating")
            monkeypatch.setattr(production, "advance", lambda name: slowly.pop() if slowly else advance(name))
        real(*arguments, **named)

    harbour.promote(1)
    monkeypatch.setattr(production, "update", overtaken)
    harbour.register(2)
    harbour.approve()
    asked_both(harbour)
    with suppress(TryAgain):
        harbour.pass_time(minutes=61)
    for _ in range(3):
        keep_house(QUIET, harbour.inside)
        harbour.pass_time(minutes=4)
    assert harbour.release(2).status in {Status.BAKING, Status.PROMOTED}
    assert harbour.serving() == SECOND


def test_a_shadow_has_the_champions_own_variant_beside_it_and_captures_everything(harbour: Harbour) -> None:
    begin_shadow(harbour)
    beside = harbour.world.production.configs[BESIDE]
    champion = harbour.world.production.configs[FIRST]
    assert {name: beside[name] for name in ("model", "fleet", "hosting")} == {
        name: champion[name] for name in ("model", "fleet", "hosting")
    }
    assert (beside["shadow"]["model"], beside["shadow"]["percent"]) == (SECOND, 100)
    assert beside["shadow"]["to"] == "s3://lockkeeper-bucket/captured/shadows/wages-v2-a1"
    wait = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
    assert wait is not None
    assert wait.step == "shadowing"
    assert wait.deadline == "2026-11-24T10:11:00.000Z"
    assert harbour.world.production.deployments[ENDPOINT] is None


def test_a_candidate_that_agrees_goes_on_to_its_canary_and_is_promoted(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour, 20, 19)
    harbour.pass_time(minutes=61)
    release = harbour.release(2)
    assert release.status is Status.BAKING
    assert set(verdicts(harbour).values()) == {Outcome.PASSED}
    deployment = harbour.world.production.deployments[ENDPOINT]
    assert deployment is not None
    assert deployment.strategy.in_words.endswith("canary, 10 % for 600 s and then the rest")
    # The bake counts from the shift: nobody was answered by the candidate before.
    assert release.endpoints["production"]["began_at"] == "2026-11-24T10:12:00.000Z"
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.PROMOTED
    assert (harbour.serving(), set(harbour.world.production.configs)) == (SECOND, {FIRST, SECOND})
    assert harbour.machine.executions[release_id(2)].visited.count(PROMOTE) == 1
    told = {one["gate"]: one["verdict"] for one in harbour.published("Gate Judged") if one["gate"].startswith("shadow")}
    assert told == {"shadow: requests": "passed", "shadow: agreement": "passed", "shadow: latency": "passed"}


def test_a_shadow_comes_before_a_change_all_at_once_as_well(harbour: Harbour) -> None:
    harbour.apply(at_once_policy())
    begin_shadow(harbour)
    asked_both(harbour)
    harbour.pass_time(minutes=61)
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert (harbour.release(2).status, harbour.serving()) == (Status.PROMOTED, SECOND)


def test_a_first_version_has_nobody_to_be_the_shadow_of_and_says_so(harbour: Harbour) -> None:
    harbour.promote(1)
    assert harbour.release(1).status is Status.PROMOTED
    why = next(entry.why for entry in harbour.release(1).timeline if entry.what == "creating production")
    assert "all at once, for nothing serves yet" in why


@pytest.mark.parametrize(
    ("alike", "milliseconds", "failed"),
    [(18, 5, "shadow: agreement"), (20, 8, "shadow: latency")],
    ids=["another answer", "slow"],
)
def test_a_candidate_that_fails_goes_and_nobody_ever_had_its_answer(
    harbour: Harbour, alike: int, milliseconds: float, failed: str
) -> None:
    begin_shadow(harbour)
    asked_both(harbour, 20, alike)
    took(harbour, 5, milliseconds)
    harbour.pass_time(minutes=61)
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert release.reason.startswith(failed)
    assert "nobody was given an answer of the candidate" in release.reason
    assert verdicts(harbour)[failed] is Outcome.FAILED
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] == "Rejected"
    # It has served nobody: its next attempt goes through the same gates.
    assert harbour.world.ledger.held(GROUP, 2) is None
    went_back(harbour)


def test_what_the_candidate_could_not_answer_counts_as_another_answer(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour, 20, 20)
    harbour.world.production.measured |= {
        (ENDPOINT, SHADOW, "Invocation5XXErrors"): (4.0, 24),
        (ENDPOINT, SHADOW, "Invocation4XXErrors"): (3.0, 24),
        (ENDPOINT, CHAMPION, "Invocation4XXErrors"): (3.0, 24),
    }
    harbour.pass_time(minutes=61)
    assert "20 of 24 requests were answered as by the champion, 4 not at all" in harbour.release(2).reason
    went_back(harbour)


def test_without_latencies_a_shadow_is_inconclusive(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour)
    harbour.world.production.measured.clear()
    harbour.pass_time(minutes=61)
    assert verdicts(harbour)["shadow: latency"] is Outcome.INCONCLUSIVE
    assert harbour.release(2).status is Status.FAILED
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] != "Rejected"
    went_back(harbour)


def test_too_few_requests_extend_a_shadow_until_three_times_its_length(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour, 9, 9)
    for deadline in ("2026-11-24T11:11:00.000Z", "2026-11-24T12:11:00.000Z"):
        harbour.pass_time(minutes=61)
        wait = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
        assert wait is not None
        assert (wait.step, wait.deadline, harbour.serving()) == ("shadowing", deadline, BESIDE)
        assert verdicts(harbour) == {}
    harbour.pass_time(minutes=61)
    assert harbour.release(2).status is Status.FAILED
    assert "9 requests that both were asked are too few" in harbour.release(2).reason
    assert verdicts(harbour) == {"shadow: requests": Outcome.INCONCLUSIVE}
    went_back(harbour)


def test_requests_that_come_late_still_count(harbour: Harbour) -> None:
    begin_shadow(harbour)
    harbour.pass_time(minutes=61)
    asked_both(harbour)
    harbour.pass_time(minutes=61)
    assert harbour.release(2).status is Status.BAKING


def test_where_nothing_was_captured_it_says_where_to_look(harbour: Harbour) -> None:
    begin_shadow(harbour)
    for _ in range(3):
        harbour.pass_time(minutes=61)
    assert "see whether the roles of both models may write" in harbour.release(2).reason


def test_captures_are_read_within_bounds(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_shadow, "MOST_RECORDS", 15)
    begin_shadow(harbour)
    asked_both(harbour, 20, 15)
    harbour.pass_time(minutes=61)
    assert verdicts(harbour)["shadow: agreement"] is Outcome.PASSED
    monkeypatch.undo()
    measured = next(one.measured for one in harbour.release(2).verdicts if one.gate == "shadow: requests")
    assert measured == 15.0


def test_no_more_bytes_are_read_than_a_function_holds(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_shadow, "MOST_BYTES", 2000)
    begin_shadow(harbour)
    asked_both(harbour)
    for _ in range(3):
        harbour.pass_time(minutes=61)
    assert verdicts(harbour) == {"shadow: requests": Outcome.INCONCLUSIVE}


def test_a_shadow_that_does_not_come_up_says_nothing_about_the_version(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.world.production.advance = lambda name: False  # type: ignore[method-assign]
    harbour.approve()
    assert words(harbour)[-1] == "updating production"
    harbour.world.production.change(ENDPOINT, "InService", "no capacity")
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert "no capacity" in harbour.release(2).reason
    assert harbour.world.ledger.held(GROUP, 2) is None
    went_back(harbour)


def test_an_alarm_beside_the_shadow_brings_the_champions_configuration_back(harbour: Harbour) -> None:
    begin_shadow(harbour)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert f"{ALARM} went off beside the shadow" in harbour.release(2).reason
    went_back(harbour)


def test_an_old_alarms_event_leaves_the_shadow_alone(harbour: Harbour) -> None:
    begin_shadow(harbour)
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.serving() == BESIDE


def test_an_alarm_whose_event_was_lost_is_found_by_keep_house(harbour: Harbour) -> None:
    begin_shadow(harbour)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.pass_time(minutes=5)
    assert [one.kind for one in keep_house(QUIET, harbour.inside)] == [Kind.OVERDUE]
    harbour.settle()
    went_back(harbour)


def test_a_person_ends_a_shadow_by_a_rollback(harbour: Harbour) -> None:
    begin_shadow(harbour)
    said = rollback(harbour)
    assert f"Production goes back to configuration {FIRST}" in said["note"]
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert harbour.world.ledger.held(GROUP, 2) is not None
    went_back(harbour)


def test_a_deadline_that_was_lost_is_found_by_keep_house(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour)
    harbour.world.schedules.planned.clear()
    harbour.pass_time(minutes=59)
    assert keep_house(QUIET, harbour.inside) == []
    harbour.pass_time(minutes=3)
    assert [one.kind for one in keep_house(QUIET, harbour.inside)] == [Kind.OVERDUE]
    harbour.settle()
    assert harbour.release(2).status is Status.BAKING


def test_nobody_looks_at_production_while_a_shadow_without_alarms_lasts(harbour: Harbour) -> None:
    document = at_once_policy()
    del document["production"]["alarms"]
    harbour.apply(document)
    begin_shadow(harbour)
    looks: list[str] = []
    look = harbour.world.production.look
    harbour.world.production.look = lambda name: looks.append(name) or look(name)  # type: ignore[func-returns-value,method-assign]
    for _ in range(11):
        harbour.pass_time(minutes=5)
        keep_house(QUIET, harbour.inside)
    assert looks == []


@pytest.fixture
def unheard(harbour: Harbour) -> Iterator[Harbour]:
    """The second version's shadow comes up, and its event is lost."""
    harbour.promote(1)
    harbour.register(2)
    advance = harbour.world.production.advance
    harbour.world.production.advance = lambda name: False  # type: ignore[method-assign]
    harbour.approve()
    advance(ENDPOINT)
    yield harbour
    assert harbour.release(2).status is Status.BAKING


def test_a_shadow_whose_event_was_lost_is_found_by_keep_house_and_ended_by_it(unheard: Harbour) -> None:
    harbour = unheard
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.pass_time(minutes=5)
    assert keep_house(QUIET, harbour.inside) == []
    wait = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
    assert wait is not None
    assert (wait.step, wait.deadline) == ("shadowing", "2026-11-24T10:16:00.000Z")
    asked_both(harbour)
    harbour.pass_time(minutes=62)
    assert [one.kind for one in keep_house(QUIET, harbour.inside)] == [Kind.OVERDUE]
    harbour.settle()


def test_a_deadline_that_comes_again_compares_once(harbour: Harbour) -> None:
    begin_shadow(harbour)
    (_, payload) = harbour.world.schedules.planned[SCHEDULE]
    asked_both(harbour)
    harbour.pass_time(minutes=61)
    for _ in range(3):
        harbour.tell(payload)
        harbour.settle()
    assert words(harbour).count("compared the shadow") == 1
    assert harbour.release(2).status is Status.BAKING


def test_a_deadline_of_before_an_extension_does_not_end_it(harbour: Harbour) -> None:
    begin_shadow(harbour)
    (_, payload) = harbour.world.schedules.planned[SCHEDULE]
    harbour.pass_time(minutes=61)
    harbour.world.schedules.planned.clear()
    harbour.tell(payload)
    assert harbour.serving() == BESIDE
    # Who extended it may have died before its schedule followed.
    assert SCHEDULE in harbour.world.schedules.planned


def test_events_of_the_endpoint_while_the_shadow_is_up_plan_its_end_again(harbour: Harbour) -> None:
    begin_shadow(harbour)
    planned = dict(harbour.world.schedules.planned)
    harbour.world.schedules.planned.clear()
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    assert harbour.world.schedules.planned == planned


def test_an_endpoint_that_somebody_else_changed_ends_the_shadow(harbour: Harbour) -> None:
    begin_shadow(harbour)
    endpoint = harbour.world.production.endpoints[ENDPOINT]
    harbour.world.production.endpoints[ENDPOINT] = replace(endpoint, state=replace(endpoint.state, config_name=FIRST))
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    went_back(harbour)


def test_a_repeated_state_goes_on_where_its_plan_was(harbour: Harbour) -> None:
    begin_shadow(harbour)
    before = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
    assert before is not None
    promote_to_production(release_id(2), "another-token", harbour.inside)
    after = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
    assert after == replace(before, token="another-token")
    assert harbour.serving() == BESIDE


def test_a_shift_that_was_decided_on_and_not_started_is_started_by_whoever_comes_next(harbour: Harbour) -> None:
    begin_shadow(harbour)
    (_, payload) = harbour.world.schedules.planned[SCHEDULE]
    asked_both(harbour)
    update = harbour.world.production.update
    tries: list[str] = []

    def busy(name: str, config: str, *args: Any, **named: Any) -> None:
        tries.append(config)
        if len(tries) == 1:
            raise TryAgain(f"endpoint {name} is being patched")
        update(name, config, *args, **named)

    harbour.world.production.update = busy  # type: ignore[method-assign,assignment]
    with pytest.raises(TryAgain):
        harbour.pass_time(minutes=61)
    wait = harbour.world.ledger.wait_of(release_id(2), PROMOTE)
    assert wait is not None
    assert (wait.step, wait.acted) == ("shift", False)
    harbour.tell(payload)
    harbour.settle()
    assert tries == [SECOND, SECOND]
    assert harbour.release(2).status is Status.BAKING


def test_a_shift_that_sagemaker_refuses_takes_the_shadow_back(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour)
    update = harbour.world.production.update

    def refusing(name: str, config: str, *args: Any, **named: Any) -> None:
        if config == SECOND:
            raise DeploymentFailed("endpoint wages cannot be updated: no capacity")
        update(name, config, *args, **named)

    harbour.world.production.update = refusing  # type: ignore[method-assign,assignment]
    harbour.pass_time(minutes=61)
    assert "no capacity" in harbour.release(2).reason
    went_back(harbour)


def test_an_alarm_in_the_canary_after_a_shadow_holds_the_version(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour)
    harbour.world.production.advance = lambda name: False  # type: ignore[method-assign]
    harbour.pass_time(minutes=61)
    alarm = "lockkeeper-wages-v2-a1-alarm-1-errors-5xx"
    harbour.world.production.change_alarm(alarm, "ALARM")
    harbour.world.production.change(ENDPOINT, "InService", "alarms are in alarm")
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.world.ledger.held(GROUP, 2) is not None
    went_back(harbour)


def test_an_execution_that_dies_beside_the_champion_leaves_the_champions_own_configuration(harbour: Harbour) -> None:
    begin_shadow(harbour)
    harbour.machine.stop(release_id(2))
    harbour.reap(2)
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    went_back(harbour)


def test_a_scaled_endpoint_has_no_shadow_and_is_left_alone(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.world.production.scaled[ENDPOINT] = Scaled(2, 4, others=("somebodys",))
    harbour.register(2)
    harbour.approve()
    assert harbour.release(2).status is Status.FAILED
    assert "is scaled, and a shadow is not; nothing was changed" in harbour.release(2).reason
    assert harbour.serving() == FIRST


def test_what_is_captured_otherwise_does_not_disturb_the_comparison(harbour: Harbour) -> None:
    begin_shadow(harbour)
    asked_both(harbour)
    captured(harbour, CHAMPION, ["1"] * 5, file="00-02-001.jsonl")
    name = f"captured/shadows/wages-v2-a1/{ENDPOINT}/{SHADOW}/2026/11/24/09/00-03-001.jsonl"
    harbour.world.objects.stored[harbour.world.objects.address_of(name)] = b'no record\n{"captureData": {}}\n\n'
    harbour.pass_time(minutes=61)
    assert set(verdicts(harbour).values()) == {Outcome.PASSED}


def test_a_shadow_that_a_failed_rollback_left_is_a_leftover_once_something_else_serves(harbour: Harbour) -> None:
    harbour.apply({**shadowed_policy(), "cleanup": {"leftovers_after": "1d", "remove": ["leftovers"]}})
    begin_shadow(harbour)
    harbour.world.production.configs.pop(FIRST)
    rollback(harbour)
    harbour.settle()
    assert harbour.release(2).reason.startswith("the rollback failed")
    assert BESIDE in harbour.world.production.configs
    harbour.pass_time(days=2)
    keep_house(QUIET, harbour.inside, cleanup=True)
    assert set(harbour.world.production.configs) == set()
    assert SECOND not in harbour.world.production.models
