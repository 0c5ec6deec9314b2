"""A version that was promoted is rejected, or rolled back by a person: what served before it is to serve again, under the group's lock.

This says so in the ledger; `reap_release` goes there, as it does for every release that no execution is left of.
"""

from __future__ import annotations

from dataclasses import asdict

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.ending import Ending
from lockkeeper.domain.errors import LockkeeperError, ReleaseRejected, RequestClosed, TryAgain
from lockkeeper.domain.release import Release, Status
from lockkeeper.ports import Champion, Wait, World
from lockkeeper.use_cases.open_release import interrupt
from lockkeeper.use_cases.pinned import facts_of, served_with
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.settle_wait import NOBODY
from lockkeeper.use_cases.watch_production import STATE as WATCH


def serves_as_promoted(release: Release, world: World) -> bool:
    """Whether this release's promotion is why production serves what it serves."""
    champion = world.ledger.champion(release.model_package_group)
    return release.status is Status.PROMOTED and champion is not None and champion.release_id == release.release_id


def is_taken_back(release: Release, world: World) -> bool:
    """Whether the way back has been asked for already, and is not gone to its end."""
    back = world.ledger.wait_of(release.release_id, ROLL_BACK)
    return release.unfinished and back is not None and back.token == NOBODY


def reject_what_serves(release: Release, by: str, world: World) -> str:
    """An approver rejected it in the registry. While another release has the lock, this is refused."""
    why = ReleaseRejected(f"rejected by {by} in the registry after it was promoted")
    back_to = take_back(release, by, why, world)
    return f"{by} rejected it; production goes {back_to}"


def take_back(release: Release, by: str, why: LockkeeperError, world: World, *, urgent: bool = False) -> str:
    """Returns whereto production goes, in words; `RequestClosed` where there is no way back now. Every step can be repeated.

    Args:
        release: What serves, as it was promoted.
        by: Who wants it, by name.
        why: The error that its release ends with.
        urgent: A release that has the lock and has not begun production loses it.
    """
    if release.unfinished:
        raise TryAgain(f"{release.release_id} is still being closed")
    predecessor = predecessor_of(release, world)
    if predecessor is None:
        raise RequestClosed(
            f"no release of this group served before {release.release_id}",
            cure="register a better version, or change production by hand",
        )
    _lock(release, world, urgent=urgent)
    ending = Ending(error=type(why).__name__, cause=why.message, state=WATCH)
    production = release.endpoints["production"]
    # Its ending is in this wait before the release is opened again: whoever finds it open knows how it is to end.
    details = {
        "environment": "production",
        "endpoint_name": production["endpoint_name"],
        "config_name": production["previous_config_name"],
        "ending": asdict(ending),
    }
    world.ledger.store_wait(Wait(release.release_id, ROLL_BACK, NOBODY, details=details))
    thing = "model" if is_parameter(predecessor.endpoint_name) else "configuration"
    back_to = f"back to version {predecessor.version}, {thing} {predecessor.config_name}"
    if predecessor.adopted:
        back_to = f"back to {predecessor.words}"
    world.ledger.record(
        release.release_id,
        "promotion withdrawn",
        f"{why.message}; {back_to}",
        stage=ROLL_BACK,
        ending={},
        unfinished=True,
    )
    facts = {"approver": by, "back_to_version": predecessor.version, "reason": why.message}
    world.publisher.publish("Promotion Withdrawn", {**facts_of(release), **facts})
    return back_to


def predecessor_of(release: Release, world: World) -> Champion | None:
    """What served with the very configuration that this release's update replaced; None where no release of the group did."""
    previous = release.endpoints["production"]["previous_config_name"]
    return served_with(previous, release.model_package_group, world) if previous else None


def _lock(release: Release, world: World, *, urgent: bool) -> None:
    """Hold the group's lock as a release in production does, so that nobody deploys meanwhile; `RequestClosed` where it is taken."""
    group, release_id = release.model_package_group, release.release_id
    lock, loser = world.ledger.take_lock(group, release_id, release.version), ""
    if urgent and lock.owner != release_id and world.ledger.supersede(lock, release_id):
        # Marked first: from here on it cannot begin production, whatever becomes of the rest.
        loser = lock.owner
        world.ledger.pass_lock(group, loser, release_id, release.version)
        lock = world.ledger.take_lock(group, release_id, release.version)
    if lock.owner == release_id:
        lock = world.ledger.begin_production(group, release_id)
    if loser:
        # Once production has begun: who is closed hands on a lock whose owner has ended, as this one has.
        interrupt(loser, f"superseded by the rollback of {release_id}", world)
    if not lock.owner:
        raise TryAgain(f"the lock of {group} was handed on meanwhile", cure="ask again in a few seconds")
    if lock.owner != release_id or not lock.production_begun:
        other = lock.superseded_by or lock.owner
        if lock.owner == release_id:
            world.ledger.pass_lock(group, release_id, None)
        raise RequestClosed(f"{other} has the lock of {group}", cure="stop it or let it end, then ask again")
    # Nothing of the group changes from here on: what was read before may be old.
    current = world.ledger.get(release_id)
    if current.unfinished or not serves_as_promoted(current, world):
        if not is_taken_back(current, world):
            world.ledger.pass_lock(group, release_id, None)
        raise TryAgain(f"{release_id} does not serve any more, or is on its way back already")
