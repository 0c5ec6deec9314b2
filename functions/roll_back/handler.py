"""RollBack: what served before serves again."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.ending import Ending
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.roll_back import roll_back


@release_state("RollBack")
def handler(event: Event, world: AwsWorld) -> Any:
    roll_back(event["release_id"], event["token"], Ending(**event["ending"]), world)
