"""What docs/runbook.md tells people to do by hand leads where it says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from lockkeeper.domain.release import Status
from lockkeeper.use_cases.keep_house import keep_house

from tests.unit.harbour import GROUP, Harbour, release_id

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")


def look_now(harbour: Harbour) -> None:
    """The runbook's call of KeepHouse."""
    said = re.search(r"'\{\"quiet_seconds\": (\d+)\}'", RUNBOOK)
    assert said
    keep_house(timedelta(seconds=int(said[1])), harbour.world)
    harbour.settle()


def test_a_release_is_stopped_by_stopping_its_execution() -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.machine.stop(release_id(2))
    harbour.reap(2)
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert harbour.release(2).reason.startswith("its execution was ABORTED in WatchProduction")
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert harbour.world.ledger.held(GROUP, 2)


def test_a_look_by_hand_finds_a_dead_execution_at_once() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.machine.stop(release_id(1))
    look_now(harbour)
    assert harbour.release(1).status is Status.FAILED


def test_a_look_by_hand_ends_a_bake_whose_deadline_was_lost() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.traffic()
    harbour.world.schedules.planned.clear()
    harbour.world.clock.advance(timedelta(minutes=11))
    look_now(harbour)
    assert harbour.release(1).status is Status.PROMOTED
