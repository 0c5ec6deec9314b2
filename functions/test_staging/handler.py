"""TestStaging: recorded requests and held-out rows against the staging endpoint, sealed as the dossier `tested`."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.test_staging import test_staging


@release_state("TestStaging")
def handler(event: Event, world: AwsWorld) -> Any:
    test_staging(event["release_id"], world)
