"""Look after what nobody came back to: lost events, undelivered decisions, dead executions, idle locks, forgotten endpoints.

Only releases that nothing was written about for a while are read again; everything else is under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lockkeeper.domain.errors import ReleaseStopped, ReplayRefused, UnknownRelease
from lockkeeper.domain.release import Release
from lockkeeper.domain.replay import stopped_by_freeze
from lockkeeper.domain.shadow import PlanStep
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.braked import freeze_of
from lockkeeper.use_cases.clean_up import clean_up
from lockkeeper.use_cases.close_release import hand_on_lock, remove_staging
from lockkeeper.use_cases.decide_approval import deliver_decision
from lockkeeper.use_cases.letters import QUESTIONS, remind
from lockkeeper.use_cases.look_after_retrainings import look_after_retrainings
from lockkeeper.use_cases.open_release import STATE as OPEN
from lockkeeper.use_cases.open_release import interrupt, take_or_wait
from lockkeeper.use_cases.pinned import pinned_policy
from lockkeeper.use_cases.reap_release import ALIVE, reap
from lockkeeper.use_cases.replay_release import replay_release
from lockkeeper.use_cases.resume_release import look_at_endpoint_of, look_at_job_of
from lockkeeper.use_cases.settle_wait import deliver_for_another, fail_wait
from lockkeeper.use_cases.shadow_production import is_before_shift, look_at_plan
from lockkeeper.use_cases.unheard_training import settle_unheard
from lockkeeper.use_cases.unseen_registrations import start_unseen
from lockkeeper.use_cases.watch_production import STATE as WATCH
from lockkeeper.use_cases.watch_production import look_at_bake

QUIET = timedelta(minutes=3)
"""How long nothing was written about a release before it is looked at: less than the five minutes between two looks."""
LATE = timedelta(minutes=1)
"""How late a deadline may come: one-time schedules have a precision of one minute."""


class Kind(StrEnum):
    """What was found."""

    UNDELIVERED = "undelivered decision"
    OVERDUE = "overdue wait"
    DEAD = "dead execution"
    LOCK = "idle lock"
    STAGING = "forgotten staging endpoint"
    UNSEEN = "unseen registration"
    UNHEARD = "unheard training job"
    REMINDED = "reminder"
    CLEANUP = "cleanup"
    RETRAINING = "retraining"
    FROZEN = "release stopped by a freeze"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Found:
    """One thing that was found, and what was done about it."""

    kind: Kind
    what: str


def keep_house(quiet: timedelta, world: World, *, cleanup: bool = False) -> list[Found]:
    """Go through every unfinished release, the staging endpoints and the registry. One that cannot be helped stops no other.

    With `cleanup` also through what production does not need any more, group by group.
    """
    found: list[Found] = []
    for release_id in world.ledger.unfinished():
        found += _carefully(release_id, _look_after(release_id, quiet, world))
    found += _carefully("staging", _forgotten_endpoints(world))
    unseen = (Found(Kind.UNSEEN, what) for what in start_unseen(quiet, world))
    found += _carefully("registry", unseen)
    found += _carefully("training", (Found(Kind.UNHEARD, what) for what in settle_unheard(quiet, world)))
    for head in world.ledger.heads():
        found += _carefully(
            head.group, (Found(Kind.RETRAINING, what) for what in look_after_retrainings(head, quiet, world))
        )
    for group in world.policies.groups() if cleanup else []:
        found += _carefully(group, (Found(Kind.CLEANUP, what) for what in clean_up(group, world)))
    return found


def _carefully(name: str, look: Iterator[Found]) -> list[Found]:
    found: list[Found] = []
    try:
        found.extend(look)
    except Exception as error:
        # Whatever it is, the next look comes in five minutes, and the other releases need theirs.
        found.append(Found(Kind.PROBLEM, f"{name}: {type(error).__name__}: {error}"))
    return found


def _look_after(release_id: str, quiet: timedelta, world: World) -> Iterator[Found]:
    release = world.ledger.get(release_id)
    if not release.unfinished or world.clock.now() < _last_heard_of(release) + quiet:
        return
    if stopped_by_freeze(release):
        yield from _after_the_freeze(release, world)
        return
    if world.tasks.state_of(release_id) not in ALIVE:
        yield Found(Kind.DEAD, f"{release_id}: {reap(release_id, world)}")
        return
    for wait in world.ledger.open_waits(release_id):
        yield from _look_after_wait(wait, min(quiet, LATE), world)
    yield from _look_after_lock(release, world)


def _after_the_freeze(release: Release, world: World) -> Iterator[Found]:
    """What a freeze stopped on its way starts anew, unless something newer, a hold or a person came in between."""
    if freeze_of(pinned_policy(release, world), world):
        return
    try:
        what = f"the freeze has ended, {replay_release(release.release_id, world)} has started"
    except ReplayRefused as refused:
        what = f"the freeze has ended; {refused}"
    world.ledger.finish(release.release_id)
    yield Found(Kind.FROZEN, f"{release.release_id}: {what}")


def _last_heard_of(release: Release) -> datetime:
    return datetime.fromisoformat(release.timeline[-1].at if release.timeline else release.opened_at)


def _look_after_wait(wait: Wait, late: timedelta, world: World) -> Iterator[Found]:
    who = f"{wait.release_id}/{wait.state}"
    if wait.settled:
        (deliver_decision if wait.state in QUESTIONS else deliver_for_another)(wait, world)
        yield Found(Kind.UNDELIVERED, f"{who}: delivered")
    elif wait.state == WATCH:
        if world.clock.now() >= datetime.fromisoformat(wait.deadline) + late:
            look_at_bake(wait, "its deadline has passed", world, over=True, planned=False)
            yield Found(Kind.OVERDUE, f"{who}: looked, its deadline was {wait.deadline}")
        # An alarm's event may be lost as well, and a bake may last for days. A line for every look would fill the release.
        elif wait.resources and look_at_bake(wait, "housekeeping", world, over=False, routine=True):
            yield Found(Kind.OVERDUE, f"{who}: an alarm went off and nobody was told")
    elif wait.step == PlanStep.SHADOWING:
        yield from _look_after_shadow(wait, late, world)
    elif wait.state in QUESTIONS:
        if reminded := remind(wait, world):
            yield Found(Kind.REMINDED, f"{who}: {', '.join(reminded)}")
    elif (
        wait.deadline and not is_before_shift(wait) and world.clock.now() < datetime.fromisoformat(wait.deadline) + late
    ):
        return  # Traffic is still moving, and its end has an event.
    elif "environment" in wait.details or "job_name" in wait.details:
        seen = look_at_job_of(wait, world) if "job_name" in wait.details else look_at_endpoint_of(wait, world)
        if _ended(wait, world):
            yield Found(Kind.OVERDUE, f"{who}: {seen}")


def _look_after_shadow(wait: Wait, late: timedelta, world: World) -> Iterator[Found]:
    """Its deadline may have been lost, or the event of one of the alarms that it waits for beside its endpoint."""
    over = world.clock.now() >= datetime.fromisoformat(wait.deadline) + late
    if not over and len(wait.resources) == 1:
        return
    seen = look_at_plan(wait, "housekeeping", world, over=over, planned=False)
    if over or _ended(wait, world):
        yield Found(Kind.OVERDUE, f"{wait.release_id}/{wait.state}: {seen}")


def _ended(wait: Wait, world: World) -> bool:
    stored = world.ledger.wait_of(wait.release_id, wait.state)
    return stored is not None and stored.settled


def _look_after_lock(release: Release, world: World) -> Iterator[Found]:
    release_id = release.release_id
    lock = world.ledger.lock_of(release.model_package_group)
    waits = [wait for wait in world.ledger.open_waits(release_id) if not wait.settled]
    if lock and lock.owner == release_id and lock.superseded_by and any(wait.interruptible for wait in waits):
        interrupt(release_id, f"superseded by {lock.superseded_by}, a newer version", world)
        yield Found(Kind.LOCK, f"{release_id}: ended, {lock.superseded_by} waits for its lock")
        return
    wait = next((wait for wait in waits if wait.state == OPEN), None)
    if wait is None:
        return
    # Its policy was pinned before it began to wait, which may have been since it was read.
    release = world.ledger.get(release_id)
    if lock and lock.owner != release_id:
        owner = world.ledger.get(lock.owner)
        if not owner.unfinished:
            hand_on_lock(owner, world)
            yield Found(Kind.LOCK, f"{release_id}: {owner.release_id} has ended and still had the lock")
            return
        if lock.owner_version < release.version:
            return
    policy = pinned_policy(release, world)
    if freeze_of(policy, world) or (lock is None and _a_newer_one_waits(release, world)):
        return
    try:
        take_or_wait(release, policy, wait, world)
    except ReleaseStopped as stopped:
        fail_wait(wait, stopped, world)
        yield Found(Kind.LOCK, f"{release_id}: waited for a lock that {stopped}")
        return
    yield Found(Kind.LOCK, f"{release_id}: waited for a lock that it could have")


def _a_newer_one_waits(release: Release, world: World) -> bool:
    """After a freeze several wait for a free lock; the newest takes it when it is looked after itself, and the others give way."""
    newer = (one for version, one in world.ledger.queue(release.model_package_group) if version > release.version)
    return any(not world.ledger.get(one).ended for one in newer)


def _forgotten_endpoints(world: World) -> Iterator[Found]:
    """Staging endpoints of releases that have ended. Those of releases that this ledger does not know are somebody else's."""
    for name, release_id in world.staging.staging_endpoints().items():
        try:
            if world.ledger.get(release_id).unfinished:
                continue
            remove_staging(name, world)
        except UnknownRelease:
            continue
        except Exception as error:
            # Those after it cost money as well.
            yield Found(Kind.PROBLEM, f"{name}: {type(error).__name__}: {error}")
        else:
            yield Found(Kind.STAGING, f"{name}: deleted, {release_id} has ended")
