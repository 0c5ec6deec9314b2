"""The model-quality report: Model Monitor's statistics document, and a section of slices beside its keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Union

import numpy as np

from jobs.evaluation.binary import BinaryClassification
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.multiclass import MulticlassClassification
from jobs.evaluation.regression import Regression

Problem = Union[BinaryClassification, MulticlassClassification, Regression]

DRAWS = 200
SEED = 0
FEWEST_ROWS_FOR_A_SPREAD = 200
"""Below this number of rows Model Monitor writes "NaN" instead of a standard deviation, and so do we."""

MOST_SLICES = 50
MISSING_SLICE = "(missing)"


def build_report(problem: Problem, slices: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Build the document.

    Args:
        problem: truth and predictions.
        slices: by the name of a column its values as text, one a row of the problem; the empty text is a missing value.

    Raises:
        EvaluationError: a slice column has more than 50 values, so that it is rather a number than a group.
    """
    report = {
        "version": 0.0,
        "dataset": {"item_count": len(problem)},
        problem.key: {**block(problem), **problem.curves()},
    }
    if slices:
        report["slices"] = {column: _slices(problem, column, values) for column, values in slices.items()}
    return report


def block(problem: Problem) -> dict[str, Any]:
    """Every metric as `{value, standard_deviation}`, and the confusion matrix of a classification."""
    spread = standard_deviations(problem)
    metrics: dict[str, Any] = {
        name: {"value": number(value), "standard_deviation": number(spread.get(name, math.nan))}
        for name, value in problem.scalars().items()
    }
    matrix = problem.confusion_matrix()
    return {"confusion_matrix": matrix, **metrics} if matrix else metrics


def standard_deviations(problem: Problem) -> dict[str, float]:
    """How much each metric would vary between test sets of this size: the bootstrap's standard deviation.

    Rows are drawn with replacement, 200 times, always from the same seed. A metric that some draw cannot give is NaN.
    """
    count = len(problem)
    if count < FEWEST_ROWS_FOR_A_SPREAD:
        return {}
    random = np.random.default_rng(SEED)
    draws = [problem.select(random.integers(0, count, count)).scalars() for _ in range(DRAWS)]
    return {name: float(np.std([draw[name] for draw in draws], ddof=1)) for name in draws[0]}


def number(value: float) -> Any:
    """The number, or the word that the format has for none."""
    return value if math.isfinite(value) else "NaN"


def _slices(problem: Problem, column: str, values: np.ndarray) -> dict[str, Any]:
    found = sorted(set(values.tolist()))
    if len(found) > MOST_SLICES:
        raise EvaluationError(f"the column {column} has {len(found)} values, slices are for at most {MOST_SLICES}")
    slices = {}
    for value in found:
        part = problem.select(values == value)
        slices[value or MISSING_SLICE] = {"item_count": len(part), problem.key: block(part)}
    return slices
