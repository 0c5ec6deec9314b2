"""Alarms, monitors and `Drift Detected` get an answer, and a retraining where it is due; ends of releases say what came of it."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import Unusable, shown
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.react_to_drift import Followed, react_to_drift


@reaction("ReactToDrift")
def handler(event: Event, world: AwsWorld) -> Any:
    done = react_to_drift(event, world)
    if isinstance(done, Unusable):
        logger.info(f"ignored: {done.reason}", resources=shown(event.get("resources")))
        return {"ignored": done.reason}
    if isinstance(done, Followed):
        logger.info(done.what)
        return {"followed": done.what}
    for kept in done:
        logger.info(f"{kept.signal.group}: {kept.answer}: {kept.reason}", signal_id=kept.signal.signal_id)
    return [{"group": kept.signal.group, "answer": str(kept.answer), "reason": kept.reason} for kept in done]
