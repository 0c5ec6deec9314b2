"""Answers with what was true: a uniform sample of the rows of which both are known."""

from __future__ import annotations

import random
from typing import Any, Sequence

import pandas as pd

from jobs.drift_monitor.capture import Event
from jobs.drift_monitor.payloads import Row, one_for_each
from jobs.drift_monitor.truth import GroundTruth

MOST_ROWS = 50_000
"""Rows that metrics are computed of; of more, a uniform sample of so many."""

PREDICTION, PROBABILITY = ("predicted_label", "prediction", "predicted_value"), ("probability", "score")
"""Members of a JSON answer that hold the prediction and the positive label's probability."""


class Merged:
    """Rows with a label, a prediction and (where the model gives it) a probability; and the columns of the facets."""

    def __init__(self, truth: GroundTruth, names: Sequence[str], facets: Sequence[str]) -> None:
        self._truth = truth
        self._names = list(names)
        self._facets = list(facets)
        self._kept: list[dict[str, Any]] = []
        self._chance = random.Random(0)  # noqa: S311 - a sample
        self.answered = 0
        self.rows = 0
        self.mismatched = 0

    def add(self, event: Event) -> None:
        """Take a request, if somebody has said what was true."""
        labels = self._truth.of(event.names) if event.answers else None
        answers = event.answers
        if labels is not None and not event.rows:
            # How many rows were asked is known by their truth alone where requests are not captured.
            answers = one_for_each(answers, len(labels))
        self.answered += len(answers)
        if labels is None:
            return
        if len(labels) != len(answers) or len(event.rows) not in (0, len(labels)):
            self.mismatched += 1
            return
        for position, label in enumerate(labels):
            # Vitter's algorithm R: every row is as likely to be kept as any other.
            self.rows += 1
            place = len(self._kept) if len(self._kept) < MOST_ROWS else self._chance.randrange(self.rows)
            if place >= MOST_ROWS:
                continue
            row = self._row(label, answers[position], event.rows[position] if event.rows else [])
            if place == len(self._kept):
                self._kept.append(row)
            else:
                self._kept[place] = row

    def table(self) -> pd.DataFrame:
        """The rows as text: `label`, `prediction`, `probability`, and the facets' columns (`facet` in front)."""
        return pd.DataFrame(self._kept, dtype=object)

    def _row(self, label: str, answer: Row, asked: Row) -> dict[str, Any]:
        if isinstance(answer, dict):
            prediction, probability = _first(answer, PREDICTION), _first(answer, PROBABILITY)
        else:
            prediction = answer[0] if answer else None
            probability = answer[1] if len(answer) > 1 else None
        row = {"label": label, "prediction": _text(prediction), "probability": _text(probability)}
        cells = asked if isinstance(asked, dict) else dict(zip(self._names, asked))
        return {**row, **{f"facet {name}": _text(cells.get(name)) for name in self._facets}}


def _first(answer: dict[str, Any], names: Sequence[str]) -> Any | None:
    return next((answer[name] for name in names if name in answer), None)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell)
