"""Two versions at once, or sixteen: one lock holder, a growing fencing number, and the newest gets its turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise

import pytest
from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.ports import Ledger

from tests.conftest import Figure
from tests.faults.races import COMPETITORS, Race, Watch
from tests.faults.yard import Yard

RACES = 1000


def run_races(ledger: Ledger, prefix: str = "group", within: tuple[float, ...] = (0.0,)) -> list[Watch]:
    """Each race's competitors come within so many seconds, in turn."""
    groups = [f"{prefix}-{number}" for number in range(RACES)]
    with ThreadPoolExecutor(COMPETITORS) as pool:
        watches = [
            Race(ledger, group, seconds).run(pool) for group, seconds in zip(groups, cycle(within), strict=False)
        ]
    assert [group for group in groups if ledger.lock_of(group) or ledger.queue(group)] == [], (
        "nobody is left, and has it"
    )
    return watches


def assert_fair(watches: list[Watch], figure: Figure, where: str) -> None:
    most, turns = max(watch.most_at_once for watch in watches), sum(len(watch.versions) for watch in watches)
    measured = f"{most} holder in {len(watches)} races of {COMPETITORS}, {turns} turns in production"
    figure(f"two versions at once, {where}", measured, "1")
    assert most == 1
    assert all(COMPETITORS in watch.versions for watch in watches), "the newest never got its turn"
    assert all(one < other for watch in watches for one, other in pairwise(watch.fencing)), (
        "a fencing number came again"
    )
    assert turns > len(watches), "production never changed hands: no race was tried"


def test_one_holder_in_a_thousand_races_of_sixteen_in_memory(figure: Figure) -> None:
    assert_fair(run_races(InMemoryLedger(SettableClock())), figure, "in memory")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_one_holder_in_a_thousand_races_of_sixteen_in_dynamodb(yard: Yard, figure: Figure) -> None:
    # At one moment the newest is always first here; those who come after each other find somebody in production.
    assert_fair(run_races(yard.ledger, "raced", (0.0, 0.3, 1.0)), figure, "in DynamoDB")
    assert yard.nothing_left("raced-") == []
