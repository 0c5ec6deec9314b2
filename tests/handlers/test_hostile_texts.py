"""Names, comments and measures that were written to do harm, wherever people read them: page, Slack, mail and log."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer, ApprovalRequest, Decision
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Outcome, Pin, Pins, Release, Status, Verdict
from lockkeeper.domain.slack_message import Standing, message_of
from lockkeeper.domain.words import HIDDEN, JOINERS, one_line, visible
from lockkeeper.entry import logger
from lockkeeper.ports import Champion
from lockkeeper.use_cases.decide_approval import Question
from lockkeeper.use_cases.letters import letters_about, post

from functions.serve_web import approvals
from tests.conftest import Figure

MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</p></section><h1>Approved</h1>", '" autofocus onfocus="x',
    "' onclick='x", "<a href='https://evil.example'>here</a>", "<form action='//evil.example'>", "<style>*{display:none}</style>",
    "&lt;script&gt;", "&#60;b&#62;", "<!-- ", "{{ 7*7 }}", "{% raw %}", "javascript:alert(1)", "]]><b>", "<svg/onload=alert(1)>",
    "<meta http-equiv=refresh content=0>", "<button name=answer value=approve>", "<input name=token>", "<base href=//evil.example>",
)  # fmt: skip
MRKDWN = (
    "<!channel>", "<!here> approve now", "<@U0ADA0ADA>", "<https://evil.example|the page>", "*approved*", "_x_ ~y~", "`code`",
    ":white_check_mark: passed", "<!date^0^{date}|x>", "&amp;<!everyone>", "<mailto:x@example.com|mail>", "> quoted", "```a```",
    "<#C024BE7LR>", "<!subteam^S1>",
)  # fmt: skip
LINES = (
    "x\r\nBcc: all@example.com", "x\n\nhttps://evil.example/approvals/z", "x\rApproved", "x\u2028Approved by Ada", "x\u2029y",
    "x\x85y", "x\x0by", "x\x0cy", "tab\there", '{"level": "INFO"}\n{"message": "forged"}', "x\x1ey",
)  # fmt: skip
HIDING = (
    "\u202egnp.exe", "\u2066a\u2069", "\u200bx", "\u200e\u200f", "\ufeffx", "\x00", "x\x00y", "\x1b[31mred\x1b[0m", "\x07",
    "\x08\x08\x08ok",
    "\u061cx", "\u180ex", "\U000e0041x", "\udcffx", "\ue000x", "\x7f",
)  # fmt: skip
SEEDS = (*MARKUP, *MRKDWN, *LINES, *HIDING)
FORMS = ("{}", "Ada {}", "{} {}", "{0}\u202e{0}", "\r\n{}", "<b>{}</b>", "{}\x00", "& {} <", "'{}\"")
STRINGS = tuple(dict.fromkeys(form.format(seed, seed) for form in FORMS for seed in SEEDS))[:500]
NOW, SOON = "2026-11-26T07:00:00.000Z", "2026-11-29T07:00:00.000Z"


def release_of(text: str) -> Release:
    """The text wherever somebody else's words may stand."""
    verdict = Verdict(f"quality: {text}", Outcome.PASSED, text, 0.8, text)
    return Release(
        "wages-v1-a1", "wages", 1, 1, "arn:aws:sagemaker:eu-central-1:111111111111:model-package/wages/1",
        status=Status.AWAITING_APPROVAL, author=text, weakened=(text, text), reason=text,
        verdicts=(verdict, replace(verdict, gate="contract", measured=text)),
        about={"intended use": text, "risk": text, "ethical considerations": text, "caveats": text, "reason": text, "drift": text},
        made_by=text,
        pins=Pins((Pin(text, text, "a" * 64),), (text,), {"sha256": "b" * 64}, {"judged": "c" * 64}, ({text: text},)),
    )  # fmt: skip


def question_of(text: str) -> Question:
    approvers = (Approver.model_construct(name=text, email="ada@example.com", roles=(text,), slack_user=None,
                                          aws_principal=text, studio_profile=None),)  # fmt: skip
    said = Decision("Lin", Answer.APPROVE, text, "link", NOW)
    request = ApprovalRequest(
        "wages-v1-a1", "staging", "c" * 64, 2, approvers, "lin", NOW, SOON, decisions=(said,), one_of_each=(text,)
    )
    champion = Champion("wages", 2, text, text, text, NOW)
    return Question("d" * 64, release_of(text), request, approvers[0], champion, release_of(text), expired=False)


