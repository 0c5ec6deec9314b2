"""A model-quality report in Model Monitor's format, made of the metrics that a training job printed last."""

from __future__ import annotations

import math
from typing import Any

BLOCKS = {
    "regression_metrics": frozenset({"mae", "mse", "rmse", "r2"}),
    "multiclass_classification_metrics": frozenset(
        {
            f"weighted_{name}"
            for name in ("recall", "precision", "f0_5", "f1", "f2")
        }
    ),
    "binary_classification_metrics": frozenset(
        {
            "accuracy", "recall", "precision", "auc", "f0_5", "f1", "f2",
            "true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate",
        }
    ),
}  # fmt: skip
"""Which names a block of the report has; `accuracy` is multiclass where a weighted metric stands beside it."""

SYNONYMS = {
    "roc_auc": "auc", "f1_score": "f1", "f1_weighted": "weighted_f1", "precision_weighted": "weighted_precision",
    "recall_weighted": "weighted_recall", "r2_score": "r2", "mean_absolute_error": "mae", "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
}  # fmt: skip
"""Names by which training code often calls these."""

CHANNELS = ("test", "validation", "")
"""Whose metrics the report's blocks have, the first of these that has any; `` is a name without a channel.

What was measured on the rows that the model learned from says nothing about its quality.
"""


def report_from(metrics: list[Any]) -> dict[str, Any] | None:
    """The report of a FinalMetricDataList, or None where it has no metric.

    Every metric is in the block `metrics` under its own name; those with a name that Model Monitor knows are also in the block
    that it puts them in. How many rows there were is nowhere said, so the report has no `dataset`.
    """
    found = {
        str(one["MetricName"]): one.get("Value") for one in metrics if isinstance(one, dict) and one.get("MetricName")
    }
    if not found:
        return None
    report: dict[str, Any] = {"version": 0.0}
    judged = _of_best_channel(found)
    if BLOCKS["multiclass_classification_metrics"] & set(judged):
        _put(report, "multiclass_classification_metrics", judged, frozenset({"accuracy"}))
    else:
        _put(report, "binary_classification_metrics", judged)
    _put(report, "regression_metrics", judged)
    report["metrics"] = {name: _metric(value) for name, value in found.items()}
    return report


def _of_best_channel(found: dict[str, Any]) -> dict[str, Any]:
    """The metrics of the channel that counts, under the names of Model Monitor."""
    for wanted in CHANNELS:
        judged = {}
        for name, value in found.items():
            channel, _, short = name.rpartition(":")
            if channel.lower() == wanted:
                judged[_known(short)] = value
        if any(name in names for name in judged for names in BLOCKS.values()):
            return judged
    return {}


def _known(name: str) -> str:
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    return SYNONYMS.get(plain, plain)


def _put(report: dict[str, Any], block: str, judged: dict[str, Any], more: frozenset[str] = frozenset()) -> None:
    values = {name: _metric(value) for name, value in judged.items() if name in BLOCKS[block] | more}
    if values:
        report[block] = values


def _metric(value: Any) -> dict[str, Any]:
    """As Model Monitor writes it; it has no word for a spread that nobody measured but the one for none."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return {"value": float(value) if number else "NaN", "standard_deviation": "NaN"}
