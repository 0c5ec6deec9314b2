"""Approval: `permit` says whether this person may decide, `grant` what a decision does. Two questions, two functions."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lockkeeper.domain.authors import is_author, is_known, stands_for
from lockkeeper.domain.errors import (
    AlreadyDecided,
    CandidateInvalid,
    NotPermitted,
    PolicyInvalid,
    RequestClosed,
    SignInNeeded,
)
from lockkeeper.domain.policy import Approval, Approver, roles_covered

MAX_COMMENT = 1024


class Answer(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class RequestStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLOSED = "closed"


@dataclass(frozen=True)
class Decision:
    """What one person said; `channel` is `link`, `cli`, `slack` or `registry`."""

    approver: str
    answer: Answer
    comment: str
    channel: str
    at: str

    def to_json(self) -> dict[str, Any]:
        return {
            "approver": self.approver,
            "answer": str(self.answer),
            "comment": self.comment,
            "channel": self.channel,
            "at": self.at,
        }


@dataclass(frozen=True)
class Revocation:
    """From `at` on (ISO 8601), no link that was sent to this approver until then is good any more."""

    approver: str
    by: str
    at: str

    def to_json(self) -> dict[str, str]:
        return {"approver": self.approver, "by": self.by, "at": self.at}


@dataclass(frozen=True)
class ApprovalRequest:
    """A question put to people: bound to the release's pins and to the seal it was asked with."""

    release_id: str
    before: str
    seal: str
    quorum: int
    approvers: tuple[Approver, ...]
    author: str
    requested_at: str
    expires_at: str
    status: RequestStatus = RequestStatus.PENDING
    decisions: tuple[Decision, ...] = ()
    one_of_each: tuple[str, ...] = ()
    remind_every: int = 0
    """Seconds between two reminders; 0 for none."""
    revoked: tuple[Revocation, ...] = ()
    links: str = "personal"
    """`personal`: a link decides for whoever holds it. `authenticated`: for whoever holds it and signs in as its owner."""

    @property
    def revision(self) -> int:
        """Counts what was written about the question: whoever decides on what they read notices a revocation, too."""
        return len(self.decisions) + len(self.revoked)


@dataclass(frozen=True)
class PersonalLink:
    """A link's secret name is random and leaves with the mail; only its SHA-256 is kept.

    It is about the evidence that `seal` stands for, and about no other.
    """

    sha256: str
    release_id: str
    before: str
    approver: str
    expires_at: str
    seal: str
    issued_at: str = ""
    """Empty for links of the previous minor version: they are older than any revocation."""


def new_link_name() -> str:
    """A random 256-bit name, URL-safe (43 characters)."""
    return secrets.token_urlsafe(32)


def link_digest(name: str) -> str:
    """SHA-256 (hex) of a link's name: the key it is stored under."""
    return hashlib.sha256(name.encode()).hexdigest()


def approver_named(approvers: tuple[Approver, ...], name: str) -> Approver | None:
    return next((approver for approver in approvers if approver.name == name), None)


def approver_of_principal(approvers: tuple[Approver, ...], principal_arn: str) -> Approver | None:
    """Whom an AWS identity stands for. `arn:...:role/Ada*` patterns are shell patterns; assumed-role sessions match their role.

    A session's name proves nothing by itself: its caller chooses it.
    """
    return next((approver for approver in approvers if stands_for(principal_arn, approver)), None)


def approver_of_slack_user(approvers: tuple[Approver, ...], user: str) -> Approver | None:
    """Whom a Slack user stands for, by the id that Slack gives a member for ever; names in Slack are for anybody to take."""
    return next((approver for approver in approvers if user and approver.slack_user == user), None)


def permit(request: ApprovalRequest, approver: Approver | None) -> Approver:
    """May this person decide on this request? Returns the approver or raises `NotPermitted` with the reason."""
    if approver is None:
        raise _no_approver(request)
    if is_author(approver, request.author):
        raise NotPermitted(
            f"{approver.name} made this version and may not decide on it", cure="ask another approver of the policy"
        )
    if any(decision.approver == approver.name for decision in request.decisions):
        raise AlreadyDecided(f"{approver.name} has decided already", cure="a decision cannot be changed")
    return approver


def _no_approver(request: ApprovalRequest) -> NotPermitted:
    names = ", ".join(known.name for known in request.approvers)
    return NotPermitted("you are no approver of this release", cure=f"ask one of: {names}")


def revocation_of(request: ApprovalRequest, link: PersonalLink) -> Revocation | None:
    """What made a link void; None while it is good."""
    voids = (one for one in request.revoked if one.approver == link.approver and link.issued_at <= one.at)
    return next(voids, None)


def permit_revoking(request: ApprovalRequest, approver: Approver | None) -> Approver:
    """May this person make links void, their own or others'? Every approver may, but for who made the version.

    It gives nobody a decision and takes none for good: a reminder brings a new link. Whoever wants a version to pass must not
    keep others from rejecting it.
    """
    if approver is None:
        raise _no_approver(request)
    if is_author(approver, request.author):
        raise NotPermitted(f"{approver.name} made this version and may not revoke the links of those who decide on it")
    return approver


