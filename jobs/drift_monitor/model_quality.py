"""Model quality: the metrics of the evaluation job over what production answered, against bounds."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any, Sequence

import pandas as pd

from jobs.evaluation.bias import build_analysis
from jobs.evaluation.binary import BinaryClassification
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.facets import Facet
from jobs.evaluation.main import BINARY, MULTICLASS, outcomes_of, problem_of
from jobs.evaluation.report import Problem, build_report
from jobs.evaluation.table import label

BELOW, ABOVE = "LessThanThreshold", "GreaterThanThreshold"


@dataclass(frozen=True)
class Bound:
    """A metric of the report, and the value that it must not be below or above."""

    metric: str
    comparison: str
    threshold: float

    def violated_by(self, value: float) -> bool:
        return value < self.threshold if self.comparison == BELOW else value > self.threshold


@dataclass(frozen=True)
class BiasBound:
    """A post-training bias metric of a facet (of one value, or of each), and between which values it has to be."""

    metric: str
    facet: str
    value: str | None
    least: float | None
    most: float | None

    def violated_by(self, value: float) -> bool:
        return (self.least is not None and value < self.least) or (self.most is not None and value > self.most)


@dataclass(frozen=True)
class Question:
    """What kind of model it is, which label people want, and from where on a number is what they want."""

    problem_type: str
    positive_label: str = "1"
    positive_above: float | None = None


def problem(question: Question, table: pd.DataFrame) -> Problem:
    """Truth and predictions of the merged rows; an EvaluationError where they do not fit the kind of model."""
    binary = question.problem_type == BINARY
    if question.problem_type != MULTICLASS and (table["prediction"] == "").all():
        # Named scores alone are what a model answers first; of several classes a score is no label.
        table = table.assign(prediction=table["probability"], probability="")
    prediction: str | None = "prediction"
    probability = "probability" if binary and (table["probability"] != "").all() else None
    if binary and probability is None and _scores_alone(question, table):
        prediction, probability = None, "prediction"
    return problem_of(_arguments(question, prediction, probability), table)


def _scores_alone(question: Question, table: pd.DataFrame) -> bool:
    """Whether what the model answers first is a probability: numbers from 0 to 1, not all of them labels."""
    labels = {question.positive_label, *(label(one) for one in table["label"])}
    values = pd.to_numeric(table["prediction"], errors="coerce")
    return bool(values.between(0, 1).all()) and not all(label(one) in labels for one in table["prediction"])


def _arguments(question: Question, prediction: str | None, probability: str | None) -> argparse.Namespace:
    return argparse.Namespace(
        problem_type=question.problem_type,
        label="label",
        prediction=prediction,
        probability=probability,
        threshold=0.5,
        positive_label=[question.positive_label],
        positive_above=question.positive_above,
    )


def quality(found: Problem, bounds: Sequence[Bound]) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, str]]]:
    """Statistics, constraints and violations."""
    report = build_report(found, {})
    violations = []
    for bound in bounds:
        value = report[found.key].get(bound.metric, {}).get("value")
        if isinstance(value, (int, float)) and math.isfinite(value) and bound.violated_by(value):
            why = f"Metric {bound.metric} with {value:.6g} was {bound.comparison} {bound.threshold:g}"
            violations.append(
                {"constraint_check_type": bound.comparison, "description": why, "metric_name": bound.metric}
            )
    limits = {one.metric: {"threshold": one.threshold, "comparison_operator": one.comparison} for one in bounds}
    return report, {"version": 0.0, found.key.replace("_metrics", "_constraints"): limits}, violations


def unknown_facets(table: pd.DataFrame, bounds: Sequence[BiasBound]) -> list[str]:
    """The facets' columns that no request has."""
    return sorted({one.facet for one in bounds if (table[f"facet {one.facet}"] == "").all()})


def bias(
    found: Problem, question: Question, table: pd.DataFrame, bounds: Sequence[BiasBound]
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, str]]]:
    """The analysis, the bounds and the violations, of facets that requests have; an EvaluationError where the rows do not tell."""
    facets = {(one.facet, one.value): Facet(one.facet, (one.value,) if one.value else ()) for one in bounds}
    columns = {f"facet {one.facet}": one.facet for one in bounds}
    asked = table[list(columns)].rename(columns=columns)
    if not isinstance(found, BinaryClassification) and question.positive_above is None and _numeric(found):
        raise EvaluationError("of numbers nobody has said from where on one is what people want")
    outcomes = outcomes_of(_arguments(question, "prediction", None), found)
    analysis = build_analysis(outcomes, list(facets.values()), asked, None)
    violations = []
    for bound in bounds:
        for one in analysis["post_training_bias_metrics"]["facets"].get(bound.facet, []):
            value = next((metric["value"] for metric in one["metrics"] if metric["name"] == bound.metric), None)
            fits = bound.value in (None, one["value_or_threshold"])
            if fits and value is not None and bound.violated_by(value):
                why = f"Value {value:.6g} does not meet the constraint requirement: {_between(bound)}"
                violations.append(
                    {
                        "facet": bound.facet,
                        "facet_value": one["value_or_threshold"],
                        "metric_name": bound.metric,
                        "constraint_check_type": "bias_drift_check",
                        "description": why,
                    }
                )
    limits = [{"facet": one.facet, "facet_value": one.value, "metric_name": one.metric, "within": [one.least, one.most]}
              for one in bounds]  # fmt: skip
    return analysis, {"version": "1.0", "bounds": limits}, violations


def _numeric(found: Problem) -> bool:
    return found.key == "regression_metrics"


def _between(bound: BiasBound) -> str:
    sides = [
        f"{word} {value:g}" for word, value in (("at least", bound.least), ("at most", bound.most)) if value is not None
    ]
    return " and ".join(sides)
