"""Slack's button, as API Gateway hands on what Slack sends: forged, sent again, wrong, refused and right."""

from __future__ import annotations

import base64
import io
import json
from copy import deepcopy
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from lockkeeper.adapters.in_memory import InMemorySlack
from lockkeeper.domain.release import Status

from tests.conftest import Figure
from tests.handlers.conftest import handler_of
from tests.unit.harbour import Harbour, release_id
from tests.unit.slack_stage import (
    ADA,
    FORM,
    GRACE,
    STRANGER,
    button_of,
    form_of,
    interaction,
    newest_message,
    said_in,
    signature_of,
    tell_all,
    with_slack,
)


def now(harbour: Harbour, seconds: float = 0) -> str:
    return str(int((harbour.world.clock.now() + timedelta(seconds=seconds)).timestamp()))


def signed(body: bytes, timestamp: str, *, encoded: bool = True, **headers: str | None) -> dict[str, Any]:
    """The event of a request that Slack has signed; headers that are None are left out."""
    sent = {
        "content-type": FORM,
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signature_of(body, timestamp),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return {
        "version": "2.0",
        "routeKey": "POST /slack/interactions",
        "rawPath": "/slack/interactions",
        "rawQueryString": "",
        "headers": {name: value for name, value in sent.items() if value is not None},
        "requestContext": {"http": {"method": "POST", "path": "/slack/interactions"}, "stage": "$default"},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def send(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = handler_of("serve_web")(event, None)
    assert answer["headers"]["Content-Type"] == "application/json"
    return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def slack(harbour: Harbour) -> InMemorySlack:
    """Version 1 waits for a decision, and its message says so."""
    slack = with_slack(harbour)
    harbour.register(1)
    tell_all(harbour)
    return slack


def pressed_by(user: str, slack: InMemorySlack) -> bytes:
    button = button_of(newest_message(slack))
    assert button is not None
    return form_of(interaction(button["value"], user))


def decisions(harbour: Harbour) -> int:
    return len(harbour.release(1).approvals)


@pytest.mark.parametrize("encoded", [True, False])
def test_an_approvers_press_approves_and_the_release_goes_on(
    harbour: Harbour, slack: InMemorySlack, encoded: bool
) -> None:
    status, answer = send(signed(pressed_by(ADA, slack), now(harbour), encoded=encoded))
    assert (status, answer["status"], answer["approver"], answer["channel"]) == (200, "approved", "Ada", "slack")
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING


def test_slack_is_not_called_while_slack_waits(harbour: Harbour, slack: InMemorySlack) -> None:
    body = pressed_by(ADA, slack)
    slack.down = True
    assert send(signed(body, now(harbour)))[0] == 200
    assert decisions(harbour) == 1


def test_forged_requests_are_401_and_change_nothing(harbour: Harbour, slack: InMemorySlack, figure: Figure) -> None:
    body, moment = pressed_by(ADA, slack), now(harbour)
    other = form_of(interaction("{}", ADA))
    forged = [
        signed(body, moment, x_slack_signature=None),
        signed(body, moment, x_slack_signature=""),
        signed(body, moment, x_slack_request_timestamp=None),
        signed(body, moment, x_slack_request_timestamp=""),
        signed(body, moment, x_slack_request_timestamp="soon"),
        signed(body, moment, x_slack_request_timestamp=now(harbour, 1)),
        signed(body, moment, x_slack_signature=signature_of(other, moment)),
        signed(body, moment, x_slack_signature=signature_of(body, moment, "of another app")),
        signed(body, moment, x_slack_signature=signature_of(body, moment).upper()),
        signed(body, moment, x_slack_signature=signature_of(body, moment).replace("v0=", "v1=")),
        signed(body, now(harbour, -301)),
        signed(body, now(harbour, 301)),
        *(
            signed(body, moment) | {"body": base64.b64encode(altered(body, place)).decode()}
            for place in range(0, len(body), 9)
        ),
    ]
    before = deepcopy(harbour.world.ledger._requests)
    answers = [send(event) for event in forged]
    accepted = sum(status != 401 for status, _ in answers) + decisions(harbour)
    figure(
        "Forged requests in Slack's name: altered, unsigned, 301 s off", f"{accepted} of {len(forged)} accepted", "0"
    )
    assert accepted == 0
    assert harbour.world.ledger._requests == before
    assert answers[0][1]["error"] == "NotFromSlack"
    assert send(signed(body, moment))[1]["status"] == "approved"


def altered(body: bytes, place: int) -> bytes:
    changed = bytearray(body)
    changed[place] ^= 1
    return bytes(changed)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_off_is_still_taken(harbour: Harbour, slack: InMemorySlack, seconds: int) -> None:
    assert send(signed(pressed_by(ADA, slack), now(harbour, seconds)))[1]["status"] == "approved"


def test_what_is_sent_again_is_409(harbour: Harbour, figure: Figure) -> None:
    slack = with_slack(harbour, quorum=2)
    harbour.register(1)
    tell_all(harbour)
    event = signed(pressed_by(ADA, slack), now(harbour))
    assert send(event)[0] == 200
    accepted = 0
    for seconds in (0, 1, 60, 239, 300, 301, 3600):
        harbour.world.clock.advance(timedelta(seconds=seconds))
        status, answer = send(event)
        assert status in (401, 409)
        accepted += answer["error"] not in ("RequestRepeated", "NotFromSlack")
    figure("Slack's requests sent again, up to an hour later", f"{accepted} of 7 accepted", "0 accepted")
    assert (accepted, decisions(harbour)) == (0, 1)


def test_a_request_that_was_refused_is_not_taken_when_it_is_sent_again(harbour: Harbour, slack: InMemorySlack) -> None:
    event = signed(pressed_by(STRANGER, slack), now(harbour))
    assert send(event)[1]["refused"] == "NotPermitted"
    assert send(event)[0] == 409


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"a=1", {}),
        (b"payload=", {}),
        (b"payload=%7B%7D&payload=%7B%7D", {}),
        (b"&".join([b"a=1"] * 50), {}),
        (form_of("{}"), {"content_type": "application/json"}),
        (form_of("{}"), {"content_type": None}),
        (b"payload=" + b"x" * 1_000_000, {}),
    ],
    ids=["empty", "no payload", "empty payload", "two payloads", "fifty fields", "JSON", "no type", "huge"],
)
def test_what_is_signed_and_no_form_of_slacks_is_400(
    harbour: Harbour, slack: InMemorySlack, body: bytes, headers: dict[str, Any]
) -> None:
    status, answer = send(signed(body, now(harbour), **headers))
    assert (status, answer["error"], decisions(harbour)) == (400, "FormRefused", 0)


