"""Open a release: pin the policy, check that the candidate can be released, wait for the group's lock."""

from __future__ import annotations

from dataclasses import replace

from lockkeeper.domain.approval import able_to_sign_in, enough_approvers
from lockkeeper.domain.errors import (
    CandidateInvalid,
    PolicyInvalid,
    PolicyMissing,
    ReleaseSuperseded,
    UnknownRelease,
)
from lockkeeper.domain.lock import LockStep, decide_on_lock
from lockkeeper.domain.model_package import PackageName, author_of, candidate_from
from lockkeeper.domain.policy import Policy, fingerprint, parse_policy
from lockkeeper.domain.release import Release, Status
from lockkeeper.domain.targets import check_containers
from lockkeeper.domain.weakened import weakened
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.braked import freeze_of, refuse_if_held
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy
from lockkeeper.use_cases.settle_wait import complete_wait, fail_wait, say_of_wait

STATE = "OpenRelease"


def open_release(
    release_id: str, model_package_arn: str, attempt: int, execution_arn: str, token: str, world: World
) -> None:
    """Everything before the first wait raises; the wait for the lock ends by itself when the lock is free."""
    name = PackageName.from_arn(model_package_arn)
    if name is None:
        raise CandidateInvalid(f"{model_package_arn} is no versioned model package")
    release = Release(
        release_id=release_id,
        model_package_group=name.group,
        version=name.version,
        attempt=attempt,
        model_package_arn=model_package_arn,
        opened_at=iso(world.clock.now()),
        execution_arn=execution_arn,
    )
    opened = world.ledger.open(release)
    if opened or not world.ledger.get(release_id).timeline:
        # An earlier try that broke here has published nothing yet.
        world.publisher.publish("Release Opened", facts_of(release))
    release = world.ledger.get(release_id)
    policy = _pin_policy(release, world)
    _check_candidate(release, policy, world)
    wait = Wait(release_id, STATE, token, resources=(f"lock/{name.group}",), interruptible=True)
    world.ledger.store_wait(wait)
    world.ledger.queue_for_lock(name.group, release_id, name.version)
    take_or_wait(release, policy, wait, world)


SLACK = 3600
"""Seconds that a bake's look may be late, when functions or the APIs that they look at fail. A good version is not rolled back for that."""


def timeouts_of(policy: Policy) -> dict[str, int]:
    """Hard limits of the waiting states, in seconds, as the state machine reads them."""
    strategy, startup = policy.production.strategy, policy.production.startup_timeout
    # A shadow is an update of its own before the other one, and its deadline may be looked at late.
    shadow = startup + strategy.seconds_of_shadow + SLACK if strategy.shadow else 0
    return {
        "approval": policy.approval.expires_after,
        "staging": policy.staging.startup_timeout,
        "production": startup + strategy.seconds_to_shift + shadow,
        "bake": strategy.longest_bake + SLACK,
    }


def _pin_policy(release: Release, world: World) -> Policy:
    stored = world.policies.load(release.model_package_group, release.pins.policy.get("version_id"))
    policy = parse_policy(stored.text, source=f"policies/{release.model_package_group}.yaml")
    if policy.model_package_group != release.model_package_group:
        raise PolicyInvalid(
            f"policies/{release.model_package_group}.yaml is about group {policy.model_package_group}",
            cure="apply the policy of this group with `lockkeeper policy apply FILE`",
        )
    pinned = {"version_id": stored.version_id, "sha256": fingerprint(stored.text), "mode": policy.mode}
    less = _weakened_since_champion(policy, world)
    why = f"version {stored.version_id}" + (
        f"; it asks for less than the champion's: {'; '.join(less)}" if less else ""
    )
    pins = replace(release.pins, policy=pinned)
    world.ledger.record(release.release_id, "policy pinned", why[:1000], pins=pins, weakened=less, stage=STATE)
    return policy


def _weakened_since_champion(policy: Policy, world: World) -> tuple[str, ...]:
    """What the champion had to keep and this version has not, in words."""
    champion = world.ledger.champion(policy.model_package_group)
    if champion is None or champion.adopted:
        return ()
    try:
        before = pinned_policy(world.ledger.get(champion.release_id), world)
    except (UnknownRelease, PolicyMissing, PolicyInvalid) as unreadable:
        return (
            f"nobody can tell: the policy of version {champion.version}, which serves, cannot be read: {unreadable}",
        )
    return weakened(before, policy)


def _check_candidate(release: Release, policy: Policy, world: World) -> None:
    description = world.registry.describe(release.model_package_arn)
    if description is None:
        raise CandidateInvalid(
            f"{release.model_package_arn} is not in the registry", cure="register the version, or check its ARN"
        )
    check_containers(policy, len(candidate_from(description).containers))
    refuse_if_held(release, world)
    author = author_of(description, policy.approval.author_from)
    world.ledger.record(release.release_id, "candidate read", f"author {author or 'unknown'}", author=author)
    enough_approvers(policy.approval, author)
    able_to_sign_in(policy.approval, world.web_access)


def take_or_wait(release: Release, policy: Policy, wait: Wait, world: World) -> None:
    """Take the lock, which ends the wait, or queue for it; `ReleaseSuperseded` where a newer release has it, or serves.

    While the group is frozen nobody takes it: `keep_house` tries again when that has ended.
    """
    group = release.model_package_group
    if (champion := world.ledger.champion(group)) and champion.version > release.version:
        # Its turn came late, after a freeze or a lost event: what serves must not be taken back to an older version by that.
        world.ledger.leave_queue(group, release.release_id, release.version)
        raise ReleaseSuperseded(f"superseded by {champion.release_id}, a newer version, which serves")
    had = world.ledger.lock_of(group)
    if not (had and had.owner == release.release_id) and (freeze := freeze_of(policy, world)):
        why = f"{group} is frozen: {freeze.words}"
        say_of_wait(wait, "waiting for the lock", why, world, status=Status.WAITING_FOR_LOCK)
        return
    lock = world.ledger.take_lock(group, release.release_id, release.version)
    decision = decide_on_lock(lock, release.release_id, release.version)
    if decision.step is LockStep.OWN:
        world.ledger.leave_queue(group, release.release_id, release.version)
        say_of_wait(wait, "lock taken", decision.reason, world, status=Status.OPEN)
        complete_wait(wait, lock_output(policy), world)
        return
    if decision.step is LockStep.GIVE_WAY:
        world.ledger.leave_queue(group, release.release_id, release.version)
        raise ReleaseSuperseded(f"{decision.reason}: it has the lock of {group}")
    if not say_of_wait(wait, "waiting for the lock", decision.reason, world, status=Status.WAITING_FOR_LOCK):
        return  # It waits no more, for whatever reason: nobody gives way to it.
    if decision.step is LockStep.SUPERSEDE and world.ledger.supersede(lock, release.release_id):
        interrupt(lock.owner, f"superseded by {release.release_id}, a newer version", world)


def lock_output(policy: Policy) -> dict[str, dict[str, int]]:
    """What OpenRelease hands to the state machine."""
    return {"timeouts": timeouts_of(policy)}


def interrupt(release_id: str, why: str, world: World) -> None:
    """End the waits of a superseded release that may be ended; the others notice at their next state."""
    for wait in world.ledger.open_waits(release_id):
        if wait.interruptible:
            fail_wait(wait, ReleaseSuperseded(why), world)
