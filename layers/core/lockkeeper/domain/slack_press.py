"""A press of the button in Slack, read from the form that Slack sends: of any shape, whoever signed it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from lockkeeper.domain.events import NAME, Unusable, shown
from lockkeeper.domain.policy import SLACK_USER

APPROVE_ACTION = "lockkeeper.approve"
"""The name of the button. Slack tells of every button of a message, also of those that only open a page."""

SEAL = re.compile(r"[A-Za-z0-9]{1,128}")


@dataclass(frozen=True)
class Shown:
    """What a message showed when it was pressed: which question, and the seal of the evidence."""

    release_id: str
    before: str
    seal: str

    def value(self) -> str:
        """The button's value, at most 2,000 characters."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True)
class Press:
    """Who pressed the button, by Slack's id, and what they saw."""

    user: str
    shown: Shown


def read_press(payload: str) -> Press | Unusable:
    """The `payload` of an interaction (JSON text); a reason where it is no press of the button of a message of ours."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return Unusable("the payload is no JSON")
    if not isinstance(document, dict) or document.get("type") != "block_actions":
        kind = document.get("type") if isinstance(document, dict) else document
        return Unusable(f"{shown(kind)} is no press of a button")
    actions = document.get("actions")
    action = actions[0] if isinstance(actions, list) and len(actions) == 1 else None
    if not isinstance(action, dict) or action.get("action_id") != APPROVE_ACTION:
        return Unusable("no button of ours was pressed")
    user = document.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    if not isinstance(user_id, str) or not re.fullmatch(SLACK_USER, user_id):
        return Unusable("nobody pressed the button")
    seen = _shown_by(action.get("value"))
    return Press(user_id, seen) if seen else Unusable("the button is of no message of ours")


def _shown_by(value: Any) -> Shown | None:
    try:
        document = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or set(document) != {"release_id", "before", "seal"}:
        return None
    release_id, before, seal = (document[name] for name in ("release_id", "before", "seal"))
    if not (isinstance(release_id, str) and NAME.fullmatch(release_id) and before in ("staging", "production")):
        return None
    return Shown(release_id, before, seal) if isinstance(seal, str) and SEAL.fullmatch(seal) else None
