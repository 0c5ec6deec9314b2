"""A schedule for each production endpoint whose policy wants it monitored; none for any other."""

from __future__ import annotations

from dataclasses import dataclass

from lockkeeper.domain.errors import PolicyInvalid, PolicyMissing, TryAgain
from lockkeeper.domain.monitor_rules import Monitor
from lockkeeper.domain.monitoring import schedule_name
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.ports import Champion, World
from lockkeeper.use_cases.keep_baseline import keep_baseline

DUE = "<aws.scheduler.scheduled-time>"
"""EventBridge Scheduler puts the time in its place that a call is due at: one that is made again is about the same."""


@dataclass(frozen=True)
class Watched:
    """What is monitored: the champion, and the rules that count now."""

    champion: Champion
    policy: Policy
    monitor: Monitor


@dataclass(frozen=True)
class Aligned:
    """A group's schedule is as it has to be: whether there is one, and why, in words."""

    monitored: bool
    why: str


def watched(group: str, world: World) -> Watched | str:
    """What of a group is monitored, or why nothing is."""
    try:
        policy = parse_policy(world.policies.load(group).text, source=f"policies/{group}.yaml")
    except (PolicyMissing, PolicyInvalid) as error:
        return f"no policy says how: {error}"
    monitor = policy.drift.monitor if policy.drift else None
    if monitor is None:
        return "its policy has no drift.monitor"
    champion = world.ledger.champion(group)
    if champion is None:
        return "no version of it serves"
    if champion.adopted:
        return f"{champion.words} serves: of no release, and so without a baseline"
    if world.production.look(champion.endpoint_name) is None:
        return f"the endpoint {champion.endpoint_name} is gone"
    return Watched(champion, policy, monitor)


def watch_for_drift(group: str, world: World) -> Aligned:
    """Bring a group's schedule in line with what serves and with its policy, and keep the baseline of what serves."""
    found = watched(group, world)
    aligned = _align(group, found, world)
    if isinstance(found, Watched):
        # Now, and not when it is first looked at: until then a team may have put other data in its place.
        keep_baseline(world.ledger.get(found.champion.release_id), found.policy, found.monitor, world)
    return aligned


def _align(group: str, found: Watched | str, world: World) -> Aligned:
    name = schedule_name(group)
    if isinstance(found, str):
        world.schedules.cancel(name)
        return Aligned(False, f"{group} is not monitored: {found}")
    world.schedules.every(name, found.monitor.every, {"drift_monitor": {"group": group, "at": DUE}})
    return Aligned(True, f"{group} is monitored every {found.monitor.every} s")


def watch_all_for_drift(world: World) -> list[Aligned]:
    """The schedules of all groups with a policy: what no event told, or was changed in a policy, is so within an hour.

    Raises:
        TryAgain: of some groups it could not be done, which keeps it from no other.
    """
    aligned, problems = [], []
    for group in world.policies.groups():
        try:
            aligned.append(_align(group, watched(group, world), world))
        except Exception as error:
            problems.append(f"{group}: {type(error).__name__}: {error}")
    if problems:
        raise TryAgain(f"{len(problems)} schedules are as they were: {'; '.join(problems)[:1000]}")
    return aligned
