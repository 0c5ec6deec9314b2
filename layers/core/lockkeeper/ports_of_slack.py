"""The protocols of telling releases in Slack: the channel, and what the ledger keeps of its messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class PostedMessage:
    """A message in Slack: the channel's id, and the time stamp that names it there."""

    channel: str
    timestamp: str


@dataclass(frozen=True)
class SlackMessage:
    """The one message of a release: how often it was wanted, where it is, and the hash of what it shows (empty: nothing yet)."""

    release_id: str
    wanted: int = 0
    posted: PostedMessage | None = None
    sha256: str = ""


class Slack(Protocol):
    """One channel of a Slack workspace, as an app in it. What Slack does not take is `SlackRefused`."""

    def is_genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Whether Slack signed these very bytes for this app, within five minutes of now."""
        ...

    def post(self, message: dict[str, Any]) -> PostedMessage:
        """A new message: `blocks` of Block Kit, and `text` for notifications."""
        ...

    def update(self, posted: PostedMessage, message: dict[str, Any]) -> bool:
        """Show something else in its place; False when somebody has deleted it."""
        ...

    def whisper(self, user: str, message: dict[str, Any]) -> None:
        """A message in the channel that one person sees."""
        ...


class SlackMessages(Protocol):
    """The part of the ledger that says what was told: notes of what is to happen once, and each release's message."""

    def remember(self, what: str, until: datetime) -> bool:
        """Note something that is to happen once; False when it is noted already. It may be forgotten after `until`."""
        ...

    def remembers(self, what: str) -> bool: ...

    def slack_message(self, release_id: str) -> SlackMessage: ...

    def want_slack_message(self, release_id: str) -> None:
        """Something happened that the release's message has to show."""
        ...

    def take_slack_message(self, release_id: str, until: datetime) -> bool:
        """Be the one who writes the release's message, until that time; False while somebody else is."""
        ...

    def slack_message_shows(self, release_id: str, posted: PostedMessage, sha256: str) -> None:
        """What stands where now; `sha256` is the hash of it."""
        ...

    def leave_slack_message(self, release_id: str, wanted: int) -> bool:
        """Let others write it. False, and still taken, when it was wanted again since that count was read."""
        ...

    def drop_slack_message(self, release_id: str) -> None:
        """Let others write it, whatever it shows: whoever had it failed."""
        ...


class ToldInSlack(Protocol):
    """The part of the world that releases are told in."""

    @property
    def slack(self) -> Slack | None:
        """None where Slack is not used."""
        ...

    @property
    def slack_used(self) -> bool:
        """Whether it is, for those who have no business with its secret."""
        ...
