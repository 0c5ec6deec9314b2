"""Can those who have to approve be reached: a question that nobody hears of waits until it expires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockkeeper.domain.approval import enough_approvers, people_needed
from lockkeeper.domain.authors import is_author
from lockkeeper.domain.errors import CandidateInvalid
from lockkeeper.domain.policy import Approval, Approver, roles_covered
from lockkeeper.domain.release import Outcome, Verdict

GATE = "approval: people"


def addresses_of(approval: Approval) -> frozenset[str]:
    """The addresses that personal mails of this policy would go to."""
    return frozenset(one.email for one in approval.approvers if one.email) if approval.before else frozenset()


def judge_people(
    approval: Approval, author: str, confirmed: frozenset[str], *, slack_used: bool
) -> tuple[Verdict, ...]:
    """One verdict where the policy asks people: enough of them, one of each role, whose mails arrive or who are in Slack.

    Whom the policy gives no address decides where they look by themselves (Studio, the command), and is not waited for in vain.
    `confirmed` are the addresses whose owners let AWS send mails to them, with a filter that lets these through.
    """
    if not approval.before:
        return ()
    asked = [one for one in approval.approvers if not is_author(one, author)]
    reached = [one for one in asked if _is_reached(one, confirmed, slack_used)]
    needed = people_needed(approval, author)
    measured, required = f"{len(reached)} of {len(asked)}", f"{needed} who can be reached"
    try:
        # A release that an earlier version opened may need more people by the rules of this one.
        enough_approvers(approval, author)
    except CandidateInvalid as too_few:
        return (Verdict(GATE, Outcome.INCONCLUSIVE, str(too_few), measured, required),)
    if len(reached) >= needed and roles_covered(approval.one_of_each, reached):
        who = ", ".join(one.name for one in reached)
        return (Verdict(GATE, Outcome.PASSED, f"{who} can be reached", measured, required),)
    why = "; ".join(_cures([one for one in asked if one not in reached]))
    return (Verdict(GATE, Outcome.INCONCLUSIVE, why, measured, required),)


def _cures(missing: Sequence[Approver]) -> Iterator[str]:
    """Whom mails and whom only Slack would reach, and how they will be."""
    if deaf := [one.name for one in missing if not one.email]:
        yield (
            f"{', '.join(deaf)} would hear of it in Slack alone, which this stack does not use: "
            "name an email of theirs in the policy, or deploy with SlackChannel"
        )
    if unheard := [one.name for one in missing if one.email]:
        yield (
            f"{', '.join(unheard)} would get no mail: run `lockkeeper policy apply`, which "
            "mends their subscriptions or sends AWS's mail `Subscription Confirmation` (again), whose link each has to follow; "
            "then, 15 minutes after a subscription was mended, `lockkeeper replay` the release"
        )


def _is_reached(approver: Approver, confirmed: frozenset[str], slack_used: bool) -> bool:
    if approver.email in confirmed or (slack_used and approver.slack_user):
        return True
    return not approver.email and bool(approver.aws_principal or approver.studio_profile)
