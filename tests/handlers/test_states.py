"""The state machine's functions, called with the payloads of their states."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.errors import GateFailed, TryAgain, UnknownRelease
from lockkeeper.domain.release import Status

from tests.handlers.conftest import Logged, handler_of
from tests.unit.harbour import ALARM, Harbour, endpoint_event, package_arn, package_event, release_id
from tests.unit.shadowing import asked_both, begin_shadow, shadowed_policy

RELEASE = release_id(1)


def call(harbour: Harbour, function: str, **payload: Any) -> Any:
    """Call a state's function with a fresh token where it gets one."""
    if "token" in payload:
        harbour.world.tasks.issue(payload["token"])
    return handler_of(function)({"release_id": RELEASE, **payload}, None)


def register_only(harbour: Harbour, **facts: Any) -> None:
    """A version in the registry whose event was not told."""
    harbour.tell_registry = lambda version: None  # type: ignore[method-assign, assignment]
    harbour.register(1, **facts)


def open_it(harbour: Harbour, **facts: Any) -> None:
    register_only(harbour, **facts)
    call(harbour, "open_release", model_package_arn=package_arn(1), attempt=1, execution_arn="execution", token="open")


def until_staging_is_approved(harbour: Harbour) -> None:
    open_it(harbour)
    call(harbour, "scan_artifact", token="scan")
    call(harbour, "judge_candidate")
    call(harbour, "request_approval", before="staging", token="ask")


def test_a_release_walks_through_every_function(harbour: Harbour, logged: Logged) -> None:
    until_staging_is_approved(harbour)
    world = harbour.world
    call(harbour, "deploy_to_staging", token="deploy")
    (staging,) = world.staging.endpoints
    world.staging.advance(staging)
    handler_of("resume_release")(endpoint_event(world.staging.arn_of(staging)), None)
    call(harbour, "test_staging", token="test")
    call(harbour, "request_approval", before="production", token="ask again")
    call(harbour, "promote_to_production", token="promote")
    world.production.advance("wages")
    handler_of("resume_release")(endpoint_event(world.production.arn_of("wages")), None)
    call(harbour, "watch_production", token="watch")
    harbour.traffic()
    ((_, deadline),) = world.schedules.planned.values()
    handler_of("resume_release")(deadline, None)
    closed = call(harbour, "close_release", ending={})
    assert closed == {"release_id": RELEASE, "status": "promoted", "reason": harbour.release(1).reason}
    assert set(world.tasks.results) == {"open", "scan", "deploy", "test", "ask again", "promote", "watch"}
    meters = harbour.release(1).meters
    assert (meters["transitions"], meters["invocations"]) == (10, 10)
    assert {line["release_id"] for line in logged()} == {RELEASE}


def test_open_release_hands_over_the_timeouts(harbour: Harbour) -> None:
    open_it(harbour)
    # A bake of ten minutes that thin traffic may make three times as long, and an hour in which its look may be late.
    timeouts = {"approval": 72 * 3600, "staging": 3600, "production": 3600, "bake": 3 * 600 + 3600}
    assert harbour.world.tasks.results["open"] == {"output": {"timeouts": timeouts}}


def test_a_failed_gate_is_raised_under_its_name_and_metered(harbour: Harbour, logged: Logged) -> None:
    open_it(harbour, accuracy=0.6)
    call(harbour, "scan_artifact", token="scan")
    with pytest.raises(GateFailed, match=r"0\.6 does not meet >= 0\.7"):
        call(harbour, "judge_candidate")
    assert harbour.release(1).meters["transitions"] == 3
    warning = next(line for line in logged() if line["level"] == "WARNING")
    assert (warning["release_id"], warning["state"]) == (RELEASE, "JudgeCandidate")


def test_unforeseen_trouble_is_tried_again(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    open_it(harbour)

    def refuse(uri: str) -> None:
        raise ConnectionError("S3 is away")

    monkeypatch.setattr(harbour.world.objects, "stream", refuse)
    with pytest.raises(TryAgain, match="ConnectionError: S3 is away"):
        call(harbour, "scan_artifact", token="scan")


def test_metering_that_fails_is_tried_again(harbour: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    open_it(harbour)

    def refuse(*_: Any) -> None:
        raise ConnectionError("the table is busy")

    monkeypatch.setattr(harbour.world.ledger, "meter", refuse)
    with pytest.raises(TryAgain, match="the table is busy"):
        call(harbour, "scan_artifact", token="scan")


def test_roll_back_hands_over_what_close_release_reads(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    ending = {"error": "BakeFailed", "cause": '{"errorMessage": "it failed"}', "state": "WatchProduction"}
    call(harbour, "roll_back", ending=ending, token="back")
    result = harbour.world.tasks.results["back"]["output"]
    assert result == {"restored": True, "rolled_back": True}
    harbour.world.production.advance("wages")
    closed = call(harbour, "close_release", ending={**ending, **result})
    assert (closed["status"], closed["reason"]) == ("rolled-back", "it failed")


def test_a_release_that_was_never_opened_cannot_be_closed_and_that_is_said_by_name(harbour: Harbour) -> None:
    """The state machine tries this error no further."""
    ending = {"error": "Lambda.TooManyRequestsException", "cause": "Rate Exceeded.", "state": "OpenRelease"}
    with pytest.raises(UnknownRelease):
        call(harbour, "close_release", ending=ending)


def test_react_to_registry_starts_once_and_says_why_not(harbour: Harbour, logged: Logged) -> None:
    register_only(harbour)
    react = handler_of("react_to_registry")
    assert react(package_event(1), None) == {"started": RELEASE}
    assert react(package_event(1), None) == {"ignored": f"release {RELEASE} was started before"}
    assert react({"source": "somebody"}, None)["ignored"].startswith("not a model package event")
    assert [line["release_id"] for line in logged() if line["message"] == "release started"] == [RELEASE]


def test_resume_release_ignores_what_it_does_not_know(harbour: Harbour) -> None:
    assert handler_of("resume_release")({"detail": "x"}, None) == ["ignored: the event has no detail"]


def test_notify_broadcasts_in_plain_words(harbour: Harbour, logged: Logged) -> None:
    harbour.promote(1)
    detail = harbour.published("Release Promoted")[0]
    event = {"source": "lockkeeper", "account": HUB, "detail-type": "Release Promoted", "detail": detail}
    assert handler_of("notify")(event, None) == {"told": "Release Promoted"}
    letter = harbour.world.mail.letters[-1]
    assert (letter.approver, letter.subject) == ("", "wages version 1: Release Promoted")
    assert "reason: passed every gate" in letter.text
    assert logged()[-1]["release_id"] == RELEASE


def test_the_world_of_the_tests_is_the_one_that_is_called(harbour: Harbour) -> None:
    assert isinstance(harbour.world, InMemoryWorld)
    until_staging_is_approved(harbour)
    assert harbour.release(1).status is Status.AWAITING_APPROVAL


def test_a_shadow_is_ended_by_its_deadline_and_the_shift_begins(harbour: Harbour) -> None:
    harbour.apply(shadowed_policy())
    begin_shadow(harbour)
    asked_both(harbour)
    ((_, deadline),) = harbour.world.schedules.planned.values()
    said = handler_of("resume_release")(deadline, None)
    assert said == ["wages-v2-a1/PromoteToProduction: the shadow has passed, the shift has begun"]
    harbour.settle()
    assert harbour.release(2).status is Status.BAKING
