"""RequestStagingApproval and RequestProductionApproval: ask people where the policy says so."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.request_approval import request_approval


@release_state("RequestApproval")
def handler(event: Event, world: AwsWorld) -> Any:
    request_approval(event["release_id"], event["before"], event["token"], world)
