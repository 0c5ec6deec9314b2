"""What a monitor's schedules and Lockkeeper's own events bring about: a look at traffic, or schedules that are set right."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.events import Unusable
from lockkeeper.domain.monitoring import Look, what_is_asked
from lockkeeper.ports import World
from lockkeeper.use_cases.look_at_traffic import Started, look_at_traffic
from lockkeeper.use_cases.watch_for_drift import Aligned, watch_all_for_drift, watch_for_drift


def start_drift_monitor(event: dict[str, Any], world: World) -> Unusable | Started | list[Aligned]:
    """The job that was started (or why none was), or what became of schedules."""
    asked = what_is_asked(event, world.accounts, world.clock.now())
    if isinstance(asked, Unusable):
        return asked
    if isinstance(asked, Look):
        return look_at_traffic(asked.group, asked.at, world)
    return [watch_for_drift(asked.group, world)] if asked.group else watch_all_for_drift(world)
