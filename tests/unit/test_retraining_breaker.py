"""What does not help opens the breaker, and a person closes it."""

from __future__ import annotations

import pytest
from lockkeeper.domain.errors import NothingToRelease
from lockkeeper.domain.release import Status
from lockkeeper.domain.retraining import Answer, Stage
from lockkeeper.ports_of_retraining import Step
from lockkeeper.use_cases.brake import resume_retraining
from lockkeeper.use_cases.follow_retraining import follow_execution

from tests.conftest import Figure
from tests.unit.braking import ADA, freeze, rollback
from tests.unit.drifting import Drifting, drift_policy, drifting, look
from tests.unit.harbour import GROUP, package_arn, policy_document

__all__ = ["drifting"]


def useless(drifting: Drifting, cycle: int) -> None:
    """A retraining that does not help, each time in another way."""
    if cycle % 3 == 0:
        drifting.fail()
    elif cycle % 3 == 1:
        drifting.succeed(cycle + 2, accuracy=0.1)
    else:
        drifting.world.pipelines.end(drifting.running().execution_arn)
        follow_execution(drifting.running().execution_arn, drifting.harbour.inside)


@pytest.mark.parametrize("give_up_after", [1, 2, 3])
def test_ten_cycles_of_useless_retraining_stop_at_the_breaker(give_up_after: int, figure: Figure) -> None:
    drifting = Drifting(give_up_after=give_up_after)
    for cycle in range(10):
        kept = drifting.drift()
        if kept.answer is Answer.STARTED:
            useless(drifting, cycle)
        look(drifting, minutes=120)
    figure(
        f"useless retrainings, give_up_after {give_up_after}",
        f"{drifting.started()} started in 10 cycles",
        f"at most {give_up_after}",
    )
    assert drifting.started() == give_up_after
    (told,) = drifting.harbour.published("Retraining Given Up")
    assert told["urgent"]
    assert len(told["evidence"]) == give_up_after
    assert "`lockkeeper resume-retraining wages --reason WHY`" in told["reason"]


def test_a_person_closes_the_breaker(drifting: Drifting) -> None:
    for _ in range(2):
        drifting.drift()
        drifting.fail()
        drifting.pass_time(hours=2)
    assert drifting.drift().answer is Answer.GIVEN_UP
    done = resume_retraining(GROUP, ADA, "the data are back", drifting.harbour.inside)
    assert (done["did"], done["by"]) == ("retraining resumed", ADA)
    assert len(drifting.harbour.published("Retraining Resumed")) == 1
    assert len(look(drifting)) == 1
    assert drifting.started() == 3
    with pytest.raises(NothingToRelease):
        resume_retraining(GROUP, ADA, "again", drifting.harbour.inside)


def test_what_helps_in_between_is_counted_anew() -> None:
    drifting = Drifting(cooldown="0s")
    drifting.drift()
    drifting.fail()
    drifting.pass_time(hours=1)
    drifting.drift()
    drifting.succeed(2)
    drifting.pass_time(days=8)
    drifting.drift(version=2)
    drifting.fail()
    drifting.pass_time(hours=1)
    assert drifting.drift(version=2).answer is Answer.STARTED


def test_the_same_drift_soon_after_its_promotion_says_that_it_did_not_help() -> None:
    drifting = Drifting(cooldown="0s")
    drifting.drift()
    drifting.succeed(2)
    drifting.pass_time(hours=1)
    assert drifting.drift(version=2).answer is Answer.STARTED
    first = drifting.world.ledger.retraining(GROUP, 1)
    assert first is not None
    assert first.stage is Stage.DID_NOT_HELP
    assert first.outcome.startswith("version 2 was promoted, and then event says that exp")
    drifting.succeed(3)
    drifting.pass_time(hours=1)
    assert drifting.drift(version=3).answer is Answer.GIVEN_UP
    assert drifting.started() == 2
    assert len(drifting.harbour.published("Retraining Given Up")) == 1


def test_another_drift_or_a_late_one_takes_nothing_back() -> None:
    drifting = Drifting(cooldown="0s")
    drifting.drift()
    drifting.succeed(2)
    drifting.pass_time(hours=1)
    drifting.drift(version=2, drifted=[{"name": "union", "measured": 0.3}])
    assert drifting.world.ledger.retraining(GROUP, 1).stage is Stage.HELPED  # type: ignore[union-attr]
    drifting.succeed(3)
    drifting.pass_time(days=8)
    assert drifting.drift(version=3, drifted=[{"name": "union"}]).answer is Answer.STARTED
    assert drifting.world.ledger.retraining(GROUP, 2).stage is Stage.HELPED  # type: ignore[union-attr]


def test_a_rollback_after_the_promotion_says_that_it_did_not_help(drifting: Drifting) -> None:
    drifting.drift()
    drifting.succeed(2)
    rollback(drifting.harbour)
    drifting.bring_ends()
    assert drifting.newest().stage is Stage.DID_NOT_HELP
    assert "ended as rolled-back" in drifting.newest().outcome


def test_what_a_freeze_stopped_on_its_way_is_still_in_flight(drifting: Drifting) -> None:
    drifting.harbour.apply({**policy_document(), "drift": drift_policy()["drift"]})
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.harbour.register(2)
    drifting.world.pipelines.end(arn)
    follow_execution(arn, drifting.harbour.inside)
    freeze(drifting.harbour)
    drifting.harbour.approve()
    drifting.bring_ends()
    assert drifting.harbour.release(2).status is Status.FAILED
    assert drifting.running().stage is Stage.REGISTERED


def test_a_repeated_end_of_a_release_takes_nothing_back() -> None:
    drifting = Drifting(cooldown="0s")
    drifting.drift()
    drifting.succeed(2)
    drifting.pass_time(hours=1)
    drifting.drift(version=2)
    drifting.bring_ends()
    assert drifting.world.ledger.retraining(GROUP, 1).stage is Stage.DID_NOT_HELP  # type: ignore[union-attr]
