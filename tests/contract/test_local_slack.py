"""The adapter against the laptop's stand-in of Slack, over HTTP: what is posted, shown in its place, whispered, refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import urllib3
from lockkeeper.adapters.aws import SystemClock
from lockkeeper.adapters.slack import SlackChannel
from lockkeeper.domain.errors import SlackRefused
from lockkeeper.domain.slack_message import message_of, refusal_of

from localcloud import slack
from localcloud.listening import listen
from localcloud.slack_blocks import page_of, problems_of
from tests.patience import PATIENCE
from tests.unit.slack_stage import button_of
from tests.unit.test_slack_message import HOSTILE, REQUEST, WAITING, hostile_standing

TOKEN = "xoxb-of-another-app"


class Place:
    """A stand-in that listens, and the adapter that speaks to it."""

    def __init__(self, log: Path) -> None:
        self.workspace = slack.Workspace("http://127.0.0.1:9/slack/interactions", log)
        self.server = slack.serve(self.workspace, listen(0))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.channel = self.adapter()

    def adapter(self, token: str = slack.BOT_TOKEN, channel: str = slack.CHANNEL, url: str = "") -> SlackChannel:
        secret = {"bot_token": token, "signing_secret": slack.SIGNING_SECRET}
        address = f"{url or self.url}/api/"
        return SlackChannel(lambda: secret, channel=channel, api_url=address, clock=SystemClock())

    def get(self, path: str) -> str:
        return urllib3.request("GET", self.url + path, timeout=PATIENCE).data.decode()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    opened = Place(tmp_path / "slack.jsonl")
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


def test_a_message_is_posted_and_another_is_shown_in_its_place(place: Place) -> None:
    posted = place.channel.post(message_of(WAITING))
    decided = message_of(replace(WAITING, request=None))
    assert place.channel.update(posted, decided)
    (message,) = place.workspace.messages()
    assert (posted.channel, posted.timestamp) == (slack.CHANNEL, message["ts"])
    assert message["blocks"] == decided["blocks"]
    assert message["edited"]


def test_a_message_that_was_deleted_is_told_apart(place: Place) -> None:
    posted = place.channel.post(message_of(WAITING))
    place.workspace.delete(posted.timestamp)
    assert not place.channel.update(posted, message_of(WAITING))
    assert place.workspace.messages() == []


def test_a_whisper_is_for_one_person(place: Place) -> None:
    place.channel.whisper("U0STRANGER", refusal_of("you are no approver", "ask Ada"))
    (message,) = place.workspace.messages()
    assert message["whispered_to"] == "U0STRANGER"


def test_too_many_calls_are_refused_with_the_time_to_wait_and_not_tried_again(place: Place) -> None:
    place.workspace.busy = 1
    with pytest.raises(SlackRefused, match=r"too many calls; it wants 30 s"):
        place.channel.post(message_of(WAITING))
    assert place.workspace.messages() == []
    place.channel.post(message_of(WAITING))


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ({"token": TOKEN}, "invalid_auth"),
        ({"channel": "C0ANOTHER"}, "channel_not_found"),
        ({"url": "http://127.0.0.1:9"}, "could not be reached"),
    ],
    ids=lambda value: str(value),
)
def test_what_slack_refuses_is_said_without_the_token(
    place: Place, named: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(SlackRefused, match=reason) as refused:
        place.adapter(**named).post(message_of(WAITING))
    assert "xoxb" not in str(refused.value) + caplog.text
    assert refused.value.__cause__ is None


def test_an_answer_that_is_not_slacks_is_refused(place: Place) -> None:
    with pytest.raises(SlackRefused):
        place.adapter(url=f"{place.url}/nowhere").post(message_of(WAITING))


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}, "151 characters of 150"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "formatted"),
        ({"type": "section", "text": {"type": "plain_text", "text": ""}}, "0 characters"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}}, "angle bracket"),
        ({"type": "section", "fields": [{"type": "plain_text", "text": "x"}] * 11}, "11 fields"),
        ({"type": "context", "elements": []}, "0 elements"),
        ({"type": "actions", "elements": [{"text": {"type": "plain_text", "text": "x"}}]}, "action_id"),
        ({"type": "poem"}, "unknown block"),
    ],
    ids=str,
)
def test_the_stand_in_refuses_what_slack_refuses(block: dict[str, Any], problem: str) -> None:
    (found,) = problems_of({"blocks": [block]})
    assert problem in found
    assert problems_of({"blocks": []}) == ["0 blocks"]
    assert problems_of({"blocks": [{"type": "context", "elements": [{"type": "plain_text", "text": "x"}]}] * 51})


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_words_are_taken_and_shown_as_words(place: Place, text: str) -> None:
    place.channel.post(message_of(hostile_standing(text)))
    page = place.get("/")
    assert "<script" not in page.lower()
    assert place.get("/messages")


def test_the_page_shows_markup_as_text() -> None:
    shown = page_of(_as_kept(hostile_standing("<img src=x onerror=alert(1)>")), slack.MEMBER)
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_the_page_has_a_button_while_something_is_asked() -> None:
    assert 'action="/press"' in page_of(_as_kept(WAITING), slack.MEMBER)
    assert 'action="/press"' not in page_of(_as_kept(replace(WAITING, request=None)), slack.MEMBER)


def _as_kept(standing: Any) -> list[dict[str, Any]]:
    return [{"ts": "1.1", "at": "09:00", "edited": False, "whispered_to": "", **message_of(standing)}]


def test_another_sites_page_presses_no_button(place: Place) -> None:
    place.channel.post(message_of(WAITING))
    elsewhere = {"Origin": "https://evil.example", "Content-Type": "application/x-www-form-urlencoded"}
    form = b"ts=1&user=U0ADA0ADA"
    assert urllib3.request("POST", f"{place.url}/press", body=form, headers=elsewhere, timeout=PATIENCE).status == 404


def test_a_press_is_signed_as_the_adapter_wants_it(place: Place) -> None:
    place.channel.post(message_of(WAITING))
    (message,) = place.workspace.messages()
    button = button_of(message)
    assert button is not None
    body = slack.form_of(message, button, "U0ADA0ADA")
    moment = str(int(SystemClock().now().timestamp()))
    assert place.channel.is_genuine(body, moment, slack.signature_of(body, moment))
    assert json.loads(button["value"])["release_id"] == REQUEST.release_id
    with pytest.raises(LookupError):
        place.workspace.press("2.2", "U0ADA0ADA")
