"""Signals start one retraining, or say why not; its outcome closes the loop, and what does not help opens the breaker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.release import Status
from lockkeeper.domain.retraining import Answer, Stage
from lockkeeper.ports_of_retraining import Step
from lockkeeper.use_cases.follow_retraining import follow_execution
from lockkeeper.use_cases.react_to_pipeline import Followed
from lockkeeper.use_cases.react_to_training import react_to_training

from tests.conftest import Figure
from tests.unit.braking import ADA, freeze, thaw
from tests.unit.drifting import PIPELINE, RETRAIN, Drifting, drift_policy, drifting, look, pipeline_event
from tests.unit.harbour import ENDPOINT, GROUP, Harbour, package_arn, policy_document

__all__ = ["drifting"]

FAR = "2020-01-01T00:00:00Z"


def test_drift_starts_the_pipeline_and_says_why(drifting: Drifting) -> None:
    kept = drifting.drift(window={"from": "2026-11-24T08:00:00Z", "to": drifting.now()})
    assert kept.answer is Answer.STARTED
    assert kept.reason.startswith(
        "event says that exp 0.136 (threshold 0.1) drifted on 600 rows of 2026-11-24 08:00 UTC to "
    )
    ((pipeline, parameters),) = drifting.world.pipelines.started
    assert pipeline == PIPELINE
    assert parameters == {
        "DataFrom": "2026-11-24T08:00:00.000Z",
        "DataTo": kept.signal.window_to,
        "Reason": kept.reason,
        "Champion": package_arn(1),
    }
    assert drifting.running().stage is Stage.RUNNING
    (told,) = drifting.harbour.published("Retraining Started")
    assert (told["retraining_id"], told["why"], told["champion_version"]) == ("wages-r1", kept.reason, 1)


def test_a_repeated_signal_changes_nothing(drifting: Drifting) -> None:
    event = drifting.event()
    first = drifting.tell(event)
    assert drifting.tell(event) == first
    assert drifting.started() == 1
    assert len(drifting.harbour.published("Drift Observed")) == 1


@pytest.mark.parametrize(
    ("drift", "detail", "answer", "said"),
    [
        (None, {}, Answer.NOT_HEARD, "the policy listens to nothing: add event to drift.signals"),
        ({"signals": ["model-monitor"]}, {}, Answer.NOT_HEARD, "the policy listens to model-monitor"),
        ({"signals": ["event"]}, {}, Answer.NO_RETRAINING, "the policy names no pipeline under drift.retrain"),
        ("as it is", {"version": 7}, Answer.STALE, "it is about 7, and 1 serves by now"),
        ("as it is", {"endpoint_name": "prices"}, Answer.ELSEWHERE, "it is about endpoint prices, and wages serves"),
        (
            "as it is",
            {"window": {"from": FAR, "to": FAR}},
            Answer.STALE,
            "about what was asked until 2020-01-01 00:00 UTC",
        ),
    ],
)
def test_what_starts_nothing_says_why(drifting: Drifting, drift: Any, detail: Any, answer: Answer, said: str) -> None:
    if drift != "as it is":
        drifting.harbour.apply({**policy_document(), **({"drift": drift} if drift else {})})
    kept = drifting.drift(**detail)
    assert kept.answer is answer
    assert said in kept.reason
    assert drifting.started() == 0
    assert drifting.world.ledger.signal(GROUP, kept.signal.signal_id) == kept


def test_a_policy_that_observes_starts_nothing(drifting: Drifting) -> None:
    drifting.harbour.apply({**drift_policy(), "mode": "observe"})
    assert drifting.drift().answer is Answer.OBSERVED
    assert drifting.started() == 0


def test_where_nothing_serves_nothing_is_trained_anew() -> None:
    harbour = Harbour()
    harbour.apply(drift_policy())
    drifting = Drifting.__new__(Drifting)
    drifting.harbour, drifting.world = harbour, harbour.world
    assert drifting.drift().answer is Answer.NOTHING_SERVES


def test_a_group_without_a_policy_is_nobodys_business(drifting: Drifting) -> None:
    assert drifting.ignored(drifting.event(model_package_group="prices")) == "prices has no policy that can be read"


def test_one_retraining_is_in_flight_until_its_release_has_ended(drifting: Drifting) -> None:
    drifting.drift()
    drifting.pass_time(hours=2)
    kept = drifting.drift()
    assert (kept.answer, drifting.started()) == (Answer.IN_FLIGHT, 1)
    assert "wages-r1 has not ended: wages-train is running" in kept.reason
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.harbour.register(2)
    drifting.world.pipelines.end(arn)
    follow_execution(arn, drifting.harbour.inside)
    kept = drifting.drift(id="while it bakes")
    assert (kept.answer, drifting.started()) == (Answer.IN_FLIGHT, 1)
    assert "version 2 is being released" in kept.reason
    drifting.harbour.traffic()
    drifting.harbour.pass_time(minutes=11)
    drifting.bring_ends()
    assert drifting.newest().stage is Stage.HELPED
    drifting.pass_time(hours=2)
    assert drifting.drift(drifted=[{"name": "union"}]).answer is Answer.STARTED


def test_nothing_starts_before_it_has_cooled_down(drifting: Drifting) -> None:
    drifting.drift()
    drifting.fail()
    drifting.pass_time(minutes=59)
    kept = drifting.drift()
    assert kept.answer is Answer.COOLING
    assert "wages-r1 was started on" in kept.reason
    assert "none starts before" in kept.reason
    drifting.pass_time(minutes=1)
    assert drifting.drift().answer is Answer.STARTED


def test_no_more_start_within_a_period_than_may_be() -> None:
    drifting = Drifting(cooldown="0s", at_most={"count": 2, "per": "1d"}, give_up_after=20)
    for _ in range(2):
        assert drifting.drift().answer is Answer.STARTED
        drifting.fail()
        drifting.pass_time(hours=1)
    kept = drifting.drift()
    assert kept.answer is Answer.ENOUGH
    assert "2 retrainings were started within the last 1 days, which is as many as may be" in kept.reason
    drifting.pass_time(hours=23)
    assert drifting.drift().answer is Answer.STARTED


def test_a_months_budget_is_kept() -> None:
    drifting = Drifting(cooldown="0s", give_up_after=20, budget={"monthly_usd": 30, "each_usd": 12.5})
    for _ in range(2):
        assert drifting.drift().answer is Answer.STARTED
        drifting.fail()
        drifting.pass_time(minutes=1)
    kept = drifting.drift()
    assert kept.answer is Answer.OVER_BUDGET
    assert "2 retrainings of this month came to 25 USD, one more to 37.5, and 30 is the budget" in kept.reason
    drifting.pass_time(days=31)
    assert drifting.drift().answer is Answer.STARTED


def test_a_storm_while_frozen_starts_nothing_and_nothing_is_lost(drifting: Drifting) -> None:
    freeze(drifting.harbour)
    answers = {drifting.drift(id=f"signal {number}").answer for number in range(50)}
    assert (answers, drifting.started()) == ({Answer.FROZEN}, 0)
    assert len(drifting.world.ledger.signals(GROUP, 100)) == 50
    assert len(drifting.harbour.published("Drift Observed")) == 1
    assert look(drifting) == []
    thaw(drifting.harbour)
    (found,) = look(drifting)
    assert found.startswith("wages: retraining started: event says that exp")
    assert drifting.started() == 1
    assert look(drifting) == []


def test_a_pipeline_that_is_not_there_is_told_and_tried_again_once_it_is(drifting: Drifting) -> None:
    drifting.world.pipelines.existing.clear()
    kept = drifting.drift()
    assert kept.answer is Answer.NO_PIPELINE
    assert "there is no pipeline wages-train in the registry's account: create it" in kept.reason
    assert drifting.world.ledger.retrainings(GROUP, 10) == []
    drifting.world.pipelines.existing.add(PIPELINE)
    assert len(look(drifting)) == 1
    assert drifting.started() == 1


def test_a_pipeline_that_runs_already_is_not_started_beside(drifting: Drifting) -> None:
    arn = drifting.world.pipelines.run(PIPELINE)
    kept = drifting.drift()
    assert (kept.answer, drifting.started()) == (Answer.PIPELINE_BUSY, 0)
    assert arn in kept.reason
    drifting.world.pipelines.end(arn)
    assert len(look(drifting)) == 1
    assert drifting.started() == 1


def test_a_pipeline_that_refuses_its_parameters_did_not_help(drifting: Drifting) -> None:
    drifting.world.pipelines.unknown.add("DataTo")
    assert drifting.drift().answer is Answer.STARTED
    assert drifting.newest().outcome == "wages-train was not started: Unknown pipeline parameters: ['DataTo']"
    assert drifting.newest().stage is Stage.DID_NOT_HELP


def test_what_was_written_and_not_started_is_started_when_the_house_is_kept(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: Any) -> str:
        raise RuntimeError("the sandbox is gone")

    event = drifting.event()
    with monkeypatch.context() as broken:
        broken.setattr(drifting.world.pipelines, "start", dead)
        with pytest.raises(RuntimeError):
            drifting.tell(event)
    assert (drifting.running().stage, drifting.started()) == (Stage.WANTED, 0)
    assert look(drifting) == ["wages-r1: running"]
    assert drifting.started() == 1
    drifting.tell(event)
    assert drifting.started() == 1


def test_a_starter_that_dies_after_starting_starts_no_second_one(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*_: Any) -> bool:
        raise RuntimeError("the sandbox is gone")

    event = drifting.event()
    with monkeypatch.context() as broken:
        broken.setattr(drifting.world.ledger, "change_retraining", dead)
        with pytest.raises(RuntimeError):
            drifting.tell(event)
    assert (drifting.running().stage, drifting.started()) == (Stage.WANTED, 1)
    drifting.tell(event)
    assert (drifting.running().stage, drifting.started()) == (Stage.RUNNING, 1)
    assert len(drifting.harbour.published("Retraining Started")) == 1


def test_lost_ends_are_found_when_the_house_is_kept(drifting: Drifting) -> None:
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.harbour.register(2)
    drifting.world.pipelines.end(arn)
    drifting.harbour.traffic()
    drifting.harbour.pass_time(minutes=11)
    assert drifting.harbour.release(2).status is Status.PROMOTED
    assert look(drifting) == ["wages-r1: version 2 was promoted and serves"]


def test_a_version_that_is_never_released_blocks_nothing_for_ever(drifting: Drifting) -> None:
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.world.pipelines.end(arn)
    follow_execution(arn, drifting.harbour.inside)
    assert look(drifting) == []
    assert look(drifting, minutes=25 * 60) == ["wages-r1: version 2 was never released"]
    assert drifting.newest().stage is Stage.NO_MATTER


@pytest.mark.parametrize("threads", [16])
def test_five_hundred_signals_over_sixteen_threads_start_one_retraining(threads: int, figure: Figure) -> None:
    drifting = Drifting()
    events = [drifting.event(id=f"signal {number % 400}") for number in range(500)]
    with ThreadPoolExecutor(threads) as pool:
        answers = [kept.answer for answer in pool.map(drifting.tell, events) for kept in answer]
    figure(
        "a storm of signals",
        f"500 signals over {threads} threads: {drifting.started()} started, {len(drifting.world.ledger.signals(GROUP, 1000))} of 400 kept",
        "1 started, 400 kept",
    )
    assert drifting.started() == 1
    assert len(drifting.world.ledger.signals(GROUP, 1000)) == 400
    assert set(answers) == {Answer.STARTED, Answer.IN_FLIGHT}
    assert len(drifting.harbour.published("Retraining Started")) == 1


def test_an_alarm_of_drift_starts_a_retraining(drifting: Drifting) -> None:
    (kept,) = drifting.tell(
        drifting.alarm(reason_data='{"recentDatapoints": [0.08, 0.14], "startDate": "2026-11-24T11:00:00.000+0000"}')
    )
    assert kept.answer is Answer.STARTED
    (drifted,) = kept.signal.drifted
    assert (drifted.name, drifted.measured, drifted.threshold) == ("ExpDrift", 0.14, 0.1)
    assert kept.signal.endpoint == ENDPOINT
    assert kept.signal.evidence.endswith(":alarm:wages-drift")


def test_a_composite_alarm_names_what_it_is_on_for(drifting: Drifting) -> None:
    (kept,) = drifting.tell(drifting.alarm(children=("wages-exp", "wages-union"), metric="", threshold=None))
    assert kept.signal.names == {"wages-exp", "wages-union"}
    assert kept.answer is Answer.STARTED


def test_alarms_that_say_nothing_say_why(drifting: Drifting) -> None:
    muted = drifting.alarm()
    muted["detail"]["muteDetail"] = {
        "mutedByArn": "arn:aws:cloudwatch:eu-central-1:333333333333:alarm-mute-rule:nights"
    }
    assert drifting.ignored(muted) == "the alarm is muted"
    assert "actions are suppressed by maintenance" in drifting.ignored(drifting.alarm(suppressed_by="maintenance"))
    assert drifting.ignored(drifting.alarm(state="OK")) == "alarm wages-drift is OK by now"
    assert drifting.ignored(drifting.alarm("somebody's")) == 'no policy names alarm "somebody\'s" under drift.alarms'
    gone = drifting.alarm()
    drifting.world.production_look.drift_alarms.clear()
    assert drifting.ignored(gone) == "there is no alarm 'wages-drift' in production"
    calm = drifting.alarm()
    calm["detail"]["state"]["value"] = "OK"
    assert drifting.ignored(calm) == "the alarm is 'OK'"
    assert drifting.ignored(drifting.alarm("lockkeeper-wages-v1-a1-alarm-errors-5xx")).endswith("scales an endpoint")
    assert drifting.started() == 0


def test_an_alarm_that_is_on_since_before_the_version_is_stale(drifting: Drifting) -> None:
    (kept,) = drifting.tell(drifting.alarm(since="2020-01-01T00:00:00.000Z"))
    assert kept.answer is Answer.STALE


def test_an_alarm_of_several_groups_speaks_to_each(drifting: Drifting) -> None:
    other = {**drift_policy(), "model_package_group": "prices"}
    drifting.world.policies.save("prices", yaml.safe_dump(other), ADA)
    kept = drifting.tell(drifting.alarm())
    assert {one.signal.group: one.answer for one in kept} == {"wages": Answer.STARTED, "prices": Answer.NOTHING_SERVES}


def test_the_policy_has_what_the_tests_say() -> None:
    assert drift_policy()["drift"]["retrain"] == RETRAIN


def test_a_pipelines_end_is_heard_where_training_is(drifting: Drifting) -> None:
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Train", "Failed", "AlgorithmError: no rows"))
    going_on = react_to_training(pipeline_event(arn, "Executing"), drifting.harbour.inside)
    assert going_on == Ignore(f"{arn} is still 'Executing'")
    drifting.world.pipelines.end(arn, "Failed")
    told = react_to_training(pipeline_event(arn), drifting.harbour.inside)
    assert told == Followed("wages-r1: wages-train failed at step Train: AlgorithmError: no rows")
    again = react_to_training(pipeline_event(arn), drifting.harbour.inside)
    assert again == Ignore(f"{arn} is no retraining's that is open")
