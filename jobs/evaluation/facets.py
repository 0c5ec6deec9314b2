"""Which rows belong to the group that may be treated worse: SageMaker Clarify's facets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator

import numpy as np
import pandas as pd

from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.table import texts


@dataclass(frozen=True)
class Facet:
    """A column, and its values or the threshold that make a row a member; neither means each value in turn."""

    column: str
    values: tuple[str, ...] = ()
    threshold: float | None = None


@dataclass(frozen=True)
class Members:
    """One facet in one table.

    `name` is for people, `value_or_threshold` is how Clarify writes it. `member` and `known` have one entry a row; a row
    whose cell is missing is not known, and belongs neither to the facet nor to the others.
    """

    name: str
    value_or_threshold: str
    member: np.ndarray
    known: np.ndarray


def parse_facet(text: str) -> Facet:
    """Parse `sex=female`, `region=south,west`, `age>40` or `region`.

    Raises:
        EvaluationError: the text is none of these.
    """
    at = next((position for position, sign in enumerate(text) if sign in "=>"), None)
    if at is None:
        column, facet = text.strip(), Facet(text.strip())
    elif text[at] == "=":
        column = text[:at].strip()
        facet = Facet(column, tuple(value.strip() for value in text[at + 1 :].split(",") if value.strip()))
        if not facet.values:
            raise EvaluationError(f"the facet {text!r} names no value")
    else:
        column = text[:at].strip()
        try:
            facet = Facet(column, threshold=float(text[at + 1 :]))
        except ValueError:
            raise EvaluationError(f"the facet {text!r} has no number after >") from None
    if not column:
        raise EvaluationError(f"the facet {text!r} names no column")
    return facet


def members_of(facet: Facet, table: pd.DataFrame) -> Iterator[Members]:
    """Find the members of a facet: once, or once for each value of its column where it names none.

    Raises:
        EvaluationError: a threshold is given for a column that holds something else than numbers.
    """
    cells = texts(table, facet.column)
    known = cells != ""
    if facet.threshold is not None:
        yield _above(facet.column, facet.threshold, cells, known)
        return
    groups = [facet.values] if facet.values else [(value,) for value in sorted(set(cells[known].tolist()))]
    for values in groups:
        written = ",".join(values)
        yield Members(f"{facet.column}={written}", written, np.isin(cells, list(values)), known)


def _above(column: str, threshold: float, cells: np.ndarray, known: np.ndarray) -> Members:
    values = pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(values[known]).all():
        raise EvaluationError(f"the column {column} holds more than numbers, and so takes no threshold")
    highest = float(values[known].max()) if known.any() else threshold
    member = np.zeros(len(cells), dtype=bool)
    member[known] = values[known] > threshold
    return Members(f"{column}>{threshold:g}", f"({threshold}, {max(highest, threshold)}]", member, known)
