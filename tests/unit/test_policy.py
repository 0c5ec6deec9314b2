"""Policies are strict: every mistake is refused with its line and what to do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import ArtifactRule, fingerprint, parse_policy, seconds_of
from lockkeeper.domain.targets import Fleet
from pydantic import ValidationError

GOOD = """\
model_package_group: wages
gates:
  quality:
    - {metric: binary_classification_metrics.accuracy.value, at_least: 0.7}
approval:
  before: [staging]
  approvers:
    - {name: Ada, email: ada@example.com}
production:
  endpoint_name: wages
  instance_type: ml.m5.large
  strategy:
    bake: 10m
"""


def refusal(text: str) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text, source="wages.yaml")
    return str(refused.value)


def test_a_good_policy_is_read_with_defaults() -> None:
    policy = parse_policy(GOOD, source="wages.yaml")
    assert policy.production.strategy.bake == 600
    assert policy.approval.expires_after == 72 * 3600
    assert policy.staging_fleet == Fleet("ml.m5.large", 1)
    assert policy.gates.artifact.images == ("*",)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("    bake: 10m", "    bake: 10m\n    speed: fast", 14, "production.strategy.speed: unknown key"),
        ("    bake: 10m", "    bake: 600", 13, "600 is no duration; write a whole number with a unit"),
        ("    bake: 10m", "    bake: 31d", 12, "bake must be at most 30d"),
        ("    bake: 10m", "    bake: -10m", 13, "is no duration"),
        ("    bake: 10m", "    minimum_invocations: -1", 13, "greater than or equal to 0"),
        ("    bake: 10m", "    minimum_invocations: '5'", 13, "valid integer (given: '5')"),
        ("at_least: 0.7", "at_least: high", 4, "valid number (given: 'high')"),
        ("at_least: 0.7", "at_least: .nan", 4, "finite number"),
        ("at_least: 0.7", "at_least: 0.7, at_most: 1", 4, "exactly one of"),
        (", at_least: 0.7", "", 4, "exactly one of"),
        ("before: [staging]", "before: [stageing]", 6, "'staging' or 'production' (given: 'stageing')"),
        (", email: ada@example.com", "", 8, "give an email"),
        ("email: ada@example.com", "email: ada", 8, "should match pattern"),
        ("  before: [staging]", "  quorum: 2", 5, "quorum is 2 but 1 approver(s) are named"),
        ("  before: [staging]", "  expires_after: 91d", 5, "between 1m and 90d"),
        ("  endpoint_name: wages\n", "", 9, "production.endpoint_name: missing; add it"),
        ("ml.m5.large", "m5.large", 11, "should match pattern"),
        ("endpoint_name: wages", "endpoint_name: wages_v2", 10, "should match pattern"),
        (
            "model_package_group: wages",
            "model_package_group: wages\nmode: admire",
            2,
            "mode: Input should be 'observe' or 'enforce'",
        ),
    ],
)
def test_a_mistake_is_refused_with_its_line(old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    message = refusal(GOOD.replace(old, new, 1))
    (told,) = [one for one in message.splitlines() if said in one]
    assert told.startswith(f"wages.yaml:{line}: ")


def test_every_mistake_is_told_at_once() -> None:
    message = refusal(GOOD.replace("endpoint_name", "endpoint").replace("at_least: 0.7", "at_least: high"))
    assert len(message.splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD + "  endpoint_name: again\n", "wages.yaml:14: endpoint_name: written twice"),
        (GOOD + "gates: {}\n", "wages.yaml:14: gates: written twice"),
        ("a: [1, 2\nb: 3", "wages.yaml:2: not YAML"),
        ("\tmodel: x", "not YAML"),
        ("a: 2026-13-45", "not YAML"),
        ("{[a]: b}", "not YAML"),
        ("a: &a {b: *a}", "unknown key"),
        ("a: \x07", "not YAML"),
        ("", "a policy is a mapping of keys"),
        ("- a\n- b", "a policy is a mapping of keys"),
        ("just text", "a policy is a mapping of keys"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: !!python/object:os.system {}", "not YAML"),
        ("1: 2\n" + GOOD, "wages.yaml:1"),
    ],
)
def test_what_is_no_policy_is_refused_in_words(text: str, said: str) -> None:
    assert said in refusal(text)


def test_two_approvers_of_one_name_are_refused() -> None:
    twice = GOOD.replace(
        "    - {name: Ada, email: ada@example.com}", "    - {name: Ada, email: a@b}\n    - {name: Ada, email: c@d}"
    )
    assert "two approvers have the same name" in refusal(twice)


def test_a_replay_bounds_what_can_be_computed() -> None:
    tests = "staging:\n  tests:\n    replay: {dataset: s3://bucket/key.csv, at_least: {auc: 0.7}}\n"
    assert "unknown metric(s) auc; known: accuracy, mae, rmse" in refusal(GOOD + tests)
    assert "at least one bound" in refusal(GOOD + tests.replace(", at_least: {auc: 0.7}", ""))


def test_what_a_lambda_cannot_look_into_needs_a_job() -> None:
    for rule in ({"max_mb": 500}, {"max_mb": 501, "job": {"image": "a:1"}}, {"max_mb": 5000, "job": {"image": "a:1"}}):
        assert ArtifactRule.model_validate(rule).max_mb == rule["max_mb"]
    for refused, said in (
        ({"max_mb": 501}, "max_mb is 501, and a Lambda looks into 500 MB; name an image under job"),
        ({"job": {"image": "a:1", "above_mb": 501}}, "less than or equal to 500"),
        ({"max_mb": 5001, "job": {"image": "a:1"}}, "less than or equal to 5000"),
        ({"job": {"image": "two words"}}, "should match pattern"),
    ):
        with pytest.raises(ValidationError, match=said):
            ArtifactRule.model_validate(refused)


def test_a_policy_without_people_asks_nobody() -> None:
    policy = parse_policy(GOOD.replace("before: [staging]", "before: []"), source="x")
    assert policy.approval.before == ()


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("72h", 259200), ("7d", 604800), ("0s", 0)])
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


def test_the_fingerprint_is_of_the_text() -> None:
    assert fingerprint(GOOD) == fingerprint(GOOD)
    assert fingerprint(GOOD) != fingerprint(GOOD + " ")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["model_package_group", "mode", "gates", "approval", "staging", "production", "other"])


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    with pytest.raises(PolicyInvalid):
        parse_policy(text, source="x")


@settings(max_examples=60)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_document_is_a_policy_or_refused(part: dict[str, Any]) -> None:
    document = {**yaml.safe_load(GOOD), **part}
    try:
        parse_policy(yaml.safe_dump(document), source="x")
        said = "x: nothing"
    except PolicyInvalid as refused:
        said = str(refused)
    assert said.startswith("x:")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("wages\ngates", f"0x{'f' * 6000}\ngates", 1, "(given: a number of thousands of digits)"),
        ("at_least: 0.7", f"at_least: 0x{'f' * 6000}", 4, "(given: a number of thousands of digits)"),
        ("bake: 10m", f"bake: 0x{'f' * 6000}", 13, "(given: a number of thousands of digits)"),
        ("at_least: 0.7", f"at_least: {'x' * 6000}", 4, f"(given: '{'x' * 199}...)"),
    ],
)
def test_a_value_of_any_length_is_refused_with_its_line(old: str, new: str, line: int, said: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(GOOD.replace(old, new, 1), source="wages.yaml")
    (message,) = refused.value.message.splitlines()
    assert message.startswith(f"wages.yaml:{line}: ")
    assert said in message
    assert len(message) < 500
