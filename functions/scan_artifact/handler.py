"""ScanArtifact: reads the artifact once, hashes it, copies it to its write-once key."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.scan_artifact import scan_artifact


@release_state("ScanArtifact")
def handler(event: Event, world: AwsWorld) -> Any:
    scan_artifact(event["release_id"], world)
