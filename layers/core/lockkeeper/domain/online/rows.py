"""Held-out rows, and what an endpoint answered to them.

This module and what it imports run in SageMaker's stock images too, the oldest of which has Python 3.8.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.errors import EvidenceMissing

LONGEST_ANSWER = 70
"""Seconds that an answer is waited for: a container has 60, and SageMaker's own word of that comes after them."""
NO_ANSWER = 504
"""The status of an answer that did not come."""


@dataclass(frozen=True)
class Answered:
    """What the endpoint said: the model container's HTTP status, its content type and body."""

    status: int
    content_type: str
    body: str


@dataclass(frozen=True)
class Row:
    """One held-out row: its label, and its features as a line of CSV."""

    label: str
    features: str

    @property
    def key(self) -> str:
        """The same for the same features, wherever the row stands and whatever its label was corrected to."""
        return hashlib.sha256(self.features.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Replayed:
    """What an endpoint answered to the rows of a suite: (key, label, prediction) each, in the suite's order.

    `problem` says which row the endpoint did not answer, `unknown` why it is not known what it answered; then there are no answers.
    """

    suite_sha256: str
    answers: tuple[tuple[str, str, Any], ...] = ()
    requests: int = 0
    milliseconds_median: float = 0.0
    problem: str = ""
    unknown: str = ""

    def to_bytes(self) -> bytes:
        """The one byte form: JSON with sorted keys."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Replayed:
        """Read it back; a `ValueError` says that these bytes are something else."""
        try:
            document = json.loads(raw)
            document["answers"] = tuple((str(key), str(label), said) for key, label, said in document["answers"])
            return cls(**document)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"no answers to a replay: {type(error).__name__}: {error}") from error


def labelled_rows(text: str, *, source: str) -> list[Row]:
    """Rows of a held-out data set. CSV with a header, the label first."""
    try:
        rows = _lines_of(text)
    except ValueError as error:
        raise EvidenceMissing(f"{source} is no CSV: {error}", cure="write it again, one row a line") from error
    if len(rows) < 2 or len(rows[0]) < 2:
        raise EvidenceMissing(
            f"{source} has no rows", cure="write CSV with a header, the label in the first column, features after it"
        )
    labelled = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(rows[0]):
            raise EvidenceMissing(
                f"{source}:{number}: {len(row)} columns, the header has {len(rows[0])}", cure="mend the line"
            )
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row[1:])
        labelled.append(Row(row[0], line.getvalue()))
    return labelled


SURELY_JOINED = 3
"""Of so many rows and more, a line with a cell for each is no row's prediction and what comes with it, such as its probability."""


def is_joined(answer: Answered, rows: int) -> bool:
    """Whether an answer is one line of CSV with a cell for each of several rows: so answers a booster in the XGBoost container."""
    return _kind_of(answer) == "text/csv" and _joins(_answered_lines(answer), rows)


def predictions_in(answer: Answered, rows: int, *, joined: bool = False) -> list[Any]:
    """The predictions of an answer to so many rows, one per row: CSV's first column, a JSON list, or JSON's `predictions`.

    One line of CSV with a cell for each of several rows is their predictions. Of two rows it may be the first one's prediction and
    probability, from a model that leaves out the other: there `joined` says that the model has answered more rows so.
    """
    kind = _kind_of(answer)
    if kind == "application/json":
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the answer is no JSON: {answer.body[:80]}") from error
        if isinstance(document, dict):
            document = document.get("predictions")
        if not isinstance(document, list):
            raise ValueError('the JSON answer is neither a list nor an object with "predictions"')
        return [_only(one) for one in document]
    if kind == "text/csv":
        lines = _answered_lines(answer)
        if _joins(lines, rows) and (joined or rows >= SURELY_JOINED):
            return list(lines[0])
        return [line[0] for line in lines]
    raise ValueError(f"answered as {answer.content_type!r}; text/csv and application/json are understood")


def _joins(lines: list[list[str]], rows: int) -> bool:
    return len(lines) == 1 < rows == len(lines[0])


def _kind_of(answer: Answered) -> str:
    return answer.content_type.split(";")[0].strip()


def _answered_lines(answer: Answered) -> list[list[str]]:
    return [line for line in _lines_of(answer.body) if line]


def _lines_of(text: str) -> list[list[str]]:
    """Cells by line; a `ValueError` where it is no CSV, such as a cell that never ends."""
    try:
        return list(csv.reader(io.StringIO(text)))
    except csv.Error as error:
        raise ValueError(f"{error}: {text[:80]}") from error


def _only(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("predicted_label", value.get("score", value.get("prediction")))
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def is_number(value: Any) -> bool:
    """Whether a prediction or a label can be read as a finite number."""
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False
