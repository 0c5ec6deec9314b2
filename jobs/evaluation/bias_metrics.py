"""SageMaker Clarify's bias metrics, as its documentation defines them.

The facet d is the group that may be treated worse, a is everybody else. A positive label is the outcome people want.
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-measure-data-bias.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-measure-post-training-bias.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable

import numpy as np


class NotApplicableError(Exception):
    """These rows do not define the metric; the message says why."""


@dataclass(frozen=True)
class Side:
    """Row counts of the facet or of the others; `name` is what people call them."""

    name: str
    rows: int
    labelled_positive: int
    predicted_positive: int
    true_positives: int

    @property
    def labelled_negative(self) -> int:
        return self.rows - self.labelled_positive

    @property
    def predicted_negative(self) -> int:
        return self.rows - self.predicted_positive

    @property
    def false_positives(self) -> int:
        return self.predicted_positive - self.true_positives

    @property
    def false_negatives(self) -> int:
        return self.labelled_positive - self.true_positives

    @property
    def true_negatives(self) -> int:
        return self.labelled_negative - self.false_positives


@dataclass(frozen=True)
class Cases:
    """The rows of one facet, one entry each: who is a member, whose label and whose prediction is positive.

    `groups` is the variable that the conditional metrics hold fixed, None where nobody named one.
    """

    facet_name: str
    member: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    groups: np.ndarray | None

    def sides(self) -> tuple[Side, Side]:
        """The others (a) and the facet (d). Raises NotApplicableError where one of them is empty."""
        if not self.member.any():
            raise NotApplicableError(f"no row has {self.facet_name}")
        if self.member.all():
            raise NotApplicableError(f"every row has {self.facet_name}, so that there are no others")
        return self._side("the others", ~self.member), self._side(self.facet_name, self.member)

    def _side(self, name: str, chosen: np.ndarray) -> Side:
        labels, predictions = self.labels[chosen], self.predictions[chosen]
        return Side(
            name, int(chosen.sum()), int(labels.sum()), int(predictions.sum()), int((labels & predictions).sum())
        )


Metric = Callable[[Cases], float]


def class_imbalance(cases: Cases) -> float:
    a, d = cases.sides()
    return (a.rows - d.rows) / (a.rows + d.rows)


def label_proportion_difference(cases: Cases) -> float:
    a, d = cases.sides()
    return a.labelled_positive / a.rows - d.labelled_positive / d.rows


def kullback_leibler(cases: Cases) -> float:
    a, d = _label_distributions(cases)
    if ((d == 0) & (a > 0)).any():
        raise NotApplicableError(
            f"a label of the others does not occur with {cases.facet_name}: the divergence is infinite"
        )
    return _divergence(a, d)


def jensen_shannon(cases: Cases) -> float:
    a, d = _label_distributions(cases)
    middle = (a + d) / 2
    return (_divergence(a, middle) + _divergence(d, middle)) / 2


def l2_norm(cases: Cases) -> float:
    return float(np.linalg.norm(np.subtract(*_label_distributions(cases)), 2))


def total_variation(cases: Cases) -> float:
    return float(np.linalg.norm(np.subtract(*_label_distributions(cases)), 1) / 2)


def kolmogorov_smirnov(cases: Cases) -> float:
    return float(np.linalg.norm(np.subtract(*_label_distributions(cases)), np.inf))


def conditional_disparity_in_labels(cases: Cases) -> float:
    return _conditional_disparity(cases, cases.labels, "labelled")


def predicted_proportion_difference(cases: Cases) -> float:
    a, d = cases.sides()
    return a.predicted_positive / a.rows - d.predicted_positive / d.rows


def disparate_impact(cases: Cases) -> float:
    a, d = cases.sides()
    return _ratio(d.predicted_positive / d.rows, a.predicted_positive / a.rows, a, "is predicted positive")


def conditional_acceptance_difference(cases: Cases) -> float:
    a, d = (
        _ratio(one.labelled_positive, one.predicted_positive, one, "is predicted positive") for one in cases.sides()
    )
    return a - d


def conditional_rejection_difference(cases: Cases) -> float:
    a, d = (
        _ratio(one.labelled_negative, one.predicted_negative, one, "is predicted negative") for one in cases.sides()
    )
    return d - a


def specificity_difference(cases: Cases) -> float:
    a, d = (_ratio(one.true_negatives, one.labelled_negative, one, "is labelled negative") for one in cases.sides())
    return d - a


def recall_difference(cases: Cases) -> float:
    a, d = (_ratio(one.true_positives, one.labelled_positive, one, "is labelled positive") for one in cases.sides())
    return a - d


def acceptance_rate_difference(cases: Cases) -> float:
    a, d = (_ratio(one.true_positives, one.predicted_positive, one, "is predicted positive") for one in cases.sides())
    return a - d


def rejection_rate_difference(cases: Cases) -> float:
    a, d = (_ratio(one.true_negatives, one.predicted_negative, one, "is predicted negative") for one in cases.sides())
    return d - a


def accuracy_difference(cases: Cases) -> float:
    a, d = ((one.true_positives + one.true_negatives) / one.rows for one in cases.sides())
    return a - d


def treatment_equality(cases: Cases) -> float:
    a, d = (_ratio(one.false_negatives, one.false_positives, one, "is a false positive") for one in cases.sides())
    return d - a


def conditional_disparity_in_predictions(cases: Cases) -> float:
    return _conditional_disparity(cases, cases.predictions, "predicted")


def generalized_entropy(cases: Cases) -> float:
    """Of the benefits `predicted - labelled + 1` of all rows, with the exponent 2 as in Clarify; the facet plays no part."""
    benefits = cases.predictions.astype(int) - cases.labels.astype(int) + 1
    mean = float(benefits.mean()) if len(benefits) else 0.0
    if mean == 0:
        raise NotApplicableError("every prediction is a false negative")
    return float(np.mean((benefits / mean) ** 2 - 1) / 2)


PRE_TRAINING: dict[str, tuple[str, Metric]] = {
    "CDDL": ("Conditional Demographic Disparity in Labels (CDDL)", conditional_disparity_in_labels),
    "CI": ("Class Imbalance (CI)", class_imbalance),
    "DPL": ("Difference in Positive Proportions in Labels (DPL)", label_proportion_difference),
    "JS": ("Jensen-Shannon Divergence (JS)", jensen_shannon),
    "KL": ("Kullback-Leibler Divergence (KL)", kullback_leibler),
    "KS": ("Kolmogorov-Smirnov Distance (KS)", kolmogorov_smirnov),
    "LP": ("L-p Norm (LP)", l2_norm),
    "TVD": ("Total Variation Distance (TVD)", total_variation),
}
"""Metrics of the labels alone, by name, with what they are called."""

POST_TRAINING: dict[str, tuple[str, Metric]] = {
    "AD": ("Accuracy Difference (AD)", accuracy_difference),
    "CDDPL": ("Conditional Demographic Disparity in Predicted Labels (CDDPL)", conditional_disparity_in_predictions),
    "DAR": ("Difference in Acceptance Rates (DAR)", acceptance_rate_difference),
    "DCAcc": ("Difference in Conditional Acceptance (DCAcc)", conditional_acceptance_difference),
    "DCR": ("Difference in Conditional Rejection (DCR)", conditional_rejection_difference),
    "DI": ("Disparate Impact (DI)", disparate_impact),
    "DPPL": ("Difference in Positive Proportions in Predicted Labels (DPPL)", predicted_proportion_difference),
    "DRR": ("Difference in Rejection Rates (DRR)", rejection_rate_difference),
    "GE": ("Generalized Entropy (GE)", generalized_entropy),
    "RD": ("Recall Difference (RD)", recall_difference),
    "SD": ("Specificity Difference (SD)", specificity_difference),
    "TE": ("Treatment Equality (TE)", treatment_equality),
}
"""Metrics of the predictions, by name, with what they are called."""


def _ratio(part: float, whole: float, side: Side, lacking: str) -> float:
    if not whole:
        raise NotApplicableError(f"no row of {side.name} {lacking}")
    return part / whole


def _label_distributions(cases: Cases) -> tuple[np.ndarray, np.ndarray]:
    """Shares of negative and positive labels among the others and among the facet."""
    a, d = (np.array([one.labelled_negative, one.labelled_positive]) / one.rows for one in cases.sides())
    return a, d


def _divergence(first: np.ndarray, second: np.ndarray) -> float:
    """Kullback-Leibler, in nats; a label that the first does not have adds nothing."""
    return sum(float(p * math.log(p / q)) for p, q in zip(first, second) if p > 0)


def _conditional_disparity(cases: Cases, positive: np.ndarray, how: str) -> float:
    """Mean over the groups, weighted by their rows, of d's share of the negative rows less its share of the positive.

    A group without a negative or without a positive row has the share 0 there, as in Clarify.
    """
    if cases.groups is None:
        raise NotApplicableError("it holds a group variable fixed, and none was named")
    cases.sides()
    if positive.all() or not positive.any():
        raise NotApplicableError(f"every row is {how} {'positive' if positive.all() else 'negative'}")
    weighted = 0.0
    for group in sorted(set(cases.groups.tolist())):
        inside = cases.groups == group
        weighted += int(inside.sum()) * (
            _share(cases.member, inside & ~positive) - _share(cases.member, inside & positive)
        )
    return weighted / len(cases.groups)


def _share(member: np.ndarray, chosen: np.ndarray) -> float:
    return float(member[chosen].mean()) if chosen.any() else 0.0
