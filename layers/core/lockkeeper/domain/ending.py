"""How a release came to its end, and the status and reason that this means."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lockkeeper.domain.errors import STATUS_OF_ERROR, ShiftFailed
from lockkeeper.domain.release import Status

ROLL_BACK = "RollBack"
"""The state of the way back."""


@dataclass(frozen=True)
class Ending:
    """What the state machine caught: the error's name (empty after a full journey), its cause and the state that raised it.

    `restored` says that the way back was gone to its end, `rolled_back` that the version had served before.
    """

    error: str = ""
    cause: str = ""
    state: str = ""
    restored: bool = False
    rolled_back: bool = False

    @property
    def had_served(self) -> bool:
        """Whether the version had answered requests before it was taken back: it is held then."""
        return self.state == "WatchProduction" or self.error == ShiftFailed.__name__


def judge_ending(ending: Ending) -> tuple[Status, str]:
    """The status and the reason that an ending means."""
    if not ending.error:
        return Status.PROMOTED, "passed every gate, was approved and served through its bake"
    reason = readable(ending.cause) or ending.error
    if ending.error == "ExecutionDied":
        # It says nothing about the model: whatever was taken back, the release failed.
        return Status.FAILED, f"{reason}; production is as it was before" if ending.restored else reason
    if ending.rolled_back:
        return Status.ROLLED_BACK, reason
    if ending.state == ROLL_BACK:
        return Status.FAILED, f"the rollback failed, look at production now: {reason}"
    if ending.error == "States.Timeout" and ending.state.startswith("Request"):
        return Status.EXPIRED, "nobody decided in time"
    if ending.error == "States.Timeout":
        return Status.FAILED, f"{ending.state} did not end in time"
    return Status(STATUS_OF_ERROR.get(ending.error, "failed")), reason


def readable(cause: str) -> str:
    """The message inside a Lambda's error (JSON with errorMessage), or the cause itself."""
    try:
        document = json.loads(cause)
    except ValueError:
        return cause
    return str(document.get("errorMessage", cause)) if isinstance(document, dict) else cause
