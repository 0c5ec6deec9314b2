"""Somebody else tells what one has decided, in the moment between the write and the telling: the decision counts, and is published."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import AlreadyDecided, RequestClosed
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.keep_house import QUIET, keep_house

from tests.unit.breaking import Broken, CutOnce
from tests.unit.harbour import Harbour, release_id


@pytest.fixture
def harbour() -> Harbour:
    """Version 1 waits for Ada or Grace."""
    asked = Harbour()
    asked.register(1)
    return asked


def meanwhile(harbour: Harbour, monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """Something happens once, right after a decision was written and before it is told."""
    write = harbour.world.ledger.decide

    def decide(*parts: Any) -> bool:
        written = write(*parts)
        monkeypatch.setattr(harbour.world.ledger, "decide", write)
        happens()
        return written

    monkeypatch.setattr(harbour.world.ledger, "decide", decide)


def press(harbour: Harbour, person: str, answer: Answer) -> None:
    decide_by_link(harbour.link(person), answer, "", harbour.inside)


def test_who_is_later_may_tell_it_and_the_decision_is_published_once(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grace_is_too_late() -> None:
        with pytest.raises(AlreadyDecided):
            press(harbour, "Grace", Answer.REJECT)

    meanwhile(harbour, monkeypatch, grace_is_too_late)
    press(harbour, "Ada", Answer.APPROVE)
    harbour.settle()
    release = harbour.release(1)
    assert release.status is Status.BAKING
    assert "a decision came too late" not in {entry.what for entry in release.timeline}
    assert [one["approver"] for one in harbour.published("Approval Decided")] == ["Ada"]


def test_the_house_may_tell_it(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    harbour.pass_time(minutes=10)
    meanwhile(harbour, monkeypatch, lambda: keep_house(QUIET, harbour.inside))
    press(harbour, "Ada", Answer.APPROVE)
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING
    assert len(harbour.published("Approval Decided")) == 1


@pytest.mark.parametrize("cut", ["tasks.succeed", "publisher.publish", "ledger.wait_delivered"])
def test_who_looks_after_a_decision_whose_function_died_publishes_it_too(harbour: Harbour, cut: str) -> None:
    harbour.pass_time(minutes=10)
    dying: Any = CutOnce(harbour.world, cut)
    with pytest.raises(Broken):
        decide_by_link(harbour.link("Ada"), Answer.APPROVE, "", dying)
    for _ in range(2):
        harbour.settle()
        harbour.world.clock.advance(QUIET)
        keep_house(QUIET, harbour.inside)
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING
    published = [one["approver"] for one in harbour.published("Approval Decided")]
    assert set(published) == {"Ada"}
    assert len(published) == (2 if cut == "ledger.wait_delivered" else 1), "twice rather than never"


def between_two_tries(harbour: Harbour) -> None:
    """The state that asks has broken after its letters, and is not yet tried again."""
    execution = harbour.machine.executions[release_id(1)]
    harbour.world.tasks.withdraw(execution.token)
    execution.token, execution.tries = "", 1


def counts_and_is_published_once(harbour: Harbour, status: Status) -> None:
    harbour.settle()
    release = harbour.release(1)
    assert release.status is status
    assert "a decision came too late" not in {entry.what for entry in release.timeline}
    assert [one["approver"] for one in harbour.published("Approval Decided")] == ["Ada"]


BOTH = pytest.mark.parametrize(
    ("answer", "status"), [(Answer.APPROVE, Status.BAKING), (Answer.REJECT, Status.REJECTED)]
)


@BOTH
def test_a_decision_between_two_tries_of_its_state_counts_and_is_published_by_the_next(
    harbour: Harbour, answer: Answer, status: Status
) -> None:
    between_two_tries(harbour)
    decide_by_link(harbour.link("Ada"), answer, "why not", harbour.inside)
    assert harbour.published("Approval Decided") == [], "nobody knows whether there will be a next try"
    assert "decided between two tries" in {entry.what for entry in harbour.release(1).timeline}
    counts_and_is_published_once(harbour, status)


@BOTH
def test_a_decision_between_two_tries_whose_function_died_counts_and_is_published_by_the_next(
    harbour: Harbour, answer: Answer, status: Status
) -> None:
    between_two_tries(harbour)
    cut = "tasks.succeed" if answer is Answer.APPROVE else "tasks.fail"
    with pytest.raises(Broken):
        decide_by_link(harbour.link("Ada"), answer, "why not", CutOnce(harbour.world, cut))  # type: ignore[arg-type]
    counts_and_is_published_once(harbour, status)


def test_a_rejection_that_the_next_try_has_gone_by_already_was_in_time(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    between_two_tries(harbour)
    meanwhile(harbour, monkeypatch, harbour.settle)
    decide_by_link(harbour.link("Ada"), Answer.REJECT, "why not", harbour.inside)
    counts_and_is_published_once(harbour, Status.REJECTED)


@BOTH
def test_a_decision_that_meets_the_next_try_counts(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, answer: Answer, status: Status
) -> None:
    between_two_tries(harbour)
    write = harbour.world.ledger.decide

    def asked_anew_first(*parts: Any) -> bool:
        monkeypatch.setattr(harbour.world.ledger, "decide", write)
        harbour.settle()
        return write(*parts)

    monkeypatch.setattr(harbour.world.ledger, "decide", asked_anew_first)
    decide_by_link(harbour.link("Ada"), answer, "why not", harbour.inside)
    counts_and_is_published_once(harbour, status)


def test_a_decision_on_a_release_that_ended_otherwise_says_so(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    def it_ends() -> None:
        harbour.world.tasks.withdraw(harbour.machine.executions[release_id(1)].token)
        harbour.world.ledger.record(release_id(1), "closing", "expired", ending={"error": "States.Timeout"})

    meanwhile(harbour, monkeypatch, it_ends)
    with pytest.raises(RequestClosed, match="changes nothing"):
        press(harbour, "Ada", Answer.APPROVE)
    assert "a decision came too late" in {entry.what for entry in harbour.release(1).timeline}
    assert harbour.published("Approval Decided") == []
