"""TestStaging: recorded requests and held-out rows against the staging endpoint, sealed as the dossier `tested`."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.settle_wait import NOBODY
from lockkeeper.use_cases.test_staging import test_staging


@release_state("TestStaging")
def handler(event: Event, world: AwsWorld) -> Any:
    # An execution of before suites were sent by jobs gives no token.
    event = {"token": NOBODY, **event}
    test_staging(event["release_id"], event["token"], world)
