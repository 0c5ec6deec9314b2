"""The ledger in memory keeps what every ledger keeps, and two threads at once get one winner."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.adapters.in_memory.messages import BEGINNING
from lockkeeper.ports import Ledger, Meter

from tests.unit import ledger_suite
from tests.unit.brakes_suite import *  # noqa: F403
from tests.unit.ledger_suite import *  # noqa: F403
from tests.unit.retrainings_suite import *  # noqa: F403
from tests.unit.web_suite import *  # noqa: F403

THREADS = 8


@pytest.fixture
def ledger() -> Ledger:
    return InMemoryLedger(SettableClock())


def at_once(action: Callable[[int], Any]) -> list[Any]:
    """The answers of `action(0)` to `action(7)`, begun at the same moment by as many threads."""
    barrier = Barrier(THREADS)

    def begin(number: int) -> Any:
        barrier.wait()
        return action(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def test_one_thread_opens_a_release(ledger: Ledger) -> None:
    assert sum(at_once(lambda _: ledger.open(ledger_suite.FIRST))) == 1


def test_one_thread_takes_the_lock(ledger: Ledger) -> None:
    owners = {lock.owner for lock in at_once(lambda number: ledger.take_lock("wages", f"release-{number}", number))}
    assert len(owners) == 1


def test_one_thread_settles_a_wait(ledger: Ledger) -> None:
    ledger.store_wait(ledger_suite.WAIT)
    assert sum(at_once(lambda number: ledger.settle_wait(ledger_suite.WAIT, {"output": {"by": number}}))) == 1


def test_either_production_begins_or_the_release_is_superseded(ledger: Ledger) -> None:
    for attempt in range(50):
        group = f"group-{attempt}"
        lock = ledger.take_lock(group, "first", 1)

        def act(number: int, group: str = group, lock: Any = lock) -> bool:
            if number % 2:
                return ledger.supersede(lock, "second")
            return ledger.begin_production(group, "first").production_begun

        answers = at_once(act)
        assert any(answers[0::2]) != any(answers[1::2])


def test_one_thread_writes_a_slack_message_and_takes_a_note(ledger: Ledger) -> None:
    later = BEGINNING + timedelta(seconds=45)
    assert sum(at_once(lambda _: ledger.take_slack_message("wages-v1-a1", later))) == 1
    assert sum(at_once(lambda _: ledger.remember("slack v0=ab", later))) == 1


def test_no_metering_is_lost(ledger: Ledger) -> None:
    ledger.open(ledger_suite.FIRST)
    at_once(lambda _: [ledger.meter(ledger_suite.FIRST.release_id, Meter(transitions=1)) for _ in range(50)])
    assert ledger.get(ledger_suite.FIRST.release_id).meters["transitions"] == THREADS * 50
