"""Versions in the registry that nobody was told of, or whose execution died at once: they start, or end, late instead of never."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from lockkeeper.domain.errors import PolicyMissing
from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.registration import PackageHint, Start, StartedBefore
from lockkeeper.ports import World
from lockkeeper.use_cases.react_to_registry import start_release
from lockkeeper.use_cases.reap_release import DIED, reap

RECENT = timedelta(days=1)
"""How old a registration may be whose event is believed lost: EventBridge tries to deliver for as long."""


def start_unseen(quiet: timedelta, world: World) -> Iterator[str]:
    """Start the releases of the last day's versions that no release is about; yields what was done, in words.

    What was registered before its group's policy was nobody's business then; a change of it in the registry releases it. Groups are few and
    versions many: the ledger and the policies are asked once for each group.
    """
    now = world.clock.now()
    by_group: dict[str, list[tuple[PackageName, str, datetime]]] = defaultdict(list)
    for summary in world.registry.registered(now - RECENT, now - quiet):
        name = PackageName.from_arn(summary["ModelPackageArn"])
        if name and summary["ModelPackageStatus"] == "Completed":
            by_group[name.group].append((name, summary["ModelPackageArn"], summary["CreationTime"]))
    for group, registered in by_group.items():
        known = world.ledger.versions(group)
        unseen = [one for one in registered if one[0].version not in known]
        since = _policy_since(group, world) if unseen else None
        for name, arn, at in unseen:
            if since is None or at < since:
                continue
            started = start_release(PackageHint(arn, name.account, name.region, ()), name, world)
            if isinstance(started, Start):
                yield f"{started.release_id}: started"
            elif isinstance(started, StartedBefore) and world.tasks.state_of(started.release_id) in DIED:
                yield f"{started.release_id}: {reap(started.release_id, world)}"


def _policy_since(group: str, world: World) -> datetime | None:
    try:
        return datetime.fromisoformat(world.policies.load(group).changed_at)
    except PolicyMissing:
        return None
