"""Who sets `ModelApprovalStatus` decides if they may, and everybody else finds it set back with the reason."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.storage import OWN_ROLE
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import StampRefused, TryAgain
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.registry_status import PENDING, approver_of_profile
from lockkeeper.domain.release import Pins, Status
from lockkeeper.ports import Wait
from lockkeeper.use_cases.decide_in_registry import Decided
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.settle_wait import complete_wait

from tests.unit.braking import freeze
from tests.unit.breaking import Broken, CutOnce
from tests.unit.harbour import Harbour, package_arn, package_event, policy_document

SESSION = "arn:aws:sts::111111111111:assumed-role/{}/session"
ADA = {"IamIdentity": {"Arn": SESSION.format("Ada")}}
STUDIO = {
    "DomainId": "d-1",
    "UserProfileName": "grace",
    "IamIdentity": {"Arn": SESSION.format("SageMakerExecutionRole")},
}
STRANGERS = {
    "another role": {"IamIdentity": {"Arn": SESSION.format("Mallory")}},
    "the profile of another domain": {**STUDIO, "DomainId": "d-2"},
    "a profile of no domain": {"UserProfileName": "grace"},
    "a Studio user under an approver's role": {**STUDIO, **ADA, "UserProfileName": "mallory"},
    "nobody": {},
}


@pytest.fixture
def asked() -> Harbour:
    """Version 1 waits for Ada (a role) or Grace (a Studio user)."""
    harbour = Harbour()
    document = policy_document()
    document["approval"]["approvers"][1]["studio_profile"] = "d-1/grace"
    harbour.apply(document)
    harbour.register(1)
    return harbour


def set_status(
    harbour: Harbour, status: str, by: dict[str, Any], comment: str = "", *, version: int = 1
) -> Decided | Ignore:
    """Somebody sets it, and Lockkeeper is told."""
    now = harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(version)]
    package |= {"ModelApprovalStatus": status, "LastModifiedBy": by, "LastModifiedTime": now}
    if comment:
        package["ApprovalDescription"] = comment
    event = package_event(version)
    event["detail"] |= {
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
        "LastModifiedTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    reaction = react_to_registry(event, harbour.inside)
    written = len(harbour.world.registry.stamps), harbour.release(version).timeline
    with suppress(TryAgain):  # Nobody has gone the way back yet.
        react_to_registry(event, harbour.inside)
    again = len(harbour.world.registry.stamps), harbour.release(version).timeline
    assert again == written, "told twice, it finds nothing more to do"
    harbour.settle()
    assert not hasattr(reaction, "name"), "a decision starts no release"
    return reaction  # type: ignore[return-value]


def registry_status(harbour: Harbour, version: int = 1) -> tuple[str, str]:
    package = harbour.world.registry.packages[package_arn(version)]
    return package["ModelApprovalStatus"], package.get("ApprovalDescription", "")


@pytest.mark.parametrize(("by", "name"), [(ADA, "Ada"), (STUDIO, "Grace")])
def test_an_approver_approves_by_setting_the_status(asked: Harbour, by: dict[str, Any], name: str) -> None:
    reaction = set_status(asked, "Approved", by, "looks right")
    assert isinstance(reaction, Decided)
    (decision,) = asked.release(1).approvals
    assert (decision["approver"], decision["answer"], decision["comment"]) == (name, "approve", "looks right")
    assert decision["channel"] == "registry"
    assert asked.release(1).status is Status.BAKING
    status, description = registry_status(asked)
    assert status == PENDING, "others deploy what the registry says, and nothing was promoted yet"
    assert "Approved is set once it was promoted" in description


def test_an_approver_rejects_by_setting_the_status(asked: Harbour) -> None:
    set_status(asked, "Rejected", STUDIO, "not on a Friday")
    assert asked.release(1).status is Status.REJECTED
    assert asked.release(1).reason.startswith("rejected by Grace: not on a Friday")
    assert registry_status(asked)[0] == "Rejected"


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
@pytest.mark.parametrize("by", STRANGERS.values(), ids=STRANGERS)
def test_who_may_not_decide_finds_the_status_set_back_with_the_reason(
    asked: Harbour, by: dict[str, Any], status: str
) -> None:
    reaction = set_status(asked, status, by)
    assert isinstance(reaction, Decided)
    assert asked.release(1).approvals == ()
    assert asked.release(1).status is Status.AWAITING_APPROVAL
    back, description = registry_status(asked)
    assert back == PENDING
    assert "no approver" in description or "names nobody" in description


def test_the_author_may_not_decide_by_their_studio_profile() -> None:
    harbour = Harbour()
    document = policy_document()
    document["approval"]["approvers"][1]["studio_profile"] = "d-1/grace"
    harbour.apply(document)
    harbour.register(1, author="grace")
    set_status(harbour, "Approved", STUDIO)
    assert harbour.release(1).approvals == ()
    assert "made this version" in registry_status(harbour)[1]


def test_an_event_without_its_time_names_nobody(asked: Harbour) -> None:
    package = asked.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": "Approved", "LastModifiedBy": ADA, "LastModifiedTime": asked.world.clock.now()}
    event = package_event(1)
    event["detail"] |= {"UpdatedModelPackageFields": ["ModelApprovalStatus"], "LastModifiedTime": None}
    with pytest.raises(TryAgain):
        react_to_registry(event, asked.inside)
    asked.pass_time(minutes=1)
    assert isinstance(react_to_registry(event, asked.inside), Decided)
    assert asked.release(1).approvals == ()
    assert "set it again" in registry_status(asked)[1]


def test_what_lockkeeper_wrote_itself_decides_nothing(asked: Harbour) -> None:
    stamps = len(asked.world.registry.stamps)
    own = {"IamIdentity": {"Arn": OWN_ROLE.replace(":iam:", ":sts:").replace("role/", "assumed-role/") + "/session"}}
    package = asked.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": "Approved", "LastModifiedBy": own, "LastModifiedTime": asked.world.clock.now()}
    event = package_event(1)
    event["detail"]["UpdatedModelPackageFields"] = ["ModelApprovalStatus"]
    assert isinstance(react_to_registry(event, asked.inside), Ignore)
    assert len(asked.world.registry.stamps) == stamps
    assert asked.release(1).approvals == ()


def test_a_description_or_metadata_that_changed_is_no_decision(asked: Harbour) -> None:
    """A version may be registered as Approved: that is nobody's decision, whoever changes something else of it."""
    package = asked.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": "Approved", "LastModifiedBy": ADA, "LastModifiedTime": asked.world.clock.now()}
    event = package_event(1)
    event["detail"]["UpdatedModelPackageFields"] = ["CustomerMetadataProperties"]
    assert isinstance(react_to_registry(event, asked.inside), Ignore)
    assert asked.release(1).approvals == ()


