"""PromoteToProduction: creates or updates the production endpoint; its event ends the wait."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.promote_to_production import promote_to_production


@release_state("PromoteToProduction")
def handler(event: Event, world: AwsWorld) -> Any:
    promote_to_production(event["release_id"], event["token"], world)
