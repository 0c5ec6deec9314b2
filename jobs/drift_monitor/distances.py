"""How far two distributions are apart: Model Monitor's distances, as awslabs/deequ defines them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Mapping

import numpy as np
from scipy.stats import chi2_contingency

SIMPLE, ROBUST = "Simple", "Robust"
L_INFINITY, CHI_SQUARED = "LInfinity", "ChiSquared"


def robust(distance: float, first: float, second: float) -> float:
    """An L-infinity distance less what two samples of so many values differ by when nothing has drifted, at least 0."""
    if not first or not second:
        return 0.0
    return max(0.0, distance - 1.8 * math.sqrt((first + second) / (first * second)))


def categorical_distance(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """L-infinity: the largest difference of the shares of a value."""
    rows, others = sum(first.values()), sum(second.values())
    if not rows or not others:
        return 0.0
    return float(max(abs(first.get(one, 0) / rows - second.get(one, 0) / others) for one in {**first, **second}))


def chi_squared(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The p-value of a chi-squared test that both have the same shares (a test of homogeneity, without correction).

    1 where there is nothing to tell apart: fewer than two values, or no rows on one side.
    """
    values = sorted(value for value in {**first, **second} if first.get(value, 0) + second.get(value, 0) > 0)
    table = np.array([[one.get(value, 0) for value in values] for one in (first, second)], dtype=float)
    if len(values) < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(chi2_contingency(table, correction=False)[1])


@dataclass(frozen=True)
class Steps:
    """A cumulative distribution: `points` ascending and distinct, `share` of the values that are at most each of them.

    `count` is the number of values behind it, `exact` whether the points are all of their distinct values.
    """

    points: np.ndarray
    share: np.ndarray
    count: float
    exact: bool

    @classmethod
    def of(cls, values: np.ndarray, most: int, weights: np.ndarray | None = None) -> Steps:
        """Of values (shape (n,), any order), each counted once or by its weight; above `most` distinct ones of evenly spread ones."""
        points, position = np.unique(values, return_inverse=True)
        counted = np.bincount(position.reshape(-1), weights=weights, minlength=len(points)).astype(float)
        total = float(counted.sum())
        share = np.cumsum(counted) / total if total else counted
        if len(points) <= most:
            return cls(points, share, total, True)
        # Points at equal steps of the share: between two of them no distance is off by more than such a step.
        kept = np.unique(np.searchsorted(share, np.linspace(share[0], 1.0, most)).clip(max=len(points) - 1))
        return cls(points[kept], share[kept], total, False)


class StepCounts:
    """Counts values of a stream on and between the points of a distribution: all that their exact distance needs."""

    def __init__(self, reference: Steps) -> None:
        self.reference = reference
        size = len(reference.points)
        self._on = np.zeros(size, dtype=np.int64)
        self._between = np.zeros(size + 1, dtype=np.int64)

    def add(self, values: np.ndarray) -> None:
        """Count finite values, shape (n,)."""
        left = np.searchsorted(self.reference.points, values, side="left")
        on = np.searchsorted(self.reference.points, values, side="right") > left
        self._on += np.bincount(left[on], minlength=len(self._on))
        self._between += np.bincount(left[~on], minlength=len(self._between))

    @property
    def count(self) -> int:
        return int(self._on.sum() + self._between.sum())

    def distance(self) -> float:
        """L-infinity, the Kolmogorov-Smirnov statistic.

        Between two neighbouring points the reference is constant and the stream only rises, so that the largest difference is
        at a point or just before one.
        """
        count = self.count
        if not count or not len(self._on):
            return 0.0
        at = (np.cumsum(self._between[:-1]) + np.cumsum(self._on)) / count
        before = at - self._on / count
        expected = self.reference.share
        expected_before = np.concatenate([[0.0], expected[:-1]])
        if not self.reference.exact:
            # What the reference does just before a point that stands for several is not known.
            return float(np.abs(at - expected).max())
        return float(max(np.abs(at - expected).max(), np.abs(before - expected_before).max()))
