"""What every ledger keeps of brakes; run over the real and the in-memory one, as `ledger_suite`."""

from __future__ import annotations

from dataclasses import replace

from lockkeeper.domain.adoption import Adoption
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.ports import Champion, Ledger

HOLD = Brake(Did.HELD, "rolled back", "Ada", "arn:aws:iam::111111111111:role/Ada", "2026-11-24T09:00:00.000Z", 1)
LIFT = replace(HOLD, did=Did.LIFTED, reason="it was the load", at="2026-11-24T10:00:00.000Z")
FREEZE = replace(HOLD, did=Did.FROZE, version=0, until="2026-12-24T09:00:00.000Z")
THAW = replace(LIFT, did=Did.UNFROZE, version=0)

ADOPTED = Brake(Did.ADOPTED, "endpoint wages as it serves", "Ada", at="2026-11-24T09:00:00.000Z")
ADOPTION = Adoption("wages", "wages", "by-hand", "Ada", "arn:aws:iam::1:role/Ada", ADOPTED.at, "", '{"KmsKeyId": "k"}')
ADOPTED_CHAMPION = Champion("wages", 0, "", "wages", "by-hand", ADOPTED.at)


def test_a_hold_comes_back_as_it_was_put_on(ledger: Ledger) -> None:
    assert ledger.held("wages", 1) is None
    assert ledger.hold("wages", HOLD)
    assert (ledger.held("wages", 1), ledger.held("wages", 2), ledger.held("prices", 1)) == (HOLD, None, None)


def test_the_first_hold_stands(ledger: Ledger) -> None:
    ledger.hold("wages", HOLD)
    assert not ledger.hold("wages", replace(HOLD, by="Grace", at="2026-11-25T09:00:00.000Z"))
    assert ledger.held("wages", 1) == HOLD
    assert ledger.brake_history("wages", 10) == [HOLD]


def test_a_hold_that_was_lifted_is_gone_and_may_come_again(ledger: Ledger) -> None:
    ledger.hold("wages", HOLD)
    assert ledger.lift_hold("wages", HOLD, LIFT)
    assert (ledger.held("wages", 1), ledger.holds("wages")) == (None, [])
    assert not ledger.lift_hold("wages", HOLD, LIFT)
    again = replace(HOLD, at="2026-11-25T09:00:00.000Z")
    assert ledger.hold("wages", again)
    assert ledger.held("wages", 1) == again


def test_what_took_its_place_is_not_lifted_with_it(ledger: Ledger) -> None:
    again = replace(HOLD, at="2026-11-25T09:00:00.000Z")
    ledger.hold("wages", HOLD)
    ledger.lift_hold("wages", HOLD, LIFT)
    ledger.hold("wages", again)
    assert not ledger.lift_hold("wages", HOLD, LIFT)
    assert ledger.held("wages", 1) == again


def test_nobody_lifts_what_was_never_held(ledger: Ledger) -> None:
    assert not ledger.lift_hold("wages", HOLD, LIFT)
    assert not ledger.unfreeze("wages", FREEZE, THAW)
    assert ledger.brake_history("wages", 10) == []


def test_holds_are_told_by_version(ledger: Ledger) -> None:
    for group, version in (("wages", 12), ("wages", 2), ("prices", 3)):
        ledger.hold(group, replace(HOLD, version=version))
    assert [one.version for one in ledger.holds("wages")] == [2, 12]
    assert ledger.holds("nobody") == []


def test_the_newest_freeze_stands_until_it_is_taken_off(ledger: Ledger) -> None:
    newer = replace(FREEZE, reason="the audit", at="2026-11-25T09:00:00.000Z", until="")
    assert ledger.frozen("wages") is None
    ledger.freeze("wages", FREEZE)
    assert (ledger.frozen("wages"), ledger.frozen("prices")) == (FREEZE, None)
    ledger.freeze("wages", newer)
    assert not ledger.unfreeze("wages", FREEZE, THAW)
    assert ledger.frozen("wages") == newer
    assert ledger.unfreeze("wages", newer, THAW)
    assert ledger.frozen("wages") is None
    ledger.freeze("wages", FREEZE)
    assert ledger.frozen("wages") == FREEZE


def test_what_was_done_is_told_newest_first(ledger: Ledger) -> None:
    ledger.hold("wages", HOLD)
    ledger.lift_hold("wages", HOLD, LIFT)
    asked = replace(HOLD, did=Did.ROLLED_BACK, at="2026-11-26T09:00:00.000Z")
    ledger.note_brake("wages", asked)
    assert ledger.brake_history("wages", 10) == [asked, LIFT, HOLD]
    assert ledger.brake_history("wages", 1) == [asked]
    assert ledger.brake_history("prices", 10) == []


def test_what_is_adopted_is_the_champion_and_comes_back_as_it_was_described(ledger: Ledger) -> None:
    assert ledger.adoption("wages") is None
    assert ledger.adopt(ADOPTION, ADOPTED_CHAMPION, ADOPTED)
    assert (ledger.adoption("wages"), ledger.adoption("prices")) == (ADOPTION, None)
    assert ledger.champion("wages") == ADOPTED_CHAMPION
    assert ledger.served("wages", 10) == [ADOPTED_CHAMPION]
    assert ledger.brake_history("wages", 10) == [ADOPTED]


def test_nothing_is_adopted_in_place_of_a_champion(ledger: Ledger) -> None:
    promoted = replace(ADOPTED_CHAMPION, version=1, release_id="wages-v1-a1")
    ledger.crown(promoted)
    assert not ledger.adopt(ADOPTION, ADOPTED_CHAMPION, ADOPTED)
    assert (ledger.champion("wages"), ledger.adoption("wages")) == (promoted, None)
    assert ledger.brake_history("wages", 10) == []


def test_what_was_adopted_stays_known_when_a_version_is_promoted_over_it(ledger: Ledger) -> None:
    ledger.adopt(ADOPTION, ADOPTED_CHAMPION, ADOPTED)
    promoted = Champion("wages", 1, "wages-v1-a1", "wages", "new", "2026-11-25T09:00:00.000Z")
    ledger.crown(promoted)
    assert ledger.adoption("wages") == ADOPTION
    assert ledger.served("wages", 10) == [promoted, ADOPTED_CHAMPION]
