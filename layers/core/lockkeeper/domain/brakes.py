"""Brakes that a person holds: a version that is held, a group that is frozen, a rollback that somebody asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from lockkeeper.domain.approval import approver_of_principal, clean_comment
from lockkeeper.domain.durations import seconds_of
from lockkeeper.domain.errors import BrakeRefused
from lockkeeper.domain.freeze_windows import open_window
from lockkeeper.domain.policy import Approver, Policy

LOCKKEEPER = "lockkeeper"
"""Who put a brake on where nobody did: a rollback holds by itself, and one that fails freezes."""
LONGEST_FREEZE = timedelta(days=366)


class Did(StrEnum):
    """What somebody did with a brake."""

    HELD = "version held"
    LIFTED = "hold lifted"
    FROZE = "group frozen"
    UNFROZE = "group unfrozen"
    ROLLED_BACK = "rollback requested"
    ADOPTED = "endpoint adopted"
    RESUMED = "retraining resumed"


@dataclass(frozen=True)
class Brake:
    """What was done with a brake, by whom, when (ISO 8601) and why; a brake that is on is the act that put it on.

    `identity` is the caller's ARN, empty where Lockkeeper itself did it; `version` is 0 where it is about the whole group;
    `until` is when a freeze ends by itself, empty for never.
    """

    did: Did
    reason: str
    by: str = LOCKKEEPER
    identity: str = ""
    at: str = ""
    version: int = 0
    until: str = ""

    @property
    def words(self) -> str:
        """Why, by whom and since when, as a refusal says it."""
        since = f" since {moment(self.at)}" if self.at else ""
        until = f" until {moment(self.until)}" if self.until else ""
        return f"{self.reason} (by {self.by}{since}{until})"

    def is_on(self, now: str) -> bool:
        return not self.until or now < self.until

    def outlasts(self, other: Brake) -> bool:
        """Whether this freeze is on when the other one begins, and still after that has ended."""
        return self.is_on(other.at) and bool(other.until) and (not self.until or other.until < self.until)

    def to_json(self) -> dict[str, Any]:
        """`by`, `identity`, `since`, `reason`, and `until` (null for a brake that has no end)."""
        return {
            "by": self.by,
            "identity": self.identity,
            "since": self.at,
            "reason": self.reason,
            "until": self.until or None,
        }


def freeze_of_policy(policy: Policy, now: datetime) -> Brake | None:
    """The freeze that a window of the policy is, while it is open."""
    opening = open_window(policy.freeze, now)
    if opening is None:
        return None
    window = opening.window
    why = f"{window.reason}, a freeze window of the policy ({window.cron}, {window.time_zone})"
    return Brake(Did.FROZE, why, "the policy", at=_iso(opening.since), until=_iso(opening.until))


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(iso: str) -> str:
    """A time as people read it."""
    return f"{iso[:16].replace('T', ' ')} UTC"


def act(did: Did, reason: str, principal: str, approvers: tuple[Approver, ...], now: str, version: int = 0) -> Brake:
    """What a caller does, under the name that the group's policy has for them or, where it has none, their ARN.

    Raises:
        BrakeRefused: no reason is given; whoever meets the brake has to know why it is on.
    """
    why = clean_comment(reason)
    if not why:
        raise BrakeRefused("no reason is given", cure="say why with --reason; who meets the brake reads it")
    known = approver_of_principal(approvers, principal)
    return Brake(did, why, known.name if known else principal, principal, now, version)


def with_end(brake: Brake, until: str, now: datetime) -> Brake:
    """The same freeze with its end: a time with its zone (`2026-12-24T18:00+01:00`) or a duration (`64h`) from now on."""
    if not until:
        return brake
    end = _end(until, now)
    if not now < end <= now + LONGEST_FREEZE:
        raise BrakeRefused(
            f"until is {until!r}, which is not within a year from now", cure="write a later time, or none"
        )
    return replace(brake, until=_iso(end))


def _end(until: str, now: datetime) -> datetime:
    cure = "write a time with its zone, such as 2026-12-24T18:00+01:00, or a duration such as 64h"
    try:
        return now + timedelta(seconds=seconds_of(until))
    except (ValueError, OverflowError):
        pass
    try:
        end = datetime.fromisoformat(until)
    except ValueError as error:
        raise BrakeRefused(f"until is {until[:40]!r}, which is no time", cure=cure) from error
    if end.tzinfo is None:
        raise BrakeRefused(f"until is {until[:40]!r}, and nobody knows in which time zone", cure=cure)
    return end.astimezone(UTC)
