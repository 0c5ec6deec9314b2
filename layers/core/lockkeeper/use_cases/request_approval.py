"""Ask people before an environment, where the policy says so; otherwise go on by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lockkeeper.domain.approval import (
    ApprovalRequest,
    Decision,
    PersonalLink,
    RequestStatus,
    approver_named,
    is_author,
    link_digest,
    needs_people,
    new_link_name,
)
from lockkeeper.domain.errors import ReleaseRejected, RequestClosed, TryAgain
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Release, Status
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy, still_ours
from lockkeeper.use_cases.settle_wait import complete_own_wait

STATES = {"staging": "RequestStagingApproval", "production": "RequestProductionApproval"}


def request_approval(release_id: str, before: str, token: str, world: World) -> None:
    """Store the wait, then the question, then tell the people. `before` is `staging` or `production`."""
    release = world.ledger.get(release_id)
    policy = pinned_policy(release, world)
    wait = Wait(release_id, STATES[before], token, interruptible=True)
    if not needs_people(policy.approval, before):
        world.ledger.store_wait(wait)
        world.ledger.record(
            release_id, f"no approval needed before {before}", "the policy asks nobody here", stage=STATES[before]
        )
        complete_own_wait(wait, {}, world)
        return
    request = _with_earlier_answers(_request(release, policy, before, world), world)
    # Who made the version stays an approver of the policy, but is not asked, and is told why when they try.
    asked = [approver for approver in request.approvers if not is_author(approver, request.author)]
    secrets = {approver.name: new_link_name() for approver in asked if approver.email}
    links = [
        PersonalLink(link_digest(secret), release_id, before, approver, request.expires_at)
        for approver, secret in secrets.items()
    ]
    world.ledger.store_wait(wait)
    if request.status is not RequestStatus.PENDING:
        _answered_before(request, wait, world)
        return
    if not world.ledger.ask(request, links):
        raise TryAgain("somebody answered while the question was put again")
    still_ours(release, world)
    names = ", ".join(approver.name for approver in asked)
    world.ledger.record(
        release_id,
        f"approval requested before {before}",
        f"asked {names}; {request.quorum} must approve by {request.expires_at}",
        stage=STATES[before],
        status=Status.AWAITING_APPROVAL,
    )
    for approver, secret in secrets.items():
        world.mail.personal(approver, _subject(release, before), _letter(release, approver, secret, request, world))
    world.publisher.publish(
        "Approval Requested",
        {**facts_of(release), "before": before, "approvers": [one.name for one in asked]},
    )


def _request(release: Release, policy: Policy, before: str, world: World) -> ApprovalRequest:
    approval = policy.approval
    now = world.clock.now()
    return ApprovalRequest(
        release_id=release.release_id,
        before=before,
        seal=release.pins.seals.get("tested") or release.pins.seals["judged"],
        quorum=approval.quorum,
        approvers=approval.approvers,
        author=release.author,
        requested_at=iso(now),
        expires_at=iso(now + timedelta(seconds=approval.expires_after)),
    )


def _with_earlier_answers(request: ApprovalRequest, world: World) -> ApprovalRequest:
    """What people answered to an earlier try of this state, before it broke, about the same evidence: nobody is asked twice."""
    earlier = world.ledger.request_of(request.release_id, request.before)
    if earlier is None or earlier.seal != request.seal:
        return request
    return replace(request, status=earlier.status, decisions=earlier.decisions)


def _answered_before(request: ApprovalRequest, wait: Wait, world: World) -> None:
    if request.status is RequestStatus.REJECTED:
        raise rejected_by(request.decisions[-1])
    if request.status is RequestStatus.CLOSED:
        raise RequestClosed(f"the question about {request.release_id} was closed")
    complete_own_wait(wait, {}, world)


def rejected_by(decision: Decision) -> ReleaseRejected:
    """How a rejection ends a release."""
    comment = f": {decision.comment}" if decision.comment else ""
    return ReleaseRejected(f"rejected by {decision.approver}{comment}")


def _subject(release: Release, before: str) -> str:
    return f"Approve {release.model_package_group} version {release.version} for {before}?"[:100]


def _letter(release: Release, approver: str, secret: str, request: ApprovalRequest, world: World) -> str:
    person = approver_named(request.approvers, approver)
    lines = [
        f"{release.model_package_group} version {release.version} passed its gates and waits for a decision",
        f"before it goes to {request.before}. Made by: {release.author or 'unknown'}.",
        "",
        *(f"  {verdict.verdict}: {verdict.gate}: {verdict.reason}" for verdict in release.verdicts),
        *(f"  the policy asks for less than the champion's: {rule}" for rule in release.weakened),
        "",
    ]
    if world.web_url:
        lines += ["Read and decide here (the link is yours alone, please do not forward it):", ""]
        lines += [f"{world.web_url}/approvals/{secret}", ""]
    if person and person.aws_principal:
        lines += [f"or run: lockkeeper approve {release.release_id} --comment '...'"]
    lines += [f"The question expires at {request.expires_at[:16].replace('T', ' ')} UTC."]
    return "\n".join(lines)
