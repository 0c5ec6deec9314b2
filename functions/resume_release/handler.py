"""Endpoint events, alarms and deadlines: look, then end or keep the waits they are about."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.resume_release import resume_release


@reaction("ResumeRelease")
def handler(event: Event, world: AwsWorld) -> Any:
    done = resume_release(event, world)
    for line in done:
        logger.append_keys(release_id=line.split("/", 1)[0] if "/" in line.split(":", 1)[0] else "")
        logger.info(line)
    return done
