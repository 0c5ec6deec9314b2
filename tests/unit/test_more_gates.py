"""Bias, explainability, data quality and provenance on reports in SageMaker's formats, and where reports are found."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, laid_over, metrics_of_card, number_at, sources_of
from lockkeeper.domain.gate_rules import BiasRule, DataQualityRule, ExplainabilityRule, ProvenanceRule, Reports
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.gates.bias import judge_bias
from lockkeeper.domain.gates.data_quality import judge_data_quality
from lockkeeper.domain.gates.explainability import judge_explainability, ndcg
from lockkeeper.domain.gates.provenance import judge_author, judge_provenance
from lockkeeper.domain.policy import Gates
from lockkeeper.domain.release import Outcome

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE
DPPL = BiasRule(metric="DPPL", facet="sex", within=(-0.2, 0.2))


def analysis(block: str = "post_training_bias_metrics", **values: Any) -> dict[str, Any]:
    """Clarify's analysis of one facet: `value=(metric, number)`."""
    entries = [
        {"value_or_threshold": value, "metrics": [{"name": name, "description": name, "value": measured}]}
        for value, (name, measured) in values.items()
    ]
    return {"version": "1.0", block: {"label": "label", "facets": {"sex": entries}}}


@pytest.mark.parametrize(
    ("report", "outcome", "said"),
    [
        (analysis(female=("DPPL", 0.01)), PASSED, "sex = female: 0.01 meets -0.2 to 0.2"),
        (analysis(female=("DPPL", 0.27)), FAILED, "sex = female: 0.27 does not meet"),
        (analysis(female=("DPPL", -0.21)), FAILED, "-0.21"),
        (analysis(male=("DPPL", 0.1), female=("DPPL", -0.3)), FAILED, "sex = female"),
        (analysis(female=("DPPL", None)), INCONCLUSIVE, "null at DPPL"),
        (analysis(female=("DPPL", "NaN")), INCONCLUSIVE, "no number"),
        (analysis(female=("DI", 0.9)), INCONCLUSIVE, "no DPPL of sex"),
        (analysis("pre_training_bias_metrics", female=("DPPL", 0.1)), INCONCLUSIVE, "post_training_bias_metrics"),
        ({"post_training_bias_metrics": []}, INCONCLUSIVE, "no DPPL"),
        ([], INCONCLUSIVE, "no DPPL"),
    ],
)
def test_a_bias_metric_is_held_against_its_bounds(report: Any, outcome: Outcome, said: str) -> None:
    (verdict,) = judge_bias((DPPL,), Evidence({"bias": report}))
    assert (verdict.verdict, said in verdict.reason) == (outcome, True), verdict.reason
    assert verdict.required == "-0.2 to 0.2"


def test_clarifys_own_error_is_passed_on() -> None:
    report = analysis(female=("DPPL", None))
    metric = report["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0]
    metric["error"] = "the facet is empty"
    (verdict,) = judge_bias((DPPL,), Evidence({"bias": report}))
    assert "the facet is empty" in verdict.reason


def test_one_value_of_a_facet_can_be_asked_for_and_data_metrics_are_found_in_their_block() -> None:
    report = analysis("pre_training_bias_metrics", male=("CI", 0.9), female=("CI", 0.1))
    rule = BiasRule(metric="CI", facet="sex", value="female", at_most=0.2)
    (verdict,) = judge_bias((rule,), Evidence({"bias": report}))
    assert (verdict.gate, verdict.verdict) == ("bias: CI(sex = female)", PASSED)
    (missing,) = judge_bias(
        (BiasRule(metric="CI", facet="sex", value="other", at_most=0.2),), Evidence({"bias": report})
    )
    assert missing.verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    "rule", [{}, {"within": [0, 1], "at_most": 1}, {"within": [1, 0]}, {"at_least": 0, "at_most": 1}]
)
def test_a_bias_rule_has_one_bound_that_makes_sense(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"exactly one|smallest"):
        BiasRule.model_validate({"metric": "DPPL", "facet": "sex", **rule})
    with pytest.raises(ValueError, match="unknown; known: CI"):
        BiasRule.model_validate({"metric": "FAIRNESS", "facet": "sex", "at_most": 1})


def shap(**values: Any) -> dict[str, Any]:
    return {"explanations": {"kernel_shap": {"label0": {"global_shap_values": values, "expected_value": 0.5}}}}


def explained(report: Any, champion: Any = None, version: int = 1) -> tuple[Outcome, str]:
    served = ChampionEvidence(version, {"explainability": champion}) if champion is not None else None
    (verdict,) = judge_explainability(ExplainabilityRule(), Evidence({"explainability": report}), served)
    return verdict.verdict, verdict.reason


