"""What docs/runbook.md tells people to do by hand leads where it says."""

from __future__ import annotations

from datetime import timedelta

from lockkeeper.domain.ending import Ending
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.close_release import close_release
from lockkeeper.use_cases.resume_release import resume_release
from lockkeeper.use_cases.roll_back import roll_back

from tests.unit.harbour import GROUP, Harbour, release_id

BY_HAND = Ending(error="Stopped", cause="stopped by hand", state="PromoteToProduction")


def died_in_the_bake() -> Harbour:
    """Version 1 serves; version 2 was in its bake when somebody stopped its execution."""
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    execution = harbour.machine.executions[release_id(2)]
    harbour.world.tasks.withdraw(execution.token)
    execution.ended = True
    return harbour


def test_a_dead_release_is_cleaned_up_by_two_calls() -> None:
    harbour = died_in_the_bake()
    roll_back(release_id(2), "by-hand", BY_HAND, harbour.world)
    harbour.settle()
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    restored = Ending(error="Stopped", cause="stopped by hand", state="PromoteToProduction", restored=True)
    closed = close_release(release_id(2), restored, harbour.world)
    harbour.settle()
    assert (closed.status, closed.reason) == (Status.FAILED, "stopped by hand")
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert harbour.world.staging.endpoints == {}
    assert "lockkeeper-wages-v2-a1-production" not in harbour.world.production.configs


def test_doing_it_twice_changes_nothing_more() -> None:
    harbour = died_in_the_bake()
    for _ in range(2):
        roll_back(release_id(2), "by-hand", BY_HAND, harbour.world)
        harbour.settle()
        close_release(release_id(2), BY_HAND, harbour.world)
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    harbour.promote(3)
    assert harbour.release(3).status is Status.PROMOTED


def test_a_lost_deadline_can_be_said_again() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.traffic()
    harbour.world.schedules.planned.clear()
    harbour.world.clock.advance(timedelta(minutes=11))
    resume_release({"deadline": {"release_id": release_id(1), "state": "WatchProduction"}}, harbour.world)
    harbour.settle()
    assert harbour.release(1).status is Status.PROMOTED
