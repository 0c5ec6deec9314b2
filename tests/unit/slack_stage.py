"""Slack in tests: a team whose approvers have Slack, what Slack sends when a button is pressed, and what a message says."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from lockkeeper.adapters.in_memory import InMemorySlack
from lockkeeper.adapters.in_memory.slack import SIGNING_SECRET
from lockkeeper.domain.slack_press import APPROVE_ACTION, Press, Shown
from lockkeeper.ports import World
from lockkeeper.use_cases.notify import notify

from tests.unit.harbour import HUB, Harbour, policy_document

ADA, GRACE, STRANGER = "U024BE7LH", "W012A3CDE", "U0STRANGER"
FORM = "application/x-www-form-urlencoded"


def slack_policy(**approval: Any) -> dict[str, Any]:
    """The harbour's policy; Ada and Grace are in Slack."""
    document = policy_document()
    people = [
        {**one, "slack_user": user} for one, user in zip(document["approval"]["approvers"], (ADA, GRACE), strict=True)
    ]
    document["approval"] |= {"approvers": people, **approval}
    return document


def with_slack(harbour: Harbour, **approval: Any) -> InMemorySlack:
    """From now on the harbour has a channel."""
    harbour.apply(slack_policy(**approval))
    harbour.world.slack = InMemorySlack(harbour.world.clock)
    return harbour.world.slack


def event_of(number: int, detail_type: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event as the bus hands it on."""
    return {
        "id": f"event-{number}",
        "source": "lockkeeper",
        "account": HUB,
        "detail-type": detail_type,
        "detail": detail,
    }


def events_of(harbour: Harbour) -> list[dict[str, Any]]:
    """What was published so far that `notify` listens to."""
    published = enumerate(harbour.world.publisher.published)
    return [event_of(number, kind, detail) for number, (kind, detail) in published if not kind.startswith("Gate ")]


def tell_all(harbour: Harbour, world: World | None = None) -> None:
    for event in events_of(harbour):
        notify(event, world or harbour.inside)


def newest_message(slack: InMemorySlack) -> dict[str, Any]:
    return slack.history[-1][1]


def button_of(message: dict[str, Any]) -> dict[str, Any] | None:
    actions = [one for one in message["blocks"] if one["type"] == "actions"]
    return actions[0]["elements"][0] if actions else None


def press_on(message: dict[str, Any], user: str) -> Press:
    """Somebody presses the button of a message."""
    button = button_of(message)
    assert button is not None, "the message has no button"
    return Press(user, Shown(**json.loads(button["value"])))


def interaction(value: str, user: str, action_id: str = APPROVE_ACTION) -> str:
    """The payload that Slack sends for a press of a button."""
    return json.dumps(
        {
            "type": "block_actions",
            "user": {"id": user, "username": "someone", "team_id": "T9TK3CUKW"},
            "api_app_id": "A02",
            "container": {"type": "message", "message_ts": "1764147600.000001", "channel_id": InMemorySlack.CHANNEL},
            "channel": {"id": InMemorySlack.CHANNEL, "name": "models"},
            "response_url": "https://hooks.slack.com/actions/T9TK3CUKW/1/x",
            "actions": [
                {"type": "button", "action_id": action_id, "block_id": "b", "value": value, "action_ts": "1.1"}
            ],
        }
    )


def form_of(payload: str) -> bytes:
    return urlencode({"payload": payload}).encode()


def signature_of(body: bytes, timestamp: str, secret: str = SIGNING_SECRET) -> str:
    """Slack's signature, by its description: HMAC-SHA256 of `v0:timestamp:body`."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def texts_of(message: Any) -> Iterator[dict[str, Any]]:
    """Every text object of a message."""
    if isinstance(message, dict):
        if message.get("type") in ("plain_text", "mrkdwn"):
            yield message
        for part in message.values():
            yield from texts_of(part)
    elif isinstance(message, list):
        for part in message:
            yield from texts_of(part)


def said_in(message: dict[str, Any]) -> str:
    """Everything that a message says, one text a line."""
    return "\n".join(one["text"] for one in texts_of(message))
