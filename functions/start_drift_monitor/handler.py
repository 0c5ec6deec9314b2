"""Schedules, and what Lockkeeper says of releases: starts the drift monitor of a production endpoint, or sets its schedule right."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import Unusable
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.look_at_traffic import Started
from lockkeeper.use_cases.start_drift_monitor import start_drift_monitor


@reaction("StartDriftMonitor")
def handler(event: Event, world: AwsWorld) -> Any:
    """`{"drift_monitor": {"group": GROUP}}` looks now; `{"drift_monitor": {}}` sets every schedule right."""
    done = start_drift_monitor(event, world)
    if isinstance(done, Unusable):
        logger.info(f"ignored: {done.reason}")
        return {"ignored": done.reason}
    if isinstance(done, Started):
        logger.info(done.why if done.job else f"ignored: {done.why}")
        return {"job": done.job, "why": done.why}
    for one in done:
        logger.info(one.why if one.monitored else f"ignored: {one.why}")
    return {"schedules": [one.why for one in done]}