def test_half_a_quorum_does_not_leave_approved_behind(asked: Harbour) -> None:
    document = policy_document()
    document["approval"] |= {"quorum": 2}
    document["approval"]["approvers"][1]["studio_profile"] = "d-1/grace"
    asked.apply(document)
    asked.register(2)
    set_status(asked, "Approved", STUDIO, version=2)
    assert registry_status(asked, 2)[0] == PENDING
    assert "more people must approve" in registry_status(asked, 2)[1]
    assert asked.release(2).status is Status.AWAITING_APPROVAL
    asked.decide(Answer.APPROVE, "Ada")
    assert asked.release(2).status is Status.BAKING


def test_who_rejects_a_version_in_its_bake_takes_it_back(asked: Harbour) -> None:
    asked.approve()
    assert asked.release(1).status is Status.BAKING
    set_status(asked, "Rejected", {"IamIdentity": {"Arn": SESSION.format("Mallory")}})
    assert asked.release(1).status is Status.BAKING
    set_status(asked, "Rejected", ADA)
    assert asked.release(1).status is Status.ROLLED_BACK
    assert asked.release(1).reason.startswith("rejected by Ada in the registry while it was watched")


@pytest.mark.parametrize("told", [True, False])
def test_a_bake_that_ends_well_at_that_very_moment_is_not_said_to_be_rejected(
    asked: Harbour, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    asked.approve()
    settle_wait = asked.world.ledger.settle_wait

    def overtaken(wait: Wait, result: dict[str, Any]) -> bool:
        monkeypatch.undo()
        assert complete_wait(wait, {}, asked.world) if told else settle_wait(wait, {"output": {}})
        return settle_wait(wait, result)

    monkeypatch.setattr(asked.world.ledger, "settle_wait", overtaken)
    reaction = set_status(asked, "Rejected", ADA)
    assert isinstance(reaction, Decided)
    assert "its bake ended at that very moment" in reaction.what
    assert (asked.release(1).status, registry_status(asked)[0]) == (Status.PROMOTED, "Approved")


def test_a_rejection_that_nobody_heard_is_made_again(asked: Harbour) -> None:
    """The state died after it had stored its wait, and is about to be tried again: its token is worth nothing any more."""
    asked.approve()
    execution = asked.machine.executions["wages-v1-a1"]
    asked.world.tasks.withdraw(execution.token)
    for _ in range(2):
        with pytest.raises(TryAgain, match="between two states"):
            set_status(asked, "Rejected", ADA)
    execution.token = ""
    asked.machine.run()
    assert asked.release(1).status is Status.BAKING
    set_status(asked, "Rejected", ADA)
    assert asked.release(1).status is Status.ROLLED_BACK


def test_a_policy_that_observes_leaves_what_others_set(asked: Harbour) -> None:
    asked.apply(policy_document() | {"mode": "observe"})
    freeze(asked)
    asked.register(2)
    assert asked.release(2).status is Status.WAITING_FOR_LOCK
    reaction = set_status(asked, "Approved", ADA, version=2)
    assert isinstance(reaction, Ignore)
    assert "one that only observes" in reaction.reason
    assert registry_status(asked, 2)[0] == "Approved"


def test_who_sets_a_status_before_the_policy_was_read_is_heard_afterwards(asked: Harbour) -> None:
    asked.world.ledger.record("wages-v1-a1", "a moment ago", "the policy was not read", pins=Pins())
    with pytest.raises(TryAgain, match="about to read its policy"):
        set_status(asked, "Approved", ADA)


def test_a_release_that_has_ended_is_moved_by_nothing(asked: Harbour) -> None:
    asked.decide(Answer.REJECT, "Ada")
    reaction = set_status_once(asked, "Approved", ADA)
    assert isinstance(reaction, Ignore)
    assert "has ended as rejected" in reaction.reason


def set_status_once(harbour: Harbour, status: str, by: dict[str, Any]) -> Any:
    package = harbour.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": status, "LastModifiedBy": by, "LastModifiedTime": harbour.world.clock.now()}
    event = package_event(1)
    event["detail"]["UpdatedModelPackageFields"] = ["ModelApprovalStatus"]
    return react_to_registry(event, harbour.inside)


def test_an_approver_without_a_profile_is_nobodys() -> None:
    assert approver_of_profile((Approver(name="Ada", email="ada@example.com"),), "") is None


def test_a_stamp_that_the_registry_refuses_changes_no_decision(asked: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_what: Any, **_more: Any) -> None:
        raise StampRefused("the registry refused the stamp: AccessDenied")

    monkeypatch.setattr(asked.world.registry, "stamp", refuse)
    set_status_once(asked, "Approved", {"IamIdentity": {"Arn": SESSION.format("Mallory")}})
    assert asked.release(1).status is Status.AWAITING_APPROVAL
    assert asked.release(1).timeline[-1].what == "registry status could not be set back"


def change_of(harbour: Harbour, status: str, by: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """Somebody sets it; the event about that."""
    now = harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(version)]
    package |= {"ModelApprovalStatus": status, "LastModifiedBy": by, "LastModifiedTime": now}
    event = package_event(version)
    fields = {
        "UpdatedModelPackageFields": ["ModelApprovalStatus"],
        "LastModifiedTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    event["detail"] |= fields
    return event


@pytest.mark.parametrize(("status", "answer"), [("Approved", "approve"), ("Rejected", "reject")])
def test_an_event_that_comes_again_after_a_crash_is_the_decision_that_was_made(
    asked: Harbour, status: str, answer: str
) -> None:
    event = change_of(asked, status, STUDIO)
    world: Any = CutOnce(asked.world, "tasks.succeed", "tasks.fail")
    with pytest.raises(Broken):
        react_to_registry(event, world)
    reaction = react_to_registry(event, world)
    assert isinstance(reaction, Decided)
    assert reaction.what.startswith(f"Grace decided before staging: {answer}")
    assert "already" not in registry_status(asked)[1]
    assert registry_status(asked)[0] == (PENDING if status == "Approved" else "Rejected")
    asked.settle()
    assert [one["approver"] for one in asked.release(1).approvals] == ["Grace"]


def test_what_was_set_before_a_question_was_asked_does_not_answer_it(asked: Harbour) -> None:
    """The event of an approval comes again, or out of a dead-letter queue, when the next question is open."""
    document = policy_document()
    document["approval"]["before"] = ["staging", "production"]
    asked.apply(document)
    asked.register(2)
    event = change_of(asked, "Approved", ADA, 2)
    asked.world.clock.advance(timedelta(seconds=2))
    asked.decide(Answer.APPROVE, "Ada")
    asked.pass_time(minutes=1)
    asked.settle()
    assert asked.release(2).status is Status.AWAITING_APPROVAL
    react_to_registry(event, asked.inside)
    asked.settle()
    assert asked.release(2).status is Status.AWAITING_APPROVAL, "Ada said nothing about production"
    assert registry_status(asked, 2)[0] == PENDING
