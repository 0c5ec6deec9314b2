"""Whole journeys of model versions, in memory."""

from __future__ import annotations

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.errors import AlreadyDecided, RequestClosed
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.open_release import interrupt
from lockkeeper.use_cases.react_to_registry import react_to_registry

from tests.unit.harbour import (
    ALARM,
    ENDPOINT,
    GROUP,
    Harbour,
    alarm_event,
    endpoint_event,
    package_arn,
    package_event,
    policy_document,
    quality_report,
    release_id,
)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_first_version_is_promoted(harbour: Harbour) -> None:
    harbour.register(1)
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    harbour.approve()
    assert harbour.release(1).status is Status.BAKING
    harbour.traffic()
    harbour.pass_time(minutes=11)

    release = harbour.release(1)
    assert (release.status, release.ended_at != "") == (Status.PROMOTED, True)
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert harbour.world.production.configs[harbour.serving()]["model"] == harbour.serving()
    assert harbour.world.ledger.champion(GROUP).version == 1
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert harbour.world.staging.endpoints == harbour.world.staging.configs == harbour.world.staging.models == {}
    package = harbour.world.registry.packages[package_arn(1)]
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ModelLifeCycle"] == {"Stage": "Production", "StageStatus": "Promoted"}
    assert [one["approver"] for one in release.approvals] == ["Ada"]
    assert set(release.pins.seals) == {"judged", "tested"}


def test_a_promotion_enters_ten_states(harbour: Harbour) -> None:
    harbour.promote(1)
    assert len(harbour.machine.executions[release_id(1)].visited) == 10


