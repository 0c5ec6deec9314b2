"""Classification into several classes: the metrics of Model Monitor's `multiclass_classification_metrics`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from jobs.evaluation.binary import BETAS, ratio


@dataclass(frozen=True)
class MulticlassClassification:
    """Truth and predictions as positions in `classes`, one a row."""

    truth: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]

    key = "multiclass_classification_metrics"

    def __len__(self) -> int:
        return len(self.truth)

    def select(self, rows: np.ndarray) -> MulticlassClassification:
        """The same problem on some of the rows, given as positions or as a mask."""
        return MulticlassClassification(self.truth[rows], self.predicted[rows], self.classes)

    def matrix(self) -> np.ndarray:
        """Number of rows by truth, then by prediction; shape (classes, classes)."""
        size = len(self.classes)
        return np.bincount(self.truth * size + self.predicted, minlength=size * size).reshape(size, size)

    def scalars(self) -> dict[str, float]:
        """Every metric that is one number; a `weighted_` one is the mean over the classes, weighted by their true rows.

        A `..._best_constant_classifier` is the metric of the best of the classifiers that always give one answer.
        """
        matrix = self.matrix()
        values = _scores(matrix)
        constants = []
        for position in range(len(self.classes)):
            constant = np.zeros_like(matrix)
            constant[:, position] = matrix.sum(axis=1)
            constants.append(_scores(constant))
        values.update(
            {f"{name}_best_constant_classifier": max(one[name] for one in constants) for name in list(values)}
        )
        return values

    def confusion_matrix(self) -> dict[str, dict[str, int]]:
        """Number of rows by truth, then by prediction."""
        matrix = self.matrix()
        return {
            truth: {predicted: int(matrix[row][column]) for column, predicted in enumerate(self.classes)}
            for row, truth in enumerate(self.classes)
        }

    def curves(self) -> dict[str, dict[str, list[float]]]:
        """None: the format has no curves of several classes."""
        return {}


def _scores(matrix: np.ndarray) -> dict[str, float]:
    right, true_rows, predicted_rows = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    rows = int(true_rows.sum())
    # A class that is never predicted has the precision 0, as in Spark, which Model Monitor computes with.
    weighted = {
        "weighted_recall": _divided(right, true_rows),
        "weighted_precision": _divided(right, predicted_rows),
        **{
            f"weighted_{name}": _divided(
                (1 + beta**2) * right, (1 + beta**2) * right + beta**2 * (true_rows - right) + (predicted_rows - right)
            )
            for name, beta in BETAS.items()
        },
    }
    return {
        "accuracy": ratio(int(right.sum()), rows),
        **{name: ratio(float((per_class * true_rows).sum()), rows) for name, per_class in weighted.items()},
    }


def _divided(parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    quotients = np.zeros(len(parts))
    np.divide(parts, wholes, out=quotients, where=wholes > 0)
    return quotients
