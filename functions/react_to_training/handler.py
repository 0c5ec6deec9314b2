"""Training, tuning jobs and pipelines that ended: a model is registered once, a retraining goes on, or people are told why not."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import shown
from lockkeeper.domain.registration import Ignore
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.react_to_pipeline import Followed
from lockkeeper.use_cases.react_to_training import Registered, react_to_training


@reaction("ReactToTraining")
def handler(event: Event, world: AwsWorld) -> Any:
    done = react_to_training(event, world)
    if isinstance(done, Ignore):
        logger.info(f"ignored: {done.reason}", resources=shown(event.get("resources")))
        return {"ignored": done.reason}
    if isinstance(done, Registered):
        logger.info(f"registered: {done.model_package_arn}")
        return {"registered": done.model_package_arn}
    if isinstance(done, Followed):
        logger.info(done.what)
        return {"followed": done.what}
    logger.warning(f"{done.detail_type}: {done.reason}")
    return {"told": done.detail_type}
