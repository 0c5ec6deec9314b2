"""A release that is late for the lock, which somebody else takes for it meanwhile: what came after that stays as it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from lockkeeper.domain.lock import Lock
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.keep_house import keep_house

from tests.unit.harbour import Harbour, release_id

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
