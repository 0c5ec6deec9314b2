"""An alarm goes off once and stays on: what a retraining has not mended is decided anew, under the same brakes."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.retraining import Answer, Stage
from lockkeeper.ports_of_retraining import Step
from lockkeeper.use_cases.follow_retraining import follow_execution

from tests.unit.drifting import ALARM, Drifting, drift_policy, drifting, look
from tests.unit.harbour import GROUP, package_arn

__all__ = ["drifting"]

OTHER = "wages-drift-of-union"


def goes_off(drifting: Drifting, name: str = ALARM) -> Answer:
    (kept,) = drifting.tell(drifting.alarm(name))
    return kept.answer  # type: ignore[no-any-return]


def listens_to_both(drifting: Drifting) -> None:
    policy = drift_policy()
    drifting.harbour.apply({**policy, "drift": {**policy["drift"], "alarms": [ALARM, OTHER]}})


def answers(drifting: Drifting) -> list[Answer]:
    return [kept.answer for kept in drifting.world.ledger.signals(GROUP, 10)]


def waiting(drifting: Drifting) -> str:
    return drifting.world.ledger.retraining_head(GROUP).waiting


def test_an_alarm_that_is_still_on_after_a_useless_retraining_starts_the_next_one_until_it_is_given_up(
    drifting: Drifting,
) -> None:
    assert goes_off(drifting) is Answer.STARTED
    drifting.fail("CapacityError: no spot capacity")
    assert look(drifting) == []
    assert set(answers(drifting)) == {Answer.COOLING, Answer.STARTED}
    (started,) = look(drifting, minutes=60)
    assert started.startswith("wages: retraining started: alarm says that ExpDrift")
    assert drifting.started() == 2
    drifting.fail("CapacityError: no spot capacity")
    assert [look(drifting, minutes=120) for _ in range(10)] == [[]] * 10
    assert drifting.started() == 2
    assert len(drifting.harbour.published("Retraining Given Up")) == 1
    assert Answer.GIVEN_UP in answers(drifting)


def test_an_alarm_that_the_policy_names_no_more_starts_nothing(drifting: Drifting) -> None:
    listens_to_both(drifting)
    drifting.drift()
    assert goes_off(drifting, OTHER) is Answer.IN_FLIGHT
    drifting.harbour.apply(drift_policy())
    drifting.fail()
    (said,) = look(drifting, minutes=60)
    assert said.endswith(f"the policy names {OTHER} no more")
    assert (drifting.started(), waiting(drifting)) == (1, "")


def test_an_alarm_that_went_off_while_a_retraining_was_in_flight_is_not_forgotten(drifting: Drifting) -> None:
    listens_to_both(drifting)
    drifting.drift()
    assert goes_off(drifting, OTHER) is Answer.IN_FLIGHT
    assert look(drifting) == [], "it waits for the end of that one"
    drifting.fail()
    (started,) = look(drifting, minutes=60)
    assert "retraining started: alarm says" in started
    assert drifting.newest().signal_id == waiting(drifting)


def test_what_is_promoted_leaves_nothing_waiting(drifting: Drifting) -> None:
    listens_to_both(drifting)
    goes_off(drifting)
    drifting.pass_time(minutes=5)
    drifting.succeed(2)
    assert drifting.newest().stage is Stage.HELPED
    assert look(drifting, minutes=120) == []
    assert (waiting(drifting), drifting.started(), answers(drifting)) == ("", 1, [Answer.STARTED])


def test_another_alarm_of_before_the_promotion_is_about_an_older_version_then(drifting: Drifting) -> None:
    listens_to_both(drifting)
    goes_off(drifting)
    drifting.pass_time(minutes=5)
    assert goes_off(drifting, OTHER) is Answer.IN_FLIGHT
    drifting.succeed(2)
    (said,) = look(drifting, minutes=120)
    assert said.startswith("wages: about an older version")
    assert (waiting(drifting), drifting.started()) == ("", 1)


@pytest.mark.parametrize("state", ["OK", "INSUFFICIENT_DATA"])
def test_an_alarm_that_is_off_by_now_starts_nothing(drifting: Drifting, state: str) -> None:
    goes_off(drifting)
    drifting.fail()
    look(drifting)
    drifting.world.production.change_alarm(ALARM, state)
    (said,) = look(drifting, minutes=60)
    assert said.endswith(f"drifted; alarm {ALARM} is {state} by now")
    assert (waiting(drifting), drifting.started()) == ("", 1)
    assert set(answers(drifting)) == {Answer.OFF, Answer.STARTED}
    assert goes_off(drifting) is Answer.STARTED, "it goes off again"


def test_a_brake_that_ends_after_the_alarm_does_not_start_anything_either() -> None:
    drifting = Drifting(cooldown="0s")
    drifting.world.pipelines.existing.clear()
    assert goes_off(drifting) is Answer.NO_PIPELINE
    drifting.world.production.change_alarm(ALARM, "OK")
    drifting.world.pipelines.existing.add("wages-train")
    assert len(look(drifting)) == 1
    assert (waiting(drifting), drifting.started()) == ("", 0)


def test_a_version_that_says_nothing_of_training_leaves_the_alarm_to_be_decided_anew(drifting: Drifting) -> None:
    goes_off(drifting)
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.world.pipelines.end(arn)
    follow_execution(arn, drifting.harbour.inside)
    assert look(drifting, minutes=25 * 60) == ["wages-r1: version 2 was never released"]
    (started,) = look(drifting)
    assert started.startswith("wages: retraining started")


def test_monitors_and_tools_say_it_again_by_themselves(drifting: Drifting) -> None:
    drifting.drift()
    assert drifting.drift(id="another").answer is Answer.IN_FLIGHT
    drifting.fail()
    assert (look(drifting, minutes=120), waiting(drifting), drifting.started()) == ([], "", 1)


def test_who_dies_between_an_answer_and_what_waits_starts_no_third_one(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_off(drifting)
    drifting.fail()

    def dead(*_: Any) -> None:
        raise OSError("the sandbox is gone")

    with monkeypatch.context() as broken:
        broken.setattr(drifting.world.ledger, "let_wait", dead)
        with pytest.raises(AssertionError, match="the sandbox is gone"):
            look(drifting)
    assert len(look(drifting, minutes=60)) == 1
    assert (drifting.started(), len(answers(drifting))) == (2, 2)
