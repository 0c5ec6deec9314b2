"""Lockkeeper's own events, told to everybody who subscribed to the broadcast topic."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import Unusable
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.notify import notify


@reaction("Notify")
def handler(event: Event, world: AwsWorld) -> Any:
    told = notify(event, world)
    if isinstance(told, Unusable):
        logger.info(f"ignored: {told.reason}")
        return {"ignored": told.reason}
    logger.append_keys(release_id=told.detail.get("release_id", ""))
    logger.info(f"broadcast: {told.detail_type}")
    return {"told": told.detail_type}
