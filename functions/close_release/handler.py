"""CloseRelease: tears staging down, stamps the registry, hands the lock on, tells everybody."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.ending import Ending
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.close_release import close_release


@release_state("CloseRelease")
def handler(event: Event, world: AwsWorld) -> Any:
    closed = close_release(event["release_id"], Ending(**event["ending"]), world)
    return {"release_id": closed.release_id, "status": str(closed.status), "reason": closed.reason}