def revoke(request: ApprovalRequest, whose: str, by: str, now: str) -> ApprovalRequest:
    """Make the links of one approver void, or of all where `whose` is empty."""
    if request.status is not RequestStatus.PENDING or now >= request.expires_at:
        raise RequestClosed(f"the question about {request.release_id} is closed, and so are its links")
    names = [approver.name for approver in request.approvers]
    if whose and whose not in names:
        raise NotPermitted(f"{whose} is no approver of this release", cure=f"name one of: {', '.join(names)}")
    void = [name for name in names if whose in ("", name)]
    return replace(request, revoked=(*request.revoked, *(Revocation(name, by, now) for name in void)))


def people_needed(approval: Approval, author: str) -> int:
    """How many must approve: one more where nobody knows who made the version, since it may be one of those who are asked."""
    return approval.people + (not is_known(author, approval.approvers))


def permit_at_link(request: ApprovalRequest, approver: Approver, signed_in_as: str) -> None:
    """May the reader of an approver's link decide by it? `signed_in_as` is their verified e-mail; empty for nobody."""
    if request.links != "authenticated":
        return
    if not signed_in_as:
        raise SignInNeeded(
            f"this question is decided by whoever signs in as {approver.name}",
            cure="open the link and sign in to decide",
        )
    if signed_in_as.casefold() != str(approver.email).casefold():
        raise NotPermitted(
            f"you are signed in as {signed_in_as}, and this link is {approver.name}'s",
            cure="sign out, and in again with the address that the policy has; or use your own link",
        )


def able_to_sign_in(approval: Approval, web_access: str) -> None:
    """Raise `PolicyInvalid` where links ask for a sign-in that the stack has not."""
    if approval.links_are_authenticated and web_access != "sign-in":
        raise PolicyInvalid(
            f"approval.links is authenticated, but nobody can sign in here (WebAccess is {web_access or 'not known'})",
            cure="deploy the stack with WebAccess=sign-in, see docs/board.md, or write links: personal",
        )


def enough_approvers(approval: Approval, author: str) -> None:
    """Raise `CandidateInvalid` where the quorum cannot be reached without those who made the version."""
    if not approval.before:
        return
    able = [approver for approver in approval.approvers if not is_author(approver, author)]
    needed = people_needed(approval, author)
    if len(able) < needed:
        known = is_known(author, approval.approvers)
        who = author if known else "somebody unknown (one more is needed for that)"
        cure = "name more approvers in the policy; who made a version may not approve it"
        raise CandidateInvalid(
            f"{len(able)} approver(s) may decide on a version made by {who}, {needed} must",
            cure=cure if known else f"{cure}; or say with author_from which metadata names its author",
        )
    if not roles_covered(approval.one_of_each, able):
        raise CandidateInvalid(
            f"without {author} the approvers do not cover one of each: {', '.join(approval.one_of_each)}",
            cure="name more approvers of these roles; who made a version may not approve it",
        )


def grant(request: ApprovalRequest, decision: Decision, now: str) -> ApprovalRequest:
    """What a permitted decision does: one rejection ends it, approvals count up to the quorum."""
    if request.status is RequestStatus.CLOSED or now >= request.expires_at:
        raise RequestClosed(
            f"the request for {request.release_id} is closed", cure="see `lockkeeper show` for what became of it"
        )
    if request.status is not RequestStatus.PENDING:
        last = request.decisions[-1]
        raise AlreadyDecided(f"{request.release_id} was {request.status} by {last.approver} at {last.at}")
    decisions = (*request.decisions, decision)
    if decision.answer is Answer.REJECT:
        return replace(request, status=RequestStatus.REJECTED, decisions=decisions)
    approved = {one.approver for one in decisions if one.answer is Answer.APPROVE}
    people = [approver for approver in request.approvers if approver.name in approved]
    enough = len(people) >= request.quorum and roles_covered(request.one_of_each, people)
    status = RequestStatus.APPROVED if enough else RequestStatus.PENDING
    return replace(request, status=status, decisions=decisions)


def asked_by(request: ApprovalRequest) -> list[Approver]:
    """Whom the question is put to. Who made the version stays an approver, but is not asked, and is told why when they try."""
    return [approver for approver in request.approvers if not is_author(approver, request.author)]


def must_approve(request: ApprovalRequest) -> str:
    """How many must approve, in words: `2 must approve, one of each: risk, operations`."""
    words = f"{request.quorum} must approve"
    if request.one_of_each:
        words += f", one of each: {', '.join(request.one_of_each)}"
    return (
        words if is_known(request.author, request.approvers) else f"{words} (one more, since nobody knows who made it)"
    )


def needs_people(approval: Approval, before: str) -> bool:
    """Whether the policy asks people before this environment."""
    return before in approval.before


def clean_comment(comment: str) -> str:
    """A comment as it is kept: control characters dropped, at most 1,024 characters; an ellipsis says that more was written."""
    printable = "".join(character for character in comment if character.isprintable() or character in "\n\t").strip()
    return printable if len(printable) <= MAX_COMMENT else f"{printable[: MAX_COMMENT - 1]}…"
