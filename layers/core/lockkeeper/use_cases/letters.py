"""Letters with personal links: the question, and reminders of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lockkeeper.domain.approval import (
    ApprovalRequest,
    PersonalLink,
    RequestStatus,
    asked_by,
    link_digest,
    must_approve,
    new_link_name,
)
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Outcome, Release
from lockkeeper.domain.words import one_line
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.pinned import iso

QUESTIONS = {"RequestStagingApproval": "staging", "RequestProductionApproval": "production"}
"""The states that ask people, and what they ask before."""


@dataclass(frozen=True)
class PersonalLetter:
    """To whom, and the link that it carries: `secret` is in the letter alone, `link` is what is kept of it."""

    approver: Approver
    secret: str
    link: PersonalLink


def letters_about(release_id: str, request: ApprovalRequest, issued_at: str) -> list[PersonalLetter]:
    """A letter with a new link for everybody who is asked, has an address and has not decided yet."""
    decided = {decision.approver for decision in request.decisions}
    letters = []
    for approver in asked_by(request):
        if approver.email and approver.name not in decided:
            secret = new_link_name()
            digest = link_digest(secret)
            link = PersonalLink(
                digest, release_id, request.before, approver.name, request.expires_at, request.seal, issued_at
            )
            letters.append(PersonalLetter(approver, secret, link))
    return letters


def post(
    letters: list[PersonalLetter], release: Release, request: ApprovalRequest, world: World, *, reminder: bool = False
) -> None:
    """Send them, each to its approver alone."""
    for letter in letters:
        subject = _subject(release, request.before, reminder)
        world.mail.personal(letter.approver, subject, _text(release, letter, request, reminder, world))


def remind(wait: Wait, world: World) -> list[str]:
    """Ask again whoever has not decided, where it is time for that; returns their names.

    Whoever takes a reminder upon themselves and dies loses it: the next one comes when it is due.
    """
    request = world.ledger.request_of(wait.release_id, QUESTIONS[wait.state])
    if request is None or request.status is not RequestStatus.PENDING or not request.remind_every:
        return []
    now, seen = world.clock.now(), world.ledger.reminded_at(wait.release_id, request.before)
    due = _due(request, seen)
    letters = letters_about(wait.release_id, request, iso(now))
    if not letters or not due <= now < datetime.fromisoformat(request.expires_at):
        return []
    if not world.ledger.remind(request, seen, iso(now), [letter.link for letter in letters]):
        return []
    post(letters, world.ledger.get(wait.release_id), request, world, reminder=True)
    return [letter.approver.name for letter in letters]


def next_reminder(request: ApprovalRequest, world: World) -> str:
    """When those who have not decided get the next letter, with a new link (ISO 8601); empty where the question ends before."""
    if not request.remind_every:
        return ""
    due = iso(_due(request, world.ledger.reminded_at(request.release_id, request.before)))
    return due if due < request.expires_at else ""


def _due(request: ApprovalRequest, seen: str) -> datetime:
    return datetime.fromisoformat(max(seen, request.requested_at)) + timedelta(seconds=request.remind_every)


def _subject(release: Release, before: str, reminder: bool) -> str:
    question = f"Approve {release.model_package_group} version {release.version} for {before}?"
    return f"{'Reminder: ' if reminder else ''}{question}"[:99]


def _text(release: Release, letter: PersonalLetter, request: ApprovalRequest, reminder: bool, world: World) -> str:
    """What is asked, of whom and until when comes first; the link has a line of its own; people's words begin no line."""
    until = f"{request.expires_at[:16].replace('T', ' ')} UTC"
    who, title = one_line(letter.approver.name), f"{release.model_package_group} version {release.version}"
    lines = [
        f"{'Reminder: may' if reminder else 'May'} {title} go to {request.before}? You decide, {who}, until {until}."
    ]
    lines += [one_line(f"Made by {release.author or 'somebody unknown'}; {must_approve(request)}."), ""]
    if world.web_url:
        lines += ["Read and decide here. The link is yours alone, please do not forward it:", ""]
        lines += [f"{world.web_url}/approvals/{letter.secret}", ""]
        if letter.approver.aws_principal:
            lines += [f"Or run: lockkeeper approve {release.release_id} --comment '...' (or reject)", ""]
    else:
        how = "Decide in SageMaker Studio, or by UpdateModelPackage: set ModelApprovalStatus to Approved or Rejected of"
        lines += [how, release.model_package_arn, ""]
    passed = sum(verdict.verdict is Outcome.PASSED for verdict in release.verdicts)
    lines += [f"{passed} of {len(release.verdicts)} gates passed:"]
    lines += [f"  {one.verdict}: {one_line(one.gate)}: {one_line(one.reason)}" for one in release.verdicts]
    lines += [f"  the policy asks for less than the champion's: {one_line(rule)}" for rule in release.weakened]
    lines += ["", f"Lockkeeper wrote this about release {release.release_id}. Nobody reads answers to it."]
    return "\n".join(lines)
