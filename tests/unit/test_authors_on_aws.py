"""Who made a version is known by their AWS identity: a session has a name and no path, a role has a path."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.domain.approval import (
    Answer,
    ApprovalRequest,
    approver_of_principal,
    people_needed,
    permit,
)
from lockkeeper.domain.authors import is_author, is_known
from lockkeeper.domain.errors import NotPermitted
from lockkeeper.domain.policy import Approval, Approver
from lockkeeper.domain.release import Status
from lockkeeper.domain.slack_press import Press, Shown
from lockkeeper.use_cases.decide_approval import decide, decide_by_principal, decide_by_slack, question_about
from lockkeeper.use_cases.react_to_registry import react_to_registry

from tests.unit.harbour import Harbour, package_arn, package_event, policy_document, release_id

ACCOUNT = "arn:aws:sts::111111111111:assumed-role"
PORTAL = "AWSReservedSSO_Data_0123456789abcdef"
PORTAL_ROLE = f"arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/eu-central-1/{PORTAL}"
ADA = Approver(name="Ada", email="ada@example.com", studio_profile="d-1/ada-l")
GRACE = Approver(name="Grace", email="grace@example.com")
REQUEST = ApprovalRequest("wages-v1-a1", "staging", "seal", 1, (ADA, GRACE), "", "2026-11-24", "2026-11-27")


def with_principal(pattern: str, email: str | None = None) -> Approver:
    return Approver(name="Olga", email=email, aws_principal=pattern)


@pytest.mark.parametrize(
    "author",
    [
        f"{ACCOUNT}/{PORTAL}/ada@example.com",
        f"{ACCOUNT}/{PORTAL}/Ada@Example.com",
        f"{ACCOUNT}/{PORTAL}/ada",
        f"{ACCOUNT}/{PORTAL}/ada-l",
        f"{ACCOUNT}/Data/ada@example.com",
        f"lin; {ACCOUNT}/Data/ada",
        "arn:aws-cn:sts::111111111111:assumed-role/Data/ada",
        "arn:aws:iam::111111111111:user/ada",
        "arn:aws:iam::111111111111:user/people/ada@example.com",
    ],
)
def test_who_made_it_in_a_session_or_as_a_user_of_their_name_may_not_decide(author: str) -> None:
    assert is_author(ADA, author)
    with pytest.raises(NotPermitted, match="Ada made this version"):
        permit(replace(REQUEST, author=author), ADA)
    assert permit(replace(REQUEST, author=author), GRACE) is GRACE


@pytest.mark.parametrize(
    "author",
    [
        f"{ACCOUNT}/{PORTAL}/lin@example.com",
        f"{ACCOUNT}/ada/SageMaker",
        f"{ACCOUNT}/ada@example.com",
        "arn:aws:iam::111111111111:role/ada",
        "arn:aws:iam::111111111111:user/ada/lin",
    ],
)
def test_the_name_of_a_role_or_of_a_path_is_nobodys(author: str) -> None:
    assert not is_author(ADA, author)


@pytest.mark.parametrize(
    "principal",
    [
        PORTAL_ROLE,
        PORTAL_ROLE.replace("eu-central-1", "*"),
        PORTAL_ROLE.replace("eu-central-1/", ""),
        f"arn:aws:iam::111111111111:role/{PORTAL}",
        "arn:aws:iam::111111111111:role/AWSReservedSSO_Data_*",
        f"{ACCOUNT}/{PORTAL}/olga",
    ],
)
def test_an_approver_whose_role_has_a_path_decides_by_a_session_of_it_and_is_its_author(principal: str) -> None:
    olga = with_principal(principal)
    session = f"{ACCOUNT}/{PORTAL}/olga"
    assert approver_of_principal((GRACE, olga), session) is olga
    assert is_author(olga, session)
    assert is_known(session, (GRACE, olga))


@pytest.mark.parametrize(
    "session",
    [
        f"{ACCOUNT}/{PORTAL}0/olga",
        f"arn:aws:sts::999999999999:assumed-role/{PORTAL}/olga",
        f"{ACCOUNT}/Data/{PORTAL}",
        f"arn:aws:iam::111111111111:user/{PORTAL}",
    ],
)
def test_a_role_of_another_name_or_account_decides_nothing(session: str) -> None:
    assert approver_of_principal((with_principal(PORTAL_ROLE), ADA), session) is None


def test_a_role_under_a_path_in_any_account_is_nobodys_by_its_name_alone() -> None:
    olga = with_principal("arn:aws:iam::*:role/approvers/Olga")
    assert approver_of_principal((olga,), f"{ACCOUNT}/Olga/x") is None
    assert is_author(olga, f"{ACCOUNT}/Olga/x")


@pytest.mark.parametrize(
    ("principal", "session", "author"),
    [
        ("arn:aws:iam::111111111111:role/approvers/*", f"{ACCOUNT}/pipeline/SageMaker", False),
        ("arn:aws:iam::111111111111:role/approvers/Olga-*", f"{ACCOUNT}/Olga-Admin/x", True),
        ("arn:aws:iam::111111111111:role/approvers/Olga-*", f"{ACCOUNT}/pipeline/SageMaker", False),
    ],
)
def test_a_pattern_of_names_under_a_path_decides_by_no_session_since_any_path_may_have_such_a_name(
    principal: str, session: str, author: bool
) -> None:
    olga = with_principal(principal)
    assert approver_of_principal((olga,), session) is None
    assert is_author(olga, session) is author
    assert not is_known(session, (olga,))
    role = "arn:aws:iam::111111111111:role/approvers/Olga-Admin"
    assert approver_of_principal((olga,), role) is olga


@pytest.mark.parametrize("session", [f"{ACCOUNT}/Data/ada@example.com", f"{ACCOUNT}/Data/ada", f"{ACCOUNT}/Data/Ada"])
def test_nobody_decides_by_the_name_of_a_session_which_its_caller_chooses(session: str) -> None:
    olga = with_principal("arn:aws:iam::111111111111:role/Ada")
    assert approver_of_principal((ADA, GRACE, olga), session) is None


@pytest.mark.parametrize(
    ("author", "known"),
    [
        (f"{ACCOUNT}/{PORTAL}/ada@example.com", True),
        (f"{ACCOUNT}/{PORTAL}/ada", True),
        (f"{ACCOUNT}/Data/ada@example.com", True),
        (f"{ACCOUNT}/{PORTAL}/lin@example.com", True),
        (f"{ACCOUNT}/{PORTAL}/lin@elsewhere.example", False),
        (f"{ACCOUNT}/{PORTAL}/al", False),
        (f"lin; {ACCOUNT}/{PORTAL}/al", True),
        # Whoever may take a role that jobs run under may call the session what they like.
        (f"{ACCOUNT}/pipeline/ada", False),
        (f"{ACCOUNT}/pipeline@home/SageMaker", False),
    ],
)
def test_one_more_must_approve_where_a_session_may_be_an_approvers(author: str, known: bool) -> None:
    assert is_known(author, (ADA, GRACE)) is known
    assert people_needed(Approval(approvers=(ADA, GRACE)), author) == (1 if known else 2)


@pytest.mark.parametrize(
    ("approver", "known"),
    [
        (Approver(name="Olga", slack_user="U0OLGAOLGA"), False),
        (with_principal("arn:aws:iam::111111111111:role/Olga"), False),
        (with_principal(f"{ACCOUNT}/Approve/*@example.com"), False),
        (with_principal(f"{ACCOUNT}/{PORTAL}/olga@example.com"), True),
        (with_principal("arn:aws:iam::111111111111:role/Olga", "olga@example.com"), True),
    ],
)
def test_an_approver_of_whom_no_address_is_known_may_be_anybody(approver: Approver, known: bool) -> None:
    assert is_known(f"{ACCOUNT}/{PORTAL}/lin@example.com", (ADA, approver)) is known


def test_an_approver_known_by_one_permission_set_is_the_author_with_another() -> None:
    olga = with_principal(f"{ACCOUNT}/{PORTAL}/olga")
    assert is_author(olga, f"{ACCOUNT}/AWSReservedSSO_Admin_fedcba9876543210/olga")


@pytest.fixture
def made_by_ada() -> Harbour:
    """Ada registered version 1 in a session of the portal, and the policy names no metadata."""
    harbour = Harbour()
    document = policy_document()
    del document["approval"]["author_from"]
    ada, grace = document["approval"]["approvers"]
    ada |= {
        "aws_principal": PORTAL_ROLE.replace("Data", "Approve"),
        "slack_user": "U0ADA0ADA",
        "studio_profile": "d-1/al",
    }
    grace |= {"slack_user": "U0GRACE00"}
    harbour.apply(document)
    harbour.register(1, told=False)
    package = harbour.world.registry.packages[package_arn(1)]
    package["CreatedBy"] = {"IamIdentity": {"Arn": f"{ACCOUNT}/{PORTAL}/ada@example.com"}}
    harbour.tell_registry(1)
    harbour.settle()
    return harbour


def test_ada_is_not_asked_and_decides_in_no_channel(made_by_ada: Harbour) -> None:
    world = made_by_ada.world
    assert [letter.approver for letter in world.mail.letters] == ["Grace"]
    request = question_about(release_id(1), world)
    assert request.quorum == 1
    ada, _grace = request.approvers
    with pytest.raises(NotPermitted, match="Ada made this version"):
        decide(request, ada, Answer.APPROVE, "", "link", world)
    session = f"{ACCOUNT}/{PORTAL.replace('Data', 'Approve')}/anything"
    with pytest.raises(NotPermitted, match="Ada made this version"):
        decide_by_principal(release_id(1), session, Answer.APPROVE, "", world)
    with pytest.raises(NotPermitted, match="Ada made this version"):
        decide_by_slack(pressed("U0ADA0ADA", request.seal), world)
    for by in ({"IamIdentity": {"Arn": session}}, {"DomainId": "d-1", "UserProfileName": "al"}):
        set_approved(made_by_ada, by)
        assert "made this version" in world.registry.packages[package_arn(1)]["ApprovalDescription"]
    assert made_by_ada.release(1).approvals == ()
    decide_by_slack(pressed("U0GRACE00", request.seal), world)
    made_by_ada.settle()
    assert made_by_ada.release(1).status is not Status.AWAITING_APPROVAL


def pressed(user: str, seal: str) -> Press:
    return Press(user=user, shown=Shown(release_id(1), "staging", seal))


def set_approved(harbour: Harbour, by: dict[str, Any]) -> None:
    now = harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": "Approved", "LastModifiedBy": by, "LastModifiedTime": now}
    event = package_event(1)
    event["detail"] |= {"UpdatedModelPackageFields": ["ModelApprovalStatus"], "LastModifiedTime": now.isoformat()}
    react_to_registry(event, harbour.inside)
