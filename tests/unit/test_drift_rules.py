"""What a policy says about drift: safe where it says nothing, and what cannot work is refused with its cure."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from lockkeeper.domain.drift_rules import FACTS, filled_in
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import Policy, parse_policy

from tests.unit.harbour import policy_document

RETRAIN = {"pipeline": "wages-train"}


def policy(drift: Any, **production: Any) -> Policy:
    document = {**policy_document(), "drift": drift}
    document["production"] = {**document["production"], **production}
    return parse_policy(yaml.safe_dump(document), source="wages.yaml")


def refusal(drift: Any, **production: Any) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        policy(drift, **production)
    return str(refused.value)


def test_a_policy_that_says_nothing_of_drift_starts_nothing() -> None:
    assert parse_policy(yaml.safe_dump(policy_document()), source="x").drift is None


def test_an_empty_section_hears_nobody_and_starts_nothing() -> None:
    drift = policy({}).drift
    assert drift is not None
    assert (drift.signals, drift.alarms, drift.retrain) == ((), (), None)


def test_what_is_not_said_of_retrainings_is_careful() -> None:
    drift = policy({"signals": ["event"], "retrain": RETRAIN}).drift
    assert drift is not None
    assert drift.retrain is not None
    retrain = drift.retrain
    assert (retrain.cooldown, retrain.at_most.count, retrain.at_most.per) == (86400, 2, 7 * 86400)
    assert (retrain.give_up_after, retrain.budget, retrain.parameters) == (2, None, {})


@pytest.mark.parametrize(
    ("drift", "said"),
    [
        ({"retrain": RETRAIN}, "name signals, such as [alarm], or leave retrain out"),
        ({"signals": ["alarm"]}, "no alarm is named; name those of drift under alarms"),
        ({"signals": ["event"], "alarms": ["a"]}, "add alarm to signals, or leave alarms out"),
        ({"signals": ["alarm"], "alarms": ["a", "a"]}, "an alarm is named twice"),
        ({"signals": ["alarm"], "alarms": ['a"b']}, "should match pattern"),
        ({"signals": ["rumour"]}, "'alarm', 'model-monitor', 'lockkeeper-monitor' or 'event'"),
        ({"signals": ["event"], "retrain": {}}, "drift.retrain.pipeline: missing"),
        ({"signals": ["event"], "retrain": {"pipeline": "arn:aws:x"}}, "should match pattern"),
        ({"signals": ["event"], "retrain": {**RETRAIN, "give_up_after": 0}}, "greater than or equal to 1"),
        ({"signals": ["event"], "retrain": {**RETRAIN, "cooldown": "400d"}}, "between 0s and 365d"),
        ({"signals": ["event"], "retrain": {**RETRAIN, "at_most": {"per": "1s"}}}, "between 1m and 365d"),
        (
            {"signals": ["event"], "retrain": {**RETRAIN, "budget": {"monthly_usd": 10, "each_usd": 20}}},
            "no retraining could ever start; set monthly_usd to that or more",
        ),
        (
            {"signals": ["event"], "retrain": {**RETRAIN, "parameters": {"From": "{windw_from}"}}},
            "{windw_from} is nothing that a retraining knows; write one of {reason}, {signal}",
        ),
        ({"signals": ["event"], "retrain": {**RETRAIN, "parameters": {"a b": "c"}}}, "'a b' is no name of a parameter"),
    ],
)
def test_what_cannot_work_is_refused_with_its_cure(drift: Any, said: str) -> None:
    assert said in refusal(drift)


@pytest.mark.parametrize("signal", ["model-monitor", "lockkeeper-monitor"])
def test_monitors_of_what_captures_nothing_are_refused(signal: str) -> None:
    document = policy_document()
    document["drift"] = {"signals": [signal]}
    document["staging"] = {"target": "real-time", "instance_type": "ml.m5.large"}
    document["production"] = {
        "endpoint_name": "wages",
        "target": "serverless",
        "serverless": {"memory_mb": 2048, "max_concurrency": 5},
    }
    with pytest.raises(PolicyInvalid, match="a serverless endpoint captures nothing"):
        parse_policy(yaml.safe_dump(document), source="x")
    document["drift"] = {"signals": ["event"]}
    parse_policy(yaml.safe_dump(document), source="x")


def test_parameters_are_filled_in_and_cut_to_what_sagemaker_takes() -> None:
    facts = {name: f"<{name}>" for name in FACTS}
    assert filled_in("{window_from} to {window_to}, {reason}", facts) == "<window_from> to <window_to>, <reason>"
    assert filled_in("0.7", facts) == "0.7"
    assert len(filled_in("{reason}", {**facts, "reason": "{signal}" * 500})) == 1024
