"""Two versions at once, or sixteen: one lock holder, a growing fencing number, and the newest gets its turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.ports import Ledger

from tests.conftest import Figure
from tests.faults.races import COMPETITORS, Race, Watch

RACES = 1000


def run_races(ledger: Ledger) -> list[Watch]:
    with ThreadPoolExecutor(COMPETITORS) as pool:
        return [Race(ledger, f"group-{number}").run(pool) for number in range(RACES)]


def assert_fair(watches: list[Watch]) -> None:
    assert max(watch.most_at_once for watch in watches) == 1
    assert all(watch.versions for watch in watches), "a race that nobody won"
    assert all(COMPETITORS in watch.versions for watch in watches), "the newest never got its turn"
    assert all(one < other for watch in watches for one, other in pairwise(watch.fencing)), (
        "a fencing number came again"
    )


def test_one_holder_in_a_thousand_races_of_sixteen_in_memory(figure: Figure) -> None:
    watches = run_races(InMemoryLedger(SettableClock()))
    figure(
        "two versions at once, in memory",
        f"{max(one.most_at_once for one in watches)} holder in {RACES} races of 16",
        "1",
    )
    assert_fair(watches)
    assert sum(len(watch.versions) for watch in watches) > RACES, "production never changed hands: no race was tried"
