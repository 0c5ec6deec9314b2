"""ScanArtifact: reads the artifact once, hashes it, copies it to its write-once key."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.scan_artifact import scan_artifact
from lockkeeper.use_cases.settle_wait import NOBODY


@release_state("ScanArtifact")
def handler(event: Event, world: AwsWorld) -> Any:
    # An execution of before artifacts were looked into by jobs gives no token.
    event = {"token": NOBODY, **event}
    scan_artifact(event["release_id"], event["token"], world)
