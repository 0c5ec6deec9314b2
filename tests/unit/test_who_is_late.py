"""A state that is late to say what it waits for, which somebody else has ended meanwhile: what came after that stays as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lockkeeper.domain.approval import ApprovalRequest
from lockkeeper.domain.errors import BakeFailed
from lockkeeper.domain.lock import Lock
from lockkeeper.domain.release import Status
from lockkeeper.ports import Wait
from lockkeeper.use_cases.keep_house import keep_house
from lockkeeper.use_cases.settle_wait import complete_wait, fail_wait

from tests.unit.harbour import GROUP, Harbour, release_id

ASKED = "somebody was asked"


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def said_of(harbour: Harbour, version: int) -> list[str]:
    """What a release's timeline says of the lock, and of what came after it."""
    timeline = harbour.release(version).timeline
    return [entry.what for entry in timeline if "lock" in entry.what or entry.what == ASKED]


def test_who_keeps_the_house_takes_the_lock_for_a_release(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = harbour.world.ledger
    queue = ledger.queue_for_lock

    def be_late(group: str, release: str, version: int) -> None:
        queue(group, release, version)
        keep_house(timedelta(), harbour.world)
        ledger.record(release, ASKED, "", status=Status.AWAITING_APPROVAL)

    monkeypatch.setattr(ledger, "queue_for_lock", be_late)
    harbour.register(1)
    assert said_of(harbour, 1) == ["lock taken", ASKED]


def test_who_has_the_lock_hands_it_on_to_a_release(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = harbour.world.ledger
    take = ledger.take_lock
    harbour.register(1)
    harbour.approve()

    def be_late(group: str, release: str, version: int) -> Lock:
        lock = take(group, release, version)
        monkeypatch.setattr(ledger, "take_lock", take)
        harbour.machine.stop(release_id(1))
        harbour.reap(1)
        ledger.record(release, ASKED, "", status=Status.AWAITING_APPROVAL)
        return lock

    monkeypatch.setattr(ledger, "take_lock", be_late)
    harbour.register(2)
    assert said_of(harbour, 2) == ["lock taken", ASKED]


def test_somebody_answers_before_anybody_was_told(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, ask = harbour.world.ledger, harbour.world.ledger.ask

    def be_late(request: ApprovalRequest, links: list[str]) -> bool:
        asked = ask(request, links)
        wait = ledger.wait_of(request.release_id, "RequestStagingApproval")
        assert wait is not None
        complete_wait(wait, {}, harbour.world)
        ledger.record(request.release_id, ASKED, "", status=Status.DEPLOYING)
        return asked

    monkeypatch.setattr(ledger, "ask", be_late)
    harbour.register(1)
    said = [entry.what for entry in harbour.release(1).timeline]
    assert ASKED in said
    assert "approval requested before staging" not in said
    assert harbour.world.mail.letters == []


def test_an_alarm_ends_a_bake_before_anybody_says_that_it_began(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, store = harbour.world.ledger, harbour.world.ledger.store_wait

    def be_late(wait: Wait) -> None:
        store(wait)
        if wait.state == "WatchProduction":
            complete_wait(wait, {}, harbour.world)
            ledger.record(wait.release_id, "went on", "")

    monkeypatch.setattr(ledger, "store_wait", be_late)
    harbour.register(1)
    harbour.approve()
    assert "watching production" not in [entry.what for entry in harbour.release(1).timeline]


@pytest.mark.parametrize("state", ["OpenRelease", "RequestStagingApproval", "WatchProduction"])
def test_two_tries_of_a_state_at_once_are_followed_by_a_third(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The earlier one stores its wait over that of the later one, which is waited for: neither can tell."""
    ledger, store = harbour.world.ledger, harbour.world.ledger.store_wait
    stored: list[Wait] = []

    def be_overtaken(wait: Wait) -> None:
        store(wait)
        if wait.state == state and not any(one.state == state for one in stored):
            store(replace(wait, token="of another try"))
        stored.append(wait)

    monkeypatch.setattr(ledger, "store_wait", be_overtaken)
    harbour.register(1)
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    harbour.settle()
    assert len([wait for wait in stored if wait.state == state]) == 2
    assert harbour.release(1).status is Status.PROMOTED


def test_a_version_whose_bake_is_ended_at_once_is_held(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its execution is stopped before anybody has begun to take it back."""
    ledger, store = harbour.world.ledger, harbour.world.ledger.store_wait
    harbour.promote(1)

    def be_late(wait: Wait) -> None:
        store(wait)
        if wait.state == "WatchProduction":
            harbour.machine.stop(wait.release_id)
            fail_wait(wait, BakeFailed("an alarm"), harbour.world)

    monkeypatch.setattr(ledger, "store_wait", be_late)
    harbour.register(2)
    harbour.approve()
    harbour.reap(2)
    harbour.settle()
    assert [brake.version for brake in ledger.holds(GROUP)] == [2]
