"""A channel of a Slack workspace, in memory."""

from __future__ import annotations

import json
from threading import Lock
from typing import Any

from lockkeeper.adapters.slack import is_genuine
from lockkeeper.domain.errors import SlackRefused
from lockkeeper.ports import Clock
from lockkeeper.ports_of_slack import PostedMessage

SIGNING_SECRET = "of-the-fake"  # noqa: S105


class InMemorySlack:
    """Implements `ports.Slack`. `messages` are what stands in the channel, by time stamp; `down` refuses every call."""

    CHANNEL = "C0FAKE0CHANNEL"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changing = Lock()
        self._posted = 0
        self.down = False
        self.messages: dict[str, dict[str, Any]] = {}
        self.whispers: list[tuple[str, dict[str, Any]]] = []
        self.history: list[tuple[str, dict[str, Any]]] = []
        """Every message that was posted or shown in place of another, in order."""

    def is_genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
        return is_genuine(SIGNING_SECRET, self._clock, body, timestamp, signature)

    def post(self, message: dict[str, Any]) -> PostedMessage:
        with self._changing:
            self._taken()
            self._posted += 1
            timestamp = f"1764147600.{self._posted:06}"
            self._show(timestamp, message)
        return PostedMessage(self.CHANNEL, timestamp)

    def update(self, posted: PostedMessage, message: dict[str, Any]) -> bool:
        with self._changing:
            self._taken()
            if posted.timestamp not in self.messages:
                return False
            self._show(posted.timestamp, message)
        return True

    def whisper(self, user: str, message: dict[str, Any]) -> None:
        with self._changing:
            self._taken()
            self.whispers.append((user, json.loads(json.dumps(message))))

    def _show(self, timestamp: str, message: dict[str, Any]) -> None:
        self.messages[timestamp] = json.loads(json.dumps(message))
        self.history.append((timestamp, self.messages[timestamp]))

    def _taken(self) -> None:
        if self.down:
            raise SlackRefused("Slack is down")
