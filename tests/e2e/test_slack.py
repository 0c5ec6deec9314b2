"""A release in Slack: told in one message, approved by its button, and by nothing that is not Slack's."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from localcloud import slack
from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud, package_request
from tests.e2e.test_a_promotion import constant_model, prepare, report
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

ADA, GRACE, STRANGER = "U0ADA0ADA", "U0GRACE00", "U0STRANGER"
ASKS_BOTH = (
    f"{{before: [staging], author_from: metadata.author, approvers: "
    f"[{{name: Ada, slack_user: {ADA}}}, {{name: Grace, slack_user: {GRACE}}}]}}"
)
SLACK_WAITS_SECONDS = 3.0
"""How long Slack waits for an answer."""


def messages(cloud: Cloud, release_id: str) -> list[dict[str, Any]]:
    """What stands in the channel about a release, or was whispered about it."""
    shown: list[dict[str, Any]] = urllib3.request("GET", f"{cloud.running.slack_url}/messages").json()
    return [one for one in shown if one["whispered_to"] or release_id in json.dumps(one["blocks"])]


def told(cloud: Cloud, release_id: str, words: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """The message of a release, or the whisper, that says these words."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for message in messages(cloud, release_id):
            if words in json.dumps(message["blocks"], ensure_ascii=False):
                return message
        time.sleep(0.1)
    raise AssertionError(
        f"nothing says {words!r}: {json.dumps(messages(cloud, release_id), indent=1, ensure_ascii=False)}"
    )


def body_of(message: dict[str, Any], user: str) -> bytes:
    """What Slack sends when a member presses the message's button."""
    (button,) = next(block["elements"] for block in message["blocks"] if block["type"] == "actions")
    return slack.form_of(message, button, user)


def send(cloud: Cloud, body: bytes, timestamp: str = "", signature: str | None = None) -> tuple[int, dict[str, Any]]:
    status, answer = slack.send(f"{cloud.running.web_url}/slack/interactions", body, timestamp, signature)
    return status, json.loads(answer)


def asked(cloud: Cloud, group: str, folder: Path, author: str) -> dict[str, Any]:
    """The message about a version that waits for Ada or Grace."""
    prepare(cloud, group, folder, approval=ASKS_BOTH)
    artifact = cloud.put(f"{group}-models", "model.tar.gz", constant_model(1.0))
    statistics = cloud.put(f"{group}-models", "report.json", report(1.0))
    made_by = {"CustomerMetadataProperties": {"author": author}}
    request = package_request(group, SCIKIT_LEARN, artifact, statistics, **made_by)
    cloud.client("sagemaker", "registry").create_model_package(**request)
    cloud.wait_for(f"{group}-v1-a1", "awaiting-approval")
    return told(cloud, f"{group}-v1-a1", "may it go to staging?")


def test_a_press_approves_and_one_message_follows_the_release_to_its_end(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    release_id = "slackened-v1-a1"
    question = asked(cloud, "slackened", tmp_path, "lin")
    form = urlencode({"ts": question["ts"], "user": ADA})
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    # Its peer on this machine, busy or not: a press that is refused at its signature, by the same function, just as cold.
    began = time.monotonic()
    assert send(cloud, body_of(question, ADA), signature="")[0] == 401
    refused_seconds = time.monotonic() - began
    began = time.monotonic()
    pressed = urllib3.request("POST", f"{cloud.running.slack_url}/press", body=form, headers=kind, redirect=False)
    seconds = time.monotonic() - began
    assert pressed.status == 303
    figure(
        "Slack's button, pressed and answered, on the laptop",
        f"{seconds:.2f} s; refused at its signature, cold: {refused_seconds:.2f} s",
        f"below {SLACK_WAITS_SECONDS:g} s, or below the other",
    )
    assert seconds < max(SLACK_WAITS_SECONDS, refused_seconds)
    release = cloud.wait_for(release_id, "promoted")
    (decision,) = release["approvals"]
    assert (decision["approver"], decision["answer"], decision["channel"]) == ("Ada", "approve", "slack")

    last = told(cloud, release_id, "✔ promoted")
    assert last["ts"] == question["ts"]
    assert not any(block["type"] == "actions" for block in last["blocks"])
    assert len([one for one in messages(cloud, release_id) if not one["whispered_to"]]) == 1

    status, answer = send(cloud, body_of(question, GRACE))
    assert (status, answer["refused"]) == (200, "RequestClosed" if "closed" in answer["message"] else "AlreadyDecided")
    whisper = told(cloud, release_id, "was approved by Ada")
    assert whisper["whispered_to"] == GRACE
    assert len(cloud.release(release_id)["approvals"]) == 1


def test_nobody_else_approves(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    release_id = "forged-in-slack-v1-a1"
    question = asked(cloud, "forged-in-slack", tmp_path, ADA)
    body, now = body_of(question, GRACE), int(time.time())
    forged = [
        (body, str(now), ""),
        (body, str(now), slack.signature_of(body, str(now), "another app's")),
        (body, str(now + 1), slack.signature_of(body, str(now))),
        (body.replace(b"staging", b"production"), str(now), slack.signature_of(body, str(now))),
        (body + b"&x=1", str(now), slack.signature_of(body, str(now))),
        (body, str(now - 302), slack.signature_of(body, str(now - 302))),
        (body, str(now + 330), slack.signature_of(body, str(now + 330))),
    ]
    answers = [send(cloud, *one)[0] for one in forged]
    assert answers == [401] * len(forged)
    stranger = body_of(question, STRANGER)
    signature = slack.signature_of(stranger, str(now))
    assert send(cloud, stranger, str(now), signature)[1]["refused"] == "NotPermitted"
    assert send(cloud, stranger, str(now), signature)[0] == 409
    status, answer = send(cloud, body_of(question, ADA))
    assert (status, answer["refused"]) == (200, "NotPermitted")
    assert told(cloud, release_id, "you are no approver of this release")["whispered_to"] == STRANGER
    assert told(cloud, release_id, "Ada made this version")["whispered_to"] == ADA
    accepted = len(cloud.release(release_id)["approvals"])
    figure(
        "Slack: forged, sent again, by a stranger, by the author, deployed", f"{accepted} of 10 accepted", "0 accepted"
    )
    assert accepted == 0

    with ThreadPoolExecutor(16) as pool:
        presses = [body_of(question, GRACE) + b"&x=%d" % number for number in range(16)]
        answered = list(pool.map(lambda press: send(cloud, press)[1], presses))
    figure("Sixteen presses of Slack's button at once", f"{len(cloud.release(release_id)['approvals'])} decision", "1")
    assert len(cloud.release(release_id)["approvals"]) == 1
    assert sum(one.get("status") == "approved" for one in answered) == 1
    cloud.wait_for(release_id, "promoted")
