"""Schedules, and what Lockkeeper says of releases: starts the drift monitor of a production endpoint, or sets its schedule right."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.monitoring import Look, what_is_asked
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.start_drift_monitor import start_drift_monitor
from lockkeeper.use_cases.watch_for_drift import watch_all_for_drift, watch_for_drift


@reaction("StartDriftMonitor")
def handler(event: Event, world: AwsWorld) -> Any:
    """`{"drift_monitor": {"group": GROUP}}` looks now; without a group every schedule is set right."""
    asked = what_is_asked(event, world.accounts, world.clock.now())
    if isinstance(asked, Unusable):
        logger.info(f"ignored: {asked.reason}")
        return {"ignored": asked.reason}
    if isinstance(asked, Look):
        started = start_drift_monitor(asked.group, asked.at, world)
        logger.info(started.why)
        return {"job": started.job, "why": started.why}
    done = [watch_for_drift(asked.group, world)] if asked.group else watch_all_for_drift(world)
    for one in done:
        logger.info(one)
    return {"schedules": done}
