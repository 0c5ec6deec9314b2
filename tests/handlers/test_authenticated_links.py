"""Links that can be read by whoever holds them, and decide for whoever also signs in as their owner."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import NotPermitted, PolicyInvalid, SignInNeeded
from lockkeeper.domain.release import Status
from lockkeeper.domain.weakened import weakened
from lockkeeper.use_cases.decide_approval import decide_by_link

from tests.handlers.test_json_api import ADA, call
from tests.handlers.web import Browser, provider_of, with_sign_in
from tests.unit.harbour import Harbour, policy_document, release_id


def ask(harbour: Harbour, links: str = "authenticated") -> None:
    document = policy_document()
    document["approval"]["links"] = links
    harbour.apply(document)
    harbour.register(1)


@pytest.fixture
def browser(harbour: Harbour) -> Browser:
    made = with_sign_in(harbour.world)
    ask(harbour)
    return made


def press(browser: Browser, page: str, answer: str = "approve") -> dict[str, Any]:
    """Send the form of the page, which it has only for who may; else a form that was made elsewhere with the right token."""
    token = re.search(r'name="token" value="([0-9a-f]+)"', browser.get(page)["body"])
    return browser.ask("POST", page, answer=answer, token=token[1] if token else token_of(browser, page))


def token_of(browser: Browser, page: str) -> str:
    from lockkeeper.domain.form_token import form_token
    from lockkeeper.use_cases.decide_approval import open_link

    link = page.rpartition("/")[2]
    question = open_link(link, browser.world)
    return form_token(link, question.link, question.request.seal)


def page_of(harbour: Harbour, approver: str = "Ada") -> str:
    return f"/approvals/{harbour.link(approver)}"


def test_who_holds_the_link_reads_the_page_and_is_asked_to_sign_in(harbour: Harbour, browser: Browser) -> None:
    page = page_of(harbour)
    body = browser.get(page)["body"]
    assert "0.8 meets &gt;= 0.7" in body
    assert "<form" not in body
    assert f'<a href="/sign-in?next={page}">Sign in to decide</a>' in body


def test_without_a_session_the_form_decides_nothing(harbour: Harbour, browser: Browser) -> None:
    answer = press(browser, page_of(harbour))
    assert answer["statusCode"] == 401
    assert "Please sign in" in answer["body"]
    assert harbour.release(1).approvals == ()


def test_the_way_from_link_over_sign_in_back_to_the_link_decides(harbour: Harbour, browser: Browser) -> None:
    page = page_of(harbour)
    way = re.search(r'href="(/sign-in[^"]+)"', browser.get(page)["body"])
    assert way
    assert browser.sign_in(way[1])["headers"]["Location"] == page
    answer = press(browser, page)
    assert answer["statusCode"] == 200
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING
    assert harbour.release(1).approvals[0]["channel"] == "link"


def test_somebody_else_who_signs_in_may_not_decide_by_it(harbour: Harbour, browser: Browser) -> None:
    browser.sign_in()
    page = page_of(harbour, "Grace")
    body = browser.get(page)["body"]
    assert "<form" not in body
    assert "you are signed in as ada@example.com, and this link is Grace&#39;s" in body
    assert press(browser, page)["statusCode"] == 403
    assert harbour.release(1).approvals == ()


def test_an_address_that_the_provider_has_not_verified_opens_no_session_and_decides_nothing(
    harbour: Harbour, browser: Browser
) -> None:
    provider_of(browser.world).claims["email_verified"] = False
    assert browser.sign_in()["statusCode"] == 403
    assert press(browser, page_of(harbour))["statusCode"] == 401


def test_a_session_that_is_over_decides_nothing(harbour: Harbour, browser: Browser) -> None:
    browser.sign_in()
    page = page_of(harbour)
    token = token_of(browser, page)
    harbour.pass_time(hours=8)
    assert browser.ask("POST", page, answer="approve", token=token)["statusCode"] == 401
    assert harbour.release(1).approvals == ()


def test_no_way_of_the_core_decides_by_such_a_link_alone(harbour: Harbour, browser: Browser) -> None:
    link = harbour.link()
    with pytest.raises(SignInNeeded):
        decide_by_link(link, Answer.APPROVE, "", browser.world)
    with pytest.raises(NotPermitted):
        decide_by_link(link, Answer.APPROVE, "", browser.world, signed_in_as="ada@example.com.evil.example.com")
    assert decide_by_link(link, Answer.APPROVE, "", browser.world, signed_in_as="ADA@example.com").decisions


def test_other_ways_to_decide_stay_as_they_are(harbour: Harbour, browser: Browser) -> None:
    status, _ = call("post", f"/api/releases/{release_id(1)}/decision", {"answer": "approve"}, ADA)
    assert status == 200


def test_a_personal_link_decides_for_whoever_holds_it_signed_in_or_not(harbour: Harbour) -> None:
    browser = with_sign_in(harbour.world)
    ask(harbour, "personal")
    assert press(browser, page_of(harbour))["statusCode"] == 200


@pytest.mark.parametrize("access", ["none", "links", ""])
def test_where_nobody_can_sign_in_the_release_ends_before_anything_is_deployed(harbour: Harbour, access: str) -> None:
    harbour.world.web_access = access
    ask(harbour)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "nobody can sign in here" in release.reason
    assert "WebAccess=sign-in" in release.reason
    assert (harbour.world.staging.endpoints, harbour.world.mail.letters) == ({}, [])


def test_where_nobody_is_asked_links_are_nobodys_business(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"] = {"before": [], "links": "authenticated"}
    harbour.apply(document)
    harbour.register(1)
    assert harbour.release(1).status is Status.BAKING


def test_a_policy_that_stops_asking_for_a_sign_in_asks_for_less() -> None:
    import yaml
    from lockkeeper.domain.policy import parse_policy

    def policy(links: str) -> Any:
        document = policy_document()
        document["approval"]["links"] = links
        return parse_policy(yaml.safe_dump(document), source="policy.yaml")

    assert weakened(policy("authenticated"), policy("personal")) == (
        "links decide for whoever holds them, without a sign-in",
    )
    assert weakened(policy("personal"), policy("authenticated")) == ()
    with pytest.raises(PolicyInvalid, match="links"):
        policy("public")
