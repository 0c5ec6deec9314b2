"""A rollback that somebody asks for while other things happen: releases end, endpoints are scaled, functions die."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.release import Status
from lockkeeper.ports import Wait
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.settle_wait import complete_wait

from tests.unit.braking import ADA, FIRST, SECOND, bring_withdrawn, look_around, rollback, serving_two, to_production
from tests.unit.breaking import BreakingHarbour, Broken
from tests.unit.harbour import ENDPOINT, GROUP, Harbour, release_id


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_who_gives_way_to_a_rollback_leaves_the_lock_to_it(harbour: Harbour) -> None:
    """It is closed before anybody has gone the way back, while what serves still has the status of its promotion."""
    serving_two(harbour)
    harbour.register(3)
    ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    harbour.settle()
    assert harbour.release(3).status is Status.SUPERSEDED
    lock = harbour.world.ledger.lock_of(GROUP)
    assert lock is not None
    assert (lock.owner, lock.production_begun) == (release_id(2), True)
    again = ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    assert "wages-v2-a1 is on its way back already" in again["note"]
    harbour.register(4)
    assert harbour.release(4).status is Status.WAITING_FOR_LOCK
    bring_withdrawn(harbour)
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)
    assert harbour.release(4).status is Status.AWAITING_APPROVAL


def scaled_before_an_update(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaling begins between the next look and its update, and lasts for longer than until the next try."""
    production = harbour.world.production
    update, advance, slowly = production.update, production.advance, [False]

    def overtaken(*arguments: Any, **named: Any) -> None:
        monkeypatch.undo()
        production.change(ENDPOINT, "Updating")
        monkeypatch.setattr(production, "advance", lambda name: slowly.pop() if slowly else advance(name))
        update(*arguments, **named)

    monkeypatch.setattr(production, "update", overtaken)


def test_a_promotion_whose_endpoint_is_being_scaled_waits_and_goes(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.promote(1)
    scaled_before_an_update(harbour, monkeypatch)
    to_production(harbour, 2)
    assert harbour.serving() == SECOND


def test_a_way_back_whose_endpoint_is_being_scaled_waits_and_goes(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither that the endpoint is Updating nor what it serves afterwards says anything about the way back."""
    harbour.promote(1)
    to_production(harbour, 2)
    scaled_before_an_update(harbour, monkeypatch)
    rollback(harbour)
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)


def ended(wait: Wait, harbour: Harbour) -> None:
    assert complete_wait(wait, {}, harbour.world)


def ended_and_not_told(wait: Wait, harbour: Harbour) -> None:
    assert harbour.world.ledger.settle_wait(wait, {"output": {}})


@pytest.mark.parametrize("end_well", [ended, ended_and_not_told])
def test_a_bake_that_ends_well_while_somebody_asks_is_no_rollback(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, end_well: Any
) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    ledger = harbour.world.ledger
    hold = ledger.hold

    def overtaken(*arguments: Any) -> None:
        monkeypatch.undo()
        wait = ledger.wait_of(release_id(2), "WatchProduction")
        assert wait is not None
        end_well(wait, harbour)
        hold(*arguments)

    monkeypatch.setattr(ledger, "hold", overtaken)
    with pytest.raises(TryAgain, match="between two states"):
        ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    assert harbour.published("Rollback Requested") == []
    harbour.settle()
    assert harbour.release(2).status is Status.PROMOTED
    rollback(harbour)
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)


def test_a_bake_whose_state_is_about_to_be_tried_again_is_no_rollback(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    harbour.world.tasks.withdraw(harbour.machine.executions[release_id(2)].token)
    with pytest.raises(TryAgain, match="between two states"):
        ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)


def asked_until_heard(harbour: Harbour) -> None:
    """A person asks until the answer is none to ask again; a request may die, and what it would have told is found by the house."""
    for _ in range(4):
        with suppress(Broken, TryAgain):
            ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
            break
        harbour.settle()
    harbour.settle()
    bring_withdrawn(harbour)
    look_around(harbour)


def urgent(at: int = 0, *, after: bool = False) -> BreakingHarbour:
    """Version 2 serves, version 3 has the lock, and somebody wants version 1 back: the request dies at one of its calls."""
    harbour = BreakingHarbour(at, after=after)
    serving_two(harbour)
    harbour.register(3)
    harbour.breaking.begin()
    asked_until_heard(harbour)
    return harbour


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_urgent_rollback_that_dies_anywhere_is_asked_for_again_and_goes(after: bool) -> None:
    calls = urgent().breaking.calls
    asked = calls.index("publisher.publish", calls.index("ledger.note_brake")) + 1
    for at in range(1, asked + 1):
        harbour = urgent(at, after=after)
        found = harbour.release(2).status, harbour.serving(), harbour.world.ledger.lock_of(GROUP)
        assert found[:2] == (Status.ROLLED_BACK, FIRST), f"call {at}, {calls[at - 1]}"


def test_while_a_promotion_waits_for_a_scaling_what_serves_can_be_rolled_back(harbour: Harbour) -> None:
    serving_two(harbour)
    harbour.register(3)
    production = harbour.world.production
    advance = production.advance
    production.change(ENDPOINT, "Updating")
    tries = [False] * 4
    asked: list[str] = []

    def slowly(name: str) -> bool:
        if len(tries) == 1 and not asked:
            asked.append(ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)["note"])
        return tries.pop() if tries else advance(name)

    production.advance = slowly  # type: ignore[method-assign]
    harbour.approve()
    production.advance = advance  # type: ignore[method-assign]
    bring_withdrawn(harbour)
    assert "Production goes back to version 1" in asked[0]
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)
    assert harbour.release(3).reason == "wages-v2-a1 owns the lock of wages; nothing was changed"
