"""A release as a message in Slack: what it says in each state, whatever people wrote, within Slack's limits."""

from __future__ import annotations

import html
import json
import random
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.approval import Answer, ApprovalRequest, Decision, RequestStatus
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Outcome, Release, Status, Verdict
from lockkeeper.domain.slack_message import STANDS, Standing, message_of, refusal_of

from localcloud.slack_blocks import problems_of
from tests.conftest import Figure
from tests.unit.slack_stage import ADA, button_of, said_in, texts_of

ARN = "arn:aws:sagemaker:eu-central-1:111111111111:model-package/wages/3"
NOW, LATER = "2026-11-24T09:00:00.000Z", "2026-11-27T09:00:00.000Z"
SEAL = "5e" * 32
VERDICTS = (
    Verdict("quality: accuracy", Outcome.PASSED, "0.8 meets >= 0.7", 0.8, ">= 0.7"),
    Verdict("bias: DPPL sex", Outcome.FAILED, "0.4 does not meet -0.2 to 0.2", 0.4, "-0.2 to 0.2"),
    Verdict("explainability", Outcome.INCONCLUSIVE, "there is no report"),
)
RELEASE = Release(
    "wages-v3-a1", "wages", 3, 1, ARN, Status.AWAITING_APPROVAL, author="lin", verdicts=VERDICTS, opened_at=NOW
)
PEOPLE = (Approver(name="Ada", slack_user=ADA), Approver(name="Grace", email="grace@example.com"))
REQUEST = ApprovalRequest("wages-v3-a1", "staging", SEAL, 1, PEOPLE, "lin", NOW, LATER)
WAITING = Standing(RELEASE, REQUEST, (2, "version 2", "2026-11-01T08:00:00.000Z"), NOW)
OUR_TOKENS = re.compile(r"<@[UW][A-Z0-9]{5,20}>|<!date\^\d+\^\{date_short_pretty\} \{time\}\|[-\d: ]+ UTC>")
"""What a message of ours may have in angle brackets: a mention of an approver, and a time."""

HOSTILE = [
    "<!channel> <!here> <!everyone>",
    "<@U024BE7LH> approved this",
    "<https://evil.example|Open the page>",
    "<!date^0^{date}|now>",
    "<#C0123456|general>",
    "&lt;!channel&gt;",
    "*bold* _italic_ ~gone~ `code` ```block```",
    ":white_check_mark: approved",
    "a\nb\n> quoted\n\n• passed",
    "\u202egnp.exe\u202c",
    '\'"}],"type":"actions"',
    "&" * 5000,
    "<" * 5000,
    "x" * 10000,
    "\u0000\u0007",
    "🙂" * 3000,
    "",
]


def waiting(**changes: Any) -> Standing:
    return replace(WAITING, **changes)


def hostile_standing(text: str) -> Standing:
    """The text wherever somebody else's words may stand."""
    verdicts = tuple(Verdict(text, outcome, text, text, text) for outcome in Outcome)
    people = (Approver.model_construct(name=text, slack_user=None, email=text, aws_principal=None), *PEOPLE)
    said = Decision(text, Answer.APPROVE, text, "link", NOW)
    request = replace(REQUEST, approvers=people, decisions=(said,), author=text, quorum=2)
    release = replace(
        RELEASE, author=text, verdicts=verdicts, weakened=(text, text), reason=text, model_package_group=text
    )
    return Standing(release, request, (2, "version 2", NOW), NOW)


def unescaped_in(message: dict[str, Any]) -> list[str]:
    """Texts in which something that people wrote would control Slack."""
    found = []
    for text in [*(one["text"] for one in texts_of(message)), message["text"]]:
        rest = OUR_TOKENS.sub("", text)
        if re.search(r"[<>]|&(?!(?:amp|lt|gt);)", rest):
            found.append(text)
    return found


def test_what_waits_asks_with_a_button_and_says_until_when() -> None:
    message = message_of(WAITING)
    said = html.unescape(said_in(message))
    for part in ("wages version 3", "may it go to staging?", "lin", "1 of 3 passed", "version 2, since 2026-11-01"):
        assert part in said
    assert f"<@{ADA}>, Grace" in said_in(message)
    assert "|2026-11-27 09:00 UTC>" in said_in(message)
    button = button_of(message)
    assert button is not None
    assert json.loads(button["value"]) == {"release_id": "wages-v3-a1", "before": "staging", "seal": SEAL}
    assert button["confirm"]["text"]["text"].startswith("wages version 3 goes to staging")
    assert "lockkeeper reject wages-v3-a1" in said


def test_gates_that_did_not_pass_come_first() -> None:
    gates = html.unescape(
        said_in(message_of(WAITING)).partition("✗")[1] + said_in(message_of(WAITING)).partition("✗")[2]
    )
    assert re.findall(r"[✗?✓] (\w+)", gates)[:3] == ["bias", "explainability", "quality"]


