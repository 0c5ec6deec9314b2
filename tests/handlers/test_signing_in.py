"""Sign-in and sign-out as a browser meets them: redirects, cookies, and the form that ends a session."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.handlers.web import Browser, provider_of, with_sign_in
from tests.unit.harbour import Harbour

SESSION = "__Host-lockkeeper-session"
SIGN_IN = "__Host-lockkeeper-sign-in"


@pytest.fixture
def browser(harbour: Harbour) -> Browser:
    return with_sign_in(harbour.world)


def test_sign_in_goes_to_the_provider_and_back_to_where_one_was(browser: Browser) -> None:
    answer = browser.get("/sign-in?next=%2Fgroups%2Fwages")
    assert answer["statusCode"] == 303
    assert urlsplit(answer["headers"]["Location"]).netloc == "id.example.com"
    back = browser.come_back()
    assert (back["statusCode"], back["headers"]["Location"]) == (303, "/groups/wages")
    assert SESSION in browser.cookies


def test_cookies_are_of_this_host_alone_and_no_script_reads_them(browser: Browser) -> None:
    browser.get("/sign-in")
    line, _ = browser.set
    assert re.fullmatch(rf"{SIGN_IN}=[\w-]{{43}}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax", line), line
    browser.come_back()
    line, _ = browser.set
    assert re.fullmatch(rf"{SESSION}=[\w-]{{43}}; Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Lax", line), line


def test_on_a_laptop_cookies_do_without_https(harbour: Harbour) -> None:
    harbour.world.web_url = "http://127.0.0.1:4567"
    browser = with_sign_in(harbour.world)
    browser.sign_in()
    assert sorted(browser.cookies) == ["lockkeeper-session", "lockkeeper-sign-in"]
    assert all("Secure" not in line for line in browser.set)


def test_nothing_of_a_sign_in_is_cached_or_referred(browser: Browser) -> None:
    for answer in (browser.get("/sign-in"), browser.come_back(), browser.come_back()):
        assert answer["headers"]["Cache-Control"] == "no-store"
        assert answer["headers"]["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "wanted", ["https%3A%2F%2Fevil.example.com", "%2F%2Fevil.example.com", "%2F%5Cevil.example.com"]
)
def test_nobody_is_sent_to_another_site_after_it(browser: Browser, wanted: str) -> None:
    assert browser.sign_in(f"/sign-in?next={wanted}")["headers"]["Location"] == "/"


def test_an_answer_counts_once(browser: Browser) -> None:
    browser.sign_in()
    again = browser.come_back()
    assert again["statusCode"] == 403
    assert "You could not be signed in" in again["body"]


def test_an_answer_in_another_browser_signs_nobody_in(browser: Browser) -> None:
    browser.get("/sign-in")
    stranger = Browser(browser.world)
    assert stranger.come_back()["statusCode"] == 403
    assert SESSION not in stranger.cookies
    assert browser.world.ledger.sessions == {}


def test_tabs_that_are_opened_together_all_come_back(browser: Browser) -> None:
    states = []
    for page in ("/groups/one", "/groups/two", "/approvals/a-link"):
        states.append((page, parse_qs(urlsplit(browser.get(f"/sign-in?next={page}")["headers"]["Location"]).query)))
    for page, asked in states:
        provider_of(browser.world).asked.update({name: values[0] for name, values in asked.items()})
        assert browser.come_back()["headers"]["Location"] == page
    assert not [name for name in browser.cookies if "next" in name]


def test_where_one_goes_on_is_kept_by_the_browser_alone(browser: Browser) -> None:
    browser.get("/sign-in?next=/approvals/a-personal-link")
    assert "a-personal-link" not in repr(browser.world.ledger.__dict__)


def test_a_planted_place_to_go_on_leads_to_no_other_site(browser: Browser) -> None:
    browser.get("/sign-in?next=/groups/wages")
    name = next(name for name in browser.cookies if "next" in name)
    browser.cookies[name] = "%2F%2Fevil.example.com"
    assert browser.come_back()["headers"]["Location"] == "/"


def test_a_cookie_that_is_not_ours_is_not_kept_on(browser: Browser) -> None:
    browser.cookies[SIGN_IN] = "planted"
    browser.get("/sign-in")
    assert len(browser.cookies[SIGN_IN]) == 43


def test_of_two_cookies_of_one_name_neither_counts(browser: Browser) -> None:
    from tests.handlers.conftest import handler_of
    from tests.handlers.web import request

    browser.sign_in()
    event: dict[str, Any] = request("POST", "/sign-out", "token=x", browser.cookies)
    event["cookies"].append(f"{SESSION}=planted")
    assert handler_of("serve_web")(event, None)["statusCode"] == 200
    assert len(browser.world.ledger.sessions) == 1


def test_a_new_sign_in_ends_the_session_before(browser: Browser) -> None:
    browser.sign_in()
    browser.sign_in()
    assert len(browser.world.ledger.sessions) == 1


@pytest.mark.parametrize("error", ["access_denied", "<script>alert(1)</script>"])
def test_a_refusal_of_the_provider_is_told(browser: Browser, error: str) -> None:
    browser.get("/sign-in")
    answer = browser.come_back(error=error)
    assert answer["statusCode"] == 403
    assert "<script" not in answer["body"]


def test_without_a_provider_there_is_nothing_to_sign_in_at(harbour: Harbour) -> None:
    browser = Browser(harbour.world)
    assert browser.get("/sign-in")["statusCode"] == 404
    assert browser.get("/sign-in/callback?state=x&code=y")["statusCode"] == 404


def test_a_form_of_another_site_signs_nobody_out(browser: Browser) -> None:
    browser.sign_in()
    for token in ("", "guessed", "\udcff"):
        assert browser.ask("POST", "/sign-out", token=token.encode("utf-8", "replace").decode())["statusCode"] == 400
    assert len(browser.world.ledger.sessions) == 1
    assert SESSION in browser.cookies


def test_sign_out_without_a_session_takes_the_cookie_away(browser: Browser) -> None:
    answer = browser.ask("POST", "/sign-out")
    assert answer["statusCode"] == 200
    assert any(line.startswith(f"{SESSION}=;") and "Max-Age=0" in line for line in browser.set)


def test_secrets_of_a_sign_in_are_never_logged(
    browser: Browser, log: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    browser.sign_in()
    browser.come_back()
    written = capsys.readouterr()
    everything = log.getvalue() + written.out + written.err
    assert "ada@example.com" in everything
    for secret in (*browser.cookies.values(), provider_of(browser.world).asked["state"], "a-code"):
        assert secret not in everything
