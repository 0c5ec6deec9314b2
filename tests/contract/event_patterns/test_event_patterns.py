"""Every rule against every documented event, its quirks, and events that are wrong in one place: EventBridge's TestEventPattern decides."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.conftest import Figure
from tests.contract.event_patterns.events import Documented, documented, leaves, near_misses, quirky
from tests.contract.event_patterns.rules import (
    HUB,
    PRODUCTION,
    REGISTRY,
    STAGING,
    STRANGER,
    Rule,
    deployments,
    hub_alone,
)
from tests.template.project import PROJECT, rows, section

RULES = [rule for deployment in deployments() for rule in deployment.rules()]
README = PROJECT / "events" / "README.md"


def events_for(rule: Rule) -> tuple[Documented, ...]:
    return documented(rule.hears)


def matched(rule: Rule) -> list[Documented]:
    return [one for one in events_for(rule) if rule.matches(one.event)]


def reached(one: Documented, rules: list[Rule]) -> set[str]:
    """The functions that an event on an account's default bus reaches through Lockkeeper's; its own events begin on the latter."""
    forwarded = one.source == "lockkeeper" or any(rule.matches(one.event) for rule in rules if not rule.on_own_bus)
    return (
        {rule.function for rule in rules if rule.function and rule.on_own_bus and rule.matches(one.event)}
        if forwarded
        else set()
    )


def test_every_alternative_of_every_leaf_is_what_a_documented_event_says() -> None:
    """A name with a slip of the pen in it would never match anything, and nobody would notice."""
    unknown = []
    for rule in RULES:
        events = matched(rule)
        for path, alternatives in leaves(rule.pattern):
            for alternative in alternatives:
                alone = pattern_with(rule, path, [alternative])
                if path != ("account",) and not any(alone.matches(one.event) for one in events):
                    unknown.append((rule.id, path, alternative))
    assert unknown == []


def pattern_with(rule: Rule, path: tuple[str, ...], alternatives: list[Any]) -> Rule:
    pattern = copy.deepcopy(rule.pattern)
    inner = pattern
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = alternatives
    return Rule(rule.where, rule.name, pattern, rule.account, rule.on_own_bus, rule.function)


def test_quirks_change_nothing_about_who_is_told(figure: Figure) -> None:
    wrong, events, quirks = [], 0, 0
    for rule in RULES:
        for one in events_for(rule):
            expected, events = rule.matches(one.event), events + 1
            for what, event in quirky(rule.hears)[one.id].items():
                quirks += 1
                if rule.matches_text(event) is not expected:
                    wrong.append((rule.id, one.id, what))
    figure(
        "event patterns",
        f"{len(RULES)} rules, {events} pairs with documented events, {quirks} with quirks, {len(wrong)} wrong",
        "0 wrong",
    )
    assert wrong == []
    assert quirks > 10 * events


def test_what_is_wrong_in_one_leaf_is_not_matched(figure: Figure) -> None:
    matching, missed, without, leaf_count = [], 0, [], 0
    for rule in RULES:
        events = matched(rule)
        for path, alternatives in leaves(rule.pattern):
            leaf_count += 1
            tried = 0
            for one in events:
                for what, event in near_misses(one.event, path, alternatives).items():
                    tried += 1
                    if rule.matches(event):
                        matching.append((rule.id, ".".join(path), what))
            missed += tried
            if tried == 0:
                without.append((rule.id, ".".join(path)))
    figure(
        "event patterns, near-misses",
        f"{leaf_count} leaves, {missed} near-misses, {len(matching)} matched, {len(without)} leaves without one",
        "0 matched, 0 leaves without one",
    )
    assert without == []
    assert matching == []


LISTENING = {
    "ReactToRegistryPackageChanged": {REGISTRY},
    "ReactToTrainingJobChanged": {REGISTRY},
    "ResumeReleaseEndpointChanged": {STAGING, PRODUCTION},
    "ResumeReleaseJobEnded": {HUB, STAGING},
    "ResumeReleaseAlarmChanged": {STAGING, PRODUCTION},
    "ReapReleaseEndpointChanged": {STAGING, PRODUCTION},
    "ReapReleaseExecutionDied": {HUB},
    "ReapReleasePromotionWithdrawn": {HUB},
    "StartDriftMonitorWhatServesChanged": {HUB},
    "NotifyReleaseChanged": {HUB},
    "NotifyQuestionChanged": {HUB},
    "NotifyBrakesUsed": {HUB},
    "NotifyLoopTurned": {HUB},
    "ReactToDriftJobEnded": {PRODUCTION},
    "ReactToDriftAlarmChanged": {PRODUCTION},
    "ReactToDriftDriftDetected": {HUB, REGISTRY, PRODUCTION},
    "ReactToDriftReleaseEnded": {HUB},
}
"""Whom each rule on Lockkeeper's bus may hear where every environment is an account of its own."""


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.on_own_bus], ids=lambda rule: rule.id)
def test_a_rule_on_lockkeepers_bus_hears_the_accounts_it_may_hear_and_no_other(rule: Rule) -> None:
    """A rule on a default bus hears its own account only; there is nobody else on it."""
    allowed = {HUB} if rule.where == "one account" else LISTENING[rule.name]
    kinds = matched(rule)
    assert kinds
    for account in (HUB, REGISTRY, STAGING, PRODUCTION, STRANGER):
        heard = {rule.matches(one.event | {"account": account}) for one in kinds}
        assert heard == {account in allowed}, account


