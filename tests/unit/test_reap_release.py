"""A dead execution leaves nothing behind: staging gone, production as it was, the lock handed on, a true status."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.ending import Ending
from lockkeeper.domain.errors import LockLost, RequestClosed
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.keep_house import QUIET, keep_house
from lockkeeper.use_cases.reap_release import reap_release
from lockkeeper.use_cases.roll_back import roll_back

from tests.unit.breaking import BreakingHarbour, Broken
from tests.unit.harbour import ALARM, GROUP, Harbour, alarm_event, execution_event, release_id
from tests.unit.machine import STATES
from tests.unit.test_crashes import _read_each_policy_once, outcome  # noqa: F401 - a fixture

SERVING = "lockkeeper-wages-v1-a1-production"


def harbour_with_champion(harbour: Harbour | None = None) -> Harbour:
    harbour = harbour or Harbour()
    harbour.promote(1)
    return harbour


def die_in(state: str, harbour: Harbour, version: int = 2, *, answered: bool = False) -> None:
    """The execution is stopped as soon as it has entered a state: with its function's work done, or at its very beginning."""
    harbour.machine.stop_at(release_id(version), state, called=answered)
    harbour.register(version)
    if not harbour.machine.executions[release_id(version)].ended:
        harbour.approve()
    if state in ("CloseRelease", "RollBack") and not harbour.machine.executions[release_id(version)].ended:
        if state == "RollBack":
            harbour.world.production.change_alarm(ALARM, "ALARM")
            harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
            harbour.settle()
        else:
            harbour.traffic()
            harbour.pass_time(minutes=11)
    assert harbour.machine.executions[release_id(version)].ended


def reap_until_nothing_moves(harbour: Harbour, version: int = 2) -> None:
    harbour.reap(version)
    harbour.settle()


def left_over(harbour: Harbour, version: int = 2) -> dict[str, Any]:
    """What a dead release might leave behind."""
    world = harbour.world
    return {
        "staging": [*world.staging.endpoints, *world.staging.configs, *world.staging.models],
        "lock": world.ledger.lock_of(GROUP),
        "waits": world.ledger.open_waits(release_id(version)),
        "pointers": [where for where, places in world.ledger._pointers.items() if places],
        "schedules": dict(world.schedules.planned),
        "unfinished": world.ledger.unfinished(),
    }


NOTHING = {"staging": [], "lock": None, "waits": [], "pointers": [], "schedules": {}, "unfinished": []}


@pytest.mark.parametrize("answered", [False, True], ids=["at its beginning", "with its work done"])
@pytest.mark.parametrize(
    "state", [state for state in STATES if state not in ("OpenRelease", "CloseRelease", "RollBack")]
)
def test_an_execution_stopped_in_any_state_leaves_nothing(state: str, answered: bool) -> None:
    harbour = harbour_with_champion()
    die_in(state, harbour, answered=answered)
    reap_until_nothing_moves(harbour)
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert release.reason.startswith("its execution was ABORTED in ")
    assert left_over(harbour) == NOTHING
    assert harbour.serving() == SERVING
    assert set(harbour.world.production.configs) == {SERVING}
    assert harbour.published("Release Failed")[-1]["reason"] == release.reason
    harbour.promote(3)
    assert harbour.release(3).status is Status.PROMOTED


def test_a_version_that_had_served_is_held_and_its_model_is_not_called_bad() -> None:
    harbour = harbour_with_champion()
    die_in("WatchProduction", harbour, answered=True)
    reap_until_nothing_moves(harbour)
    assert harbour.release(2).reason == ("its execution was ABORTED in WatchProduction; production is as it was before")
    assert "its execution was ABORTED" in harbour.world.ledger.held(GROUP, 2).reason  # type: ignore[union-attr]
    package = harbour.world.registry.packages[harbour.release(2).model_package_arn]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_first_release_that_died_in_production_takes_its_endpoint_with_it() -> None:
    harbour = Harbour()
    die_in("WatchProduction", harbour, version=1, answered=True)
    reap_until_nothing_moves(harbour, 1)
    assert harbour.serving() is None
    assert harbour.world.production.endpoints == {}
    assert left_over(harbour, 1) == NOTHING


def test_a_first_endpoint_that_is_still_being_created_is_removed_by_its_event() -> None:
    harbour = Harbour()
    harbour.machine.stop_at(release_id(1), "PromoteToProduction", called=True)
    harbour.register(1)
    decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.inside)
    harbour.machine.run()
    harbour.world.staging.advance("lockkeeper-wages-v1-a1-staging")
    harbour.tell_of_endpoint(harbour.world.staging.arn_of("lockkeeper-wages-v1-a1-staging"))
    harbour.machine.run()
    assert harbour.machine.executions[release_id(1)].ended
    (said,) = harbour.reap(1)
    assert "goes on at the endpoint's next event" in said
    assert harbour.release(1).unfinished
    harbour.settle()
    assert harbour.world.production.endpoints == {}
    assert left_over(harbour, 1) == NOTHING


def test_a_promoted_release_whose_closing_died_ends_promoted() -> None:
    harbour = harbour_with_champion()
    die_in("CloseRelease", harbour)
    reap_until_nothing_moves(harbour)
    assert harbour.release(2).status is Status.PROMOTED
    assert harbour.serving() == "lockkeeper-wages-v2-a1-production"
    assert left_over(harbour) == NOTHING


