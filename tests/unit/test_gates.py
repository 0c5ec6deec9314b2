"""The offline gates on reports in SageMaker's format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.gates import explain, judge_quality, lower_is_better, number_at, worst
from lockkeeper.domain.policy import QualityRule
from lockkeeper.domain.release import Outcome, Verdict

ACCURACY = "binary_classification_metrics.accuracy.value"
MAE = "regression_metrics.mae.value"


def report(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def judged(rule: QualityRule, value: Any, champion: Any = None, version: int | None = None) -> Verdict:
    (verdict,) = judge_quality([rule], report(rule.metric, value), champion, version)
    return verdict


@pytest.mark.parametrize(
    ("rule", "value", "outcome"),
    [
        (QualityRule(metric=ACCURACY, at_least=0.7), 0.7, Outcome.PASSED),
        (QualityRule(metric=ACCURACY, at_least=0.7), 0.6999, Outcome.FAILED),
        (QualityRule(metric=ACCURACY, at_least=0.7), 1, Outcome.PASSED),
        (QualityRule(metric=MAE, at_most=170), 165.2, Outcome.PASSED),
        (QualityRule(metric=MAE, at_most=170), 170.1, Outcome.FAILED),
    ],
)
def test_bounds_hold_inclusively(rule: QualityRule, value: float, outcome: Outcome) -> None:
    verdict = judged(rule, value)
    assert verdict.verdict is outcome
    assert verdict.measured == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null at"),
        ("NaN", "'NaN' at"),
        (float("nan"), "nan at"),
        (float("inf"), "inf at"),
        (10**400, "out of range"),
        (True, "no number"),
        ([0.8], "no number"),
        ({"value": 0.8}, "no number"),
    ],
)
def test_what_is_no_number_is_inconclusive(value: Any, said: str) -> None:
    verdict = judged(QualityRule(metric=ACCURACY, at_least=0.7), value)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert said in verdict.reason
    assert verdict.measured is None


@pytest.mark.parametrize("document", [{}, [], None, "text", 3, {"binary_classification_metrics": []}])
def test_a_missing_value_is_inconclusive_and_named(document: Any) -> None:
    (verdict,) = judge_quality([QualityRule(metric=ACCURACY, at_least=0.7)], document, None, None)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "the report has nothing at binary_classification_metrics" in verdict.reason


@pytest.mark.parametrize(
    ("metric", "value", "champion", "outcome"),
    [
        (ACCURACY, 0.75, 0.76, Outcome.PASSED),
        (ACCURACY, 0.74, 0.76, Outcome.FAILED),
        (ACCURACY, 0.90, 0.76, Outcome.PASSED),
        (MAE, 10.01, 10.0, Outcome.PASSED),
        (MAE, 10.02, 10.0, Outcome.FAILED),
        (MAE, 9.0, 10.0, Outcome.PASSED),
    ],
)
def test_worse_than_the_champion_has_a_direction(metric: str, value: float, champion: float, outcome: Outcome) -> None:
    rule = QualityRule(metric=metric, no_worse_than_champion_by=0.01)
    assert judged(rule, value, report(metric, champion), 3).verdict is outcome


def test_without_a_champion_there_is_nothing_to_compare_with() -> None:
    rule = QualityRule(metric=ACCURACY, no_worse_than_champion_by=0.0)
    assert judged(rule, 0.1).verdict is Outcome.PASSED


@pytest.mark.parametrize("champion", [{}, None, report(ACCURACY, None), report(ACCURACY, "NaN")])
def test_a_champion_without_the_value_is_inconclusive(champion: Any) -> None:
    rule = QualityRule(metric=ACCURACY, no_worse_than_champion_by=0.01)
    verdict = judged(rule, 0.8, champion, 3)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "the champion (version 3) has no such value" in verdict.reason


def test_a_metric_without_value_at_its_end_has_its_direction() -> None:
    assert lower_is_better("regression_metrics.rmse")
    assert not lower_is_better("regression_metrics.r2.value")
    assert not lower_is_better("value")


def test_failed_outweighs_inconclusive_and_nothing_is_not_passed() -> None:
    passed, failed, unclear = (Verdict(str(outcome), outcome, "reason") for outcome in Outcome)
    assert worst([passed, unclear, failed]) is Outcome.FAILED
    assert worst([passed, unclear]) is Outcome.INCONCLUSIVE
    assert worst([passed]) is Outcome.PASSED
    assert worst([]) is Outcome.INCONCLUSIVE
    assert explain([passed, failed]) == "failed: reason"
    assert explain([passed]) == "every gate passed"


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "value"]), inner, max_size=3)
    ),
)


@given(DOCUMENTS, DOCUMENTS)
def test_no_report_raises(document: Any, champion: Any) -> None:
    rules = [
        QualityRule(metric="a.b.value", at_least=0.5),
        QualityRule(metric="a.value", at_most=0.5),
        QualityRule(metric="a.b", no_worse_than_champion_by=0.01),
    ]
    for verdict in judge_quality(rules, document, champion, 2):
        assert verdict.reason
    assert isinstance(number_at(document, "a"), (float, str))
