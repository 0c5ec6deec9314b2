"""Somebody set `ModelApprovalStatus`, in SageMaker Studio or by API, of a version whose release is under way, or which serves.

Who may decide decides so. Until a version was promoted, the registry does not say Approved: others deploy what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lockkeeper.domain.approval import Answer, ApprovalRequest, Decision, RequestStatus, approver_of_principal
from lockkeeper.domain.errors import DecisionRefused, ReleaseRejected, StampRefused, TryAgain
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.registration import Ignore, PackageHint
from lockkeeper.domain.registry_status import FIELD, PENDING, StatusSet, approver_of_profile, status_set
from lockkeeper.domain.release import Release
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.decide_approval import decide, question_about
from lockkeeper.use_cases.pinned import pinned_policy
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.settle_wait import fail_wait
from lockkeeper.use_cases.take_back import is_taken_back, reject_what_serves, serves_as_promoted
from lockkeeper.use_cases.watch_production import STATE as WATCH

CHANNEL = "registry"
ON_ITS_WAY = timedelta(seconds=50)
"""How long a change may wait for its event. Lambda tries an event again after a minute: the second try need not wait any more."""


@dataclass(frozen=True)
class Decided:
    """A change that was taken as a decision, or set back; `what` says which and why."""

    release_id: str
    what: str


def decide_in_registry(hint: PackageHint, release_id: str, world: World) -> Decided | Ignore:
    """Take the change as its maker's decision, or set it back with the reason. Repeated, it finds nothing to do."""
    release = world.ledger.get(release_id)
    serves = serves_as_promoted(release, world)
    if release.ended and not serves:
        return Ignore(f"{release_id} has ended as {release.status}; its status in the registry moves nothing any more")
    if is_taken_back(release, world):
        return Ignore(f"{release_id} is on its way back already")
    if release.unfinished and not release.pins.policy:
        raise TryAgain(f"{release_id} is about to read its policy")
    if not release.may_stamp:
        return Ignore(
            f"{release_id} has no policy, or one that only observes: what the registry says is its group's own business"
        )
    description = world.registry.describe(hint.arn)
    if description is None:
        return Ignore(f"{hint.arn} is not in the registry")
    change = status_set(hint, description, world.own_registry_role)
    if isinstance(change, Ignore):
        return change
    if serves:
        return _reject_what_serves(release, change, description, world)
    try:
        what = _take(release, change, world)
    except DecisionRefused as refused:
        _wait_for_its_event(release, change, world)
        return _set_back(release, f"{change.who} set it to {description[FIELD]}: {refused}", description, world)
    if change.answer is Answer.REJECT:
        return Decided(release_id, what)
    return _set_back(release, f"{what}; Approved is set once it was promoted", description, world)


def _reject_what_serves(
    release: Release, change: StatusSet, description: dict[str, Any], world: World
) -> Decided | Ignore:
    """Who may reject takes it back; who may not finds the status set to what is true."""
    if change.answer is not Answer.REJECT:
        return Ignore(f"{release.release_id} was promoted, as the registry says")
    try:
        return Decided(release.release_id, reject_what_serves(release, _approver(release, change, world).name, world))
    except DecisionRefused as refused:
        _wait_for_its_event(release, change, world)
        return _set_back(release, f"{change.who} set it to Rejected: {refused}", description, world, "Approved")


def _approver(release: Release, change: StatusSet, world: World) -> Approver:
    """Who set the status, if the release's policy names them among its approvers."""
    if change.unnamed:
        raise DecisionRefused(change.unnamed, cure="set it again")
    approver = _known(pinned_policy(release, world).approval.approvers, change)
    if approver is None:
        raise DecisionRefused(f"{change.who} is no approver of this group")
    return approver


def _take(release: Release, change: StatusSet, world: World) -> str:
    if change.unnamed:
        raise DecisionRefused(change.unnamed, cure="set it again")
    wait = world.ledger.wait_of(release.release_id, WATCH)
    rejected = wait and wait.settled and wait.result.get("error") == ReleaseRejected.__name__
    if wait and (rejected or not wait.settled) and change.answer is Answer.REJECT:
        approver = _approver(release, change, world)
        why = ReleaseRejected(f"rejected by {approver.name} in the registry while it was watched")
        if not fail_wait(wait, why, world):
            _require_heard(wait, world)
        return f"{approver.name} rejected it in its bake"
    # An event may come again, and late: what was set before a question was asked is no answer to it.
    request = question_about(release.release_id, world, datetime.fromisoformat(change.at))
    known = _known(request.approvers, change)
    try:
        request = decide(request, known, change.answer, change.comment, CHANNEL, world)
    except DecisionRefused:
        # Where it was taken already, whoever took it died, and its event came again.
        if not any((one.answer, one.channel) == (change.answer, CHANNEL) for one in _made_by(known, request)):
            raise
    (decision,) = _made_by(known, request)
    missing = ", and more people must approve" if request.status is RequestStatus.PENDING else ""
    return f"{decision.approver} decided before {request.before}: {decision.answer}{missing}"


def _require_heard(wait: Wait, world: World) -> None:
    """Raise unless the bake has ended with a rejection and the way back has begun: this event has not ended it, or not now."""
    stored = world.ledger.wait_of(wait.release_id, WATCH)
    if stored is not None and stored.result.get("error") != ReleaseRejected.__name__:
        raise DecisionRefused("its bake ended at that very moment", cure="set the status again once it was promoted")
    if world.ledger.wait_of(wait.release_id, ROLL_BACK) is None:
        # The state is about to be left, or to be tried again because its function died: then nobody has heard it.
        raise TryAgain(f"{wait.release_id} is between two states")


def _made_by(approver: Approver | None, request: ApprovalRequest) -> list[Decision]:
    """What this person decided: nothing, or one decision."""
    return [one for one in request.decisions if approver and one.approver == approver.name]


def _known(approvers: tuple[Approver, ...], change: StatusSet) -> Approver | None:
    if change.profile:
        return approver_of_profile(approvers, change.profile)
    return approver_of_principal(approvers, change.principal)


def _wait_for_its_event(release: Release, change: StatusSet, world: World) -> None:
    """Raise where the last write may be an approver's decision, whose own event is on its way: set back, it could not be read any more.

    Anybody else's write is no decision in any case, and what it left is set back at once.
    """
    if not change.unnamed or change.written is None or world.clock.now() >= change.written + ON_ITS_WAY:
        return
    if approver := _known(pinned_policy(release, world).approval.approvers, change):
        raise TryAgain(f"{approver.name} wrote since, and the event of that may be on its way")


def _set_back(release: Release, why: str, seen: dict[str, Any], world: World, status: str = PENDING) -> Decided:
    """Set back what was `seen`, and nothing newer."""
    now = world.registry.describe(release.model_package_arn) or {}
    if any(now.get(name) != seen.get(name) for name in (FIELD, "LastModifiedBy", "LastModifiedTime")):
        raise TryAgain("it was changed again at this very moment")
    said = f"Lockkeeper {release.release_id}: {why}"
    try:
        world.registry.stamp(release.model_package_arn, status=status, description=said, metadata={}, life_cycle="")
    except StampRefused as refused:
        # What was decided stands, and what was not decided stays so, whatever the registry says.
        world.ledger.record(release.release_id, "registry status could not be set back", f"{why}; {refused}")
    else:
        world.ledger.record(release.release_id, "registry status set back", why)
    return Decided(release.release_id, why)
