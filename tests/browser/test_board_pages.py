"""Somebody signs in at their organisation's provider and looks what is where."""

from __future__ import annotations

import pytest

from tests.browser.people import House
from tests.browser.window import DESK, PHONE, Window

ADA_AT_THE_PROVIDER = "ada@example.com"


@pytest.fixture(scope="module")
def fleet(house: House) -> str:
    """A group whose first version serves and whose second waits for Ada."""
    house.asks("fleet")
    approve(house, "fleet", 1)
    house.cloud.wait_for("fleet-v1-a1", "promoted")
    house.next_version("fleet", 2)
    return "fleet"


def approve(house: House, group: str, version: int) -> None:
    """Ada approves on the page behind the link in her mail."""
    answered = house.press(group, version, "approve")
    assert answered == 200


def sign_in(browser: Window, house: House, path: str = "/") -> None:
    """As Ada, where the provider asks who one is."""
    browser.open(house.cloud.running.web_url.rstrip("/") + path)
    assert browser.heading() == "Who are you?"
    browser.write("E-mail address", ADA_AT_THE_PROVIDER)
    browser.press("Sign in with this address")


def test_who_signs_in_comes_back_to_the_page_they_wanted_and_signs_out(
    house: House, fleet: str, browser: Window
) -> None:
    sign_in(browser, house, f"/groups/{fleet}")
    assert browser.heading() == fleet
    assert browser.url.endswith(f"/groups/{fleet}")
    assert "Version 1 at endpoint fleet" in browser.text
    browser.press("Sign out")
    browser.open(house.cloud.running.web_url + "/")
    assert browser.heading() == "Who are you?"


def test_who_does_not_sign_in_sees_nothing_of_the_board(house: House, fleet: str, browser: Window) -> None:
    browser.open(house.cloud.running.web_url + f"/releases/{fleet}-v1-a1")
    assert browser.heading() == "Who are you?"
    browser.press("Do not sign in")
    assert fleet not in browser.text
    assert browser.complained_about("status of 4")


def test_the_board_tells_what_waits_what_serves_and_what_ended(house: House, fleet: str, browser: Window) -> None:
    sign_in(browser, house)
    assert browser.heading() == "Releases"
    for part in ("Under way", "Ada", "Serving", "Ended recently", "promoted"):
        assert part in browser.text
    browser.follow("fleet")
    assert browser.heading() == "fleet"
    assert "regression_metrics.mae.value" in browser.source
    browser.back()
    assert browser.heading() == "Releases"


def test_a_release_is_told_with_its_evidence(house: House, fleet: str, browser: Window) -> None:
    sign_in(browser, house, f"/releases/{fleet}-v1-a1")
    assert browser.heading() == "fleet version 1"
    for part in ("Verdicts", "Decisions", "Ada", "Timeline", "promoted", "sha256"):
        assert part in browser.text
    assert browser.foreign_requests() == []


def test_the_session_is_out_of_reach_of_scripts_and_of_other_sites(house: House, browser: Window) -> None:
    sign_in(browser, house)
    (session,) = [one for one in browser.cookies() if one["httpOnly"] and "session" in one["name"]]
    assert session["sameSite"] in ("Lax", "Strict")


def test_the_keyboard_alone_signs_in_and_reads(house: House, fleet: str, browser: Window) -> None:
    browser.open(house.cloud.running.web_url + "/")
    browser.tab_to("E-mail address")
    browser.type(ADA_AT_THE_PROVIDER)
    browser.tab_to("Sign in with this address")
    assert browser.focus_is_visible()
    browser.enter()
    browser.tab_to("fleet")
    assert browser.focus_is_visible()
    browser.enter()
    assert browser.heading() == "fleet"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nobody_is_kept_out_of_the_board(
    house: House, fleet: str, browser: Window, size: tuple[int, int], dark: bool
) -> None:
    browser.sized(size, dark=dark)
    browser.open(house.cloud.running.web_url + "/")
    assert browser.barriers() == []
    sign_in(browser, house)
    for path in ("/", f"/groups/{fleet}", f"/releases/{fleet}-v1-a1", f"/releases/{fleet}-v2-a1"):
        browser.open(house.cloud.running.web_url + path)
        assert browser.barriers() == [], path
        assert browser.overflow() == 0, path
