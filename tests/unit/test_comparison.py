"""The candidate beside the champion, and what else people read about a version: from verdicts, metadata and the model card."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockkeeper.domain.about import LONGEST, about_latency, about_version
from lockkeeper.domain.comparison import compare, short_name
from lockkeeper.domain.prices import endpoint_cost
from lockkeeper.domain.release import Outcome, Verdict

ACCURACY = "quality: binary_classification_metrics.accuracy.value"


def verdict(gate: str, measured: Any, required: str | None, outcome: Outcome = Outcome.PASSED) -> Verdict:
    return Verdict(gate, outcome, "why", measured, required)


def test_a_bound_and_the_comparison_share_a_row_with_the_worse_of_their_verdicts() -> None:
    held = verdict(f"{ACCURACY} against the champion", 0.75, ">= 0.784 (champion 0.8)", Outcome.FAILED)
    (row,) = compare([verdict(ACCURACY, 0.75, ">= 0.7"), held], [verdict(ACCURACY, 0.9, ">= 0.7")])
    assert (row.measure, row.candidate, row.champion) == ("accuracy", "0.75", "0.8")
    assert (row.required, row.verdict) == (">= 0.7; >= 0.784", Outcome.FAILED)


def test_where_nothing_was_compared_the_champion_is_as_it_was_judged_itself() -> None:
    rows = compare([verdict("latency: p95", 8.25, "<= 100 ms")], [verdict("latency: p95", 12, "<= 100 ms")])
    assert [(row.measure, row.candidate, row.champion) for row in rows] == [("latency: p95", "8.25", "12")]


def test_what_nobody_knows_of_the_champion_is_empty() -> None:
    assert [row.champion for row in compare([verdict(ACCURACY, 0.8, ">= 0.7")], [])] == [""]


def test_what_is_no_measure_of_the_model_has_no_row() -> None:
    verdicts = [
        verdict("artifact", 1.2, "<= 500 MB"),
        verdict("contract", "4 of 4", "4 of 4"),
        verdict("x", None, None),
    ]
    assert compare(verdicts, verdicts) == ()


@pytest.mark.parametrize(
    ("gate", "short"),
    [
        (f"{ACCURACY} by sex", "accuracy by sex"),
        ("bias: DPPL of sex", "bias: DPPL of sex"),
        ("", ""),
        ("a.value.b", "a.b"),
    ],
)
def test_names_are_short_enough_for_a_phone(gate: str, short: str) -> None:
    assert short_name(gate) == short


CARD = {
    "intended_uses": {"purpose_of_model": "research", "risk_rating": "Low"},
    "additional_information": {"ethical_considerations": "e" * 1000, "caveats_and_recommendations": " "},
}


def described(card: Any = None, **metadata: str) -> dict[str, Any]:
    content = {"ModelCard": {"ModelCardContent": card if isinstance(card, str) else json.dumps(card)}} if card else {}
    return {"CustomerMetadataProperties": metadata, **content}


def test_the_card_tells_what_a_version_is_for_and_metadata_why_there_is_one() -> None:
    about = about_version(
        described(CARD, reason="drift of exp", **{"lockkeeper:drift": "exp 0.136"}), endpoint_cost("ml.m5.large", 2)
    )
    assert about.pop("ethical considerations") == f"{'e' * (LONGEST - 1)}…"
    told = {"intended use": "research", "risk": "Low", "reason": "drift of exp", "drift": "exp 0.136"}
    money = about.pop("endpoint cost")
    assert (money["monthly_usd"], money["words"][:15]) == (167.9, "$167.90 a month")
    assert about == {"runs on": "2 x ml.m5.large", **told}


@pytest.mark.parametrize(
    "description",
    [
        {},
        described("no json"),
        described("[1]"),
        described({"intended_uses": "text"}),
        {"CustomerMetadataProperties": 3},
    ],
)
def test_of_a_version_without_a_usable_card_only_the_machine_is_told(description: dict[str, Any]) -> None:
    about = about_version(description, endpoint_cost("ml.t3.large", 1))
    assert about.pop("endpoint cost")["monthly_usd"] is None
    assert about == {"runs on": "1 x ml.t3.large"}


def test_latency_is_told_in_two_percentiles() -> None:
    figures = {"requests": 200, "milliseconds": {"p50": 4.0, "p95": 8.0, "p99": 9.0}, "each": [4.0]}
    assert about_latency(figures) == {"latency": {"p50": 4.0, "p95": 8.0, "requests": 200}}
