"""WatchProduction: the bake, ended by its deadline or an alarm."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.watch_production import watch_production


@release_state("WatchProduction")
def handler(event: Event, world: AwsWorld) -> Any:
    watch_production(event["release_id"], event["token"], world)