def test_the_same_ranking_of_features_passes_and_another_fails() -> None:
    served = shap(age=0.5, income=-0.3, zip=0.01)
    assert explained(shap(age=5, income=3, zip=0.1), served)[0] is PASSED
    assert explained(shap(age=0.01, income=0.5, zip=0.4), served)[0] is FAILED
    assert explained(shap(age=1))[0] is PASSED


@pytest.mark.parametrize(
    ("report", "champion", "said"),
    [
        ({}, shap(a=1), "nothing at explanations.kernel_shap"),
        (shap(a="NaN"), shap(a=1), "no number"),
        (shap(), shap(a=1), "no global_shap_values"),
        (shap(a=1), {}, "the champion (version 1) has no attributions"),
        (shap(a=1), shap(a=0), "every attribution is zero"),
        (
            {"explanations": {"kernel_shap": {"other": {"global_shap_values": {"a": 1}}}}},
            shap(a=1),
            "attributions of other",
        ),
    ],
)
def test_attributions_that_cannot_be_compared_are_inconclusive(report: Any, champion: Any, said: str) -> None:
    outcome, reason = explained(report, champion)
    assert (outcome, said in reason) == (INCONCLUSIVE, True), reason


@given(st.dictionaries(st.text(max_size=3), st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_ndcg_is_one_for_the_same_ranking_and_never_more(values: dict[str, float]) -> None:
    same = ndcg(values, values)
    assert isinstance(same, str) or math.isclose(same, 1.0)
    turned = ndcg(values, {name: -index for index, name in enumerate(values)})
    assert isinstance(turned, str) or 0 <= turned <= 1 + 1e-9


def violations(*kinds: Any) -> dict[str, Any]:
    return {"violations": [{"feature_name": f"f{i}", "constraint_check_type": kind} for i, kind in enumerate(kinds)]}


@pytest.mark.parametrize(
    ("report", "allowed", "outcomes"),
    [
        (violations(), {}, {"data quality": PASSED}),
        (violations("data_type_check"), {}, {"data quality: data_type_check": FAILED}),
        (
            violations("baseline_drift_check"),
            {"baseline_drift_check": 1},
            {"data quality: baseline_drift_check": PASSED},
        ),
        (violations("a_new_check"), {}, {"data quality: a_new_check": FAILED}),
        (violations(None), {}, {"data quality: unknown check": FAILED}),
        ({"violations": ["text"]}, {}, {"data quality: unknown check": FAILED}),
        ({"violations": 3}, {}, {"data quality": INCONCLUSIVE}),
        ({}, {}, {"data quality": INCONCLUSIVE}),
    ],
)
def test_violations_are_counted_by_check(report: Any, allowed: dict[str, int], outcomes: dict[str, Outcome]) -> None:
    verdicts = judge_data_quality(DataQualityRule(at_most=allowed), Evidence({"data_quality": report}))
    assert {one.gate: one.verdict for one in verdicts} == outcomes


def test_what_the_registry_has_to_know_is_asked_for() -> None:
    card = json.dumps({"intended_uses": {"intended_uses": "wages"}, "model_overview": {"model_owner": ""}})
    description = {
        "CustomerMetadataProperties": {"ticket": "ML-1"},
        "MetadataProperties": {"CommitId": "abc"},
        "ModelCard": {"ModelCardContent": card, "ModelCardStatus": "Approved"},
    }
    rule = ProvenanceRule(
        metadata=("ticket", "reviewer"),
        lineage=("CommitId", "Repository"),
        model_card=("intended_uses.intended_uses", "model_overview.model_owner"),
    )
    outcomes = [one.verdict for one in judge_provenance(rule, Evidence(description=description))]
    assert outcomes == [PASSED, INCONCLUSIVE] * 3
    broken = Evidence(description={"ModelCard": {"ModelCardContent": "{"}})
    assert {one.verdict for one in judge_provenance(rule, broken)} == {INCONCLUSIVE}


def test_an_author_that_nobody_knows_is_inconclusive_where_the_policy_has_a_rule() -> None:
    known = Evidence(description={"CustomerMetadataProperties": {"author": "lin"}})
    assert judge_author(None, Evidence()) == ()
    assert [one.verdict for one in judge_author("metadata.author", known)] == [PASSED]
    assert [one.verdict for one in judge_author("metadata.author", Evidence())] == [INCONCLUSIVE]


def test_reports_are_taken_from_the_registry_then_the_card_then_the_policys_place() -> None:
    named = Reports(model_quality="s3://bucket/{group}/{version}/quality.json", bias="s3://bucket/b.json")
    statistics = {"ModelQuality": {"Statistics": {"S3Uri": "s3://models/q.json"}}}
    both = {
        "Bias": {"PreTrainingReport": {"S3Uri": "s3://models/pre"}, "PostTrainingReport": {"S3Uri": "s3://models/post"}}
    }
    card = {"ModelCard": {"ModelCardContent": json.dumps(card_with(("accuracy", 0.8)))}}
    registered = sources_of({"ModelMetrics": {**statistics, **both}, **card}, named, "wages", 3)
    assert registered["model_quality"].uris == ("s3://models/q.json",)
    assert registered["bias"].uris == ("s3://models/pre", "s3://models/post")
    from_card = sources_of(card, named, "wages", 3)
    assert number_at(from_card["model_quality"].document, "binary_classification_metrics.accuracy.value") == 0.8
    assert from_card["bias"].uris == ("s3://bucket/b.json",)
    assert sources_of({}, named, "wages", 3)["model_quality"].uris == ("s3://bucket/wages/3/quality.json",)
    assert sources_of({}, Reports(), "wages", 3) == {}


def card_with(*metrics: tuple[str, Any]) -> dict[str, Any]:
    data = [{"name": name, "type": "number", "value": value} for name, value in metrics]
    return {"evaluation_details": [{"name": "held out", "metric_groups": [{"name": "all", "metric_data": data}]}]}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0.8125", 0.8125),
        ("-3", -3.0),
        ("1.5e-05", 1.5e-05),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("", ""),
        ("about 3", "about 3"),
        (0.5, 0.5),
        (None, None),
    ],
)
def test_numbers_that_a_card_has_as_texts_are_numbers(written: Any, read: Any) -> None:
    card = {"ModelCard": {"ModelCardContent": json.dumps(card_with(("mean_absolute_error", written)))}}
    assert metrics_of_card(card)["regression_metrics"]["mean_absolute_error"]["value"] == read


