"""Model Package State Change: starts a release, once, takes a decision that was made in the registry, or says why not."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import shown
from lockkeeper.domain.registration import Ignore
from lockkeeper.entry import Event, logger, reaction
from lockkeeper.use_cases.decide_in_registry import Decided
from lockkeeper.use_cases.react_to_registry import react_to_registry


@reaction("ReactToRegistry")
def handler(event: Event, world: AwsWorld) -> Any:
    decision = react_to_registry(event, world)
    if isinstance(decision, Ignore):
        logger.info(f"ignored: {decision.reason}", resources=shown(event.get("resources")))
        return {"ignored": decision.reason}
    logger.append_keys(release_id=decision.release_id)
    if isinstance(decision, Decided):
        logger.info(f"decided in the registry: {decision.what}")
        return {"decided": decision.what}
    logger.info("release started")
    return {"started": decision.release_id}
