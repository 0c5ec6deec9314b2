"""A person decides: permitted or refused, written once, delivered once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lockkeeper.domain.approval import (
    Answer,
    ApprovalRequest,
    Decision,
    RequestStatus,
    approver_named,
    approver_of_principal,
    approver_of_slack_user,
    clean_comment,
    grant,
    link_digest,
    permit,
    permit_at_link,
    revocation_of,
)
from lockkeeper.domain.errors import (
    AlreadyDecided,
    DecisionRefused,
    LinkRevoked,
    LinkUnknown,
    OtherQuestion,
    RequestClosed,
    UnknownRelease,
)
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Release
from lockkeeper.domain.slack_press import Press
from lockkeeper.ports import Champion, Wait, World
from lockkeeper.use_cases.letters import QUESTIONS, next_reminder
from lockkeeper.use_cases.pinned import facts_of, iso
from lockkeeper.use_cases.request_approval import STATES, newest_question, publish_decision, rejected_by
from lockkeeper.use_cases.settle_wait import failure, tell, was_told_by_another


@dataclass(frozen=True)
class Question:
    """What a personal link opens; `link` is the digest of its name."""

    link: str
    release: Release
    request: ApprovalRequest
    approver: Approver
    champion: Champion | None
    champion_release: Release | None
    """How the champion was judged; None where nothing serves, or what serves was never released here."""
    expired: bool
    """Its time is over, whether or not the release has ended of that."""


def open_link(name: str, world: World) -> Question:
    """What a link is about; reading changes nothing. `LinkUnknown` for any name that was never sent."""
    link = world.ledger.link(link_digest(name))
    if link is None:
        raise LinkUnknown("this link is not known", cure="open the newest mail, or ask for the release to be shown")
    request = world.ledger.request_of(link.release_id, link.before)
    if request is None:
        raise LinkUnknown("this link's release is not known any more")
    if link.seal and link.seal != request.seal:
        raise LinkUnknown(
            "this link is about earlier evidence; people were asked anew since", cure="open the newest mail about it"
        )
    if void := revocation_of(request, link):
        raise LinkRevoked(
            f"{void.by} revoked this link at {void.at[:16].replace('T', ' ')} UTC", cure=_other_ways(request, world)
        )
    approver = approver_named(request.approvers, link.approver)
    if approver is None:
        raise LinkUnknown("this link's approver is not part of the request any more")
    release = world.ledger.get(link.release_id)
    champion = world.ledger.champion(release.model_package_group)
    expired = request.status is RequestStatus.PENDING and iso(world.clock.now()) >= request.expires_at
    return Question(link.sha256, release, request, approver, champion, _release_of(champion, world), expired)


def _other_ways(request: ApprovalRequest, world: World) -> str:
    """How to decide without a link that was revoked."""
    due = next_reminder(request, world)
    anew = f"wait for the next reminder, at {due[:16].replace('T', ' ')} UTC, which has a new link, or " if due else ""
    return f"{anew}decide with `lockkeeper approve {request.release_id}` or in Studio or Slack, where the policy knows you there"


def _release_of(champion: Champion | None, world: World) -> Release | None:
    if champion is None or champion.adopted:
        return None
    try:
        return world.ledger.get(champion.release_id)
    except UnknownRelease:
        return None


def decide_by_link(name: str, answer: Answer, comment: str, world: World, *, signed_in_as: str = "") -> ApprovalRequest:
    """Decide as the person the link was sent to; `signed_in_as` is the verified e-mail of who holds it, where they signed in."""
    question = open_link(name, world)
    permit_at_link(question.request, question.approver, signed_in_as)
    return decide(question.request, question.approver, answer, comment, "link", world)


def decide_by_principal(
    release_id: str, principal: str, answer: Answer, comment: str, world: World, *, before: str = "", seal: str = ""
) -> ApprovalRequest:
    """Decide as the AWS identity that called; the newest open question of the release is meant.

    Where `before` or `seal` is not empty, that question has to be the one they name; else `OtherQuestion`.
    """
    world.ledger.get(release_id)
    request = question_about(release_id, world)
    if before not in ("", request.before):
        raise OtherQuestion(
            f"this decision is about the question before {before}, and the one that {release_id} was asked last is before {request.before}",
            cure=f"look at `lockkeeper show {release_id}`, then decide with `--before {request.before}`",
        )
    if seal not in ("", request.seal):
        raise OtherQuestion(
            f"this decision is about evidence with the seal {seal[:64]}, and the question before {request.before} is about {request.seal}",
            cure=f"look at `lockkeeper show {release_id}`, then decide anew",
        )
    approver = approver_of_principal(request.approvers, principal)
    return decide(request, approver, answer, comment, "cli", world)


def question_about(release_id: str, world: World, asked_by: datetime | None = None) -> ApprovalRequest:
    """What a decision on a release is about, where it names no question; `RequestClosed` where nobody was asked, or not by then."""
    request = newest_question(release_id, world, asked_by)
    if request is None:
        raise RequestClosed(f"{release_id} waits for no decision", cure="see `lockkeeper show` for where it stands")
    return request


def decide_by_slack(press: Press, world: World) -> ApprovalRequest:
    """Approve as the Slack user who pressed the button. What does not count is told on the bus, where `notify` finds it."""
    world.ledger.get(press.shown.release_id)
    try:
        return _decide_as_shown(press, world)
    except DecisionRefused as refused:
        release = world.ledger.get(press.shown.release_id)
        became = f"; the release is {release.status}: {release.reason}" if release.ended else ""
        what = {"before": press.shown.before, "person": press.user, "channel": "slack"}
        why = {"reason": f"{refused.message}{became}"[:1000], "cure": refused.cure}
        world.publisher.publish("Approval Refused", {**facts_of(release), **what, **why})
        raise


def _decide_as_shown(press: Press, world: World) -> ApprovalRequest:
    shown = press.shown
    request = world.ledger.request_of(shown.release_id, shown.before)
    if request is None:
        raise RequestClosed(f"nobody is asked about {shown.release_id} before {shown.before}")
    if request.seal != shown.seal:
        raise RequestClosed(
            f"the message showed other evidence about {shown.release_id} than the question is about",
            cure="look at the newest message of the release",
        )
    approver = approver_of_slack_user(request.approvers, press.user)
    return decide(request, approver, Answer.APPROVE, "", "slack", world)


def decide(
    request: ApprovalRequest, approver: Approver | None, answer: Answer, comment: str, channel: str, world: World
) -> ApprovalRequest:
    """Write what somebody decided, once, and tell the release. `DecisionRefused` where they may not, or not any more."""
    now = iso(world.clock.now())
    wait = world.ledger.wait_of(request.release_id, STATES[request.before])
    if wait and wait.settled and not wait.delivered:
        # Whoever decided crashed before the release heard of it; whoever comes next tells it.
        deliver_decision(wait, world)
    permitted = permit(request, approver)
    decision = Decision(permitted.name, answer, clean_comment(comment), channel, now)
    decided = grant(request, decision, now)
    if wait is None or wait.settled:
        # Also where more people would have to approve: nobody will be waited for.
        raise RequestClosed(f"{request.release_id} waits for no decision any more")
    ended = decided.status is not RequestStatus.PENDING
    settled = replace(wait, settled=True, result=_result(decided, decision)) if ended else None
    if not world.ledger.decide(request, decided, settled):
        if anew := _asked_anew(request, wait, world):
            return decide(anew, approver, answer, comment, channel, world)
        raise AlreadyDecided(f"somebody decided on {request.release_id} at the same moment", cure="look again")
    if settled is None:
        publish_decision(decided, world)
    elif tell(settled, settled.result, world):
        publish_decision(decided, world)
        world.ledger.wait_delivered(settled)
    elif not was_told_by_another(settled, world):
        world.ledger.wait_delivered(settled)
        _decided_when_nobody_waited(settled, decision, world)
    return decided


def _asked_anew(request: ApprovalRequest, wait: Wait, world: World) -> ApprovalRequest | None:
    """The same question where its state put it again in this moment, and nobody has answered; else None."""
    again, newer = (
        world.ledger.request_of(request.release_id, request.before),
        world.ledger.wait_of(wait.release_id, wait.state),
    )
    if again is None or newer is None or (again == request and newer.token == wait.token):
        return None
    return again if (again.status, again.decisions) == (request.status, request.decisions) else None


def _decided_when_nobody_waited(settled: Wait, decision: Decision, world: World) -> None:
    """`RequestClosed` where the release ends otherwise; else its state is between two tries, and the next one publishes what it goes by."""
    release, what = world.ledger.get(settled.release_id), f"{decision.approver}: {decision.answer}"
    if release.is_closing and release.ending.get("error") != settled.result.get("error"):
        world.ledger.record(release.release_id, "a decision came too late", what)
        raise RequestClosed(
            f"{release.release_id} no longer waits; your decision is on record and changes nothing",
            cure="see `lockkeeper show` for where it stands",
        )
    world.ledger.record(release.release_id, "decided between two tries", f"{what}; the next try goes by it")


def deliver_decision(wait: Wait, world: World) -> None:
    """Tell what somebody decided who may have crashed before the release, or the bus, had heard of it: the bus may hear it twice."""
    world.ledger.wait_acted(wait)
    tell(wait, wait.result, world)
    request = world.ledger.request_of(wait.release_id, QUESTIONS[wait.state])
    if request and request.status in (RequestStatus.APPROVED, RequestStatus.REJECTED):
        publish_decision(request, world)
    world.ledger.wait_delivered(wait)


def _result(decided: ApprovalRequest, decision: Decision) -> dict[str, Any]:
    if decided.status is RequestStatus.APPROVED:
        return {"output": {}}
    return failure(rejected_by(decision))
