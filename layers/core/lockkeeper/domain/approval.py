"""Approval: `permit` says whether this person may decide, `grant` what a decision does. Two questions, two functions."""

from __future__ import annotations

import fnmatch
import hashlib
import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from lockkeeper.domain.errors import AlreadyDecided, CandidateInvalid, NotPermitted, RequestClosed
from lockkeeper.domain.policy import Approval, Approver

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
    """What one person said; `channel` is `link`, `cli`, ..."""

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


@dataclass(frozen=True)
class PersonalLink:
    """A link's secret name is random and leaves with the mail; only its SHA-256 is kept."""

    sha256: str
    release_id: str
    before: str
    approver: str
    expires_at: str


def new_link_name() -> str:
    """A random 256-bit name, URL-safe (43 characters)."""
    return secrets.token_urlsafe(32)


def link_digest(name: str) -> str:
    """SHA-256 (hex) of a link's name: the key it is stored under."""
    return hashlib.sha256(name.encode()).hexdigest()


def approver_named(approvers: tuple[Approver, ...], name: str) -> Approver | None:
    return next((approver for approver in approvers if approver.name == name), None)


def approver_of_principal(approvers: tuple[Approver, ...], principal_arn: str) -> Approver | None:
    """Whom an AWS identity stands for. `arn:...:role/Ada*` patterns are shell patterns; assumed-role sessions match their role."""
    return next((approver for approver in approvers if _stands_for(principal_arn, approver)), None)


def _stands_for(principal_arn: str, approver: Approver) -> bool:
    pattern = approver.aws_principal
    identities = (principal_arn, _role_arn_of_session(principal_arn))
    return bool(pattern) and any(fnmatch.fnmatchcase(identity, str(pattern)) for identity in identities)


def _role_arn_of_session(arn: str) -> str:
    """`arn:aws:sts::1:assumed-role/Name/session` is role `arn:aws:iam::1:role/Name`; other ARNs are themselves."""
    parts = arn.split(":")
    if len(parts) == 6 and parts[2] == "sts" and parts[5].startswith("assumed-role/"):
        role = parts[5].split("/")[1]
        return f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{role}"
    return arn


def permit(request: ApprovalRequest, approver: Approver | None) -> Approver:
    """May this person decide on this request? Returns the approver or raises `NotPermitted` with the reason."""
    if approver is None:
        names = ", ".join(known.name for known in request.approvers)
        raise NotPermitted("you are no approver of this release", cure=f"ask one of: {names}")
    if is_author(approver, request.author):
        raise NotPermitted(
            f"{approver.name} made this version and may not decide on it", cure="ask another approver of the policy"
        )
    if any(decision.approver == approver.name for decision in request.decisions):
        raise AlreadyDecided(f"{approver.name} has decided already", cure="a decision cannot be changed")
    return approver


def is_author(approver: Approver, author: str) -> bool:
    """Whether one of the authors (joined by `; `) is this approver, by name, e-mail or AWS identity."""
    known = {value.strip().casefold() for value in (approver.name, approver.email) if value}
    makers = [maker.strip() for maker in author.split(";") if maker.strip()]
    return any(maker.casefold() in known or _stands_for(maker, approver) for maker in makers)


def enough_approvers(approval: Approval, author: str) -> None:
    """Raise `CandidateInvalid` where the quorum cannot be reached without those who made the version."""
    able = [approver for approver in approval.approvers if not is_author(approver, author)]
    if approval.before and len(able) < approval.quorum:
        raise CandidateInvalid(
            f"{len(able)} approver(s) may decide on a version made by {author}, {approval.quorum} must",
            cure="name more approvers in the policy; who made a version may not approve it",
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
    approved = sum(one.answer is Answer.APPROVE for one in decisions)
    status = RequestStatus.APPROVED if approved >= request.quorum else RequestStatus.PENDING
    return replace(request, status=status, decisions=decisions)


def needs_people(approval: Approval, before: str) -> bool:
    """Whether the policy asks people before this environment."""
    return before in approval.before


def clean_comment(comment: str) -> str:
    """A comment as it is kept: control characters dropped, at most 1,024 characters."""
    printable = "".join(character for character in comment if character.isprintable() or character in "\n\t")
    return printable.strip()[:MAX_COMMENT]
