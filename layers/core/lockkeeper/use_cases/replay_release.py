"""Try a release again that ended without a promotion: the next attempt, through every gate and past the same people."""

from __future__ import annotations

from dataclasses import replace

from lockkeeper.domain.errors import ReplayRefused
from lockkeeper.domain.release import Release, release_id_for
from lockkeeper.domain.replay import decide_on_replay
from lockkeeper.ports import World
from lockkeeper.use_cases.reap_release import DIED


def replay_release(release_id: str, world: World) -> str:
    """Start the next attempt; returns its name. `ReplayRefused` where the release may not be tried again."""
    release = world.ledger.get(release_id)
    group, version = release.model_package_group, release.version
    champion = world.ledger.champion(group)
    following = decide_on_replay(
        release,
        world.ledger.release_of(group, version),
        held.words if (held := world.ledger.held(group, version)) else None,
        champion.version if champion else None,
    )
    return _start(following, replace(release, attempt=release.attempt + 1), world)


def replay_unopened(group: str, version: int, world: World) -> str:
    """Start the next attempt of a version of which the ledger has none: its execution died before it had opened a release.

    Mostly `reap_release` has opened and ended that release; this is for what it did not hear of. Returns the attempt's name.
    """
    first = release_id_for(group, version, 1)
    arn = world.tasks.payload_of(first).get("model_package_arn")
    if not isinstance(arn, str):
        raise ReplayRefused(
            f"version {version} of {group} was never released", cure="`lockkeeper releases` lists what was"
        )
    return _start(first, Release(first, group, version, 1, arn), world)


def _start(name: str, wanted: Release, world: World) -> str:
    """Start the attempt under this name, or the one after it where it was started and died before it had opened a release."""
    payload = {"release_id": name, "model_package_arn": wanted.model_package_arn, "attempt": wanted.attempt}
    if world.tasks.start(name, payload):
        return name
    # The ledger last: once the execution is dead only ReapRelease writes what it lacks, and no attempt that a later one has overtaken.
    died = world.tasks.state_of(name) in DIED
    if not died or world.ledger.release_of(wanted.model_package_group, wanted.version) == name:
        raise ReplayRefused(f"{name} was started before", cure=f"see `lockkeeper show {name}`")
    following = release_id_for(wanted.model_package_group, wanted.version, wanted.attempt + 1)
    return _start(following, replace(wanted, attempt=wanted.attempt + 1), world)
