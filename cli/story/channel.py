"""What an approver does in Slack: read the message about a version, press its button."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

import urllib3


def wait_for_button(slack_url: str, about: str, *, timeout_seconds: float = 180.0) -> dict[str, Any]:
    """Wait for a message with these words and a button; returns it as the laptop's stand-in of Slack keeps it.

    Raises:
        TimeoutError: no such message was written in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        for message in reversed(read_messages(slack_url)):
            if about in json.dumps(message) and any(block["type"] == "actions" for block in message["blocks"]):
                return message
        time.sleep(0.2)
    raise TimeoutError(f"no message with a button about {about} was written within {timeout_seconds:.0f} s")


def read_messages(slack_url: str) -> list[dict[str, Any]]:
    """Every message of the channel, the oldest first."""
    answer = urllib3.request("GET", f"{slack_url}/messages", retries=False, timeout=60)
    return list(json.loads(answer.data))


def press_button(slack_url: str, message: dict[str, Any], member: str) -> int:
    """Press a message's button as a member of the workspace; the HTTP status, 303 where the app took it."""
    answer = urllib3.request(
        "POST",
        f"{slack_url}/press",
        body=urlencode({"ts": message["ts"], "user": member}),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        retries=False,
        redirect=False,
        timeout=60,
    )
    return int(answer.status)
