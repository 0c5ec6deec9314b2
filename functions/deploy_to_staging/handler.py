"""DeployToStaging: creates the staging endpoint; its event ends the wait."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.deploy_to_staging import deploy_to_staging


@release_state("DeployToStaging")
def handler(event: Event, world: AwsWorld) -> Any:
    deploy_to_staging(event["release_id"], event["token"], world)
