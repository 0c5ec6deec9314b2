"""Two versions at once, or sixteen: one lock holder, a growing fencing number, the newest gets its turn, the older are void."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, pairwise
from random import Random

import pytest
from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import RequestClosed
from lockkeeper.domain.release import Status
from lockkeeper.ports import Ledger
from lockkeeper.use_cases.decide_approval import decide_by_link

from tests.conftest import Figure
from tests.faults.races import COMPETITORS, Race, Watch
from tests.faults.yard import Yard
from tests.unit.harbour import GROUP, Harbour, policy_document, release_id

RACES = 1000
QUEUES = 10
"""How often sixteen versions come after each other to each kind of wait."""
GOOD = 2
"""How much comes of what the newest has: its link ends its wait, and it may begin production. The token was used for the first."""


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


@dataclass(frozen=True)
class Held:
    """What a version had while it waited: its task token and, where people were asked, the link that Ada was sent."""

    version: int
    token: str
    link: str


def came_after_each_other(waits_for: str, seed: int) -> tuple[Harbour, list[Held]]:
    """Sixteen versions, the older first for the most part, each at rest before the next one comes: a new one meets who waits."""
    harbour, held = Harbour(), []
    document = policy_document()
    document["approval"]["before"] = ["staging" if waits_for == "lock" else waits_for]
    harbour.apply(document)
    random = Random(seed)
    versions = sorted(range(2, COMPETITORS + 2), key=lambda version: version + random.uniform(0, 6))
    if waits_for == "lock":
        harbour.register(1)
        harbour.approve()
    for version in versions:
        letters = len(harbour.world.mail.letters)
        harbour.register(version)
        if token := harbour.machine.executions[release_id(version)].token:
            asked = len(harbour.world.mail.letters) > letters
            held.append(Held(version, token, harbour.link() if asked else ""))
    if waits_for == "lock":
        harbour.traffic()
        harbour.pass_time(minutes=11)
    return harbour, [one for one in held if one.version != max(versions)]


def accepted(harbour: Harbour, one: Held) -> int:
    """How much of what a version had still does something."""
    tasks, done = harbour.world.tasks, 0
    if one.link:
        with suppress(RequestClosed):
            decide_by_link(one.link, Answer.APPROVE, "", harbour.world)
            done += 1
    done += tasks.succeed(one.token, {}) + tasks.fail(one.token, "Late", "it was superseded")
    return done + (
        harbour.world.ledger.begin_production(GROUP, release_id(one.version)).owner == release_id(one.version)
    )


@pytest.mark.parametrize("waits_for", ["staging", "production", "lock"])
def test_who_is_superseded_can_do_nothing_with_what_it_had(waits_for: str, figure: Figure) -> None:
    superseded, waited, done = 0, 0, 0
    for seed in range(QUEUES):
        harbour, held = came_after_each_other(waits_for, seed)
        statuses = [harbour.release(version).status for version in range(2, COMPETITORS + 1)]
        superseded += statuses.count(Status.SUPERSEDED)
        waited += len(held)
        done += sum(accepted(harbour, one) for one in held)
        newest = release_id(COMPETITORS + 1)
        assert harbour.release(COMPETITORS + 1).status is Status.AWAITING_APPROVAL
        good = Held(COMPETITORS + 1, harbour.machine.executions[newest].token, harbour.link())
        assert accepted(harbour, good) == GOOD, "what the newest has is good"
    older = QUEUES * (COMPETITORS - 1)
    figure(
        f"a new version while the older waits ({waits_for})",
        f"{superseded} of {older} older superseded, {done} tokens and links of the {waited} that waited accepted",
        "all, 0",
    )
    assert superseded == older
    assert waited > QUEUES, "hardly anybody waited"
    assert done == 0
