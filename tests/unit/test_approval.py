"""Who may decide, and what a decision does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lockkeeper.domain.approval import (
    Answer,
    ApprovalRequest,
    Decision,
    RequestStatus,
    approver_of_principal,
    clean_comment,
    enough_approvers,
    grant,
    link_digest,
    must_approve,
    new_link_name,
    people_needed,
    permit,
)
from lockkeeper.domain.authors import is_author, is_known
from lockkeeper.domain.errors import AlreadyDecided, CandidateInvalid, NotPermitted, RequestClosed
from lockkeeper.domain.policy import Approval, Approver

NOW = "2026-11-24T09:00:00.000Z"
ADA = Approver(name="Ada", email="ada@example.com", aws_principal="arn:aws:iam::111111111111:role/Ada*")
GRACE = Approver(name="Grace", email="grace@example.com")
REQUEST = ApprovalRequest("wages-v1-a1", "staging", "seal", 1, (ADA, GRACE), "lin", NOW, "2026-11-27T09:00:00.000Z")


def said(approver: str, answer: Answer = Answer.APPROVE) -> Decision:
    return Decision(approver, answer, "", "link", NOW)


def test_an_approver_is_permitted_and_a_stranger_is_not() -> None:
    assert permit(REQUEST, ADA) is ADA
    with pytest.raises(NotPermitted, match="ask one of: Ada, Grace"):
        permit(REQUEST, None)


@pytest.mark.parametrize(
    "author",
    [
        "Ada",
        " ada ",
        "ADA@example.com",
        "arn:aws:iam::111111111111:role/Ada-Admin",
        "arn:aws:sts::111111111111:assumed-role/Ada-Admin/session",
    ],
)
def test_the_author_may_not_decide(author: str) -> None:
    assert is_author(ADA, author)
    with pytest.raises(NotPermitted, match="Ada made this version"):
        permit(replace(REQUEST, author=author), ADA)
    assert permit(replace(REQUEST, author=author), GRACE) is GRACE


@pytest.mark.parametrize("author", ["", "  ", "Adam", "arn:aws:iam::999999999999:role/Ada"])
def test_others_are_not_the_author(author: str) -> None:
    assert not is_author(ADA, author)


def test_nobody_decides_twice() -> None:
    with pytest.raises(AlreadyDecided, match="Ada has decided already"):
        permit(replace(REQUEST, decisions=(said("Ada"),)), ADA)


def test_a_principal_is_found_by_role_or_session() -> None:
    approvers = (GRACE, ADA)
    assert approver_of_principal(approvers, "arn:aws:iam::111111111111:role/Ada") is ADA
    assert approver_of_principal(approvers, "arn:aws:sts::111111111111:assumed-role/Ada-Admin/me") is ADA
    assert approver_of_principal(approvers, "arn:aws:iam::111111111111:role/Mallory") is None
    assert approver_of_principal(approvers, "arn:aws:sts::111111111111:assumed-role") is None
    assert approver_of_principal(approvers, "") is None


def test_one_approval_is_enough_for_a_quorum_of_one() -> None:
    assert grant(REQUEST, said("Ada"), NOW).status is RequestStatus.APPROVED


def test_approvals_count_up_to_the_quorum() -> None:
    one = grant(replace(REQUEST, quorum=2), said("Ada"), NOW)
    assert one.status is RequestStatus.PENDING
    assert grant(one, said("Grace"), NOW).status is RequestStatus.APPROVED


def test_one_rejection_ends_it_whatever_the_quorum() -> None:
    one = grant(replace(REQUEST, quorum=2), said("Ada"), NOW)
    assert grant(one, said("Grace", Answer.REJECT), NOW).status is RequestStatus.REJECTED


def test_what_was_decided_stays_decided() -> None:
    approved = grant(REQUEST, said("Ada"), NOW)
    with pytest.raises(AlreadyDecided, match="was approved by Ada"):
        grant(approved, said("Grace", Answer.REJECT), NOW)


@pytest.mark.parametrize(
    ("request_", "now"),
    [
        (replace(REQUEST, status=RequestStatus.CLOSED), NOW),
        (REQUEST, REQUEST.expires_at),
        (REQUEST, "2027-01-01T00:00:00.000Z"),
    ],
)
def test_a_closed_or_expired_request_takes_no_decision(request_: ApprovalRequest, now: str) -> None:
    with pytest.raises(RequestClosed):
        grant(request_, said("Ada"), now)


def test_links_are_long_random_and_kept_by_their_hash() -> None:
    names = {new_link_name() for _ in range(100)}
    assert len(names) == 100
    assert {len(name) for name in names} == {43}
    assert link_digest("a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


def test_comments_lose_control_characters_and_length() -> None:
    assert clean_comment(" a\x00b\x1b[31m\nc\t ") == "ab[31m\nc"
    assert len(clean_comment("x" * 5000)) == 1024


RISK = Approver(name="Rita", email="rita@example.com", roles=("risk",))
BOTH = Approver(name="Bo", email="bo@example.com", roles=("risk", "operations"))
OPERATIONS = Approver(name="Olga", email="olga@example.com", roles=("operations",))
PIPELINE = "arn:aws:sts::111111111111:assumed-role/pipeline/SageMaker"


def after(approvers: tuple[Approver, ...], quorum: int, roles: tuple[str, ...], *names: str) -> RequestStatus:
    """What becomes of a question when these approve, one after the other."""
    request = replace(REQUEST, approvers=approvers, quorum=quorum, one_of_each=roles)
    for name in names:
        request = grant(request, said(name), NOW)
    return request.status


@pytest.mark.parametrize(
    ("names", "status"),
    [
        (["Rita"], RequestStatus.PENDING),
        (["Rita", "Olga"], RequestStatus.APPROVED),
        (["Bo"], RequestStatus.PENDING),
        (["Bo", "Rita"], RequestStatus.APPROVED),
        (["Bo", "Olga"], RequestStatus.APPROVED),
        (["Rita", "Grace"], RequestStatus.PENDING),
        (["Rita", "Grace", "Bo"], RequestStatus.APPROVED),
    ],
)
def test_one_of_each_role_must_approve_and_nobody_stands_for_two(names: list[str], status: RequestStatus) -> None:
    people = (RISK, BOTH, OPERATIONS, GRACE)
    assert after(people, 2, ("risk", "operations"), *names) is status


def test_two_of_three_approve_and_the_author_among_them_counts_for_nothing() -> None:
    request = replace(REQUEST, approvers=(ADA, GRACE, RISK), quorum=2, author="Ada")
    with pytest.raises(NotPermitted):
        permit(request, ADA)
    assert after((ADA, GRACE, RISK), 2, (), "Grace") is RequestStatus.PENDING
    assert after((ADA, GRACE, RISK), 2, (), "Grace", "Rita") is RequestStatus.APPROVED


@pytest.mark.parametrize(
    ("author", "known"),
    [
        ("", False),
        (PIPELINE, False),
        ("arn:aws:iam::111111111111:role/service-role/pipeline", False),
        (f"{PIPELINE}; arn:aws:iam::111111111111:role/other", False),
        (f"lin@example.com; {PIPELINE}", True),
        ("Lin Chen", True),
        ("d-1/lin", False),
        ("arn:aws:iam::111111111111:user/lin", False),
        ("arn:aws:iam::111111111111:user/lin@example.com", True),
        ("arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Data_0123456789abcdef/lin@example.com", True),
        ("arn:aws:sts::111111111111:assumed-role/Data/lin@example.com", True),
        ("arn:aws:sts::111111111111:assumed-role/Ada-Admin/session", True),
    ],
)
def test_a_role_that_pipelines_run_under_tells_nobody_who_made_a_version(author: str, known: bool) -> None:
    assert is_known(author, (ADA, GRACE)) is known
    approval = Approval(approvers=(ADA, GRACE))
    assert people_needed(approval, author) == (1 if known else 2)
    words = must_approve(replace(REQUEST, author=author, quorum=people_needed(approval, author)))
    assert ("nobody knows who made it" in words) is not known


def test_an_unknown_author_needs_one_more_approver_than_there_are() -> None:
    with pytest.raises(CandidateInvalid, match=r"1 approver.* somebody unknown .*, 2 must") as refused:
        enough_approvers(Approval(approvers=(ADA,)), PIPELINE)
    assert "author_from" in str(refused.value)


def test_roles_that_only_the_author_covers_are_refused_before_anybody_is_asked() -> None:
    approval = Approval(approvers=(RISK, OPERATIONS, GRACE), one_of_each=("risk",))
    enough_approvers(approval, "lin")
    with pytest.raises(CandidateInvalid, match="without Rita the approvers do not cover one of each: risk"):
        enough_approvers(approval, "Rita")


def test_a_policy_cannot_ask_for_roles_that_nobody_has() -> None:
    with pytest.raises(ValueError, match="no approvers for one_of_each: risk, operations"):
        Approval(approvers=(RISK, GRACE), one_of_each=("risk", "operations"))
    with pytest.raises(ValueError, match="give each role to another person"):
        Approval(approvers=(BOTH, GRACE), one_of_each=("risk", "operations"))
