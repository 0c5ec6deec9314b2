"""Refusals, late answers and hand-overs that must neither jam a group nor let somebody in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.sagemaker_registry import SageMakerRegistry
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import NotPermitted, RequestClosed, StampRefused
from lockkeeper.domain.release import Status
from lockkeeper.domain.rollout import Deployment
from lockkeeper.ports import Wait
from lockkeeper.use_cases.close_release import hand_on_lock
from lockkeeper.use_cases.decide_approval import decide_by_link, decide_by_principal
from lockkeeper.use_cases.settle_wait import complete_own_wait, failure

from tests.unit.harbour import ALARM, GROUP, Harbour, alarm_event, package_arn, release_id

ADA = "arn:aws:iam::111111111111:role/Ada"


def test_a_registry_that_refuses_the_stamp_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()

    def refuse(*_arguments: Any, **_keywords: Any) -> None:
        raise StampRefused("the registry refused the stamp: not authorized")

    monkeypatch.setattr(harbour.world.registry, "stamp", refuse)
    harbour.register(1)
    harbour.decide(Answer.REJECT, comment="no")
    release = harbour.release(1)
    assert release.status is Status.REJECTED
    assert any(entry.what == "not stamped" for entry in release.timeline)
    assert harbour.world.ledger.lock_of(GROUP) is None


def test_a_reason_of_many_lines_is_stamped_as_one() -> None:
    class Client:
        request: dict[str, Any] = {}

        def update_model_package(self, **request: Any) -> None:
            self.request = request

    client = Client()
    SageMakerRegistry(client).stamp(  # type: ignore[arg-type]
        package_arn(1), status=None, description="rejected\n  twice\tover", metadata={}, life_cycle=""
    )
    assert client.request["ApprovalDescription"] == "rejected twice over"


def test_a_lock_that_reached_a_release_which_had_ended_is_handed_on() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.decide(Answer.REJECT)
    ledger = harbour.world.ledger
    # What is left when the closing release looked at the queue just before version 1 ended, and then passed the lock to it.
    ledger.take_lock(GROUP, release_id(1), 1)
    hand_on_lock(replace(harbour.release(1), release_id="the-one-that-closed"), harbour.world)
    assert ledger.lock_of(GROUP) is None
    harbour.register(2)
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_who_created_a_version_may_not_approve_it_whatever_its_metadata_says() -> None:
    harbour = Harbour()
    created = {"IamIdentity": {"Arn": "arn:aws:sts::111111111111:assumed-role/Ada/laptop"}}
    packages = harbour.world.registry.packages
    original = harbour.tell_registry

    def tell(version: int) -> Any:
        packages[package_arn(version)]["CreatedBy"] = created
        return original(version)

    harbour.tell_registry = tell  # type: ignore[method-assign]
    harbour.register(1, author="bob")
    with pytest.raises(NotPermitted, match="made this version"):
        decide_by_principal(release_id(1), ADA, Answer.APPROVE, "mine", harbour.world)
    harbour.decide(Answer.APPROVE, "Grace")
    assert harbour.release(1).status is Status.BAKING


def test_a_version_without_the_authors_metadata_is_not_released() -> None:
    harbour = Harbour()
    harbour.register(1, author="")
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "CustomerMetadataProperties" in release.reason


def test_code_outside_the_pinned_artifact_is_refused() -> None:
    harbour = Harbour()
    original = harbour.tell_registry

    def tell(version: int) -> Any:
        container = harbour.world.registry.packages[package_arn(version)]["InferenceSpecification"]["Containers"][0]
        container["Environment"] = {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://somewhere/code.tar.gz"}
        return original(version)

    harbour.tell_registry = tell  # type: ignore[method-assign]
    harbour.register(1)
    assert harbour.release(1).status is Status.FAILED
    assert "outside the pinned artifact" in harbour.release(1).reason


def test_an_environment_changed_after_the_scan_is_not_deployed() -> None:
    harbour = Harbour()
    harbour.register(1)
    container = harbour.world.registry.packages[package_arn(1)]["InferenceSpecification"]["Containers"][0]
    container["Environment"] = {"MODE": "altered"}
    harbour.approve()
    assert harbour.release(1).pins.environments == ({},)
    models = list(harbour.world.production.models.values())
    assert [model["containers"][0]["Environment"] for model in models] == [{}]


def test_an_alarm_during_the_shift_is_seen_when_the_bake_begins() -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    update = harbour.world.production.update

    def update_and_alarm(endpoint_name: str, config_name: str, *how: Deployment, keep_capacity: bool = False) -> None:
        update(endpoint_name, config_name, *how, keep_capacity=keep_capacity)
        if "-v2-" in config_name:
            harbour.world.production.change_alarm(ALARM, "ALARM")

    harbour.world.production.update = update_and_alarm  # type: ignore[method-assign]
    harbour.approve()
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.serving() == harbour.release(1).endpoints["production"]["config_name"]


def test_an_answer_that_nobody_waits_for_any_more_is_said_to_be_late() -> None:
    harbour = Harbour()
    harbour.register(1)
    wait = harbour.world.ledger.wait_of(release_id(1), "RequestStagingApproval")
    assert wait is not None
    harbour.world.tasks.withdraw(wait.token)
    harbour.world.ledger.record(release_id(1), "closing", "expired", ending={"error": "States.Timeout"})
    with pytest.raises(RequestClosed, match="no longer waits"):
        decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)


def test_a_question_put_again_does_not_overwrite_an_answer_given_meanwhile() -> None:
    harbour = Harbour()
    harbour.register(1)
    ledger = harbour.world.ledger
    asked = ledger.request_of(release_id(1), "staging")
    assert asked is not None
    harbour.approve()
    assert ledger.ask(asked, []) is False
    answered = ledger.request_of(release_id(1), "staging")
    assert answered is not None
    assert [one.approver for one in answered.decisions] == ["Ada"]


def test_a_state_leaves_what_was_decided_in_between_to_who_decided_it() -> None:
    world = InMemoryWorld()
    wait = Wait("wages-v1-a1", "RequestStagingApproval", "token")
    world.tasks.issue("token")
    world.ledger.store_wait(wait)
    complete_own_wait(wait, {}, world)
    assert world.tasks.results == {"token": {"output": {}}}

    world.tasks.issue("another")
    again = replace(wait, token="another")
    world.ledger.store_wait(again)
    world.ledger.settle_wait(again, failure(StampRefused("decided in between")))
    complete_own_wait(again, {}, world)
    assert "another" not in world.tasks.results
    stored = world.ledger.wait_of(wait.release_id, wait.state)
    assert stored is not None
    assert (stored.settled, stored.delivered) == (True, False)


def test_a_version_that_gave_way_leaves_no_wait_that_events_would_find() -> None:
    harbour = Harbour()
    harbour.register(2)
    harbour.register(1)
    assert harbour.release(1).status is Status.SUPERSEDED
    assert harbour.world.ledger.open_waits(release_id(1)) == []
    assert [wait.release_id for wait in harbour.world.ledger.waits_on(f"lock/{GROUP}")] == []


def test_an_alarm_after_a_bake_that_broke_off_says_nothing_about_its_release(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    harbour.register(1)

    def refuse(*_arguments: Any, **_keywords: Any) -> None:
        raise NotPermitted("the schedule was refused")

    monkeypatch.setattr(harbour.world.schedules, "once", refuse)
    harbour.approve()
    ended = harbour.release(1)
    assert ended.status is Status.ROLLED_BACK
    harbour.world.production.change_alarm(ALARM, "ALARM")
    told = harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    assert told == [f"ignored: no release waits for alarm {ALARM} in ALARM"]
    assert harbour.release(1).timeline == ended.timeline
