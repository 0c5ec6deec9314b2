"""What every ledger keeps for the web. `test_in_memory_ledger.py` and `tests/contract/test_dynamodb_ledger.py` run all of it too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.messages import BEGINNING
from lockkeeper.domain.errors import QueryRefused
from lockkeeper.domain.release import Release, Status
from lockkeeper.domain.sign_in import Person, Session, SignInAttempt
from lockkeeper.ports_of_web import Champion
from lockkeeper.use_cases.pinned import iso

from tests.unit.ledger_suite import FIRST

SOON, LATE = iso(BEGINNING + timedelta(minutes=10)), iso(BEGINNING + timedelta(hours=8))
ATTEMPT = SignInAttempt("a" * 64, "b" * 64, "nonce", "verifier", SOON)
SESSION = Session("c" * 64, Person("ada-1", "Ada Lindqvist", "ada@example.com"), iso(BEGINNING), LATE)


def opened(ledger: Any, versions: int, group: str = "wages", hour: int = 9) -> list[str]:
    """Ids of releases that were opened a minute after each other, newest first."""
    for version in range(1, versions + 1):
        at = f"2026-11-24T{hour:02}:{version:02}:00.000Z"
        release_id = f"{group}-v{version}-a1"
        ledger.open(replace(FIRST, release_id=release_id, model_package_group=group, version=version, opened_at=at))
    return [f"{group}-v{version}-a1" for version in range(versions, 0, -1)]


def ids(releases: tuple[Release, ...]) -> list[str]:
    return [one.release_id for one in releases]


def test_a_sign_in_is_taken_once_and_as_it_was(ledger: Any) -> None:
    ledger.begin_sign_in(ATTEMPT)
    assert ledger.take_sign_in("f" * 64) is None
    assert ledger.take_sign_in(ATTEMPT.state_sha256) == ATTEMPT
    assert ledger.take_sign_in(ATTEMPT.state_sha256) is None


def test_an_expired_sign_in_is_not_given_out(ledger: Any) -> None:
    ledger.begin_sign_in(ATTEMPT)
    ledger.clock.advance(timedelta(minutes=10))
    assert ledger.take_sign_in(ATTEMPT.state_sha256) is None


def test_a_session_comes_back_until_it_expires(ledger: Any) -> None:
    ledger.open_session(SESSION)
    assert ledger.session("f" * 64) is None
    assert ledger.session(SESSION.sha256) == SESSION
    ledger.clock.advance(timedelta(hours=8) - timedelta(seconds=1))
    assert ledger.session(SESSION.sha256) == SESSION
    ledger.clock.advance(timedelta(seconds=1))
    assert ledger.session(SESSION.sha256) is None


def test_a_session_that_was_ended_is_gone(ledger: Any) -> None:
    ledger.open_session(SESSION)
    ledger.end_session(SESSION.sha256)
    ledger.end_session("f" * 64)
    assert ledger.session(SESSION.sha256) is None


def test_releases_come_in_pages_newest_first(ledger: Any) -> None:
    expected = opened(ledger, 5)
    found, after, pages = [], "", 0
    while pages == 0 or after:
        page = ledger.page(limit=2, after=after)
        found += ids(page.releases)
        after, pages = page.after, pages + 1
    assert found == expected
    assert pages == 3


def test_a_page_that_holds_everything_is_the_last(ledger: Any) -> None:
    opened(ledger, 2)
    assert ledger.page(limit=2).after in ("", "wages-v1-a1")
    assert ledger.page(limit=3).after == ""
    assert ledger.page(limit=2, after="wages-v1-a1").releases == ()


def test_pages_are_of_a_group_and_of_a_status(ledger: Any) -> None:
    opened(ledger, 3)
    prices = opened(ledger, 2, "prices", hour=10)
    ledger.record("wages-v2-a1", "failed", "", status=Status.FAILED)
    assert ids(ledger.page(group="prices").releases) == prices
    assert ids(ledger.page(status="failed").releases) == ["wages-v2-a1"]
    assert ids(ledger.page(status="failed", group="prices").releases) == []
    first = ledger.page(group="wages", limit=2)
    assert ids(first.releases) == ["wages-v3-a1", "wages-v2-a1"]
    assert ids(ledger.page(group="wages", limit=2, after=first.after).releases) == ["wages-v1-a1"]


def test_there_is_no_page_after_a_release_that_is_unknown(ledger: Any) -> None:
    with pytest.raises(QueryRefused, match="go on after"):
        ledger.page(after="nobody")


def test_what_served_is_told_newest_first(ledger: Any) -> None:
    for version in (1, 2, 3):
        since = f"2026-11-2{version}T09:00:00.000Z"
        ledger.crown(Champion("wages", version, f"wages-v{version}-a1", "wages", f"config-{version}", since))
    ledger.crown(Champion("prices", 7, "prices-v7-a1", "prices", "config", "2026-11-29T09:00:00.000Z"))
    assert [one.version for one in ledger.served("wages", 10)] == [3, 2, 1]
    assert [one.version for one in ledger.served("wages", 2)] == [3, 2]
    assert ledger.served("nobody", 10) == []
