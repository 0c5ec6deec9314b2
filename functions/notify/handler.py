"""Lockkeeper's own events, told to everybody who subscribed to the broadcast topic."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.notify import notify


@reaction("Notify")
def handler(event: Event, world: AwsWorld) -> Any:
    logger.append_keys(release_id=str((event.get("detail") or {}).get("release_id", "")))
    logger.info(f"broadcast: {notify(event, world)}")
