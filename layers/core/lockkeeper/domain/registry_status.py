"""A changed `ModelApprovalStatus`: whose it is, and what it says about a release that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lockkeeper.domain.approval import Answer
from lockkeeper.domain.authors import role_arn_of_session
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.registration import Ignore, PackageHint

FIELD = "ModelApprovalStatus"
PENDING = "PendingManualApproval"
ANSWERS = {"Approved": Answer.APPROVE, "Rejected": Answer.REJECT}
STATUSES = {PENDING, *ANSWERS}


@dataclass(frozen=True)
class StatusSet:
    """Somebody set the status of a version to Approved or Rejected.

    `profile` is `DOMAIN-ID/NAME` of a Studio user, `principal` an ARN: the version's last writer, who wrote at `written`. `unnamed`
    says why that is not known to be who set the status. `at` is when it was set, ISO 8601 to the second.
    """

    answer: Answer
    profile: str
    principal: str
    comment: str
    at: str
    written: datetime | None
    unnamed: str = ""

    @property
    def who(self) -> str:
        return "somebody" if self.unnamed else self.profile or self.principal


def status_set(hint: PackageHint, description: dict[str, Any], own_role_arn: str) -> StatusSet | Ignore:
    """Read a change from the version as the registry describes it now; the event only says that there was one.

    The registry names its last writer, whatever they wrote. So it names who set the status only if nothing was written since
    the event, which is known to the second. A status that is not the event's was set since: that has an event of its own.
    """
    answer = ANSWERS.get(str(description.get(FIELD)))
    if answer is None:
        return Ignore(f"its {FIELD} is {description.get(FIELD)}, which decides nothing")
    by = description.get("LastModifiedBy") or {}
    principal = str((by.get("IamIdentity") or {}).get("Arn") or "")
    if role_arn_of_session(principal) == own_role_arn:
        return Ignore(f"Lockkeeper itself was the last to write: {FIELD} is {description[FIELD]}")
    comment = str(description.get("ApprovalDescription") or "")
    comment = "" if comment.startswith("Lockkeeper ") else comment
    written = description.get("LastModifiedTime")
    told_at, written_at = _second(_time(hint.modified_at)), _second(written)
    if hint.approval_status in STATUSES - {description[FIELD]} and (told_at is None or told_at <= (written_at or 0)):
        return Ignore(f"it was set to {description[FIELD]} since, which has an event of its own")
    domain, name = by.get("DomainId"), by.get("UserProfileName")
    profile = f"{domain}/{name}" if domain and name else ""
    # A Studio user's calls are made under the profile's execution role, which others may share.
    principal = "" if profile else principal
    unnamed = "" if profile or principal else "the registry names nobody"
    if told_at is None or told_at != written_at:
        unnamed = "the version was changed again since, and the registry names its last writer only"
    return StatusSet(answer, profile, principal, comment, hint.modified_at, written, unnamed)


def approver_of_profile(approvers: tuple[Approver, ...], profile: str) -> Approver | None:
    """Whom a Studio user (`DOMAIN-ID/NAME`) stands for."""
    return next((one for one in approvers if profile and one.studio_profile == profile), None)


def _second(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None


def _time(told: str) -> datetime | None:
    """An event's ISO 8601 time; None where it tells none."""
    try:
        return datetime.fromisoformat(told)
    except ValueError:
        return None
