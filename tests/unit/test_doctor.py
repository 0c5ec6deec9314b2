"""What the doctor says of quotas, people and owners, and of looks that AWS refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.gates.preflight import fleets_of
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.ports import Champion

from cli.doctor import Finding, State, _taken, examine, judge_quotas, look_at_endpoint, look_at_people
from cli.stack import Stack
from tests.unit.harbour import policy_document

WAGES = Path(__file__).resolve().parents[2] / "examples" / "wages" / "policy.yaml"
USAGE = "ml.m5.large for endpoint usage"


def test_an_update_takes_both_fleets_and_staging() -> None:
    text = WAGES.read_text()
    assert fleets_of(parse_policy(text, source="wages"), serves=True, staging_here=True) == {"ml.m5.large": 5}
    other = text.replace("staging:\n  instance_type: ml.m5.large", "staging:\n  instance_type: ml.t2.medium")
    assert fleets_of(parse_policy(other, source="wages"), serves=True, staging_here=True) == {
        "ml.m5.large": 4,
        "ml.t2.medium": 1,
    }


def test_a_quota_is_enough_or_too_small_or_not_listed() -> None:
    def judged(allowed: dict[str, float]) -> tuple[State, str]:
        (finding,) = judge_quotas("wages", {"ml.m5.large": 3}, allowed)
        return finding.state, finding.cure

    assert judged({USAGE: 3.0}) == (State.OK, "")
    assert judged({USAGE: 2.0}) == (State.PROBLEM, f"ask for 3 in Service Quotas: {USAGE}")
    assert judged({})[0] is State.UNKNOWN


def people(world: InMemoryWorld, *addresses: str, **approval: Any) -> Finding:
    """What is said of approvers with these addresses."""
    named = [{"name": address.partition("@")[0], "email": address} for address in addresses]
    document = {**policy_document(), "approval": {"before": ["production"], "approvers": named, **approval}}
    (finding,) = look_at_people(Stack({}, SimpleNamespace(), world), Policy.model_validate(document))  # type: ignore[arg-type]
    return finding


def reaching(*addresses: str) -> InMemoryWorld:
    world = InMemoryWorld()
    world.mail.confirmed = lambda asked: asked & frozenset(addresses)  # type: ignore[method-assign]
    return world


def test_one_approver_is_enough_where_metadata_name_the_author() -> None:
    finding = people(reaching("ada@example.com"), "ada@example.com", author_from="metadata.author")
    assert (finding.state, finding.seen) == (State.OK, "ada can be reached")


def test_too_few_for_an_unknown_author_alone_is_a_warning_that_says_so() -> None:
    finding = people(reaching("ada@example.com"), "ada@example.com")
    assert finding.state is State.WARNING
    assert "of a version that nobody knows the author of, it takes 2 who can be reached" in finding.seen
    assert "author_from" in finding.cure
    both = ("ada@example.com", "grace@example.com")
    assert people(reaching("ada@example.com"), *both).state is State.WARNING
    assert people(reaching(*both), *both).state is State.OK


@pytest.mark.parametrize("approval", [{}, {"author_from": "metadata.author"}])
def test_whom_no_mail_reaches_is_a_problem_whoever_made_the_version(approval: dict[str, Any]) -> None:
    finding = people(reaching(), "ada@example.com", **approval)
    assert (finding.state, finding.seen) == (State.PROBLEM, "0 of 1 can be reached")
    assert "lockkeeper policy apply" in finding.cure
    assert "author_from" not in finding.cure


class EndpointOfAStack:
    """SageMaker, with an endpoint that has the tag of a CloudFormation stack."""

    def describe_endpoint(self, EndpointName: str) -> dict[str, str]:
        return {"EndpointArn": f"arn:{EndpointName}", "EndpointStatus": "InService"}

    def get_paginator(self, _name: str) -> Any:
        tags = [{"Key": "aws:cloudformation:stack-name", "Value": "platform"}]
        return SimpleNamespace(paginate=lambda ResourceArn: [{"Tags": tags}])


def test_an_endpoint_of_another_stack_is_warned_of_until_it_is_taken_over() -> None:
    world, policy = InMemoryWorld(), Policy.model_validate(policy_document())
    session: Any = SimpleNamespace(client=lambda _name: EndpointOfAStack())
    (before,) = look_at_endpoint(Stack({}, session, world), policy)
    assert (before.state, "`lockkeeper adopt wages --take-over`" in before.cure) == (State.WARNING, True)
    world.ledger.crown(Champion("wages", 0, "", policy.production.endpoint_name, "by-hand", "2026-11-26"))
    (after,) = look_at_endpoint(Stack({}, session, world), policy)
    assert (after.state, after.cure) == (State.OK, "")
    # What serves elsewhere says nothing about this one, and is why nothing can be adopted.
    world.ledger.crown(Champion("wages", 1, "wages-v1-a1", "another", "config", "2026-11-27"))
    (moved,) = look_at_endpoint(Stack({}, session, world), policy)
    assert (moved.state, "adopt" in moved.cure) == (State.WARNING, False)


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "ListRules")
SILENT = EndpointConnectionError(endpoint_url="https://events.example")
SLOW = ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, "ListRules")


@pytest.mark.parametrize(
    ("error", "seen", "cure"),
    [
        (DENIED, "AWS denied ListRules: not you", "permission"),
        (SILENT, "nothing answers", "your network"),
        (SLOW, "AWS refused ListRules (Throttling): slow", "later"),
    ],
)
def test_a_look_that_fails_says_why_and_what_helps_against_that(
    error: ClientError | BotoCoreError, seen: str, cure: str
) -> None:
    def look() -> Iterator[Finding]:
        raise error
        yield

    (finding,) = _taken("event rules", look)
    assert finding.state is State.UNKNOWN
    assert seen in finding.seen
    assert cure in finding.cure


def test_who_may_not_list_the_policies_hears_of_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_what: object) -> Any:
        raise DENIED

    world = InMemoryWorld()
    monkeypatch.setattr(world.policies, "groups", refuse)
    outputs = {"StateMachineArn": "arn:aws:states:eu-west-1:123456789012:stateMachine:lockkeeper-release"}
    session: Any = SimpleNamespace(client=refuse)
    findings = examine(Stack({**outputs, "KeyArn": "key"}, session, world), "lockkeeper")
    assert [one.what for one in findings] == ["stack", "rules", "key", "dead letters", "policies"]
    assert {one.state for one in findings} == {State.UNKNOWN}
