"""One message in Slack for each release, which shows what the release is now, whatever told of it and in whatever order.

One writer at a time has the message. Who comes meanwhile counts itself and goes: the writer looks at the count before it lets go,
and writes again where it has grown. A writer that dies has the message for `TAKEN` at most, which is longer than a function lives and
shorter than Lambda waits before it tries again.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from typing import Any

from lockkeeper.domain.errors import SlackRefused
from lockkeeper.domain.policy import SLACK_USER
from lockkeeper.domain.slack_message import Standing, message_of, refusal_of
from lockkeeper.ports import World
from lockkeeper.ports_of_slack import Slack, SlackMessage
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.request_approval import newest_question

TAKEN = timedelta(seconds=45)
MOST_ROUNDS = 5
"""A release changes a few times in its life; more often than this while one message is written is no release."""


def show_in_slack(release_id: str, world: World, slack: Slack) -> None:
    """Post the release's message, or show in its place what the release is now."""
    ledger = world.ledger
    ledger.want_slack_message(release_id)
    if not ledger.take_slack_message(release_id, world.clock.now() + TAKEN):
        return
    try:
        for _ in range(MOST_ROUNDS):
            message = ledger.slack_message(release_id)
            _write(message, world, slack)
            if ledger.leave_slack_message(release_id, message.wanted):
                return
    except Exception:
        ledger.drop_slack_message(release_id)
        raise
    ledger.drop_slack_message(release_id)
    raise SlackRefused(f"the message of {release_id} was wanted anew {MOST_ROUNDS} times while it was written")


def whisper_refusal(detail: dict[str, Any], slack: Slack) -> None:
    """Tell who pressed the button why it did not count."""
    person = str(detail.get("person", ""))
    if detail.get("channel") == "slack" and re.fullmatch(SLACK_USER, person):
        slack.whisper(person, refusal_of(str(detail.get("reason", "")), str(detail.get("cure", ""))))


def _write(message: SlackMessage, world: World, slack: Slack) -> None:
    release = world.ledger.get(message.release_id)
    request = newest_question(message.release_id, world)
    if not (message.posted or request or release.ended):
        return  # Slack calls nobody to a message that is changed: it is posted when there is somebody to call.
    champion = world.ledger.champion(release.model_package_group)
    serving = (champion.version, champion.words, champion.since) if champion else None
    shown = message_of(Standing(release, request, serving, iso(world.clock.now())))
    sha256 = hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
    if message.posted and sha256 == message.sha256:
        return
    posted = message.posted
    if posted is None or not slack.update(posted, shown):
        posted = slack.post(shown)
    world.ledger.slack_message_shows(message.release_id, posted, sha256)
