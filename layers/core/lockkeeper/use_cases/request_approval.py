"""Ask people before an environment, where the policy says so; otherwise go on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from lockkeeper.domain.approval import (
    ApprovalRequest,
    Decision,
    RequestStatus,
    asked_by,
    enough_approvers,
    must_approve,
    needs_people,
    people_needed,
)
from lockkeeper.domain.errors import ReleaseRejected, RequestClosed, TryAgain
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Release, Status
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.letters import QUESTIONS, letters_about, post
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy, still_ours
from lockkeeper.use_cases.settle_wait import complete_own_wait, say_of_wait

STATES = {before: state for state, before in QUESTIONS.items()}


def request_approval(release_id: str, before: str, token: str, world: World) -> None:
    """Store the wait, then the question, then tell the people. `before` is `staging` or `production`."""
    release = world.ledger.get(release_id)
    policy = pinned_policy(release, world)
    wait = Wait(release_id, STATES[before], token, interruptible=True)
    if not needs_people(policy.approval, before):
        world.ledger.store_wait(wait)
        what, why = f"no approval needed before {before}", "the policy asks nobody here"
        if say_of_wait(wait, what, why, world, stage=STATES[before]):
            complete_own_wait(wait, {}, world)
        return
    request = _with_earlier_answers(_request(release, policy, before, world), world)
    letters = letters_about(release_id, request, iso(world.clock.now()))
    world.ledger.store_wait(wait)
    if request.status is not RequestStatus.PENDING:
        _answered_before(request, wait, world)
        return
    # Once more: a release that an earlier version opened may need more people by the rules of this one.
    enough_approvers(policy.approval, release.author)
    if not world.ledger.ask(request, [letter.link for letter in letters]):
        raise TryAgain("somebody answered while the question was put again")
    still_ours(release, world)
    asked = [approver.name for approver in asked_by(request)]
    waited = say_of_wait(
        wait,
        f"approval requested before {before}",
        f"asked {', '.join(asked)}; {must_approve(request)} by {request.expires_at}",
        world,
        stage=STATES[before],
        status=Status.AWAITING_APPROVAL,
    )
    if not waited:
        return  # Somebody has answered who did not have to be told, or the release has ended otherwise.
    post(letters, release, request, world)
    world.publisher.publish("Approval Requested", {**facts_of(release), "before": before, "approvers": asked})


def newest_question(release_id: str, world: World, asked_by: datetime | None = None) -> ApprovalRequest | None:
    """The open question of a release, else its last one, of those asked by a time (to the second); None where nobody was asked."""
    asked = [request for before in STATES if (request := world.ledger.request_of(release_id, before))]
    if asked_by:
        asked = [
            one for one in asked if int(datetime.fromisoformat(one.requested_at).timestamp()) <= asked_by.timestamp()
        ]
    pending = [request for request in asked if request.status is RequestStatus.PENDING]
    newest = pending or asked
    return newest[-1] if newest else None


def _request(release: Release, policy: Policy, before: str, world: World) -> ApprovalRequest:
    approval = policy.approval
    now = world.clock.now()
    return ApprovalRequest(
        release_id=release.release_id,
        before=before,
        seal=release.pins.seals.get("tested") or release.pins.seals["judged"],
        quorum=people_needed(approval, release.author),
        approvers=approval.approvers,
        author=release.author,
        requested_at=iso(now),
        expires_at=iso(now + timedelta(seconds=approval.expires_after)),
        one_of_each=approval.one_of_each,
        remind_every=approval.remind_every,
        links=approval.links,
    )


def _with_earlier_answers(request: ApprovalRequest, world: World) -> ApprovalRequest:
    """What people answered to an earlier try of this state, before it broke, about the same evidence: nobody is asked twice."""
    earlier = world.ledger.request_of(request.release_id, request.before)
    if earlier is None or earlier.seal != request.seal:
        return request
    kept = ("requested_at", "status", "decisions", "revoked")
    return replace(request, **{name: getattr(earlier, name) for name in kept})


def _answered_before(request: ApprovalRequest, wait: Wait, world: World) -> None:
    """Go by what was decided when nobody waited: who decided could not tell whether anybody would again."""
    if request.status is RequestStatus.CLOSED:
        raise RequestClosed(f"the question about {request.release_id} was closed")
    publish_decision(request, world)
    if request.status is RequestStatus.REJECTED:
        raise rejected_by(request.decisions[-1])
    complete_own_wait(wait, {}, world)


def publish_decision(request: ApprovalRequest, world: World) -> None:
    """Tell the bus of the last decision on a question."""
    release, decision = world.ledger.get(request.release_id), request.decisions[-1]
    world.publisher.publish("Approval Decided", {**facts_of(release), "before": request.before, **decision.to_json()})


def rejected_by(decision: Decision) -> ReleaseRejected:
    """How a rejection ends a release."""
    comment = f": {decision.comment}" if decision.comment else ""
    return ReleaseRejected(f"rejected by {decision.approver}{comment}")
