"""The quality gate on reports in SageMaker's format, and what all gates have in common."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, number_at
from lockkeeper.domain.gate_rules import ChampionRule, QualityRule, direction_of
from lockkeeper.domain.gates.quality import judge_quality
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.release import Outcome, Verdict

ACCURACY = "binary_classification_metrics.accuracy.value"
MAE = "regression_metrics.mae.value"


def report(path: str, value: Any) -> Any:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def judge(
    rules: list[QualityRule], document: Any, champion: Any = None, version: int | None = None, compare: bool = False
) -> tuple[Verdict, ...]:
    served = ChampionEvidence(version, {"model_quality": champion}) if version else None
    evidence = Evidence({"model_quality": document})
    return judge_quality(tuple(rules), ChampionRule(compare=compare), evidence, served)


def judged(rule: QualityRule, value: Any, champion: Any = None, version: int | None = None) -> Verdict:
    (verdict,) = judge([rule], report(rule.metric, value), champion, version)
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


@pytest.mark.parametrize("document", [{}, [], "text", 3, {"binary_classification_metrics": []}])
def test_a_missing_value_is_inconclusive_and_named(document: Any) -> None:
    (verdict,) = judge([QualityRule(metric=ACCURACY, at_least=0.7)], document)
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
    assert direction_of("regression_metrics.rmse") == "lower"
    assert direction_of("regression_metrics.r2.value") == "higher"
    assert direction_of("value") is None
    assert direction_of("our_metrics.happiness.value") is None


def test_every_bounded_metric_is_held_against_the_champion_unless_the_policy_says_otherwise() -> None:
    rule = QualityRule(metric=ACCURACY, at_least=0.5)
    better, worse = report(ACCURACY, 0.75), report(ACCURACY, 0.70)
    outcomes = [one.verdict for one in judge([rule], better, worse, 3, compare=True)]
    assert outcomes == [Outcome.PASSED, Outcome.PASSED]
    bounded, compared = judge([rule], worse, better, 3, compare=True)
    assert (bounded.verdict, compared.verdict) == (Outcome.PASSED, Outcome.FAILED)
    assert compared.gate == f"quality: {ACCURACY} against the champion"
    assert "champion 0.75" in (compared.required or "")
    # Two percent of the champion's value are given away, so that noise stops nobody.
    (_, within_noise) = judge([rule], report(ACCURACY, 0.736), better, 3, compare=True)
    assert within_noise.verdict is Outcome.PASSED
    assert [one.verdict for one in judge([rule], worse, better, 3)] == [Outcome.PASSED]
    (_, first) = judge([rule], worse, compare=True)
    assert (first.verdict, "no champion yet" in first.reason) == (Outcome.PASSED, True)


def test_a_comparison_that_is_asked_for_replaces_the_one_that_is_not() -> None:
    rules = [QualityRule(metric=ACCURACY, at_least=0.5), QualityRule(metric=ACCURACY, no_worse_than_champion_by=0.1)]
    verdicts = judge(rules, report(ACCURACY, 0.70), report(ACCURACY, 0.75), 3, compare=True)
    assert [one.verdict for one in verdicts] == [Outcome.PASSED, Outcome.PASSED]


def test_a_metric_of_no_known_direction_is_compared_only_when_the_policy_says_which_way() -> None:
    with pytest.raises(ValueError, match="add better: higher or better: lower"):
        QualityRule(metric="ours.happiness.value", no_worse_than_champion_by=0.1)
    rule = QualityRule(metric="ours.happiness.value", at_least=1)
    assert len(judge([rule], report(rule.metric, 5), report(rule.metric, 9), 3, compare=True)) == 1
    told = QualityRule(metric="ours.happiness.value", at_least=1, better="higher")
    _, compared = judge([told], report(told.metric, 5), report(told.metric, 9), 3, compare=True)
    assert compared.verdict is Outcome.FAILED


@pytest.mark.parametrize(
    ("rows", "outcome"), [(299, Outcome.INCONCLUSIVE), (300, Outcome.PASSED), (None, Outcome.INCONCLUSIVE)]
)
def test_too_few_rows_are_inconclusive(rows: int | None, outcome: Outcome) -> None:
    document = {**report(ACCURACY, 0.8), "dataset": {"item_count": rows}}
    (verdict,) = judge([QualityRule(metric=ACCURACY, at_least=0.7, minimum_rows=300)], document)
    assert verdict.verdict is outcome
    assert outcome is Outcome.PASSED or "item_count" in verdict.reason


def sliced(**accuracies: float | None) -> Any:
    slices = {value: {"item_count": 100, **report(ACCURACY, accuracy)} for value, accuracy in accuracies.items()}
    return {"slices": {"sex": slices}}


BY_SEX = QualityRule(metric=ACCURACY, at_least=0.7, slices="sex", minimum_rows=50)


def test_the_worst_slice_decides_and_is_named() -> None:
    (verdict,) = judge([BY_SEX], sliced(male=0.8, female=0.65))
    assert (verdict.verdict, verdict.measured) == (Outcome.FAILED, 0.65)
    assert verdict.reason == "sex = female: 0.65 does not meet >= 0.7"
    assert judge([BY_SEX], sliced(male=0.8, female=0.75))[0].verdict is Outcome.PASSED


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (report(ACCURACY, 0.8), "no slices by sex"),
        ({"slices": {"sex": []}}, "no slices by sex"),
        (sliced(male=0.8, female=None), "sex = female: the report has null"),
        ({"slices": {"sex": {"female": {"item_count": 49}}}}, "sex = female: 49 rows"),
        ({"slices": {"sex": {"female": 3}}}, "sex = female: the report has nothing at item_count"),
    ],
)
def test_a_slice_that_cannot_be_judged_is_inconclusive(document: Any, said: str) -> None:
    (verdict,) = judge([BY_SEX], document)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert said in verdict.reason


def test_a_slice_is_compared_with_the_same_slice_of_the_champion() -> None:
    rule = QualityRule(metric=ACCURACY, no_worse_than_champion_by=0.01, slices="sex")
    (verdict,) = judge([rule], sliced(male=0.9, female=0.7), sliced(male=0.8, female=0.75), 2)
    assert (verdict.verdict, "sex = female" in verdict.reason) == (Outcome.FAILED, True)
    (unknown,) = judge([rule], sliced(male=0.9), report(ACCURACY, 0.8), 2)
    assert unknown.verdict is Outcome.INCONCLUSIVE


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
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "value", "slices", "dataset"]), inner, max_size=3)
    ),
)


@given(DOCUMENTS, DOCUMENTS)
def test_no_report_raises(document: Any, champion: Any) -> None:
    rules = [
        QualityRule(metric="a.b.value", at_least=0.5),
        QualityRule(metric="a.value", at_most=0.5),
        QualityRule(metric="a.b", no_worse_than_champion_by=0.01, better="higher"),
        QualityRule(metric="a.value", at_most=0.5, better="lower", minimum_rows=3),
        QualityRule(metric="value", at_least=0.5, slices="b"),
    ]
    for verdict in judge(rules, document, champion, 2, compare=True):
        assert verdict.reason
    assert isinstance(number_at(document, "a"), (float, str))
