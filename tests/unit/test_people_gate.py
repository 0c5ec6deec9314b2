"""Who can be reached: by a mail that arrives, in Slack, or where they look by themselves."""

from __future__ import annotations

import pytest
from lockkeeper.domain.gates.approval import addresses_of, judge_people
from lockkeeper.domain.policy import Approval, Approver
from lockkeeper.domain.release import Outcome

ADA = Approver(name="Ada", email="ada@example.com", slack_user="U0ADA0ADA", roles=("risk",))
GRACE = Approver(name="Grace", email="grace@example.com")
LIN = Approver(name="Lin", studio_profile="d-1/lin")
TIM = Approver(name="Tim", slack_user="U0TIM0TIM")


def outcome(
    *people: Approver, confirmed: str = "", slack_used: bool = False, author: str = "nobody@x", **more: object
) -> Outcome:
    approval = Approval.model_validate({"before": ["staging"], "approvers": people, **more})
    (verdict,) = judge_people(approval, author, frozenset(confirmed.split()), slack_used=slack_used)
    return verdict.verdict


@pytest.mark.parametrize(
    ("people", "confirmed", "slack_used", "passes"),
    [
        ((ADA,), "ada@example.com", False, True),
        ((ADA,), "", True, True),
        ((ADA,), "", False, False),
        ((GRACE,), "ada@example.com", True, False),
        ((LIN,), "", False, True),
        ((TIM,), "", True, True),
        ((TIM,), "", False, False),
    ],
)
def test_one_person_is_reached_or_not(
    people: tuple[Approver, ...], confirmed: str, slack_used: bool, passes: bool
) -> None:
    judged = outcome(*people, confirmed=confirmed, slack_used=slack_used)
    assert judged is (Outcome.PASSED if passes else Outcome.INCONCLUSIVE)


def test_who_is_in_slack_alone_is_not_told_to_mend_a_mail() -> None:
    approval = Approval.model_validate({"before": ["staging"], "approvers": [TIM, GRACE], "quorum": 2})
    (verdict,) = judge_people(approval, "nobody@x", frozenset(), slack_used=False)
    slack, mail = verdict.reason.split("; ", 1)
    assert slack.startswith("Tim would hear of it in Slack alone")
    assert slack.endswith("deploy with SlackChannel")
    assert mail.startswith("Grace would get no mail: run `lockkeeper policy apply`")


def test_who_made_the_version_does_not_count() -> None:
    both = "ada@example.com grace@example.com"
    assert outcome(ADA, GRACE, confirmed=both, quorum=2) is Outcome.PASSED
    assert outcome(ADA, GRACE, confirmed=both, quorum=2, author="Ada") is Outcome.INCONCLUSIVE
    assert outcome(ADA, GRACE, confirmed="ada@example.com", author="Ada") is Outcome.INCONCLUSIVE


def test_one_more_has_to_be_reached_where_nobody_knows_who_made_it() -> None:
    assert outcome(ADA, GRACE, confirmed="ada@example.com", author="") is Outcome.INCONCLUSIVE


def test_where_all_can_be_reached_and_are_too_few_the_policy_has_to_name_more() -> None:
    approval = Approval.model_validate({"before": ["staging"], "approvers": [ADA]})
    (verdict,) = judge_people(approval, "", frozenset({"ada@example.com"}), slack_used=False)
    assert (verdict.verdict, verdict.measured) == (Outcome.INCONCLUSIVE, "1 of 1")
    assert "2 must" in verdict.reason
    assert "name more approvers in the policy" in verdict.reason


def test_of_each_role_somebody_has_to_be_reached() -> None:
    people = (ADA, Approver(name="Olaf", email="olaf@example.com", roles=("operations",)))
    roles = {"one_of_each": ["risk", "operations"]}
    assert outcome(*people, GRACE, LIN, confirmed="ada@example.com grace@example.com", **roles) is Outcome.INCONCLUSIVE
    assert outcome(*people, confirmed="ada@example.com olaf@example.com", **roles) is Outcome.PASSED


def test_a_policy_that_asks_nobody_has_no_such_verdict_and_no_addresses() -> None:
    approval = Approval.model_validate({"before": [], "approvers": [ADA]})
    assert judge_people(approval, "", frozenset(), slack_used=False) == ()
    assert addresses_of(approval) == frozenset()
