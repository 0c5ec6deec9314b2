"""The bias analysis: the document that SageMaker Clarify calls `analysis.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from jobs.evaluation.bias_metrics import POST_TRAINING, PRE_TRAINING, Cases, Metric, NotApplicableError
from jobs.evaluation.facets import Facet, Members, members_of


@dataclass(frozen=True)
class Outcomes:
    """What is wanted and who got it: the label's column, how its wanted value is written, and one entry a row."""

    label: str
    label_value_or_threshold: str
    labels: np.ndarray
    predictions: np.ndarray


def build_analysis(
    outcomes: Outcomes, facets: Sequence[Facet], table: pd.DataFrame, groups: np.ndarray | None
) -> dict[str, Any]:
    """Build the document; both parts are measured on the same rows.

    Args:
        outcomes: labels and predictions, True where positive.
        facets: the groups that may be treated worse.
        table: the rows with the columns of the facets.
        groups: the variable that the conditional metrics hold fixed, one a row, or None.

    Returns:
        `pre_training_bias_metrics` and `post_training_bias_metrics`, by facet, value and metric; a metric that the rows do
        not define has the value null and an error that says why.
    """
    found: dict[str, list[Members]] = {}
    for facet in facets:
        found.setdefault(facet.column, []).extend(members_of(facet, table))
    return {
        "version": "1.0",
        "pre_training_bias_metrics": _part(PRE_TRAINING, outcomes, found, groups),
        "post_training_bias_metrics": _part(POST_TRAINING, outcomes, found, groups),
    }


def _part(
    metrics: Mapping[str, tuple[str, Metric]],
    outcomes: Outcomes,
    found: Mapping[str, Sequence[Members]],
    groups: np.ndarray | None,
) -> dict[str, Any]:
    return {
        "label": outcomes.label,
        "facets": {
            column: [
                {
                    "value_or_threshold": members.value_or_threshold,
                    "metrics": _measured(metrics, _cases(outcomes, members, groups)),
                }
                for members in several
            ]
            for column, several in found.items()
        },
        "label_value_or_threshold": outcomes.label_value_or_threshold,
    }


def _cases(outcomes: Outcomes, members: Members, groups: np.ndarray | None) -> Cases:
    known = members.known
    return Cases(
        facet_name=members.name,
        member=members.member[known],
        labels=outcomes.labels[known],
        predictions=outcomes.predictions[known],
        groups=None if groups is None else groups[known],
    )


def _measured(metrics: Mapping[str, tuple[str, Metric]], cases: Cases) -> list[dict[str, Any]]:
    measured: list[dict[str, Any]] = []
    for name, (description, metric) in metrics.items():
        entry: dict[str, Any] = {"name": name, "description": description}
        try:
            entry["value"] = metric(cases)
        except NotApplicableError as error:
            entry.update(value=None, error=str(error))
        measured.append(entry)
    return measured
