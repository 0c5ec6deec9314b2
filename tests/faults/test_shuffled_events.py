"""Duplicate, shuffled and stale events: side effects once, and the same final state for every order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from itertools import permutations
from multiprocessing import get_context
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import DecisionRefused
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Status
from lockkeeper.use_cases import open_release, pinned
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.reap_release import reap_release

from tests.conftest import Figure
from tests.unit.breaking import WatchedWorld
from tests.unit.harbour import (
    ALARM,
    ENDPOINT,
    GROUP,
    Harbour,
    alarm_event,
    endpoint_event,
    execution_event,
    package_event,
    release_id,
)
from tests.unit.test_crashes import outcome

PART = 250
VERSIONS = (1, 2, 3)
Event = dict[str, Any]


def read_each_policy_once() -> None:
    """Reading a policy is a pure function of its text, and most of the time of a journey."""
    once = lru_cache(parse_policy)
    pinned.parse_policy = once  # type: ignore[assignment]
    open_release.parse_policy = once  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `read_each_policy_once`, until the test ends."""
    monkeypatch.setattr(pinned, "parse_policy", pinned.parse_policy)
    monkeypatch.setattr(open_release, "parse_policy", open_release.parse_policy)
    read_each_policy_once()


class CountingWorld(WatchedWorld):
    """Counts what changes production, by the configuration it changes it to."""

    changes: Counter[str]

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        before = dict(self._world.production.endpoints)
        answer = call()
        if name in {"production.create", "production.update"} and self._world.production.endpoints != before:
            state = self._world.production.endpoints[ENDPOINT]
            self.changes[state.pending_config or state.state.config_name] += 1
        return answer


class Team(Harbour):
    """A team that registers versions whose events come when somebody tells them."""

    def __init__(self) -> None:
        world = InMemoryWorld()
        watched = CountingWorld(world)
        watched.changes = Counter()
        super().__init__(inside=watched, world=world)  # type: ignore[arg-type]
        self.changes = watched.changes

    def tell_registry(self, version: int) -> Any:
        """What was registered is told later."""
        del version

    def hear(self, event: Event) -> None:
        """An event reaches the functions that listen to it."""
        if event.get("detail-type") == "SageMaker Model Package State Change":
            super().tell_registry(int(event["detail"]["ModelPackageArn"].rsplit("/", 1)[1]))
        elif event.get("detail-type") == "Step Functions Execution Status Change":
            reap_release(event, self.inside)
        else:
            self.tell(event)

    def approve_all(self) -> None:
        """Ada clicks on every link that she was ever sent."""
        for letter in [one for one in self.world.mail.letters if one.approver == "Ada"]:
            with suppress(DecisionRefused):
                decide_by_link(letter.text.split("/approvals/")[1].split()[0], Answer.APPROVE, "", self.inside)
        self.settle()

    def come_to_an_end(self) -> None:
        """Everything takes its course: people answer, requests come, bakes end."""
        for _ in VERSIONS:
            self.settle()
            self.approve_all()
            if self.serving():
                self.traffic()
            self.pass_time(minutes=11)


def random_sequence(chance: random.Random) -> Iterator[Callable[[Team], None]]:
    """Every registration one to three times, stale and foreign events, people and time, in any order."""
    steps: list[Callable[[Team], None]] = [
        lambda team, version=version: team.hear(package_event(version))  # type: ignore[misc]
        for version in VERSIONS
        for _ in range(chance.randint(1, 3))
    ]
    steps += [lambda team: team.settle()] * chance.randint(1, 3)
    steps += [lambda team: team.approve_all()] * chance.randint(0, 2)
    steps += [lambda team: team.hear(endpoint_event(team.world.production.arn_of(ENDPOINT)))]
    steps += [lambda team: team.hear(alarm_event(team.world.production.alarm_arn(ALARM), "OK"))]
    steps += [lambda team: team.hear(execution_event(release_id(chance.choice(VERSIONS))))]
    chance.shuffle(steps)
    return iter(steps)


def play(seeds: range) -> list[str]:
    """Play the sequences of these seeds; what was wrong after which."""
    wrong = []
    for seed in seeds:
        team = Team()
        for version in VERSIONS:
            team.register(version)
        for step in random_sequence(random.Random(seed)):
            step(team)
        team.come_to_an_end()
        wrong += [f"sequence {seed}: {problem}" for problem in problems_of(team)]
    return wrong


@pytest.mark.parametrize(
    "sequences", [1_000, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)
def test_one_release_per_version_in_random_sequences(sequences: int, figure: Figure) -> None:
    """Spread over the processors, since sequences have nothing to do with each other."""
    parts = [range(first, first + PART) for first in range(0, sequences, PART)]
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=read_each_policy_once) as pool:
        wrong = [one for found in pool.map(play, parts) for one in found]
    assert sum(map(len, parts)) == sequences
    figure(
        f"duplicate and shuffled events, {sequences} random sequences", f"{len(wrong)} wrong", "1 release per version"
    )
    assert wrong == []


