"""Two versions at once, or sixteen: one lock holder, a growing fencing number, and the newest gets its turn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.ports import Ledger

from tests.conftest import Figure
from tests.faults.races import COMPETITORS, Race, Watch
from tests.faults.yard import Yard

RACES = 1000


def run_races(ledger: Ledger, prefix: str = "group") -> list[Watch]:
    groups = [f"{prefix}-{number}" for number in range(RACES)]
    with ThreadPoolExecutor(COMPETITORS) as pool:
        watches = [Race(ledger, group).run(pool) for group in groups]
    assert [group for group in groups if ledger.lock_of(group) or ledger.queue(group)] == [], (
        "nobody is left, and has it"
    )
    return watches


def assert_fair(watches: list[Watch], figure: Figure, where: str) -> None:
    most = max(watch.most_at_once for watch in watches)
    figure(f"two versions at once, {where}", f"{most} holder in {len(watches)} races of {COMPETITORS}", "1")
    assert most == 1
    assert all(COMPETITORS in watch.versions for watch in watches), "the newest never got its turn"
    assert all(one < other for watch in watches for one, other in pairwise(watch.fencing)), (
        "a fencing number came again"
    )
    assert sum(len(watch.versions) for watch in watches) > RACES, "production never changed hands: no race was tried"


def test_one_holder_in_a_thousand_races_of_sixteen_in_memory(figure: Figure) -> None:
    assert_fair(run_races(InMemoryLedger(SettableClock())), figure, "in memory")


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_one_holder_in_a_thousand_races_of_sixteen_in_dynamodb(yard: Yard, figure: Figure) -> None:
    assert_fair(run_races(yard.ledger, "raced"), figure, "in DynamoDB")
    assert yard.nothing_left("raced-") == []