def test_what_is_forwarded_is_what_somebody_listens_to() -> None:
    """Forwarding is billed, and what is listened to and not forwarded is never heard."""
    rules = [rule for rule in RULES if rule.where in ("hub of four", "one account")]
    for where in {rule.where for rule in rules}:
        here = [rule for rule in rules if rule.where == where]
        forwarded = {one.id for rule in here if not rule.on_own_bus for one in matched(rule)}
        heard = {one.id for rule in here if rule.on_own_bus for one in matched(rule) if one.source != "lockkeeper"}
        assert {name.split(":")[0] for name in forwarded} == {name.split(":")[0] for name in heard}
        assert heard - forwarded == set()


def told() -> dict[str, tuple[set[str], str]]:
    """The table of events/README.md: for each kind of event, the functions and the condition."""
    table = rows(section(README, "Who hears what"))
    return {
        kind.strip("`"): ({name.strip("` ") for name in functions.split(",")}, condition)
        for kind, functions, condition in table
    }


def test_the_table_says_which_event_reaches_whom() -> None:
    rules, expected = hub_alone().rules(), told()
    reaching: dict[str, set[str]] = {}
    for one in documented():
        functions = reached(one, rules)
        if functions:
            assert reaching.setdefault(one.kind, functions) == functions, one.id
    assert {kind: functions for kind, (functions, _) in expected.items()} == reaching


def test_the_table_says_which_events_of_a_kind_do_not_count() -> None:
    rules = hub_alone().rules()
    for kind, (_, condition) in told().items():
        for one in (one for one in documented() if one.kind == kind):
            words = {word for word in condition.replace("`", "").replace(",", "").split() if word.isupper()}
            detail = one.event["detail"]
            state = detail.get("status") or (detail.get("state") or {}).get("value")
            counts = not words or (state in words and "another machine" not in one.name)
            assert bool(reached(one, rules)) is counts, one.id


FORWARDED = {
    "registry": {
        "SageMaker Model Package State Change",
        "SageMaker Training Job State Change",
        "SageMaker HyperParameter Tuning Job State Change",
        "SageMaker Model Building Pipeline Execution Status Change",
        "Drift Detected",
    },
    "staging": {
        "SageMaker Endpoint State Change",
        "SageMaker Endpoint Deployment State Change",
        "CloudWatch Alarm State Change",
        "SageMaker Processing Job State Change",
    },
}
FORWARDED["production"] = FORWARDED["staging"] | {"SageMaker Monitoring Schedule State Change", "Drift Detected"}


@pytest.mark.parametrize("kind", sorted(FORWARDED))
def test_a_joined_account_forwards_what_the_hub_hears_of_it(kind: str) -> None:
    (rule,) = (rule for rule in RULES if rule.where == f"joined as {kind}")
    assert {one.kind for one in matched(rule)} == FORWARDED[kind]
    listening = [one for one in RULES if one.where == "hub of four" and one.on_own_bus]
    heard = {
        one.kind
        for listener in listening
        for one in documented(rule.account)
        if one.source != "lockkeeper" and listener.matches(one.event)
    }
    assert heard == FORWARDED[kind]