def problems_of(team: Team) -> list[str]:
    releases = Counter(one.version for one in team.world.ledger.releases(GROUP))
    found = [f"{releases[version]} releases of version {version}" for version in VERSIONS if releases[version] != 1]
    found += [f"{count} changes of production to {config}" for config, count in team.changes.items() if count != 1]
    champion = team.world.ledger.champion(GROUP)
    if champion is None or champion.version != max(VERSIONS):
        found.append(f"the newest is not champion, but {champion}")
    if set(team.world.tasks.started) != {one.release_id for one in team.world.ledger.releases(GROUP)}:
        found.append(f"executions are {sorted(team.world.tasks.started)}")
    return found


def two_registrations() -> tuple[Team, list[Event]]:
    """A champion serves; two newer versions are registered, and everything said about it comes at once."""
    team = champion_of_one()
    team.register(2)
    team.register(3)
    endpoint = endpoint_event(team.world.production.arn_of(ENDPOINT))
    calm = alarm_event(team.world.production.alarm_arn(ALARM), "OK")
    return team, [package_event(2), package_event(2), package_event(3), package_event(3), endpoint, calm]


def an_alarm_at_the_end_of_the_bake() -> tuple[Team, list[Event]]:
    """The second version bakes; its alarm goes off in the minute in which its bake ends."""
    team = champion_of_one()
    team.register(2)
    team.hear(package_event(2))
    team.settle()
    team.approve_all()
    team.traffic()
    team.world.clock.advance(timedelta(minutes=11))
    team.world.production.change_alarm(ALARM, "ALARM")
    alarm = team.world.production.alarm_arn(ALARM)
    deadline = {"deadline": {"release_id": release_id(2), "state": "WatchProduction"}}
    endpoint = endpoint_event(team.world.production.arn_of(ENDPOINT))
    return team, [alarm_event(alarm), alarm_event(alarm, "OK"), deadline, deadline, endpoint, package_event(2)]


def a_staging_endpoint_that_fails() -> tuple[Team, list[Event]]:
    """The second version's staging endpoint cannot be created; old news of other endpoints and releases comes with it."""
    team = champion_of_one()
    team.register(2)
    team.hear(package_event(2))
    team.settle()
    team.world.staging.advance = lambda name: False  # type: ignore[method-assign]
    team.approve_all()
    del team.world.staging.advance  # type: ignore[method-assign]
    staging = f"lockkeeper-{release_id(2)}-staging"
    team.world.staging.fail(staging, "no capacity")
    failed = endpoint_event(team.world.staging.arn_of(staging))
    production = endpoint_event(team.world.production.arn_of(ENDPOINT))
    old = {"deadline": {"release_id": release_id(1), "state": "WatchProduction"}}
    return team, [failed, failed, production, old, execution_event(release_id(1)), package_event(2)]


def champion_of_one() -> Team:
    team = Team()
    team.register(1)
    team.hear(package_event(1))
    team.come_to_an_end()
    assert team.release(1).status is Status.PROMOTED
    return team


@pytest.mark.parametrize(
    ("scene", "ending"),
    [
        (two_registrations, {1: Status.PROMOTED, 2: Status.SUPERSEDED, 3: Status.PROMOTED}),
        pytest.param(
            an_alarm_at_the_end_of_the_bake, {1: Status.PROMOTED, 2: Status.ROLLED_BACK}, marks=pytest.mark.long
        ),
        pytest.param(a_staging_endpoint_that_fails, {1: Status.PROMOTED, 2: Status.FAILED}, marks=pytest.mark.long),
    ],
)
def test_all_720_orders_of_six_events_end_the_same(
    scene: Callable[[], tuple[Team, list[Event]]], ending: dict[int, Status], figure: Figure
) -> None:
    """`outcome` is everything that lasts: releases, who serves, what exists, the lock, the queue, holds, the registry."""
    ends = Counter(end_of(scene, order) for order in permutations(range(6)))
    figure(f"720 orders of 6 events, {scene.__name__}", f"{720 - max(ends.values())} wrong", "0 wrong")
    assert len(ends) == 1, ends
    assert sum(ends.values()) == 720
    for version, status in ending.items():
        assert f"'{release_id(version)}': <Status.{status.name}:" in next(iter(ends))


def end_of(scene: Callable[[], tuple[Team, list[Event]]], order: tuple[int, ...]) -> str:
    """The final state after the scene's events came in this order, as text."""
    team, events = scene()
    for place in order:
        team.hear(events[place])
        team.settle()
    team.come_to_an_end()
    final = outcome(team)
    # How far a superseded release had come is a matter of the order, and of no consequence.
    final.pop("states"), final.pop("errors")
    final["releases"] = {name: status for name, (status, *_) in sorted(final["releases"].items())}
    final["decisions"] = None
    return repr({name: sorted(value) if isinstance(value, set) else value for name, value in final.items()})
