"""What every ledger keeps of drift and retrainings; run over the real and the in-memory one, as `ledger_suite`."""

from __future__ import annotations

from dataclasses import replace

from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.drift import DriftSignal
from lockkeeper.domain.retraining import Answer, Head, Kept, Retraining, Stage
from lockkeeper.domain.violations import Drifted
from lockkeeper.ports import Ledger

SIGNAL = DriftSignal(
    "event-1", "event", "wages", "2026-11-24T09:00:00.000Z", (Drifted("exp", "event", 0.136, 0.1),), rows=612, version=3
)
HELD_BACK = Kept(SIGNAL, Answer.FROZEN, "it is frozen", "2026-11-24T09:00:01.000Z")
STARTED = replace(HELD_BACK, answer=Answer.STARTED, reason="it drifts", number=1)
FIRST = Retraining(
    "wages", 1, "2026-11-24T09:00:01.000Z", "event-1", "it drifts", "wages-train", ("exp",), {"Reason": "it drifts"}, 3
)
RESUMED = Brake(Did.RESUMED, "the data are whole", "Ada", "arn", "2026-11-25T09:00:00.000Z")


def signal(number: int) -> Kept:
    at = f"2026-11-24T09:{number:02d}:00.000Z"
    return replace(HELD_BACK, signal=replace(SIGNAL, signal_id=f"event-{number}", at=at))


def begun(ledger: Ledger) -> Retraining:
    assert ledger.begin_retraining(STARTED, FIRST, ledger.retraining_head("wages"))
    return FIRST


def test_a_signal_is_kept_once_as_it_was_said(ledger: Ledger) -> None:
    assert ledger.signal("wages", "event-1") is None
    assert ledger.keep_signal(HELD_BACK)
    assert not ledger.keep_signal(replace(HELD_BACK, reason="somebody else's"))
    assert ledger.signal("wages", "event-1") == HELD_BACK
    assert ledger.signal("prices", "event-1") is None


def test_signals_are_listed_newest_first(ledger: Ledger) -> None:
    for number in (2, 1, 3):
        ledger.keep_signal(signal(number))
    assert [kept.signal.signal_id for kept in ledger.signals("wages", 2)] == ["event-3", "event-2"]


def test_a_signal_that_started_nothing_may_get_another_answer(ledger: Ledger) -> None:
    stale = replace(HELD_BACK, answer=Answer.STALE)
    assert not ledger.answer_anew(stale)
    ledger.keep_signal(HELD_BACK)
    assert ledger.answer_anew(stale)
    assert ledger.signals("wages", 5) == [stale]


def test_a_retraining_begins_once_with_its_signal(ledger: Ledger) -> None:
    assert ledger.retraining_head("wages") == Head("wages")
    seen = ledger.retraining_head("wages")
    begun(ledger)
    assert not ledger.begin_retraining(STARTED, FIRST, seen)
    assert ledger.retraining_head("wages") == Head("wages", 1, 1)
    assert ledger.signal("wages", "event-1") == STARTED
    assert ledger.retraining("wages", 1) == FIRST
    assert ledger.retraining("wages", 2) is None
    assert not ledger.answer_anew(HELD_BACK)


def test_a_second_one_begins_after_the_first_has_ended_alone(ledger: Ledger) -> None:
    first = begun(ledger)
    second = replace(FIRST, number=2, signal_id="event-2")
    kept = replace(signal(2), answer=Answer.STARTED, number=2)
    assert not ledger.begin_retraining(kept, second, ledger.retraining_head("wages"))
    assert ledger.signal("wages", "event-2") is None
    assert ledger.change_retraining(first, first.changed(stage=Stage.DID_NOT_HELP, outcome="it failed"))
    assert ledger.begin_retraining(kept, second, ledger.retraining_head("wages"))
    assert [one.number for one in ledger.retrainings("wages", 5)] == [2, 1]


def test_what_waited_may_start_later(ledger: Ledger) -> None:
    ledger.keep_signal(HELD_BACK)
    ledger.let_wait("wages", "event-1")
    assert ledger.heads() == [Head("wages", 0, 0, "event-1")]
    begun(ledger)
    assert ledger.heads() == [Head("wages", 1, 1)]


def test_an_alarm_waits_for_the_end_of_the_retraining_that_it_started(ledger: Ledger) -> None:
    alarm = replace(STARTED, signal=replace(SIGNAL, source="alarm"))
    assert ledger.begin_retraining(alarm, FIRST, ledger.retraining_head("wages"))
    assert ledger.heads() == [Head("wages", 1, 1, "event-1")]
    ledger.change_retraining(FIRST, FIRST.changed(stage=Stage.DID_NOT_HELP))
    assert ledger.heads() == [Head("wages", 1, 0, "event-1")]


def test_what_became_of_a_retraining_is_written_by_one(ledger: Ledger) -> None:
    first = begun(ledger)
    running = first.changed(stage=Stage.RUNNING, execution_arn="arn")
    assert ledger.change_retraining(first, running)
    assert not ledger.change_retraining(first, first.changed(stage=Stage.DID_NOT_HELP))
    made = running.changed(version=4, stage=Stage.REGISTERED)
    assert ledger.change_retraining(running, made)
    assert ledger.retraining_of("wages", 4) == made
    assert ledger.retraining_of("wages", 5) is None
    ended = made.changed(stage=Stage.HELPED, outcome="it serves", ended_at="2026-11-24T11:00:00.000Z")
    assert ledger.change_retraining(made, ended)
    assert ledger.retraining_head("wages").open == 0
    assert ledger.heads() == []
    assert ledger.change_retraining(ended, ended.changed(stage=Stage.DID_NOT_HELP))
    assert ledger.retraining_head("wages") == Head("wages", 1)


def test_the_breaker_is_closed_with_its_line_in_the_history(ledger: Ledger) -> None:
    ledger.resume_retraining("wages", RESUMED)
    assert ledger.retraining_head("wages") == Head("wages", resumed_at=RESUMED.at)
    assert ledger.brake_history("wages", 5) == [RESUMED]
    begun(ledger)
    assert ledger.retraining_head("wages").resumed_at == RESUMED.at