def test_a_metric_with_two_values_in_a_card_is_no_number() -> None:
    content = json.dumps(card_with(("accuracy", 0.8), ("accuracy", 0.7), ("auc", 0.9)))
    found = metrics_of_card({"ModelCard": {"ModelCardContent": content}})
    assert "0.8 and 0.7" in str(number_at(found, "metrics.accuracy.value"))
    assert number_at(found, "regression_metrics.auc.value") == 0.9


def test_parts_of_a_report_are_laid_over_each_other() -> None:
    assert laid_over([{"a": 1, "b": 1}, {"b": 2}]) == {"a": 1, "b": 2}
    assert laid_over([{"a": 1}, [2]]) == [2]
    assert laid_over([]) is None


EVERY_GATE = Gates.model_validate(
    {
        "quality": [{"metric": "a.value", "at_least": 0}, {"metric": "a.value", "at_most": 0, "slices": "s"}],
        "bias": [{"metric": "DPPL", "facet": "a", "within": [0, 1]}, {"metric": "CI", "facet": "s", "at_most": 0}],
        "explainability": {},
        "data_quality": {"at_most": {"data_type_check": 1}},
        "provenance": {"metadata": ["a"], "lineage": ["CommitId"], "model_card": ["a.value"]},
    }
)
WORDS = st.sampled_from(
    [
        "a", "s", "value", "slices", "violations", "explanations", "kernel_shap", "global_shap_values", "facets",
        "metrics", "name", "DPPL", "post_training_bias_metrics", "value_or_threshold", "constraint_check_type",
        "MetadataProperties", "CustomerMetadataProperties", "ModelCard", "ModelCardContent", "ModelMetrics", "Bias",
        "evaluation_details", "metric_groups", "metric_data", "number", "type", "S3Uri", "Report",
    ]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(WORDS, ANYTHING), ANYTHING, ANYTHING)
def test_no_evidence_raises(description: dict[str, Any], report: Any, champion: Any) -> None:
    reports = dict.fromkeys(("model_quality", "bias", "explainability", "data_quality"), report)
    served = ChampionEvidence(1, dict.fromkeys(reports, champion))
    for verdict in judge_offline(EVERY_GATE, Evidence(reports, {}, description), served):
        assert verdict.reason
    sources_of(description, Reports(), "g", 1)


def test_reports_that_are_not_there_stop_every_gate_that_needs_them() -> None:
    verdicts = judge_offline(EVERY_GATE, Evidence(), None)
    assert {one.verdict for one in verdicts} == {INCONCLUSIVE}
    assert {one.gate.split(":")[0] for one in verdicts} == {
        "quality",
        "bias",
        "explainability",
        "data quality",
        "provenance",
    }