@pytest.mark.parametrize("answered", [False, True])
def test_a_rollback_that_died_is_gone_to_its_end_for_its_own_reason(answered: bool) -> None:
    harbour = harbour_with_champion()
    die_in("RollBack", harbour, answered=answered)
    reap_until_nothing_moves(harbour)
    release = harbour.release(2)
    assert harbour.serving() == SERVING
    assert left_over(harbour) == NOTHING
    if answered:
        assert (release.status, "in ALARM" in release.reason) == (Status.ROLLED_BACK, True)
    else:
        assert release.status is Status.FAILED


def test_a_way_back_that_fails_is_said_and_hands_the_lock_on() -> None:
    harbour = harbour_with_champion()
    die_in("WatchProduction", harbour, answered=True)
    harbour.reap(2)
    harbour.world.production.fail("wages", "no capacity")
    harbour.tell_of_endpoint(harbour.world.production.arn_of("wages"))
    harbour.settle()
    assert harbour.release(2).reason.startswith("the rollback failed, look at production now")
    assert left_over(harbour) == NOTHING


def test_a_release_that_died_while_it_waited_for_the_lock_leaves_the_lock_alone() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    assert harbour.release(2).status is Status.WAITING_FOR_LOCK
    harbour.machine.stop(release_id(2))
    harbour.reap(2)
    assert harbour.release(2).status is Status.FAILED
    lock = harbour.world.ledger.lock_of(GROUP)
    assert lock is not None
    assert lock.owner == release_id(1)
    assert harbour.world.ledger.queue(GROUP) == []
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(1).status is Status.PROMOTED


def test_whoever_waited_for_the_dead_one_gets_the_lock() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    harbour.machine.stop(release_id(1))
    reap_until_nothing_moves(harbour, 1)
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_reaping_twice_is_reaping_once() -> None:
    harbour = harbour_with_champion()
    die_in("WatchProduction", harbour, answered=True)
    reap_until_nothing_moves(harbour)
    before = (harbour.release(2), list(harbour.world.publisher.published), list(harbour.world.registry.stamps))
    assert harbour.reap(2) == [f"{release_id(2)}: nothing to do, it has ended"]
    assert (harbour.release(2), harbour.world.publisher.published, harbour.world.registry.stamps) == before


def test_an_event_is_a_hint_and_the_execution_the_truth() -> None:
    harbour = Harbour()
    harbour.register(1)
    assert harbour.reap(1) == [f"{release_id(1)}: left alone, its execution is RUNNING"]
    assert harbour.reap(9) == [f"{release_id(9)}: nothing to do, it was never opened"]
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    forged = {**execution_event(release_id(1)), "account": "999999999999"}
    assert "not the hub" in reap_release(forged, harbour.world)[0]


def test_a_decision_about_a_dead_release_is_refused() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.machine.stop(release_id(1))
    harbour.reap(1)
    with pytest.raises(RequestClosed):
        harbour.approve()


def dead_in_the_bake(harbour: BreakingHarbour) -> BreakingHarbour:
    harbour_with_champion(harbour)
    harbour.register(2)
    harbour.approve()
    harbour.machine.stop(release_id(2))
    harbour.breaking.begin()
    return harbour


def dead_in_staging(harbour: BreakingHarbour) -> BreakingHarbour:
    harbour_with_champion(harbour)
    die_in("TestStaging", harbour, answered=True)
    harbour.breaking.begin()
    return harbour


def reaped(harbour: BreakingHarbour) -> dict[str, Any]:
    """Broken once anywhere; what comes next is the event again or, some minutes later, the look around."""
    for _ in range(2):
        with suppress(Broken):
            harbour.reap(2)
            harbour.settle()
    harbour.world.clock.advance(QUIET)
    for _ in range(2):
        with suppress(Broken):
            keep_house(QUIET, harbour.inside)
            harbour.settle()
    release = harbour.release(2)
    world = harbour.world
    return {
        **left_over(harbour),
        "status": (release.status, release.reason),
        "serving": harbour.serving(),
        "configs": set(world.production.configs),
        "held": world.ledger.held(GROUP, 2),
        "champion": world.ledger.champion(GROUP),
    }


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("beginning", [dead_in_the_bake, dead_in_staging])
def test_a_crash_while_reaping_changes_no_outcome(beginning: Any, after: bool) -> None:
    undisturbed = beginning(BreakingHarbour())
    wanted = reaped(undisturbed)
    assert {name: wanted[name] for name in NOTHING} == NOTHING
    for at in range(1, len(undisturbed.breaking.calls) + 1):
        found = reaped(beginning(BreakingHarbour(at, after=after)))
        assert found == wanted, f"call {at}, {undisturbed.breaking.calls[at - 1]}"


def test_a_late_try_of_the_way_back_leaves_no_wait_behind() -> None:
    """A function goes on for a while after its execution was stopped."""
    harbour = harbour_with_champion()
    die_in("RollBack", harbour)
    reap_until_nothing_moves(harbour)
    assert left_over(harbour) == NOTHING
    before = outcome(harbour)
    ending = Ending("BakeFailed", "an alarm went off", "WatchProduction")
    with pytest.raises(LockLost, match="has ended already"):
        roll_back(release_id(2), "a token of the dead execution", ending, harbour.inside)
    harbour.settle()
    assert left_over(harbour) == NOTHING
    assert outcome(harbour) == before
