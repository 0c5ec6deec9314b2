"""A release under guardrails: its alarms are made and go with it, SageMaker's rollback holds the version, alarms that are on stop it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.domain.alarms import Watched
from lockkeeper.domain.errors import ShiftFailed
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.keep_house import QUIET, keep_house
from lockkeeper.use_cases.promote_to_production import promote_to_production

from tests.unit.harbour import ALARM, ENDPOINT, GROUP, Harbour, alarm_event, package_arn, policy_document, release_id

FIRST, SECOND = "lockkeeper-wages-v1-a1-production", "lockkeeper-wages-v2-a1-production"


def made_by(version: int, number: int = 1, label: str = "errors-5xx") -> str:
    return f"lockkeeper-wages-v{version}-a1-alarm-{number}-{label}"


def guarded_policy(**strategy: Any) -> dict[str, Any]:
    document = policy_document()
    document["production"] |= {
        "initial_instances": 2,
        "strategy": {"canary": {"percent": 10, "wait": "10m"}, "bake": "10m", **strategy},
        "alarms": [ALARM, {"errors_5xx": 5}, {"model_latency_ms": {"p95": 200}}],
    }
    return document


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    harbour.apply(guarded_policy())
    return harbour


def shifting(harbour: Harbour) -> None:
    """The second version is on its way, and what becomes of its update is for the test to say."""
    harbour.promote(1)
    harbour.register(2)
    harbour.world.production.advance = lambda name: False  # type: ignore[method-assign]
    harbour.approve()
    assert harbour.release(2).status is Status.PROMOTING


def let_go(harbour: Harbour) -> None:
    """Endpoints do what they do again, and their events come."""
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()


def roll_back_by_alarm(harbour: Harbour, name: str) -> None:
    harbour.world.production.change_alarm(name, "ALARM")
    harbour.world.production.change(ENDPOINT, "InService", f"alarms are in alarm: [{name}]")
    let_go(harbour)


def test_an_update_moves_traffic_as_the_policy_says_watched_by_all_alarms(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.promote(2)
    deployment = harbour.world.production.deployments[ENDPOINT]
    assert deployment is not None
    assert deployment.strategy.in_words == "canary, 10 % for 600 s and then the rest"
    assert deployment.alarms == (ALARM, made_by(2), made_by(2, 2, "latency-p95"))
    assert harbour.release(2).status is Status.PROMOTED
    why = next(entry.why for entry in harbour.release(2).timeline if entry.what == "updating production")
    assert "canary, 10 % for 600 s" in why


def test_a_first_version_has_nothing_to_shift_from_and_says_so(harbour: Harbour) -> None:
    harbour.promote(1)
    assert harbour.world.production.deployments == {}
    why = next(entry.why for entry in harbour.release(1).timeline if entry.what == "creating production")
    assert "all at once, for nothing serves yet" in why


def test_alarms_are_made_for_the_fleet_of_their_release_and_go_with_it(harbour: Harbour) -> None:
    production = harbour.world.production
    harbour.promote(1)
    fleet = Watched(ENDPOINT, FIRST, "AllTraffic")
    assert {name: seen for name, (_made, seen) in production.made_alarms.items()} == {
        made_by(1): fleet,
        made_by(1, 2, "latency-p95"): fleet,
    }
    harbour.promote(2)
    assert {made[1].config_name for made in production.made_alarms.values()} == {SECOND}


def test_an_alarm_that_was_made_ends_the_bake_and_goes(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(made_by(2), "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(made_by(2))))
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert made_by(2) in harbour.release(2).reason
    assert {made[1].config_name for made in harbour.world.production.made_alarms.values()} == {FIRST}


@pytest.mark.parametrize("name", [ALARM, made_by(2)])
def test_sagemakers_rollback_during_the_shift_holds_the_version(harbour: Harbour, name: str) -> None:
    shifting(harbour)
    roll_back_by_alarm(harbour, name)
    release = harbour.release(2)
    assert release.status is Status.ROLLED_BACK
    assert f"{name} went off while traffic was moving" in release.reason
    assert f"alarms are in alarm: [{name}]" in release.reason
    assert harbour.serving() == FIRST
    assert "went off" in str(harbour.world.ledger.held(GROUP, 2))
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] == "Rejected"
    assert {made[1].config_name for made in harbour.world.production.made_alarms.values()} == {FIRST}
    assert harbour.world.ledger.champion(GROUP).version == 1  # type: ignore[union-attr]


def test_a_fleet_that_does_not_start_says_nothing_about_the_version(harbour: Harbour) -> None:
    shifting(harbour)
    harbour.world.production.change(ENDPOINT, "InService", "no capacity")
    let_go(harbour)
    assert harbour.release(2).status is Status.FAILED
    assert "no capacity" in harbour.release(2).reason
    assert harbour.world.ledger.held(GROUP, 2) is None
    assert {made[1].config_name for made in harbour.world.production.made_alarms.values()} == {FIRST}


def test_a_mixed_fleet_is_brought_back_and_its_version_held(harbour: Harbour) -> None:
    shifting(harbour)
    harbour.world.production.change(ENDPOINT, "UpdateRollbackFailed", "no capacity to go back")
    let_go(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert (
        "UpdateRollbackFailed: no capacity to go back: it serves a mix of the old and the new"
        in harbour.release(2).reason
    )
    assert harbour.serving() == FIRST
    assert harbour.world.ledger.held(GROUP, 2) is not None


def test_a_mixed_fleet_that_stays_one_says_what_to_do(harbour: Harbour) -> None:
    shifting(harbour)
    harbour.world.production.change(ENDPOINT, "UpdateRollbackFailed", "no capacity to go back")
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    harbour.world.production.change(ENDPOINT, "UpdateRollbackFailed", "still no capacity")
    harbour.tell_of_endpoint(harbour.world.production.arn_of(ENDPOINT))
    harbour.settle()
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert release.reason.startswith("the rollback failed, look at production now:")
    assert "still no capacity" in release.reason
    assert harbour.world.ledger.held(GROUP, 2) is not None


@pytest.mark.parametrize(("state", "said"), [("ALARM", "is in ALARM already"), ("missing", "there is no alarm")])
def test_an_alarm_that_is_on_or_missing_leaves_production_alone(harbour: Harbour, state: str, said: str) -> None:
    harbour.promote(1)
    harbour.register(2)
    if state == "missing":
        del harbour.world.production.alarm_changes[ALARM]
    else:
        harbour.world.production.change_alarm(ALARM, state)
    harbour.approve()
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert said in release.reason
    assert "nothing was changed" in release.reason
    assert "bring the alarm to OK" in release.reason
    assert set(harbour.world.production.configs) == {FIRST}
    assert {made[1].config_name for made in harbour.world.production.made_alarms.values()} == {FIRST}
    assert harbour.world.ledger.held(GROUP, 2) is None


def test_a_second_try_after_the_shift_was_rolled_back_does_not_shift_again(harbour: Harbour) -> None:
    shifting(harbour)
    harbour.world.production.change_alarm(made_by(2), "ALARM")
    harbour.world.production.change(ENDPOINT, "InService", "alarms are in alarm")
    with pytest.raises(ShiftFailed, match="went off in an earlier try"):
        promote_to_production(release_id(2), "another-token", harbour.inside)
    assert harbour.serving() == FIRST


def thin(harbour: Harbour, **strategy: Any) -> None:
    """The second version bakes, and nobody asks it anything."""
    harbour.promote(1)
    harbour.apply(guarded_policy(minimum_invocations=5, **strategy))
    harbour.register(2)
    harbour.approve()


def test_requests_that_come_late_still_count(harbour: Harbour) -> None:
    thin(harbour)
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.BAKING
    harbour.traffic()
    harbour.pass_time(minutes=10)
    assert harbour.release(2).status is Status.PROMOTED


def test_an_extended_bake_ends_at_once_by_an_alarm(harbour: Harbour) -> None:
    thin(harbour)
    harbour.pass_time(minutes=11)
    harbour.world.production.change_alarm(made_by(2), "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(made_by(2))))
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK


def test_a_bake_is_extended_for_as_long_as_the_policy_says(harbour: Harbour) -> None:
    thin(harbour, extend_up_to="15m")
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.BAKING
    harbour.pass_time(minutes=5)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert "0 requests are too few" in harbour.release(2).reason


def test_a_deadline_that_comes_twice_extends_a_bake_once(harbour: Harbour) -> None:
    thin(harbour)
    (_, payload) = harbour.world.schedules.planned["lockkeeper-wages-v2-a1-bake"]
    harbour.pass_time(minutes=11)
    extended = harbour.world.ledger.wait_of(release_id(2), "WatchProduction")
    for _ in range(3):
        harbour.tell(payload)
        harbour.settle()
    assert harbour.world.ledger.wait_of(release_id(2), "WatchProduction") == extended
    assert harbour.release(2).status is Status.BAKING


def test_an_extension_whose_schedule_was_lost_is_found_by_keep_house(harbour: Harbour) -> None:
    thin(harbour)
    harbour.pass_time(minutes=11)
    harbour.world.schedules.planned.clear()
    harbour.traffic()
    harbour.pass_time(minutes=12)
    keep_house(QUIET, harbour.inside)
    harbour.settle()
    assert harbour.release(2).status is Status.PROMOTED


def test_an_extension_by_keep_house_is_ended_by_keep_house(harbour: Harbour) -> None:
    thin(harbour)
    harbour.world.schedules.planned.clear()
    harbour.pass_time(minutes=12)
    keep_house(QUIET, harbour.inside)
    assert harbour.world.schedules.planned == {}  # It may set none.
    assert harbour.release(2).status is Status.BAKING
    harbour.traffic()
    harbour.pass_time(minutes=12)
    keep_house(QUIET, harbour.inside)
    harbour.settle()
    assert harbour.release(2).status is Status.PROMOTED


def test_the_bake_of_an_execution_of_before_is_not_extended(harbour: Harbour) -> None:
    thin(harbour)
    wait = harbour.world.ledger.wait_of(release_id(2), "WatchProduction")
    assert wait is not None
    details = {name: value for name, value in wait.details.items() if name != "last_deadline"}
    harbour.world.ledger.store_wait(replace(wait, details=details))
    harbour.tell({"deadline": {"release_id": release_id(2), "state": "WatchProduction"}})
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK


def test_nobody_looks_at_production_while_traffic_moves_unless_its_end_is_overdue(harbour: Harbour) -> None:
    harbour.apply(guarded_policy(canary={"percent": 10, "wait": "1h"}))
    shifting(harbour)
    looks: list[str] = []
    look = harbour.world.production.look
    harbour.world.production.look = lambda name: looks.append(name) or look(name)  # type: ignore[func-returns-value,method-assign]
    for _ in range(11):
        harbour.world.clock.advance(timedelta(minutes=5))
        keep_house(QUIET, harbour.inside)
    assert looks == []
    del harbour.world.production.advance  # type: ignore[method-assign]
    harbour.world.production.advance(ENDPOINT)  # And nobody is told.
    harbour.world.clock.advance(timedelta(minutes=10))
    keep_house(QUIET, harbour.inside)
    assert looks == [ENDPOINT]
    harbour.settle()
    assert harbour.release(2).status is Status.BAKING
