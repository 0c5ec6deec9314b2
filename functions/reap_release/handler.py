"""Dead executions, and the endpoints that their releases wait for: nothing is left behind."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.reap_release import reap_release


@reaction("ReapRelease")
def handler(event: Event, world: AwsWorld) -> Any:
    done = reap_release(event, world)
    for line in done:
        release_id, colon, _ = line.partition(": ")
        logger.append_keys(release_id=release_id if colon and release_id != "ignored" else "")
        logger.info(line)
    return done
