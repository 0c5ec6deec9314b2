"""The board: what it shows to whoever is signed in, and that nobody else sees anything."""

from __future__ import annotations

import re
from copy import deepcopy
from html.parser import HTMLParser
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.release import Outcome, Status, Verdict

from checks.rules import BY_SESSION
from tests.handlers.web import Browser, with_sign_in
from tests.unit.harbour import GROUP, Harbour, policy_document, release_id
from tests.unit.scoring import for_jobs, promoted

MARKUP = "<script>alert('x')</script>"
PAGES = ("/", f"/groups/{GROUP}", f"/releases/{release_id(1)}")


@pytest.fixture
def browser(harbour: Harbour) -> Browser:
    return with_sign_in(harbour.world)


@pytest.fixture
def reader(harbour: Harbour, browser: Browser) -> Browser:
    """Somebody who is signed in, where version 1 waits for an approval."""
    harbour.register(1)
    browser.sign_in()
    return browser


def text_of(answer: dict[str, Any]) -> str:
    """What a page says, without markup."""
    assert answer["statusCode"] == 200, answer
    without = re.sub(r"<style>.*?</style>", " ", answer["body"], flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without))


def pages_by_session() -> list[str]:
    """The pages of the template's routes that ask for a session."""
    found = [route.removeprefix("GET ") for route in BY_SESSION if route.startswith("GET /")]
    return sorted(one for one in found if not one.startswith("/sign-"))


@pytest.mark.parametrize("page", pages_by_session())
def test_who_is_not_signed_in_is_sent_to_sign_in_and_comes_back(harbour: Harbour, browser: Browser, page: str) -> None:
    harbour.register(1)
    address = page.replace("{group}", GROUP).replace("{release_id}", release_id(1))
    answer = browser.get(f"{address}?after=x")
    assert (answer["statusCode"], answer["body"]) == (303, "")
    assert answer["headers"]["Location"] == f"/sign-in?next={address.replace('/', '%2F')}%3Fafter%3Dx"
    assert browser.sign_in(answer["headers"]["Location"])["headers"]["Location"] == f"{address}?after=x"


@pytest.mark.parametrize("page", PAGES)
def test_a_session_that_is_over_shows_nothing(harbour: Harbour, reader: Browser, page: str) -> None:
    assert reader.get(page)["statusCode"] == 200
    harbour.pass_time(hours=8)
    assert reader.get(page)["statusCode"] == 303


def test_the_front_says_what_waits_for_whom_and_until_when(reader: Browser) -> None:
    text = text_of(reader.get("/"))
    assert "wages-v1-a1 awaiting-approval" in text
    assert "Ada, Grace before staging; 1 must approve" in text
    assert "2026-11-27 09:00 UTC" in text
    assert "wages nothing yet" in text


def test_the_front_says_what_serves_since_when_and_what_ended(harbour: Harbour, reader: Browser) -> None:
    harbour.decide(Answer.APPROVE)
    harbour.settle()
    assert "the end of its bake" in text_of(reader.get("/"))
    promote(harbour)
    text = text_of(reader.get("/"))
    assert re.search(r"wages 1 wages 2026-11-24 09:\d\d UTC", text)
    assert "wages-v1-a1 promoted" in text
    assert "Nothing. A release opens" in text


def promote(harbour: Harbour) -> None:
    harbour.traffic()
    harbour.pass_time(minutes=10)
    harbour.settle()
    assert harbour.release(1).status is Status.PROMOTED


def test_a_release_that_waits_for_the_lock_names_who_has_it(harbour: Harbour, reader: Browser) -> None:
    harbour.decide(Answer.APPROVE)
    harbour.settle()
    harbour.register(2)
    assert "the lock of wages, which wages-v1-a1 has" in text_of(reader.get("/"))


