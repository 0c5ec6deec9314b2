"""Crashing between any two calls and trying again gives what an undisturbed journey gives: one deployment, no orphan."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
from lockkeeper.domain.policy import parse_policy
from lockkeeper.use_cases import open_release, pinned

from tests.unit.breaking import BreakingHarbour
from tests.unit.harbour import ALARM, GROUP, Harbour, alarm_event
from tests.unit.scoring import compared, for_jobs, named, promoted
from tests.unit.shadowing import asked_both, shadowed_policy
from tests.unit.test_guarded_production import guarded_policy, made_by

Journey = Callable[[BreakingHarbour], None]


def nothing_yet(harbour: BreakingHarbour) -> None:
    del harbour


def a_champion_serves(harbour: BreakingHarbour) -> None:
    harbour.promote(1)


def an_older_version_bakes(harbour: BreakingHarbour) -> None:
    harbour.register(1)
    harbour.approve()


def two_newer_versions_wait_for_an_older_one(harbour: BreakingHarbour) -> None:
    an_older_version_bakes(harbour)
    harbour.register(2)
    harbour.register(3)


def the_older_one_is_promoted(harbour: BreakingHarbour) -> None:
    harbour.traffic()
    harbour.pass_time(minutes=11)


def an_older_version_waits_for_people(harbour: BreakingHarbour) -> None:
    harbour.register(1)


def first_version_is_promoted(harbour: BreakingHarbour) -> None:
    harbour.promote(1)


def second_version_is_promoted(harbour: BreakingHarbour) -> None:
    harbour.promote(2)


def second_version_is_rolled_back(harbour: BreakingHarbour) -> None:
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()


def first_version_is_rolled_back(harbour: BreakingHarbour) -> None:
    harbour.register(1)
    harbour.approve()
    for _ in range(3):  # Nobody asks it, so its bake is extended twice.
        harbour.pass_time(minutes=11)


def a_guarded_champion_serves(harbour: BreakingHarbour) -> None:
    """Its successors move in as canaries, under alarms of their own."""
    harbour.apply(guarded_policy())
    harbour.promote(1)


def a_champion_serves_and_shadows_are_asked_for(harbour: BreakingHarbour) -> None:
    harbour.apply(shadowed_policy())
    harbour.promote(1)


def second_version_is_a_shadow_first(harbour: BreakingHarbour, alike: int = 20) -> None:
    harbour.register(2)
    harbour.approve()
    asked_both(harbour, 20, alike)
    harbour.pass_time(minutes=61)
    harbour.traffic()
    harbour.pass_time(minutes=11)


def second_version_is_a_shadow_that_disagrees(harbour: BreakingHarbour) -> None:
    second_version_is_a_shadow_first(harbour, alike=10)


def second_version_is_taken_back_by_its_own_alarm(harbour: BreakingHarbour) -> None:
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(made_by(2), "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(made_by(2))))
    harbour.settle()


def jobs_have_a_champion(harbour: BreakingHarbour) -> None:
    for_jobs(harbour)
    promoted(harbour, 1)


def jobs_are_told_of_the_second_version(harbour: BreakingHarbour) -> None:
    promoted(harbour, 2)


def jobs_get_their_champion_back(harbour: BreakingHarbour) -> None:
    compared(harbour, 2)
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()


def newer_version_waits_for_its_turn(harbour: BreakingHarbour) -> None:
    harbour.register(2)
    harbour.traffic()
    harbour.pass_time(minutes=11)


def newer_version_supersedes(harbour: BreakingHarbour) -> None:
    harbour.register(2)


def outcome(harbour: Harbour) -> dict[str, Any]:
    """Everything that must be the same, however often something broke on the way."""
    world = harbour.world
    ledger = world.ledger
    return {
        "releases": {one.release_id: (one.status, one.reason, one.pins, one.verdicts) for one in ledger.releases()},
        "decisions": {one.release_id: one.approvals for one in ledger.releases()},
        "states": {name: one.visited for name, one in harbour.machine.executions.items()},
        "served": [one.version for one in ledger.crowned],
        "lock": (lock.owner, lock.owner_version, lock.production_begun) if (lock := ledger.lock_of(GROUP)) else None,
        "queue": ledger.queue(GROUP),
        "held": [ledger.held(GROUP, version) for version in (1, 2)],
        "undecided": [
            wait.state for one in ledger.releases() for wait in ledger.open_waits(one.release_id) if not wait.settled
        ],
        "staging": [set(world.staging.models), set(world.staging.configs), set(world.staging.endpoints)],
        "production": [set(world.production.models), set(world.production.configs), harbour.serving()],
        "named": named(harbour),
        "alarms": {name: made[1:] for name, made in world.production.made_alarms.items()},
        "registry": [one["ModelApprovalStatus"] for one in world.registry.packages.values()],
        "objects": {uri for uri in world.objects.stored if "/incoming/" in uri},
        "schedules": set(world.schedules.planned),
        "errors": {name: {**one.ending, "cause": ""} for name, one in harbour.machine.executions.items()},
    }


@pytest.fixture(autouse=True)
def _read_each_policy_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a policy is a pure function of its text, and most of the time of a journey."""
    once = lru_cache(parse_policy)
    monkeypatch.setattr(pinned, "parse_policy", once)
    monkeypatch.setattr(open_release, "parse_policy", once)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("beginning", "journey"),
    [
        (nothing_yet, first_version_is_promoted),
        pytest.param(a_champion_serves, second_version_is_promoted, marks=pytest.mark.full),
        pytest.param(a_champion_serves, second_version_is_rolled_back, marks=pytest.mark.full),
        pytest.param(nothing_yet, first_version_is_rolled_back, marks=pytest.mark.full),
        pytest.param(a_guarded_champion_serves, second_version_is_promoted, marks=pytest.mark.full),
        pytest.param(
            a_champion_serves_and_shadows_are_asked_for, second_version_is_a_shadow_first, marks=pytest.mark.full
        ),
        pytest.param(
            a_champion_serves_and_shadows_are_asked_for,
            second_version_is_a_shadow_that_disagrees,
            marks=pytest.mark.full,
        ),
        pytest.param(
            a_guarded_champion_serves,
            second_version_is_taken_back_by_its_own_alarm,
            marks=(pytest.mark.full, pytest.mark.long),
        ),
        pytest.param(
            an_older_version_bakes, newer_version_waits_for_its_turn, marks=(pytest.mark.full, pytest.mark.long)
        ),
        pytest.param(jobs_have_a_champion, jobs_are_told_of_the_second_version, marks=pytest.mark.full),
        pytest.param(jobs_have_a_champion, jobs_get_their_champion_back, marks=pytest.mark.full),
        (an_older_version_waits_for_people, newer_version_supersedes),
        pytest.param(
            two_newer_versions_wait_for_an_older_one,
            the_older_one_is_promoted,
            marks=(pytest.mark.full, pytest.mark.long),
        ),
    ],
)
def test_a_crash_at_any_call_changes_no_outcome(beginning: Journey, journey: Journey, after: bool) -> None:
    undisturbed = played(beginning, journey, BreakingHarbour())
    wanted = outcome(undisturbed)
    differences = []
    for at in range(1, len(undisturbed.breaking.calls) + 1):
        found = outcome(played(beginning, journey, BreakingHarbour(at, after=after)))
        wrong = {name: found[name] for name in wanted if found[name] != wanted[name]}
        if wrong:
            differences.append(f"call {at}, {undisturbed.breaking.calls[at - 1]}: {wrong}")
    assert differences == []


def played(beginning: Journey, journey: Journey, harbour: BreakingHarbour) -> BreakingHarbour:
    beginning(harbour)
    harbour.breaking.begin()
    journey(harbour)
    return harbour
