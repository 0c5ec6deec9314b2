"""OpenRelease: pins the policy, checks the candidate, waits for the group's lock."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.open_release import open_release


@release_state("OpenRelease")
def handler(event: Event, world: AwsWorld) -> Any:
    open_release(
        event["release_id"],
        event["model_package_arn"],
        event["attempt"],
        event["execution_arn"],
        event["token"],
        world,
    )