def test_the_page_of_a_release_has_every_kind_of_fact(harbour: Harbour, reader: Browser) -> None:
    harbour.decide(Answer.APPROVE, comment="good work")
    harbour.settle()
    release = harbour.release(1)
    text = text_of(reader.get(f"/releases/{release_id(1)}"))
    for part in (
        "wages version 1",
        "0.8 meets &gt;= 0.7",
        "good work",
        release.pins.artifacts[0].sha256,
        release.pins.images[0],
        release.pins.policy["sha256"],
        release.pins.seals["judged"],
        release.pins.seals["tested"],
        release.model_package_arn,
        "policy pinned",
        "model_quality",
        "binary_classification_metrics",
        "Endpoint in production",
        "transitions",
    ):
        assert part in text, part


def test_a_dossier_that_somebody_changed_is_said(harbour: Harbour, reader: Browser) -> None:
    key = harbour.world.objects.address_of(f"dossiers/{release_id(1)}/judged.json")
    harbour.world.objects.stored[key] = b'{"evidence": {}}'
    assert "is not what was sealed" in text_of(reader.get(f"/releases/{release_id(1)}"))
    del harbour.world.objects.stored[key]
    assert "is gone or cannot be read" in text_of(reader.get(f"/releases/{release_id(1)}"))


def test_the_pages_of_what_only_jobs_run_speak_of_no_endpoint(harbour: Harbour, reader: Browser) -> None:
    for_jobs(harbour)
    promoted(harbour, 2)
    text = text_of(reader.get(f"/groups/{GROUP}"))
    assert "Version 2 for jobs, named in parameter /lockkeeper/wages/champion , since" in text
    text = text_of(reader.get(f"/releases/{release_id(2)}"))
    assert "Known to jobs in production" in text
    assert "Endpoint in production" not in text
    assert "Production costs depends on the jobs that run it" in text


def test_the_page_of_a_group_has_champions_holds_and_a_plot(harbour: Harbour, reader: Browser) -> None:
    harbour.decide(Answer.APPROVE)
    harbour.settle()
    promote(harbour)
    harbour.register(2, accuracy=0.75)
    harbour.world.ledger.hold(GROUP, Brake(Did.HELD, "an alarm went off", version=3))
    answer = reader.get(f"/groups/{GROUP}")
    text = text_of(answer)
    assert "Version 1 at endpoint wages , since" in text
    assert "Version 3 is held: an alarm went off" in text
    assert "binary_classification_metrics.accuracy.value by version" in text
    assert "version 1: 0.8, passed; version 2: 0.75" in text
    assert answer["body"].count("<circle") == 2
    assert 'class="bound"' in answer["body"]


def test_a_group_without_releases_and_one_that_is_unknown(harbour: Harbour, browser: Browser) -> None:
    browser.sign_in()
    assert "Nothing yet." in text_of(browser.get(f"/groups/{GROUP}"))
    for name in ("nobody", "..%2F", "a" * 64, MARKUP):
        answer = browser.get(f"/groups/{name}")
        assert answer["statusCode"] == 404
        assert "<script" not in answer["body"]


