"""Once a day: tell what production pays for and nobody uses, and remove it where the policy says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.cleanup import IDLE_ENDPOINT, LEFTOVERS, Left, in_words, leftovers
from lockkeeper.domain.errors import PolicyInvalid, PolicyMissing, TryAgain
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import Champion, World
from lockkeeper.use_cases.close_release import hand_on_lock
from lockkeeper.use_cases.guard_production import remove_version
from lockkeeper.use_cases.pinned import FAR_BACK, iso, variant_of
from lockkeeper.use_cases.scale_production import forget_scaling

TOLD_AGAIN = timedelta(days=30)
"""How long the same is not told a second time."""


def clean_up(group: str, world: World) -> Iterator[str]:
    """Look at a group's production; yields what was found, in words. The same is told once in a month."""
    try:
        policy = parse_policy(world.policies.load(group).text, source=f"policies/{group}.yaml")
    except (PolicyMissing, PolicyInvalid):
        return  # Nobody has said what may be removed; what releases need of a policy, they say themselves.
    champion = world.ledger.champion(group)
    if champion is None or champion.adopted:
        return  # What no release has brought there is nobody's here to count or to remove.
    idle, monthly = _idle(policy, champion, world)
    left = list(_left(policy, champion, world))
    removed = list(_remove(policy, champion, idle, left, world))
    names = [one.name for one in left]
    if not idle and not names:
        return
    reason = in_words(idle, names, removed)
    told = f"cleanup of {group}: {bool(idle)} {names} {removed}"
    if not world.ledger.remembers(told):
        facts = {
            "model_package_group": group,
            "at": iso(world.clock.now()),
            "reason": reason,
            "idle_endpoint": champion.endpoint_name if idle else "",
            "monthly_usd": monthly if idle else None,
            "leftovers": names,
            "removed": removed,
        }
        world.publisher.publish("Cleanup Due", facts)
        # Afterwards: who dies between the two tells it once more, and not never.
        world.ledger.remember(told, world.clock.now() + TOLD_AGAIN)
    yield f"{group}: {reason}"


def _idle(policy: Policy, champion: Champion, world: World) -> tuple[str, float | None]:
    """That nobody has asked the endpoint for as long as the policy says, in words (or nothing), and what it costs a month."""
    now = world.clock.now()
    since = now - timedelta(seconds=policy.cleanup.idle_after)
    if champion.since >= iso(since) or is_parameter(champion.endpoint_name):
        return "", None
    state = world.production.look(champion.endpoint_name)
    if state is None or state.status != "InService":
        return "", None
    release = world.ledger.get(champion.release_id)
    queued = state.target == ASYNC
    if world.production.invocations(champion.endpoint_name, variant_of(release), since, now, queued=queued):
        return "", None
    usd = release.endpoint_monthly_usd
    cost = f" and costs about {usd:.0f} USD a month" if usd is not None else ""
    return f"nobody has asked {champion.endpoint_name} since {iso(since)}{cost}", usd


def _left(policy: Policy, champion: Champion, world: World) -> Iterator[Left]:
    """What is left of releases, of what is really there."""
    group = policy.model_package_group
    served = [(one.release_id, one.since) for one in world.ledger.served(group, FAR_BACK)]
    before = iso(world.clock.now() - timedelta(seconds=policy.cleanup.leftovers_after))
    candidates = leftovers(world.ledger.releases(group), served, champion.config_name, before)
    if not candidates:
        return
    there = world.production.models_and_configs(group)
    for one in candidates:
        states = world.production.alarm_states(one.alarms).values()
        if {one.name, one.shadow} & there or any(state != "missing" for state in states):
            yield one


def _remove(policy: Policy, champion: Champion, idle: str, left: list[Left], world: World) -> Iterator[str]:
    if LEFTOVERS in policy.cleanup.remove:
        for one in left:
            remove_version(one.release, world)
            yield one.name
    if idle and IDLE_ENDPOINT in policy.cleanup.remove and _remove_endpoint(champion, idle, world):
        yield champion.endpoint_name


def _remove_endpoint(champion: Champion, why: str, world: World) -> bool:
    """Delete the endpoint under the group's lock; not while a release has it."""
    lock = world.ledger.take_lock(champion.group, champion.release_id, champion.version)
    if lock.owner == champion.release_id:
        # Who is closed meanwhile hands on a lock whose owner has ended, unless that has begun production.
        lock = world.ledger.begin_production(champion.group, champion.release_id)
    if lock.owner != champion.release_id:
        return False
    try:
        world.production.delete(champion.endpoint_name)
        forget_scaling(world.ledger.get(champion.release_id), world)
        world.ledger.record(champion.release_id, "idle endpoint removed", f"{why}; the next promotion creates it again")
    except TryAgain:
        return False
    finally:
        hand_on_lock(world.ledger.get(champion.release_id), world)
    return True
