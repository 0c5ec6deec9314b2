"""What is to happen once, and the messages in Slack."""

from __future__ import annotations

import hashlib
from datetime import datetime

from lockkeeper.adapters.dynamodb.table import Table
from lockkeeper.ports import Clock
from lockkeeper.ports_of_slack import PostedMessage, SlackMessage


class Told:
    """Notes expire by the table's time-to-live. Who writes a message has it for a while, not for ever: writers may die."""

    table: Table
    clock: Clock

    def remember(self, what: str, until: datetime) -> bool:
        return self.table.put({**_note(what), "forget_at": int(until.timestamp())}, "attribute_not_exists(pk)")

    def remembers(self, what: str) -> bool:
        note = _note(what)
        return self.table.get(note["pk"], note["sk"]) is not None

    def slack_message(self, release_id: str) -> SlackMessage:
        item = self.table.get(*_place(release_id)) or {}
        posted = PostedMessage(item["channel"], item["message"]) if item.get("message") else None
        return SlackMessage(release_id, item.get("wanted", 0), posted, item.get("sha256", ""))

    def want_slack_message(self, release_id: str) -> None:
        self.table.update(*_place(release_id), "ADD #wanted :one", one=1)

    def take_slack_message(self, release_id: str, until: datetime) -> bool:
        return self.table.update(
            *_place(release_id),
            "SET #taken_until = :until",
            "attribute_not_exists(#taken_until) OR #taken_until <= :now",
            until=until.timestamp(),
            now=self.clock.now().timestamp(),
        )

    def slack_message_shows(self, release_id: str, posted: PostedMessage, sha256: str) -> None:
        self.table.update(
            *_place(release_id),
            "SET #channel = :channel, #message = :message, #sha256 = :sha256",
            channel=posted.channel,
            message=posted.timestamp,
            sha256=sha256,
        )

    def leave_slack_message(self, release_id: str, wanted: int) -> bool:
        return self.table.update(
            *_place(release_id), "REMOVE #taken_until", "attribute_exists(pk) AND #wanted = :wanted", wanted=wanted
        )

    def drop_slack_message(self, release_id: str) -> None:
        self.table.update(*_place(release_id), "REMOVE #taken_until")


def _note(what: str) -> dict[str, str]:
    # By its hash: a key has 2 kB at most, and what is noted may be anything.
    return {"pk": f"NOTE#{hashlib.sha256(what.encode()).hexdigest()}", "sk": "NOTE"}


def _place(release_id: str) -> tuple[str, str]:
    return f"RELEASE#{release_id}", "SLACK"