def test_who_made_the_version_is_not_asked() -> None:
    assert f"<@{ADA}>" not in said_in(message_of(waiting(request=replace(REQUEST, author=ADA))))


@pytest.mark.parametrize(
    "changes",
    [
        {"now": LATER},
        {"request": None},
        {"request": replace(REQUEST, status=RequestStatus.CLOSED)},
        {"request": replace(REQUEST, status=RequestStatus.APPROVED)},
        *({"release": replace(RELEASE, status=status)} for status in Status if status is not Status.AWAITING_APPROVAL),
    ],
    ids=str,
)
def test_nothing_can_be_pressed_once_nothing_is_asked(changes: dict[str, Any]) -> None:
    assert button_of(message_of(WAITING)) is not None
    assert button_of(message_of(waiting(**changes))) is None


@pytest.mark.parametrize("status", list(Status))
def test_every_state_says_where_the_release_stands(status: Status) -> None:
    said = said_in(message_of(waiting(release=replace(RELEASE, status=status, reason="because & so"))))
    assert STANDS[status] in said
    assert ("because &amp; so" in said) == (status in ("promoted", "rejected", "failed", "superseded", "expired",
                                                       "rolled-back", "observed"))  # fmt: skip


def test_decisions_are_told_with_their_comments() -> None:
    said = Decision("Ada", Answer.REJECT, "not before the audit", "link", NOW)
    ended = replace(RELEASE, status=Status.REJECTED, reason="rejected by Ada: not before the audit")
    request = replace(REQUEST, status=RequestStatus.REJECTED, decisions=(said,))
    assert "✗ rejected by Ada, 2026-11-24 09:00 UTC: “not before the audit”" in said_in(
        message_of(waiting(release=ended, request=request))
    )


def test_no_personal_link_and_no_address_stands_in_a_message() -> None:
    assert "http" not in json.dumps(message_of(WAITING))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_words_stand_as_words(text: str) -> None:
    for message in (message_of(hostile_standing(text)), {**refusal_of(text, text)}):
        assert unescaped_in(message) == []
        assert problems_of(message) == []
    words = [one for one in texts_of(message_of(hostile_standing(text))) if one["type"] == "plain_text"]
    assert {one["emoji"] for one in words} == {False}


def test_what_is_formatted_is_ours_alone() -> None:
    """People's words stand in plain text; formatted are labels, mentions, times, and names of the policy that Slack does not know."""
    formatted = [one for one in texts_of(message_of(hostile_standing("*x*"))) if one["type"] == "mrkdwn"]
    assert {one["text"] for one in formatted} == {
        "*Made by*", "*Gates*", "*Serves now*", "*Asked*", "*Until*",
        next(one["text"] for one in formatted if ADA in one["text"]),
        next(one["text"] for one in formatted if "!date" in one["text"]),
    }  # fmt: skip
    assert all(one["verbatim"] for one in formatted)


def test_five_hundred_hostile_texts_escape_nothing(figure: Figure) -> None:
    dice = random.Random(500)
    letters = "<>&!@#|^*_~`:\n/.aU0 \u202e🙂\"'\\"
    texts = [*HOSTILE, *("".join(dice.choices(letters, k=dice.randint(1, 300))) for _ in range(500))]
    unescaped, refused = 0, 0
    for text in texts:
        for message in (message_of(hostile_standing(text)), refusal_of(text, text)):
            unescaped += len(unescaped_in(message))
            refused += len(problems_of(message))
    figure("Hostile texts in Slack's messages", f"{unescaped} unescaped of {len(texts)}", "0 of 500 or more")
    assert (unescaped, refused) == (0, 0)


@given(st.text(max_size=60))
def test_any_text_stands_as_words(text: str) -> None:
    message = message_of(hostile_standing(text))
    assert (unescaped_in(message), problems_of(message)) == ([], [])


def test_a_long_text_is_cut_between_its_entities() -> None:
    message = message_of(waiting(release=replace(RELEASE, model_package_group="&<>" * 60)))
    header = message["blocks"][0]["text"]["text"]
    assert len(header) <= 150
    assert header.endswith("…")
    assert "&" not in re.sub(r"&(amp|lt|gt);", "", header)


def test_fifty_gates_and_fifty_approvers_fit() -> None:
    verdicts = tuple(Verdict(f"gate {number}", Outcome.PASSED, "x" * 500) for number in range(50))
    people = tuple(Approver(name=f"{'n' * 90}{number}", slack_user=f"U{number:08}") for number in range(50))
    many = Standing(replace(RELEASE, verdicts=verdicts), replace(REQUEST, approvers=people), None, NOW)
    message = message_of(many)
    assert problems_of(message) == []
    gates = [one["text"] for one in texts_of(message) if one["text"].startswith("✓")]
    shown, more = gates[0].count("✓ gate"), re.search(r"… and (\d+) more$", gates[0])
    assert more is not None
    assert shown + int(more[1]) == 50
    mentioned = next(one["text"] for one in texts_of(message) if one["text"].startswith("<@"))
    assert mentioned.count("<@U") == 50
