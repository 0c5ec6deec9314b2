"""Regression: the metrics of Model Monitor's `regression_metrics`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Regression:
    """Truth and predictions, one a row, in the label's unit."""

    truth: np.ndarray
    predicted: np.ndarray

    key = "regression_metrics"

    def __len__(self) -> int:
        return len(self.truth)

    def select(self, rows: np.ndarray) -> Regression:
        """The same problem on some of the rows, given as positions or as a mask."""
        return Regression(self.truth[rows], self.predicted[rows])

    def scalars(self) -> dict[str, float]:
        """Mean absolute error, mean squared error, its root, and the coefficient of determination.

        The last is NaN where the truth does not vary, since nothing can then be explained.
        """
        errors = self.predicted - self.truth
        squared = float(np.mean(errors**2))
        variance = float(np.mean((self.truth - self.truth.mean()) ** 2))
        return {
            "mae": float(np.mean(np.abs(errors))),
            "mse": squared,
            "rmse": math.sqrt(squared),
            "r2": 1 - squared / variance if variance > 0 else math.nan,
        }

    def confusion_matrix(self) -> dict[str, dict[str, int]]:
        """None: numbers have no classes."""
        return {}

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """None: numbers have no threshold."""
        return {}
