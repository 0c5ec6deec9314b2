"""Retrainings whose events were lost, or whose starter died before starting; and signals that waited for a brake or a retraining to end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from lockkeeper.domain.retraining import Head
from lockkeeper.ports import World
from lockkeeper.use_cases.follow_retraining import follow
from lockkeeper.use_cases.react_to_drift import decide_anew


def look_after_retrainings(head: Head, quiet: timedelta, world: World) -> Iterator[str]:
    """Look at a group's open retraining and at the signal that waits; yields what was done about them."""
    current = world.ledger.retraining(head.group, head.open) if head.open else None
    if current and world.clock.now() >= datetime.fromisoformat(current.at) + quiet:
        followed = follow(current, world)
        if followed.revision != current.revision:
            yield f"{followed.retraining_id}: {followed.outcome or followed.stage}"
    if head.waiting and not head.open:
        kept = decide_anew(head, world)
        if kept and (kept.number or not world.ledger.retraining_head(head.group).waiting):
            yield f"{head.group}: {kept.answer}: {kept.reason}"
