"""Rules that ask for less than the champion's are named, and nothing else is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.weakened import weakened

from tests.unit.harbour import Harbour, policy_document

WEEKEND = {"cron": "0 16 * * 5", "lasts": "64h", "time_zone": "Europe/Berlin", "reason": "weekend"}
NEWER_ALARMS: list[Any] = [
    "wages-errors",
    {"errors_5xx": 5},
    {"metric": {"namespace": "Wages", "name": "Predicted", "below": 2}},
]
ACCURACY = "binary_classification_metrics.accuracy.value"


def strict() -> dict[str, Any]:
    document = copy.deepcopy(policy_document())
    document["gates"] |= {
        "quality": [
            {"metric": ACCURACY, "at_least": 0.7, "minimum_rows": 300},
            {"metric": ACCURACY, "at_least": 0.6, "slices": "sex"},
            {"metric": ACCURACY, "no_worse_than_champion_by": 0.01},
        ],
        "bias": [{"metric": "DPPL", "facet": "sex", "within": [-0.1, 0.1]}],
        "explainability": {"minimum_ndcg": 0.9},
        "data_quality": {"at_most": {"baseline_drift_check": 1}},
        "provenance": {"lineage": ["CommitId"]},
        "artifact": {"max_mb": 50, "images": ["a*"], "allow_globals": ["theirs.*"]},
    }
    document["freeze"] = [WEEKEND]
    document["production"]["monthly_budget_usd"] = 400
    document["production"] |= {"initial_instances": 2, "alarms": copy.deepcopy(NEWER_ALARMS)}
    document["production"]["strategy"]["linear"] = {"percent": 20, "wait": "10m"}
    document["staging"] = {
        "tests": {
            "contract": "s3://models/contract.jsonl",
            "replay": {"dataset": "s3://models/holdout.csv", "at_least": {"accuracy": 0.7}, "minimum_rows": 300},
            "safety": {"suite": "s3://models/hostile.jsonl", "forbid": ["internal"], "require": ["a"], "times": 3},
        }
    }
    return document


def changed(path: str, value: Any) -> dict[str, Any]:
    """The strict policy with one thing changed; `...` takes it away."""
    document = strict()
    inner: Any = document
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


def told(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    return weakened(Policy.model_validate(before, strict=False), Policy.model_validate(after, strict=False))


@pytest.mark.parametrize(("path", "narrower"), [("images", ["abc"]), ("allow_globals", ["theirs.Scaler"])])
def test_what_a_wider_pattern_let_in_before_is_not_weaker(path: str, narrower: list[str]) -> None:
    assert told(strict(), changed(f"gates.artifact.{path}", narrower)) == ()


SEVERAL = {"gates.bias", "production.alarms", "production.strategy.linear.percent"}
"""What asks for less in more than one way."""


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("gates.quality.0.at_least", 0.6, f"{ACCURACY}: 0.7 before, 0.6 now"),
        ("gates.quality.0.minimum_rows", 100, f"rows behind {ACCURACY}: 300 before, 100 now"),
        ("gates.quality.1", ..., f"{ACCURACY} by sex: 0.6 before, nothing now"),
        ("gates.quality.2.no_worse_than_champion_by", 0.05, "against the champion: 0.01 before, 0.05 now"),
        ("gates.champion", {"compare": False}, "not held against the champion"),
        ("gates.champion", {"worse_by_at_most": 0.5}, "loss against the champion: 0.02 before, 0.5 now"),
        ("gates.bias.0.within", [-0.2, 0.1], "bias DPPL of sex: -0.1 before, -0.2 now"),
        ("gates.bias.0.within", [-0.1, 0.2], "bias DPPL of sex: 0.1 before, 0.2 now"),
        ("gates.bias", [], "bias DPPL of sex: -0.1 before, nothing now"),
        ("gates.explainability", ..., "explainability: 0.9 before, nothing now"),
        ("gates.data_quality", ..., "data quality is not asked for"),
        ("gates.data_quality.at_most.data_type_check", 3, "data_type_check: 0 before, 3 now"),
        ("gates.provenance", ..., "provenance: lineage CommitId"),
        ("gates.artifact.max_mb", 500, "largest artifact, MB: 50 before, 500 now"),
        ("gates.artifact.images", ["a*", "b*"], "images b* are allowed now"),
        ("gates.artifact.max_members", 20_000, "members of an artifact: 10000 before, 20000 now"),
        ("gates.artifact.max_ratio", 200, "times that an artifact may grow when unpacked: 100 before, 200 now"),
        ("gates.artifact.allow_globals", ["theirs.*", "ours.Scaler"], "pickles may name ours.Scaler now"),
        ("gates.artifact.allow_globals", ["theirs.*", "theirs.deep.*"], "pickles may name theirs.deep.* now"),
        ("approval.before", [], "an approval before staging"),
        ("approval.author_from", ..., "the author is not taken from metadata.author"),
        ("staging.tests.contract", ..., "the contract test is gone"),
        ("staging.tests.replay", ..., "the replay test is gone"),
        ("staging.tests.safety", ..., "the safety test is gone"),
        ("staging.tests.safety.forbid", [], "safety: the forbidden pattern internal is not asked for any more"),
        ("staging.tests.safety.require", [], "safety: the required pattern a is not asked for any more"),
        ("staging.tests.safety.times", 1, "safety: times that each request is sent: 3 before, 1 now"),
        ("staging.tests.replay.at_least.accuracy", 0.5, "replay: accuracy: 0.7 before, 0.5 now"),
        (
            "staging.tests.replay.champion",
            {"worse_by_at_most": 0.3},
            "replay: loss against the champion: 0.02 before, 0.3 now",
        ),
        (
            "staging.tests.replay.champion",
            {"compare": False},
            "replay: metrics are not held against the champion any more",
        ),
        ("staging.tests.replay.minimum_rows", 10, "rows of the replay: 300 before, 10 now"),
        ("production.strategy.bake", "1m", "seconds of bake: 600 before, 60 now"),
        ("production.strategy.minimum_invocations", 0, "invocations during the bake: 5 before, 0 now"),
        ("production.monthly_budget_usd", 900, "monthly budget, USD: 400 before, 900 now"),
        ("production.monthly_budget_usd", ..., "monthly budget, USD: 400 before, no bound now"),
        ("freeze", [], "freeze window 0 16 * * 5 (Europe/Berlin), seconds: 230400 before, nothing now"),
        (
            "freeze",
            [{**WEEKEND, "lasts": "10h"}],
            "freeze window 0 16 * * 5 (Europe/Berlin), seconds: 230400 before, 36000",
        ),
        ("production.alarms", NEWER_ALARMS[1:], "alarm wages-errors"),
        ("production.alarms", NEWER_ALARMS[:1], "alarm errors_5xx: 5 before, no bound now"),
        ("production.alarms.1.errors_5xx", 6, "alarm errors_5xx: 5 before, 6 now"),
        (
            "production.alarms.1.evaluation_periods",
            2,
            "seconds until the alarm errors_5xx goes off: 60 before, 120 now",
        ),
        ("production.alarms.2.metric.below", 1, "alarm metric Wages Predicted Average below: 2 before, 1 now"),
        ("production.strategy.linear", ..., "traffic moves all at once, before it was linear, 20 % at a time"),
        (
            "production.strategy.linear.percent",
            25,
            "percent of the traffic that a shift begins with: 20 before, 25 now",
        ),
        ("production.strategy.linear.wait", "9m", "seconds that a shift is watched: 2400 before, 2160 now"),
    ],
)
def test_what_asks_for_less_is_named_and_the_other_way_round_is_not(path: str, value: Any, said: str) -> None:
    first, *others = told(strict(), changed(path, value))
    assert said in first
    assert not others or path in SEVERAL
    assert told(changed(path, value), strict()) == ()


def test_a_smaller_quorum_is_named() -> None:
    both = changed("approval.quorum", 2)
    assert told(both, strict()) == ("quorum: 2 before, 1 now",)


def test_the_same_policy_asks_for_as_much() -> None:
    assert told(strict(), strict()) == ()


def test_a_release_says_what_its_policy_does_not_ask_for_any_more() -> None:
    harbour = Harbour()
    harbour.promote(1)
    document = policy_document()
    document["gates"]["quality"][0]["at_least"] = 0.5
    harbour.apply(document)
    harbour.register(2)
    assert harbour.release(1).weakened == ()
    assert harbour.release(2).weakened == (f"{ACCURACY}: 0.7 before, 0.5 now",)
    assert f"asks for less than the champion's: {ACCURACY}: 0.7 before, 0.5 now" in harbour.world.mail.letters[-1].text