def test_an_unknown_release_is_404(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.get("/releases/nobody")
    assert answer["statusCode"] == 404
    assert "There is no such release" in answer["body"]


def test_many_releases_of_a_group_come_in_pages(harbour: Harbour, browser: Browser) -> None:
    fill(harbour.world, 45)
    browser.sign_in()
    seen: list[str] = []
    address = f"/groups/{GROUP}"
    for _ in range(3):
        body = browser.get(address)["body"]
        seen += re.findall(r'scope="row"><a href="/releases/(wages-v\d+-a1)"', body)
        older = re.search(r'href="([^"]+)">Older releases', body)
        address = older[1] if older else ""
    assert seen == [f"wages-v{version}-a1" for version in range(45, 0, -1)]
    assert address == ""
    assert browser.get(f"/groups/{GROUP}?after=nobody")["statusCode"] == 400


def fill(world: InMemoryWorld, count: int) -> None:
    from tests.unit.web_suite import opened

    opened(world.ledger, count)
    for version in range(1, count + 1):
        verdict = Verdict("quality: accuracy", Outcome.PASSED, "fine", 0.7 + version / 1000, ">= 0.7")
        world.ledger.record(f"wages-v{version}-a1", "judged", "", verdicts=(verdict,))


def test_the_board_is_of_bounded_size(harbour: Harbour, browser: Browser) -> None:
    from tests.unit.web_suite import opened

    for hour in range(4):
        opened(harbour.world.ledger, 40, f"group-{hour}", hour)
    browser.sign_in()
    body = browser.get("/")["body"]
    assert len(re.findall(r'scope="row"><a href="/releases/', body)) == 100
    assert "And 60 older ones" in body


@pytest.mark.parametrize("page", PAGES)
def test_reading_changes_nothing(harbour: Harbour, reader: Browser, page: str) -> None:
    def kept() -> dict[str, Any]:
        return deepcopy({**reader.world.ledger.__dict__, "writing": None, "clock": None})

    before = kept()
    reader.get(page)
    assert kept() == before


@pytest.mark.parametrize("page", PAGES)
def test_names_and_comments_are_shown_as_text(harbour: Harbour, browser: Browser, page: str) -> None:
    document = policy_document()
    document["approval"]["quorum"] = 2
    document["approval"]["approvers"][0]["name"] = MARKUP
    harbour.apply(document)
    harbour.register(1, author="<SCRIPT>lin</SCRIPT>")
    harbour.decide(Answer.APPROVE, MARKUP, comment=MARKUP)
    harbour.world.ledger.hold(GROUP, Brake(Did.HELD, MARKUP, version=7))
    harbour.world.ledger.record(release_id(1), MARKUP, MARKUP, reason=MARKUP)
    assert browser.world.identity_provider is not None
    browser.world.identity_provider.claims["name"] = MARKUP
    browser.sign_in()
    assert "<script" not in browser.get(page)["body"].lower()


class Outline(HTMLParser):
    """What assistive technology goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.landmarks: list[str] = []
        self.columns = self.scoped = self.rows = 0
        self.ids: list[str] = []
        self.referred: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.referred += given.get("aria-labelledby", "").split()
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in ("main", "header", "nav"):
            self.landmarks.append(tag)
        if tag == "th":
            self.columns += 1
            self.scoped += given.get("scope") in ("col", "row")
        if tag == "a":
            self.links.append(given["href"])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_read_without_seeing_it(harbour: Harbour, reader: Browser, page: str) -> None:
    harbour.decide(Answer.APPROVE)
    harbour.settle()
    promote(harbour)
    outline = Outline()
    outline.feed(reader.get(page)["body"])
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    assert (outline.landmarks.count("main"), outline.landmarks.count("header")) == (1, 1)
    assert outline.columns == outline.scoped > 0
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.referred) <= set(outline.ids)
    assert all(link.startswith("/") and not link.startswith("//") for link in outline.links)


def test_pages_load_nothing_and_run_nothing(reader: Browser) -> None:
    for page in PAGES:
        answer = reader.get(page)
        assert "default-src 'none'" in answer["headers"]["Content-Security-Policy"]
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert (
            re.findall(r"<script|<link(?! rel=\"icon\" href=\"data:)|<img|<iframe|\bon\w+=|url\(", answer["body"]) == []
        )


def test_the_button_of_the_page_signs_out(reader: Browser) -> None:
    secret = next(value for name, value in reader.cookies.items() if "session" in name)
    token = re.search(r'name="token" value="([0-9a-f]{64})"', reader.get("/")["body"])
    assert token
    assert secret not in reader.get("/")["body"]
    answer = reader.ask("POST", "/sign-out", token=token[1])
    assert answer["statusCode"] == 200
    assert "You are signed out" in answer["body"]
    assert reader.world.ledger.sessions == {}
    assert not any("session" in name for name in reader.cookies)
    reader.cookies["__Host-lockkeeper-session"] = secret
    assert reader.get("/")["statusCode"] == 303
