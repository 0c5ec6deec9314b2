"""A maker whom the policy does not let us tell from every approver may be one of them, so one more has to approve."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.approval import (
    Answer,
    ApprovalRequest,
    RequestStatus,
    asked_by,
    enough_approvers,
    must_approve,
    people_needed,
    permit,
)
from lockkeeper.domain.errors import CandidateInvalid, NotPermitted
from lockkeeper.domain.model_package import author_of
from lockkeeper.domain.policy import Approval, Approver
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide, decide_by_link, question_about
from lockkeeper.use_cases.request_approval import request_approval

from tests.unit.harbour import Harbour, package_arn, policy_document, release_id

SHARED_ROLE = "arn:aws:sts::111111111111:assumed-role/Studio/SageMaker"
USERS = "arn:aws:iam::111111111111:user"
PROFILES = "arn:aws:sagemaker:eu-west-1:111111111111:user-profile"
ADA = Approver(name="Ada", email="ada@example.com")
GRACE = Approver(name="Grace", email="grace@example.com")


def profile(name: str, studio_profile: str) -> Approver:
    return Approver(name=name, email=f"{name}@example.com", studio_profile=studio_profile)


def principal(name: str, aws_principal: str) -> Approver:
    return Approver(name=name, email=f"{name}@example.com", aws_principal=aws_principal)


IN_STUDIO = profile("Grace", "d-x/grace")
A_USER = principal("Grace", f"{USERS}/grace")


def made_in_studio(name: str, domain: str | None = "d-x") -> dict[str, Any]:
    """A version as the registry describes it: the profile, and the role that profiles share."""
    by = {"UserProfileName": name, "DomainId": domain, "IamIdentity": {"Arn": SHARED_ROLE}}
    return {"CreatedBy": {key: value for key, value in by.items() if value}}


def made_by_user(name: str) -> dict[str, Any]:
    return {"CreatedBy": {"IamIdentity": {"Arn": f"{USERS}/{name}"}}}


@pytest.mark.parametrize(
    ("made", "approvers", "people"),
    [
        # Ada may be the profile `al`: the policy has her address only.
        (made_in_studio("al"), (ADA, GRACE), 2),
        (made_in_studio("al"), (ADA, IN_STUDIO), 2),
        (made_in_studio("al"), (principal("Ada", "arn:aws:iam::111111111111:role/Ada"), IN_STUDIO), 2),
        (made_in_studio("al"), (profile("Ada", "d-x/ada"), IN_STUDIO), 1),
        # Who has a profile in one domain may have one of another name in the next.
        (made_in_studio("al"), (profile("Ada", "d-y/ada"), IN_STUDIO), 2),
        (made_in_studio("al", None), (profile("Ada", "d-x/ada"), IN_STUDIO), 2),
        (made_in_studio("ada"), (profile("Ada", "d-x/ada"), GRACE), 1),
        (made_by_user("ada.l"), (ADA, GRACE), 2),
        (made_by_user("people/ada.l"), (ADA, A_USER), 2),
        (made_by_user("ada.l"), (profile("Ada", "d-x/ada"), A_USER), 2),
        (made_by_user("ada.l"), (principal("Ada", f"{USERS}/ada"), A_USER), 1),
        (made_by_user("ada.l"), (principal("Ada", f"{USERS}/people/ada"), A_USER), 1),
        # Whoever decides in a role may register as the user who takes it.
        (made_by_user("ada.l"), (principal("Ada", "arn:aws:iam::111111111111:role/Approver"), A_USER), 2),
        (made_by_user("ada.l"), (principal("Ada", "arn:aws:iam::222222222222:user/ada"), A_USER), 2),
        (made_by_user("ada"), (ADA, GRACE), 1),
        (made_by_user("lin@example.com"), (ADA, GRACE), 1),
        (made_by_user("lin@elsewhere.example"), (ADA, GRACE), 2),
        ({"CreatedBy": {"IamIdentity": {"Arn": "arn:aws:sts::111111111111:federated-user/al"}}}, (ADA, GRACE), 2),
        # No approver is the owner of the account.
        ({"CreatedBy": {"IamIdentity": {"Arn": "arn:aws:iam::111111111111:root"}}}, (ADA, GRACE), 1),
    ],
)
def test_one_more_must_approve_unless_every_approver_is_named_as_the_maker_is(
    made: dict[str, Any], approvers: tuple[Approver, ...], people: int
) -> None:
    author, approval = author_of(made, None), Approval(approvers=approvers)
    assert people_needed(approval, author) == people
    request = ApprovalRequest("wages-v1-a1", "staging", "seal", people, approvers, author, "2026-11-24", "2026-11-27")
    assert ("nobody knows who made it" in must_approve(request)) is (people == 2)


@pytest.mark.parametrize("said", ["Lin Chen", "lin", "lin@elsewhere.example"])
@pytest.mark.parametrize("made", [{}, made_in_studio("al"), made_by_user("ada.l")])
def test_what_the_policys_metadata_says_is_known(said: str, made: dict[str, Any]) -> None:
    author = author_of({**made, "CustomerMetadataProperties": {"author": said}}, "metadata.author")
    assert people_needed(Approval(approvers=(ADA, GRACE)), author) == 1


@pytest.mark.parametrize(
    ("author", "ada"),
    [
        (author_of(made_in_studio("ada-l"), None), profile("Ada", "d-x/ada-l")),
        (f"{PROFILES}/d-x/ada-l", profile("Ada", "d-x/ada-l")),
        (author_of(made_in_studio("ada-l", None), None), profile("Ada", "d-x/ada-l")),
        (author_of(made_in_studio("ada-l", "d-y"), None), profile("Ada", "d-x/ada-l")),
        (author_of(made_in_studio("ada"), None), ADA),
        (f"{USERS}/ada.l", principal("Ada", f"{USERS}/ada.l")),
        (f"{USERS}/people/ada.l", principal("Ada", f"{USERS}/*/ada.l")),
    ],
)
def test_an_approver_who_made_it_is_known_and_may_not_decide(author: str, ada: Approver) -> None:
    assert people_needed(Approval(approvers=(ada, GRACE)), author) == 1
    request = ApprovalRequest("wages-v1-a1", "staging", "seal", 1, (ada, GRACE), author, "2026-11-24", "2026-11-27")
    assert asked_by(request) == [GRACE]
    with pytest.raises(NotPermitted, match="Ada made this version"):
        permit(request, ada)


def test_the_only_approver_is_not_enough_for_a_studio_user_who_may_be_them() -> None:
    with pytest.raises(CandidateInvalid, match=r"1 approver.* somebody unknown .*, 2 must"):
        enough_approvers(Approval(approvers=(ADA,)), author_of(made_in_studio("al"), None))


@pytest.mark.parametrize("made", [made_in_studio("al"), made_by_user("al")])
def test_who_made_it_by_another_name_does_not_release_it_alone(made: dict[str, Any]) -> None:
    harbour = Harbour()
    document = policy_document()
    del document["approval"]["author_from"]
    harbour.apply(document)
    harbour.register(1, told=False)
    harbour.world.registry.packages[package_arn(1)].update(made)
    harbour.tell_registry(1)
    harbour.settle()
    ada, grace = question_about(release_id(1), harbour.world).approvers
    decide(question_about(release_id(1), harbour.world), ada, Answer.APPROVE, "", "link", harbour.world)
    harbour.settle()
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    decide(question_about(release_id(1), harbour.world), grace, Answer.APPROVE, "", "link", harbour.world)
    harbour.settle()
    assert harbour.release(1).status is not Status.AWAITING_APPROVAL


def test_a_release_that_was_opened_by_weaker_rules_fails_before_it_asks_too_few() -> None:
    """An earlier version took its maker for known and was content with Ada; the second yes could never come."""
    harbour = Harbour()
    document = policy_document()
    document["approval"]["before"] = ["staging", "production"]
    document["approval"]["approvers"] = document["approval"]["approvers"][:1]
    harbour.apply(document)
    harbour.register(1)
    harbour.world.ledger.record(release_id(1), "candidate read", "as an earlier version did", author="")
    harbour.approve()
    harbour.settle()
    release = harbour.release(1)
    assert (release.status, harbour.world.ledger.request_of(release_id(1), "production")) == (Status.FAILED, None)
    assert "1 approver(s) may decide on a version made by somebody unknown" in release.reason


def test_what_was_answered_by_weaker_rules_stands_when_its_state_is_tried_again() -> None:
    """Ada said yes, which was enough; whoever asks anew asks nobody, and so not too few."""
    harbour = Harbour()
    document = policy_document()
    document["approval"]["approvers"] = document["approval"]["approvers"][:1]
    harbour.apply(document)
    harbour.register(1)
    decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)
    harbour.world.ledger.record(release_id(1), "candidate read", "as an earlier version did", author="")
    request_approval(release_id(1), "staging", "the next try's token", harbour.world)
    request = harbour.world.ledger.request_of(release_id(1), "staging")
    assert request
    assert request.status is RequestStatus.APPROVED
