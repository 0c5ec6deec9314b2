"""Somebody opens the link in a mail, on a phone or at a desk, and decides."""

from __future__ import annotations

import pytest

from tests.browser.people import ADA, BEN, House
from tests.browser.window import DESK, PHONE, Window

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script> & \u202ereversed"


def test_what_keeps_people_out_and_what_the_browser_complains_about_is_noticed(browser: Window) -> None:
    """The judges of the other tests, on a page that is bad."""
    browser.open(
        "data:text/html,<p style='color:%23ddd'>pale</p><button></button><script>console.error('broken')</script>"
    )
    found = {one.partition(":")[0] for one in browser.barriers()}
    assert {"color-contrast", "button-name", "html-has-lang", "document-title"} <= found
    assert browser.complained_about("broken")


def test_a_page_is_read_and_approved_with_a_click(house: House, browser: Window) -> None:
    house.asks("clicked")
    link = house.link("clicked")
    browser.open(link)
    assert browser.heading() == "clicked version 1 to staging?"
    assert {"Approve", "Reject"} <= set(browser.buttons())
    assert "regression_metrics.mae.value" in browser.text
    assert house.cloud.release_status("clicked-v1-a1") == "awaiting-approval"
    browser.write("Comment", "Looks right to me")
    browser.press("Approve")
    assert "You approved it" in browser.text
    assert "Approve" not in browser.buttons()
    release = house.cloud.wait_for("clicked-v1-a1", "promoted")
    assert [(one["approver"], one["comment"], one["channel"]) for one in release["approvals"]] == [
        ("Ada", "Looks right to me", "link")
    ]


def test_a_rejection_with_a_comment_is_read_as_it_was_written(house: House, browser: Window) -> None:
    """Also where the comment would be markup: everybody who opens the page later reads it."""
    house.asks("spurned", f"[{ADA}, {BEN}]")
    browser.open(house.link("spurned"))
    browser.write("Comment", HOSTILE)
    browser.press("Reject")
    assert "You rejected it" in browser.text
    release = house.cloud.wait_for("spurned-v1-a1", "rejected")
    assert "<script>alert(1)</script>" in release["reason"]
    browser.open(house.link("spurned", address="ben@example.com"))
    assert "<img src=x onerror=alert(1)><script>alert(1)</script>" in browser.text
    assert browser.foreign_requests() == []


def test_opened_again_after_the_decision_it_says_who_decided_and_asks_nothing(house: House, browser: Window) -> None:
    house.asks("twice", f"[{ADA}, {BEN}]")
    link = house.link("twice")
    browser.open(link)
    browser.press("Approve")
    house.cloud.wait_for("twice-v1-a1", "promoted")
    for again in (link, house.link("twice", address="ben@example.com")):
        browser.open(again)
        assert "Ada" in browser.text
        assert "approved" in browser.text
        assert {"Approve", "Reject"}.isdisjoint(browser.buttons())


def test_a_page_from_before_the_decision_decides_nothing_any_more(house: House, browser: Window) -> None:
    """Somebody left it open while somebody else decided; going back in the browser is no second decision either."""
    house.asks("stale", f"[{ADA}, {BEN}]")
    browser.open(house.link("stale", address="ben@example.com"))
    with browser.another_tab():
        browser.open(house.link("stale"))
        browser.press("Approve")
    browser.press("Reject")
    assert "Nothing was changed" in browser.text
    assert browser.complained_about("status of 4")
    release = house.cloud.wait_for("stale-v1-a1", "promoted")
    assert [one["approver"] for one in release["approvals"]] == ["Ada"]


def test_a_question_whose_time_is_over_says_so(house: House, browser: Window) -> None:
    release_id = house.asks("late")
    link = house.link("late")
    house.expire(release_id)
    browser.open(link)
    assert {"Approve", "Reject"}.isdisjoint(browser.buttons())
    assert "This question expired" in browser.text


def test_a_link_that_was_never_sent_says_what_to_do(house: House, browser: Window) -> None:
    house.asks("altered")
    link = house.link("altered")
    browser.open(link[:-1] + ("A" if link[-1] != "A" else "B"))
    assert browser.heading() == "This link is not known"
    assert "open the newest mail" in browser.text
    assert browser.complained_about("404")


def test_a_phone_shows_the_question_and_both_buttons_without_scrolling(house: House, browser: Window) -> None:
    house.asks("pocket")
    browser.sized(PHONE)
    browser.open(house.link("pocket"))
    assert browser.overflow() == 0
    for name in ("Approve", "Reject"):
        assert browser.bottom_of(browser.button(name)) <= PHONE[1]


def test_the_keyboard_alone_decides(house: House, browser: Window) -> None:
    house.asks("typed")
    browser.open(house.link("typed"))
    browser.tab_to("Comment")
    assert browser.focus_is_visible()
    browser.type("By keyboard")
    browser.tab_to("Approve")
    assert browser.focus_is_visible()
    browser.enter()
    assert "You approved it" in browser.text
    release = house.cloud.wait_for("typed-v1-a1", "promoted")
    assert [one["comment"] for one in release["approvals"]] == ["By keyboard"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_nobody_is_kept_out_by_the_page(house: House, browser: Window, size: tuple[int, int], dark: bool) -> None:
    """axe-core on the question, the answer and a refusal."""
    group = f"axe-{'dark' if dark else 'light'}-{size[0]}"
    house.asks(group)
    link = house.link(group)
    browser.sized(size, dark=dark)
    browser.open(link)
    assert browser.barriers() == []
    browser.write("Comment", "fine")
    browser.press("Reject")
    assert browser.barriers() == []
    browser.open(link[:-3])
    assert browser.barriers() == []
    assert browser.complained_about("404")


def test_the_page_needs_no_script_and_loads_nothing(house: House, browser: Window) -> None:
    house.asks("plain")
    browser.open(house.link("plain"))
    assert "<script" not in browser.source
    assert browser.foreign_requests() == []
