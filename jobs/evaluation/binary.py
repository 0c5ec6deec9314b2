"""Binary classification: the metrics of Model Monitor's `binary_classification_metrics`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import precision_recall_curve, roc_curve

BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
MOST_CURVE_POINTS = 201
"""A curve has a point for each distinct score; a page draws no more than so many, and a report stays readable."""


@dataclass(frozen=True)
class Counts:
    """The confusion matrix of two classes."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


@dataclass(frozen=True)
class BinaryClassification:
    """Truth and predictions (True for the positive label), one a row, and scores where the model gives them."""

    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    negative: str
    positive: str

    key = "binary_classification_metrics"

    def __len__(self) -> int:
        return len(self.truth)

    def select(self, rows: np.ndarray) -> BinaryClassification:
        """The same problem on some of the rows, given as positions or as a mask."""
        scores = None if self.scores is None else self.scores[rows]
        return BinaryClassification(self.truth[rows], self.predicted[rows], scores, self.negative, self.positive)

    def counts(self) -> Counts:
        cells = np.bincount(self.truth.astype(int) * 2 + self.predicted, minlength=4)
        return Counts(int(cells[3]), int(cells[1]), int(cells[2]), int(cells[0]))

    def scalars(self) -> dict[str, float]:
        """Every metric that is one number; NaN where it is a ratio of nothing.

        A `..._best_constant_classifier` is the metric of the better of the two classifiers that always give one answer.
        """
        counts = self.counts()
        positives = counts.true_positives + counts.false_negatives
        negatives = counts.true_negatives + counts.false_positives
        values = scores_of(counts)
        always_yes = scores_of(Counts(positives, negatives, 0, 0))
        always_no = scores_of(Counts(0, 0, positives, negatives))
        values.update(
            {f"{name}_best_constant_classifier": _better(always_yes[name], always_no[name]) for name in always_no}
        )
        values["true_positive_rate"] = ratio(counts.true_positives, positives)
        values["true_negative_rate"] = ratio(counts.true_negatives, negatives)
        values["false_positive_rate"] = ratio(counts.false_positives, negatives)
        values["false_negative_rate"] = ratio(counts.false_negatives, positives)
        if self.scores is not None:
            values["auc"] = area_under_curve(self.truth, self.scores)
        return values

    def confusion_matrix(self) -> dict[str, dict[str, int]]:
        """Number of rows by truth, then by prediction."""
        counts = self.counts()
        return {
            self.negative: {self.negative: counts.true_negatives, self.positive: counts.false_positives},
            self.positive: {self.negative: counts.false_negatives, self.positive: counts.true_positives},
        }

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """The ROC and the precision-recall curve, both from left to right; empty where there is only one class."""
        if self.scores is None:
            return {}
        rates: list[list[float]] = [[], []]
        points: list[list[float]] = [[], []]
        if self.truth.any() and not self.truth.all():
            false_positive_rates, true_positive_rates, _ = roc_curve(self.truth, self.scores)
            rates = _thinned(false_positive_rates, true_positive_rates)
            precisions, recalls, _ = precision_recall_curve(self.truth, self.scores)
            points = _thinned(precisions[::-1], recalls[::-1])
        return {
            "receiver_operating_characteristic_curve": {
                "false_positive_rates": rates[0],
                "true_positive_rates": rates[1],
            },
            "precision_recall_curve": {"precisions": points[0], "recalls": points[1]},
        }


def scores_of(counts: Counts) -> dict[str, float]:
    """The metrics that also a classifier with one answer has."""
    right, wrong = counts.true_positives + counts.true_negatives, counts.false_positives + counts.false_negatives
    return {
        "recall": ratio(counts.true_positives, counts.true_positives + counts.false_negatives),
        "precision": ratio(counts.true_positives, counts.true_positives + counts.false_positives),
        "accuracy": ratio(right, right + wrong),
        **{
            name: f_score(beta, counts.true_positives, counts.false_positives, counts.false_negatives)
            for name, beta in BETAS.items()
        },
    }


def f_score(beta: float, true_positives: int, false_positives: int, false_negatives: int) -> float:
    """The F-score: recall counts `beta` times as much as precision."""
    weighted = (1 + beta**2) * true_positives
    return ratio(weighted, weighted + beta**2 * false_negatives + false_positives)


def area_under_curve(truth: np.ndarray, scores: np.ndarray) -> float:
    """The probability that a positive row has a higher score than a negative one, ties counting half."""
    positives = int(truth.sum())
    pairs = positives * (len(truth) - positives)
    if pairs == 0:
        return math.nan
    return float((rankdata(scores)[truth].sum() - positives * (positives + 1) / 2) / pairs)


def ratio(part: float, whole: float) -> float:
    """part / whole, NaN where there is no whole."""
    return part / whole if whole else math.nan


def _better(first: float, second: float) -> float:
    return float(np.fmax(first, second))


def _thinned(*curve: np.ndarray) -> list[list[float]]:
    length = len(curve[0])
    kept = np.unique(np.linspace(0, length - 1, min(length, MOST_CURVE_POINTS)).round().astype(int))
    return [values[kept].tolist() for values in curve]
