"""The group's lock: one release at a time, newer before older, production never interrupted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Lock:
    """Who owns a group. `fencing` grows with every change of owner."""

    group: str
    owner: str
    owner_version: int
    fencing: int
    production_begun: bool = False
    superseded_by: str = ""


class LockStep(StrEnum):
    """What a release does that finds the lock taken."""

    OWN = "own"
    SUPERSEDE = "supersede"
    WAIT = "wait"
    GIVE_WAY = "give-way"


@dataclass(frozen=True)
class LockDecision:
    step: LockStep
    reason: str


def decide_on_lock(lock: Lock, release_id: str, version: int) -> LockDecision:
    """Decide what `release_id` does about a lock that is taken."""
    if lock.owner == release_id:
        return LockDecision(LockStep.OWN, "this release has the lock")
    if version < lock.owner_version:
        return LockDecision(LockStep.GIVE_WAY, f"{lock.owner} is newer")
    if lock.production_begun:
        return LockDecision(LockStep.WAIT, f"{lock.owner} is in production already; waiting for it to end")
    return LockDecision(
        LockStep.SUPERSEDE, f"{lock.owner} has not begun production; this newer version takes its place"
    )
