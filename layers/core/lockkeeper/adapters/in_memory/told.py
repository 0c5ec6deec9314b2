"""What is to happen once, and the messages in Slack, in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from threading import RLock

from lockkeeper.ports import Clock
from lockkeeper.ports_of_slack import PostedMessage, SlackMessage

NEVER = datetime.min.replace(tzinfo=UTC)


class Told:
    """A message is written by one at a time; who came meanwhile is counted, and what they came for is shown before it is let go."""

    writing: RLock
    clock: Clock

    def __init__(self) -> None:
        self._noted: set[str] = set()
        self._messages: dict[str, SlackMessage] = {}
        self._taken: dict[str, datetime] = {}

    def remember(self, what: str, until: datetime) -> bool:  # noqa: ARG002 - a test is over before anything may be forgotten
        with self.writing:
            if what in self._noted:
                return False
            self._noted.add(what)
        return True

    def remembers(self, what: str) -> bool:
        with self.writing:
            return what in self._noted

    def slack_message(self, release_id: str) -> SlackMessage:
        with self.writing:
            return self._messages.get(release_id, SlackMessage(release_id))

    def want_slack_message(self, release_id: str) -> None:
        with self.writing:
            message = self.slack_message(release_id)
            self._messages[release_id] = replace(message, wanted=message.wanted + 1)

    def take_slack_message(self, release_id: str, until: datetime) -> bool:
        with self.writing:
            if self._taken.get(release_id, NEVER) > self.clock.now():
                return False
            self._taken[release_id] = until
        return True

    def slack_message_shows(self, release_id: str, posted: PostedMessage, sha256: str) -> None:
        with self.writing:
            self._messages[release_id] = replace(self.slack_message(release_id), posted=posted, sha256=sha256)

    def leave_slack_message(self, release_id: str, wanted: int) -> bool:
        with self.writing:
            if self.slack_message(release_id).wanted != wanted:
                return False
            self._taken.pop(release_id, None)
        return True

    def drop_slack_message(self, release_id: str) -> None:
        with self.writing:
            self._taken.pop(release_id, None)