class Skeleton(HTMLParser):
    """What a browser makes of a page beside its text: elements with the names of their attributes, and comments."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[Any] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, [name for name, _ in attrs]))

    def handle_comment(self, data: str) -> None:
        self.parts.append("comment")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(f"/{tag}")


def hidden(shown: str) -> bool:
    return not HIDDEN.isdisjoint(unicodedata.category(one) for one in set(shown) - set(f"\n\t{JOINERS}"))


def page_of(text: str) -> str:
    return str(approvals._page(question_of(text), "a link").body)


def texts_in(blocks: Any) -> Iterator[str]:
    if isinstance(blocks, dict):
        if blocks.get("type") in ("plain_text", "mrkdwn"):
            yield blocks["text"]
        for value in blocks.values():
            yield from texts_in(value)
    elif isinstance(blocks, list):
        for one in blocks:
            yield from texts_in(one)


OURS = {"<!date^1795935600^{date_short_pretty} {time}|2026-11-29 07:00 UTC>"}


def without_ours(shown: str) -> str:
    for one in OURS:
        shown = shown.replace(one, "")
    return shown


def in_slack(text: str) -> bool:
    """Whether something is left that Slack would read as more than words."""
    question = question_of(text)
    message = message_of(Standing(question.release, question.request, (2, "version 2", NOW), NOW))
    shown = [*texts_in(message["blocks"]), message["text"]]
    formatted = [one["text"] for one in _mrkdwn(message["blocks"])]
    # Bold and italic marks may stand where nothing but words is shown, and in no text that Slack formats but our labels.
    if any(mark in label for label in formatted if label.startswith("*") for mark in ("\n", "`")):
        return True
    return any("<" in without_ours(one) or ">" in without_ours(one) or hidden(one) for one in shown)


def _mrkdwn(blocks: Any) -> Iterator[dict[str, Any]]:
    if isinstance(blocks, dict):
        if blocks.get("type") == "mrkdwn":
            yield blocks
        for value in blocks.values():
            yield from _mrkdwn(value)
    elif isinstance(blocks, list):
        for one in blocks:
            yield from _mrkdwn(one)


def letter_of(text: str) -> tuple[str, str]:
    """A letter, with its secret taken out: that is another each time."""
    world, question = InMemoryWorld(), question_of(text)
    letters = letters_about("wages-v1-a1", replace(question.request, decisions=()), NOW)
    post(letters, question.release, question.request, world)
    (mail,) = world.mail.letters
    return mail.subject, mail.text.replace(letters[0].secret, "SECRET")


def lone_links(letter: str) -> int:
    """Links on a line of their own, as ours is."""
    return sum(line.strip().startswith("https://") for line in letter.splitlines())


def test_what_people_wrote_is_text_and_nothing_else_in_pages_slack_mails_and_logs(
    figure: Figure, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the runner itself keeps of a log goes between processes in UTF-8, which has no halves of characters.
    monkeypatch.setattr(logging.getLogger("lockkeeper"), "propagate", False)
    skeleton = Skeleton(page_of("Ada")).parts
    subject, mail = letter_of("Ada")
    lines, links, wrong = len(mail.splitlines()), lone_links(mail), []
    for text in STRINGS:
        page = page_of(text)
        if Skeleton(page).parts != skeleton or hidden(page):
            wrong.append(("page", ascii(text)))
        if in_slack(text):
            wrong.append(("slack", ascii(text)))
        told, letter = letter_of(text)
        if told != subject or len(letter.splitlines()) != lines or hidden(letter) or lone_links(letter) != links:
            wrong.append(("mail", ascii(text)))
        log.seek(0)
        log.truncate()
        logger.warning(f"refused: {text}", approver=text)
        written = log.getvalue()
        if len(written.splitlines()) != 1 or hidden(written) or json.loads(written)["approver"] != text:
            wrong.append(("log", ascii(text)))
    figure("hostile texts in pages, Slack, mails and logs", f"{len(wrong)} unescaped of {len(STRINGS)}", "0 of 500")
    assert (wrong[:5], len(STRINGS)) == ([], 500)


def test_every_kind_of_hidden_character_is_among_the_texts() -> None:
    found = {unicodedata.category(character) for text in STRINGS for character in text}
    assert found >= HIDDEN


def test_a_text_in_one_line_has_one_line() -> None:
    assert one_line("a\r\nb\u2028c\td\x85e") == "a b c d e"
    assert visible("a\u202eb\x00") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