def test_the_endpoint_runs_what_was_pinned(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.world.objects.stored[f"s3://models/{GROUP}/1/model.tar.gz"] = b"somebody overwrote it"
    harbour.approve()
    model = harbour.world.production.models["lockkeeper-wages-v1-a1-production"]
    pin = harbour.release(1).pins.artifacts[0]
    (container,) = model["containers"]
    assert container["ModelDataUrl"] == pin.pinned == f"s3://lockkeeper-bucket/artifacts/{pin.sha256}/model.tar.gz"
    assert harbour.world.objects.stored[pin.pinned] != b"somebody overwrote it"
    assert container["Image"].endswith(f"/sagemaker-scikit-learn@sha256:{'c' * 64}")


def test_second_version_replaces_the_champion(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.promote(2, accuracy=0.795)
    assert harbour.release(2).status is Status.PROMOTED
    assert harbour.world.ledger.champion(GROUP).version == 2
    assert harbour.serving() == "lockkeeper-wages-v2-a1-production"
    assert [champion.version for champion in harbour.world.ledger.crowned] == [1, 2]


def test_a_version_worse_than_the_champion_fails_its_gate(harbour: Harbour) -> None:
    harbour.promote(1, accuracy=0.8)
    harbour.register(2, accuracy=0.78)
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert "0.78 does not meet >= 0.79 (champion 0.8)" in release.reason
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] == "Rejected"
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert harbour.world.ledger.lock_of(GROUP) is None


@pytest.mark.parametrize("value", [None, "NaN", float("nan"), "high", True])
def test_a_value_that_is_no_number_is_inconclusive_and_stops(harbour: Harbour, value: object) -> None:
    harbour.register(1, accuracy=value)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert [one.verdict for one in release.verdicts if one.gate.startswith("quality")] == ["inconclusive"] * 2
    assert harbour.world.registry.packages[package_arn(1)]["ModelApprovalStatus"] == "PendingManualApproval"


def test_a_number_out_of_range_in_the_report_is_inconclusive(harbour: Harbour) -> None:
    harbour.register(1, report=quality_report("here").replace(b'"here"', b"1e999"))
    assert "1e999" in harbour.release(1).reason
    assert harbour.release(1).status is Status.FAILED
    assert "1e999" in harbour.release(1).reason


def test_a_broken_archive_is_refused(harbour: Harbour) -> None:
    harbour.register(1, artifact=b"this is no archive")
    assert harbour.release(1).status is Status.FAILED
    assert "no readable .tar.gz" in harbour.release(1).reason
    assert not [uri for uri in harbour.world.objects.stored if "/incoming/" in uri]


def test_a_rejection_ends_the_release(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.decide(Answer.REJECT, comment="too few women in the sample")
    release = harbour.release(1)
    assert (release.status, release.reason) == (Status.REJECTED, "rejected by Ada: too few women in the sample")
    assert harbour.world.registry.packages[package_arn(1)]["ModelApprovalStatus"] == "Rejected"
    with pytest.raises(AlreadyDecided):
        harbour.decide(Answer.APPROVE, "Grace")


def test_an_unanswered_question_expires(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.pass_time(hours=73)
    assert harbour.release(1).status is Status.EXPIRED
    with pytest.raises(RequestClosed):
        harbour.approve()
    harbour.promote(2)
    assert harbour.release(2).status is Status.PROMOTED


def test_a_quorum_of_two_needs_two_people(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"]["quorum"] = 2
    harbour.apply(document)
    harbour.register(1)
    harbour.approve("Ada")
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    with pytest.raises(AlreadyDecided):
        harbour.approve("Ada")
    harbour.approve("Grace")
    assert harbour.release(1).status is Status.BAKING


def test_nobody_is_asked_where_the_policy_asks_nobody(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"] = {"before": []}
    harbour.apply(document)
    harbour.register(1)
    assert harbour.release(1).status is Status.BAKING
    assert harbour.world.mail.letters == []


def test_who_would_get_no_mail_is_named_before_anything_is_deployed(harbour: Harbour) -> None:
    harbour.world.mail.unconfirmed = {"ada@example.com", "grace@example.com"}
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "Ada, Grace would get no mail" in release.reason
    assert harbour.world.staging.endpoints == {}
    assert harbour.world.mail.letters == []


def test_one_who_is_reached_is_enough_where_one_must_approve(harbour: Harbour) -> None:
    harbour.world.mail.unconfirmed = {"ada@example.com"}
    harbour.register(1)
    assert harbour.release(1).status is Status.AWAITING_APPROVAL


def test_where_nobody_is_asked_nobody_has_to_be_reached(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"] = {**document["approval"], "before": []}
    harbour.apply(document)
    harbour.world.mail.unconfirmed = {"ada@example.com", "grace@example.com"}
    harbour.register(1)
    assert harbour.release(1).status is Status.BAKING


def test_the_author_is_not_asked(harbour: Harbour) -> None:
    harbour.register(1, author="ADA@example.com")
    assert [letter.approver for letter in harbour.world.mail.letters] == ["Grace"]


def test_a_version_that_only_its_author_could_approve_stops(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"]["approvers"] = document["approval"]["approvers"][:1]
    harbour.apply(document)
    harbour.register(1, author="Ada")
    assert harbour.release(1).status is Status.FAILED
    assert "name more approvers" in harbour.release(1).reason


def test_a_newer_version_supersedes_one_that_waits_for_people(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.register(2)
    assert harbour.release(1).status is Status.SUPERSEDED
    assert harbour.release(2).status is Status.AWAITING_APPROVAL
    assert harbour.world.ledger.lock_of(GROUP).owner == release_id(2)


def test_an_older_version_gives_way(harbour: Harbour) -> None:
    harbour.register(2)
    harbour.register(1)
    assert harbour.release(1).status is Status.SUPERSEDED
    harbour.approve()
    assert harbour.release(2).status is Status.BAKING


def test_a_newer_version_waits_while_the_older_is_in_production(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    assert (harbour.release(1).status, harbour.release(2).status) == (Status.BAKING, Status.WAITING_FOR_LOCK)
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert (harbour.release(1).status, harbour.release(2).status) == (Status.PROMOTED, Status.AWAITING_APPROVAL)
    assert harbour.world.ledger.lock_of(GROUP).owner == release_id(2)


def test_of_two_that_wait_the_newest_gets_the_lock(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    harbour.register(3)
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.SUPERSEDED
    assert harbour.release(3).status is Status.AWAITING_APPROVAL


def test_a_failed_bake_of_a_first_release_removes_the_endpoint(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.release(1).status is Status.ROLLED_BACK
    assert harbour.world.production.endpoints == harbour.world.production.models == {}
    assert "rolled back" in harbour.world.ledger.held(GROUP, 1).reason
    assert harbour.world.ledger.champion(GROUP) is None
    assert harbour.world.schedules.planned == {}


def test_an_alarm_during_the_bake_brings_the_champion_back(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    assert harbour.serving() == "lockkeeper-wages-v2-a1-production"
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert harbour.world.ledger.champion(GROUP).version == 1
    assert set(harbour.world.production.models) == {"lockkeeper-wages-v1-a1-production"}
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] == "Rejected"


def test_an_alarm_that_recovered_is_still_seen_at_the_deadline(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.world.production.change_alarm(ALARM, "OK")
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.ROLLED_BACK


@pytest.mark.parametrize("requests", [0, 10])
def test_a_stale_alarm_event_ends_no_bake(harbour: Harbour, requests: int) -> None:
    harbour.register(1)
    harbour.approve()
    harbour.traffic(requests)
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING


def test_thin_traffic_is_inconclusive_and_not_passed(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.traffic(requests=4)
    for minutes in (11, 10):
        harbour.pass_time(minutes=minutes)
        assert harbour.release(2).status is Status.BAKING
        assert harbour.release(2).timeline[-1].what == "bake extended"
    harbour.pass_time(minutes=10)
    release = harbour.release(2)
    assert release.status is Status.ROLLED_BACK
    assert "4 requests are too few" in release.reason
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"


def test_an_update_that_sagemaker_rolls_back_fails_the_release(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    decide_and_fail_update(harbour)
    assert harbour.release(2).status is Status.FAILED
    assert "no capacity" in harbour.release(2).reason
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"
    assert harbour.world.ledger.held(GROUP, 2) is None


def test_an_update_without_capacity_is_cured_by_time_and_not_by_another_version(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    decide_and_fail_update(
        harbour, "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity"
    )
    cure = "wait, or let the policy name another instance_type, then `lockkeeper replay` the release"
    assert harbour.release(2).reason.endswith(cure)


def decide_and_fail_update(harbour: Harbour, why: str = "no capacity") -> None:
    advance = harbour.world.production.advance

    def fail_updates(name: str) -> bool:
        endpoint = harbour.world.production.endpoints[name]
        if endpoint.state.status == "Updating" and endpoint.pending_config.startswith("lockkeeper-wages-v2"):
            harbour.world.production.fail(name, why)
            return True
        return advance(name)

    harbour.world.production.advance = fail_updates  # type: ignore[method-assign]
    harbour.approve()


def test_a_held_version_is_not_released_again(harbour: Harbour) -> None:
    harbour.world.ledger.hold(GROUP, Brake(Did.HELD, "a person said so", version=1))
    harbour.register(1)
    assert harbour.release(1).status is Status.FAILED
    assert "held: a person said so" in harbour.release(1).reason


def test_a_group_without_policy_is_not_stamped(harbour: Harbour) -> None:
    event = package_event(1)
    other = package_arn(1).replace(GROUP, "other")
    harbour.register(1)
    harbour.world.registry.packages[other] = {
        **harbour.world.registry.packages[package_arn(1)],
        "CustomerMetadataProperties": {},
    }
    event["detail"]["ModelPackageArn"] = other
    react_to_registry(event, harbour.world)
    harbour.settle()
    assert harbour.world.ledger.get("other-v1-a1").status is Status.FAILED
    assert harbour.world.registry.packages[other]["CustomerMetadataProperties"] == {}


def test_the_release_keeps_the_policy_it_was_opened_with(harbour: Harbour) -> None:
    harbour.register(1)
    document = policy_document()
    document["production"]["endpoint_name"] = "another"
    harbour.apply(document)
    harbour.approve()
    assert set(harbour.world.production.endpoints) == {ENDPOINT}


def test_endpoint_events_of_another_release_change_nothing(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()
    before = harbour.release(1)
    said = harbour.tell(endpoint_event(harbour.world.production.arn_of(ENDPOINT)))
    assert said == [f"ignored: no release waits for a change of {harbour.world.production.arn_of(ENDPOINT)}"]
    assert harbour.release(1) == before


@pytest.mark.parametrize(("accuracy", "said"), [(0.8, "would have passed"), (0.6, "would have been stopped")])
def test_a_policy_that_observes_judges_and_does_nothing_else(harbour: Harbour, accuracy: float, said: str) -> None:
    harbour.apply(policy_document() | {"mode": "observe"})
    harbour.register(1, accuracy=accuracy)
    release = harbour.release(1)
    assert (release.status, said in release.reason) == (Status.OBSERVED, True)
    assert "judged" in release.pins.seals
    assert harbour.world.staging.models == harbour.world.production.models == {}
    assert harbour.world.mail.letters == []
    package = harbour.world.registry.packages[package_arn(1)]
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert "lockkeeper:release" not in package["CustomerMetadataProperties"]
    assert harbour.world.ledger.lock_of(GROUP) is None


def test_a_policy_that_observes_stamps_nothing_whatever_ends_the_release(harbour: Harbour) -> None:
    harbour.apply(policy_document() | {"mode": "observe"})
    harbour.register(1, artifact=b"no archive")
    assert harbour.release(1).status is Status.FAILED
    assert harbour.world.registry.packages[package_arn(1)]["ModelApprovalStatus"] == "PendingManualApproval"


def test_nothing_but_passed_opens_a_gate(harbour: Harbour) -> None:
    """Whatever cannot be judged stops the release before anything is deployed and says what to supply."""
    document = policy_document()
    document["gates"]["bias"] = [{"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]}]
    harbour.apply(document)
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "the version has no bias report; register the version with ModelMetrics={Bias:" in release.reason
    assert harbour.world.staging.models == {}


def test_half_a_quorum_is_refused_where_nothing_waits_any_more(harbour: Harbour) -> None:
    """Superseded, and its question not closed yet: an approval that another would have to follow is none."""
    document = policy_document()
    document["approval"]["quorum"] = 2
    harbour.apply(document)
    harbour.register(1)
    interrupt(release_id(1), "superseded by a newer version", harbour.world)
    with pytest.raises(RequestClosed):
        decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)
    assert harbour.release(1).approvals == ()
