"""A release is tried again as its next attempt, or the reason is said; dead letters find whom they were for."""

from __future__ import annotations

import json

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import ReplayRefused
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.release import Status
from lockkeeper.domain.replay import DeadLetter, read_letter
from lockkeeper.use_cases.replay_release import replay_release

from tests.unit.harbour import ALARM, GROUP, Harbour, alarm_event, endpoint_event, release_id

SECOND = "wages-v1-a2"
ENDPOINT = "arn:aws:sagemaker:eu-central-1:222222222222:endpoint/wages"


def rejected() -> Harbour:
    harbour = Harbour()
    harbour.register(1)
    harbour.decide(Answer.REJECT, comment="not before the audit")
    return harbour


def test_the_next_attempt_passes_every_gate_and_asks_people_again() -> None:
    harbour = rejected()
    assert replay_release(release_id(1), harbour.world) == SECOND
    harbour.settle()
    assert harbour.world.ledger.get(SECOND).status is Status.AWAITING_APPROVAL
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.world.ledger.get(SECOND).status is Status.PROMOTED
    assert harbour.release(1).status is Status.REJECTED


@pytest.mark.parametrize("error", ["failed", "superseded", "expired"])
def test_what_ended_otherwise_may_be_tried_again(error: str) -> None:
    harbour = Harbour()
    if error == "failed":
        harbour.register(1, accuracy=0.1)
    else:
        harbour.register(1)
    if error == "superseded":
        harbour.register(2)
    if error == "expired":
        harbour.pass_time(hours=73)
    assert harbour.release(1).status == error
    assert replay_release(release_id(1), harbour.world) == SECOND


def test_a_dead_release_that_had_not_served_may_be_tried_again() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.machine.stop(release_id(1))
    with pytest.raises(ReplayRefused, match="has not ended"):
        replay_release(release_id(1), harbour.world)
    harbour.reap(1)
    assert replay_release(release_id(1), harbour.world) == SECOND


def test_a_release_that_is_being_closed_is_not_tried_again_yet() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.world.ledger.record(release_id(1), "failed", "a gate", status=Status.FAILED)
    with pytest.raises(ReplayRefused, match="is failed, and being closed") as refused:
        replay_release(release_id(1), harbour.world)
    assert refused.value.cure == "try again soon"


def test_a_promoted_release_is_not_tried_again() -> None:
    harbour = Harbour()
    harbour.promote(1)
    with pytest.raises(ReplayRefused, match="was promoted"):
        replay_release(release_id(1), harbour.world)


def test_a_held_version_is_not_tried_again() -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.world.ledger.held(GROUP, 2)
    with pytest.raises(ReplayRefused, match="is held"):
        replay_release(release_id(2), harbour.world)


def test_only_the_latest_attempt_is_tried_again() -> None:
    harbour = rejected()
    replay_release(release_id(1), harbour.world)
    harbour.settle()
    with pytest.raises(ReplayRefused, match="was tried again already"):
        replay_release(release_id(1), harbour.world)


def test_two_replays_at_once_start_one_attempt() -> None:
    harbour = rejected()
    replay_release(release_id(1), harbour.world)
    with pytest.raises(ReplayRefused, match="was started before"):
        replay_release(release_id(1), harbour.world)
    assert set(harbour.world.tasks.started) == {release_id(1), SECOND}


def test_a_version_older_than_what_serves_is_not_tried_again() -> None:
    harbour = rejected()
    harbour.promote(2)
    with pytest.raises(ReplayRefused, match="older than version 2, which serves"):
        replay_release(release_id(1), harbour.world)


def test_a_letter_of_eventbridge_is_the_event_itself() -> None:
    event = endpoint_event(ENDPOINT)
    letter = read_letter(json.dumps(event), {"ERROR_MESSAGE": "no permission", "RULE_ARN": "arn"})
    assert letter == DeadLetter(event, ("ResumeRelease", "ReapRelease"), "no permission")
    assert letter.about == "SageMaker Endpoint State Change"


def test_a_letter_of_lambda_is_the_event_with_the_error() -> None:
    event = {"source": "lockkeeper", "detail-type": "Release Promoted", "detail": {}}
    letter = read_letter(json.dumps(event), {"ErrorCode": "200", "ErrorMessage": "broken"})
    assert letter == DeadLetter(event, ("Notify", "ReactToDrift", "StartDriftMonitor"), "broken")


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_letter_of_scheduler_is_the_input_or_the_call_with_it(wrapped: bool) -> None:
    given = {"deadline": {"release_id": "wages-v1-a1", "state": "WatchProduction"}}
    call = {"FunctionName": "arn", "InvocationType": "Event", "Payload": json.dumps(given)}
    letter = read_letter(json.dumps(call if wrapped else given), {"SCHEDULE_ARN": "arn", "ERROR_MESSAGE": "gone"})
    assert letter == DeadLetter(given, ("ResumeRelease",), "gone")
    assert letter.about == "deadline"


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"source": "aws.ec2", "detail-type": "x"}'])
def test_a_letter_that_is_nobodys_says_so(body: str) -> None:
    assert isinstance(read_letter(body, {}), Unusable)
