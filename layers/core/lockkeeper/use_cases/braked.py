"""Whether a brake stops a release: its version is held, or its group is frozen."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.brakes import Brake, Did, freeze_of_policy
from lockkeeper.domain.errors import GroupFrozen, PolicyInvalid, PolicyMissing, VersionHeld
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.domain.release import Release
from lockkeeper.ports import World
from lockkeeper.use_cases.pinned import iso


def refuse_if_held(release: Release, world: World) -> None:
    """`VersionHeld` with who holds it and why."""
    group, version = release.model_package_group, release.version
    if brake := world.ledger.held(group, version):
        raise VersionHeld(
            f"version {version} is held: {brake.words}",
            cure=f"`lockkeeper lift-hold {group} {version} --reason WHY`, then `lockkeeper replay {group}/{version}`",
        )


def refuse_if_content_is_held(release: Release, world: World) -> None:
    """`VersionHeld` where a held version of the group is the same model: registering it anew makes it no other."""
    group = release.model_package_group
    for brake in world.ledger.holds(group):
        before = world.ledger.release_of(group, brake.version) if brake.version != release.version else None
        if before and world.ledger.get(before).pins.ships_the_same(release.pins):
            raise VersionHeld(
                f"version {release.version} is the model of version {brake.version}, which is held: {brake.words}",
                cure=f"`lockkeeper lift-hold {group} {brake.version} --reason WHY`, then "
                f"`lockkeeper replay {group}/{release.version}`; or register another model",
            )


def refuse_if_braked(release: Release, policy: Policy, world: World) -> None:
    """The last look before production changes; read after the lock says that it begins.

    So whoever brakes sees that it has begun, or is seen here. A change that had begun goes on to its end.
    """
    if release.endpoints.get("production"):
        return
    refuse_if_held(release, world)
    if brake := freeze_of(policy, world):
        raise GroupFrozen(
            f"{release.model_package_group} is frozen: {brake.words}",
            cure="its next attempt starts by itself when that has ended",
        )


def frozen_group(group: str, world: World) -> Brake | None:
    """What keeps changes of the group's production from beginning now, by the policy that is in force."""
    try:
        policy = parse_policy(world.policies.load(group).text, source=f"policies/{group}.yaml")
    except (PolicyMissing, PolicyInvalid):
        return _put_on(group, world)
    return freeze_of(policy, world)


def freeze_of(policy: Policy, world: World) -> Brake | None:
    """What keeps changes of production from beginning now: somebody's freeze, or a window of this policy."""
    return _put_on(policy.model_package_group, world) or freeze_of_policy(policy, world.clock.now())


def _put_on(group: str, world: World) -> Brake | None:
    """The freeze that somebody put on the group, while it lasts."""
    brake = world.ledger.frozen(group)
    return brake if brake and brake.is_on(iso(world.clock.now())) else None


def brakes_of_group(group: str, world: World) -> list[str]:
    """What is held or frozen of a group now, in words."""
    frozen = frozen_group(group, world)
    found = [f"{group} is frozen: {frozen.words}"] if frozen else []
    return found + [f"version {brake.version} of {group} is held: {brake.words}" for brake in world.ledger.holds(group)]


def brakes_on(release: Release, world: World) -> dict[str, Brake | None]:
    """What is on now: `held`, of the release's version, and `frozen`, of its group."""
    group = release.model_package_group
    return {"held": world.ledger.held(group, release.version), "frozen": frozen_group(group, world)}


def put_freeze(group: str, brake: Brake, world: World, *, of_release: str = "") -> None:
    """Freeze a group and say so. By whom a failed rollback of `of_release` is told, everybody is called to look."""
    world.ledger.freeze(group, brake)
    facts = {"until": brake.until, "release_id": of_release, "urgent": bool(of_release)}
    world.publisher.publish("Group Frozen", {**told(group, brake), **facts})


def freeze_after_failed_rollback(release: Release, reason: str, world: World) -> None:
    """Nobody knows what production serves: nothing may change it until a person has looked. Repeating it freezes once."""
    group = release.model_package_group
    why = f"{release.release_id}: {reason}"
    standing = world.ledger.frozen(group)
    if standing is None or standing.reason != why:
        put_freeze(group, Brake(Did.FROZE, why, at=iso(world.clock.now())), world, of_release=release.release_id)


def told(group: str, brake: Brake) -> dict[str, Any]:
    """What every event about a brake says."""
    return {
        "model_package_group": group,
        "by": brake.by,
        "identity": brake.identity,
        "at": brake.at,
        "reason": brake.reason,
    }
