"""A pipeline execution ended: what that means for the retraining that started it, if one did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.pipeline_hint import pipeline_hint
from lockkeeper.domain.registration import Ignore
from lockkeeper.ports import World
from lockkeeper.use_cases.follow_retraining import follow_execution


@dataclass(frozen=True)
class Followed:
    """What became of a retraining."""

    what: str


def react_to_pipeline(event: dict[str, Any], world: World) -> Followed | Ignore:
    """Read the event as a hint, SageMaker as the truth. Repeating it changes nothing."""
    hint = pipeline_hint(event, world.accounts)
    if isinstance(hint, Ignore):
        return hint
    what = follow_execution(hint.arn, world)
    return Followed(what) if what else Ignore(f"{hint.arn} is no retraining's that is open")