def test_a_body_that_is_no_base64_is_400(harbour: Harbour, slack: InMemorySlack) -> None:
    for body in ("é", "a", "!!!!", "\ud800"):
        assert send(signed(b"", now(harbour)) | {"body": body})[0] == 400
    assert send(signed(b"", now(harbour)) | {"body": "\ud800", "isBase64Encoded": False})[0] == 400


def test_a_body_that_is_no_text_is_401(harbour: Harbour, slack: InMemorySlack) -> None:
    assert send(signed(b"payload=\xff\xfe", now(harbour)))[0] == 401


@pytest.mark.parametrize(
    "payload",
    ["{}", "[]", "x", '{"type": "view_submission"}', interaction("{}", ADA), interaction("{}", ADA, "open.page")],
    ids=lambda payload: payload[:30],
)
def test_what_slack_says_of_other_things_is_acknowledged_and_ignored(
    harbour: Harbour, slack: InMemorySlack, payload: str
) -> None:
    status, answer = send(signed(form_of(payload), now(harbour)))
    assert (status, set(answer), decisions(harbour)) == (200, {"ignored"}, 0)


def test_an_unknown_user_is_told_whom_to_ask(harbour: Harbour, slack: InMemorySlack) -> None:
    status, answer = send(signed(pressed_by(STRANGER, slack), now(harbour)))
    assert (status, answer["refused"], answer["cure"]) == (200, "NotPermitted", "ask one of: Ada, Grace")
    tell_all(harbour)
    ((whom, whisper),) = slack.whispers
    assert (whom, decisions(harbour)) == (STRANGER, 0)
    assert "you are no approver of this release" in said_in(whisper)
    assert "ask one of: Ada, Grace" in said_in(whisper)


def test_a_press_after_the_decision_is_told_who_decided(harbour: Harbour, slack: InMemorySlack) -> None:
    first, second = (signed(pressed_by(user, slack), now(harbour)) for user in (ADA, GRACE))
    assert send(first)[1]["status"] == "approved"
    status, answer = send(second)
    assert (status, answer["refused"]) == (200, "AlreadyDecided")
    assert "was approved by Ada" in answer["message"]
    assert decisions(harbour) == 1


def test_the_author_is_refused(harbour: Harbour, figure: Figure) -> None:
    accepted = 0
    for version, author in enumerate(
        (ADA, ADA.lower(), "Ada", "ADA@example.com", "arn:aws:iam::111111111111:role/Ada"), 1
    ):
        slack = with_slack(harbour)
        harbour.register(version, author=author)
        tell_all(harbour)
        status, answer = send(signed(pressed_by(ADA, slack), now(harbour)))
        assert (status, answer["refused"]) == (200, "NotPermitted")
        accepted += len(harbour.release(version).approvals)
    figure("Own models approved in Slack, the author named in five ways", f"{accepted} of 5", "0")
    assert accepted == 0


def test_a_superseded_release_is_not_approved(harbour: Harbour, slack: InMemorySlack) -> None:
    event = signed(pressed_by(ADA, slack), now(harbour))
    harbour.register(2)
    status, answer = send(event)
    assert (status, answer["refused"], decisions(harbour)) == (200, "RequestClosed", 0)
    tell_all(harbour)
    assert "superseded by wages-v2-a1" in said_in(slack.whispers[-1][1])


def test_a_release_that_nobody_knows_is_404(harbour: Harbour, slack: InMemorySlack) -> None:
    button = button_of(newest_message(slack))
    assert button is not None
    value = button["value"].replace(release_id(1), "nobody-v1-a1")
    assert send(signed(form_of(interaction(value, ADA)), now(harbour)))[0] == 404


def test_without_slack_the_address_is_404_for_everybody(harbour: Harbour) -> None:
    harbour.register(1)
    status, answer = send(signed(form_of("{}"), now(harbour)))
    assert (status, answer["message"]) == (404, "Slack is not used here")


def test_no_secret_is_logged(harbour: Harbour, slack: InMemorySlack, log: io.StringIO) -> None:
    body, moment = pressed_by(ADA, slack), now(harbour)
    for event in (signed(body, moment), signed(body, moment), signed(body, "1")):
        send(event)
    written = log.getvalue()
    assert "decided in slack" in written
    for secret in (signature_of(body, moment), "hooks.slack.com", quote("hooks.slack.com"), "of-the-fake"):
        assert secret not in written
