"""A report that is broken, huge, foreign or of another shape is inconclusive and named, at every gate that reads reports."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, Source, collect, parse_report
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.policy import Gates
from lockkeeper.domain.release import Outcome, Verdict

ACCURACY = "binary_classification_metrics.accuracy.value"
URI = "s3://models/wages/3/report.json"
MANY = 100_000
POLICIES: dict[str, tuple[str, dict[str, Any]]] = {
    "quality": ("model_quality", {}),
    "slices": (
        "model_quality",
        {"quality": [{"metric": ACCURACY, "at_least": 0.7, "slices": "sex", "minimum_rows": 10}]},
    ),
    "bias": ("bias", {"bias": [{"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]}]}),
    "explainability": ("explainability", {"explainability": {}}),
    "data quality": ("data_quality", {"data_quality": {}}),
}
"""Each gate that reads a report: the kind of its report, and a policy that asks for it."""


def judged(gate: str, body: bytes = b"", report: Any = None) -> list[Verdict]:
    """The verdicts of one gate on a report as it lies in S3, or on one that was read already."""
    kind, asked = POLICIES[gate]
    gates = Gates.model_validate({"quality": [{"metric": ACCURACY, "at_least": 0.7}], **asked})
    source = Source("the test", (URI,), report)
    reports, missing = collect({kind: source}, (kind,), lambda _uri: body)
    verdicts = judge_offline(gates, Evidence(reports, missing), ChampionEvidence(2, {}))
    starts = "quality" if gate == "slices" else gate
    return [one for one in verdicts if one.gate.startswith(starts)]


@pytest.mark.parametrize("gate", POLICIES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"version": 0.0, "binary_classification_metrics": {"accuracy": {"value": 0.7',
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"a": ' * 50_000,
        '{"größe": "\U0001f6a2"'.encode("utf-16"),
        b"accuracy,0.9\n",
        b"<html>Access Denied</html>",
        b"null",
    ],
    ids=["empty", "truncated", "binary", "deep list", "deep object", "truncated UTF-16", "CSV", "HTML", "null"],
)
def test_what_is_no_report_is_inconclusive_with_its_address(gate: str, body: bytes) -> None:
    verdicts = judged(gate, body)
    assert verdicts
    for verdict in verdicts:
        assert verdict.verdict is Outcome.INCONCLUSIVE
        assert f"{URI} (the test) is no " in verdict.reason


SHAPES: dict[str, Any] = {
    "a text": "accuracy 0.9",
    "a number": 7,
    "a list": [{"accuracy": 0.9}],
    "another version": {"version": "99.9", "metrics_v2": [{"metric": "accuracy", "score": 0.9}]},
    "lists for mappings": {
        "binary_classification_metrics": [["accuracy", 0.9]],
        "slices": [],
        "post_training_bias_metrics": [],
        "explanations": [],
        "violations": {},
    },
    "texts for numbers": {
        "binary_classification_metrics": {"accuracy": {"value": "0.9"}},
        "slices": {"sex": {"female": {"item_count": "60"}}},
        "post_training_bias_metrics": {
            "facets": {"sex": [{"value_or_threshold": 1, "metrics": [{"name": "DPPL", "value": "0"}]}]}
        },
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {"age": "0.5"}}}},
        "violations": "none",
    },
    "names in other scripts": {"метрики": {"точность": 0.9}, "精度": {"value": 0.9}, "\u202e": {}, "\ud800": 1},
}


@pytest.mark.parametrize("gate", POLICIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_another_shape_is_inconclusive_with_the_place_that_it_lacks(gate: str, shape: str) -> None:
    places = {
        "quality": "binary_classification_metrics",
        "slices": "s",
        "bias": "DPPL",
        "explainability": "kernel_shap",
        "data quality": "violations",
    }
    verdicts = judged(gate, json.dumps(SHAPES[shape]).encode())
    assert verdicts
    for verdict in verdicts:
        assert verdict.verdict is Outcome.INCONCLUSIVE
        # What a label is called stands for its place where the report came as far as that.
        assert places[gate] in verdict.reason or "label0.age" in verdict.reason


def many_metrics() -> bytes:
    """A report of more than ten megabytes that has everything, among a hundred thousand metrics."""
    other = {f"m{number}": {"value": number} for number in range(MANY)}
    facets = [
        {"value_or_threshold": f"v{number}", "metrics": [{"name": "CI", "value": 0}]} for number in range(MANY // 4)
    ]
    facets.append({"value_or_threshold": "female", "metrics": [{"name": "DPPL", "value": 0.1}]})
    report = {
        "padding": "x" * 7_000_000,
        "binary_classification_metrics": {**other, "accuracy": {"value": 0.8}},
        "slices": {
            "sex": {"female": {"item_count": 60, "binary_classification_metrics": {"accuracy": {"value": 0.8}}}}
        },
        "post_training_bias_metrics": {"facets": {"sex": facets}},
        "explanations": {"kernel_shap": {"label0": {"global_shap_values": {f"f{n}": n for n in range(MANY // 4)}}}},
        "violations": [{"feature_name": f"f{n}", "constraint_check_type": "x"} for n in range(MANY // 4)],
    }
    return json.dumps(report).encode()


def test_a_hundred_thousand_metrics_in_ten_megabytes_are_judged_like_one() -> None:
    body = many_metrics()
    assert 10_000_000 < len(body) < 16 << 20
    report = parse_report(body)
    verdicts = {gate: judged(gate, report=report)[0] for gate in POLICIES}
    assert {gate: one.verdict for gate, one in verdicts.items()} == {
        "quality": Outcome.PASSED,
        "slices": Outcome.PASSED,
        "bias": Outcome.PASSED,
        # The champion has none to compare with.
        "explainability": Outcome.INCONCLUSIVE,
        "data quality": Outcome.FAILED,
    }
    assert all(len(one.reason) < 1000 for one in verdicts.values())


@pytest.mark.parametrize("gate", POLICIES)
def test_ten_megabytes_cut_off_are_inconclusive(gate: str) -> None:
    (verdict, *_) = judged(gate, b'{"slices": "' + b"x" * 10_000_000)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert URI in verdict.reason
    assert len(verdict.reason) < 1000


@pytest.mark.parametrize("gate", POLICIES)
def test_a_report_that_cannot_be_read_is_inconclusive_and_says_why(gate: str) -> None:
    kind, asked = POLICIES[gate]

    def read(uri: str) -> bytes:
        raise EvidenceMissing(f"{uri} has 17000000 bytes, more than 16777216", cure="make it smaller")

    gates = Gates.model_validate({"quality": [{"metric": ACCURACY, "at_least": 0.7}], **asked})
    reports, missing = collect({kind: Source("the test", (URI,))}, (kind,), read)
    verdicts = judge_offline(gates, Evidence(reports, missing), None)
    told = [one for one in verdicts if URI in one.reason]
    assert {one.verdict for one in told} == {Outcome.INCONCLUSIVE}
    assert "make it smaller" in told[0].reason
