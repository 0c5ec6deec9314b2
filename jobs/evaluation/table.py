"""The rows to judge, read as text so that a label, a facet's value or a feature is what the file says, to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from jobs.evaluation.errors import EvaluationError

MISSING = frozenset({"", "nan"})
"""How CSV writers put a missing cell, in small letters. Words such as `NA` or `None` may well be somebody's label."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def read_table(folder: Path) -> pd.DataFrame:
    """Read every CSV file of a folder, in the order of their names, into one table of text.

    Raises:
        EvaluationError: there is no CSV file, no row, or one of the files has other columns than the first.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise EvaluationError(f"{folder} holds no *.csv")
    parts: list[pd.DataFrame] = []
    for file in files:
        try:
            part = pd.read_csv(file, dtype=str, keep_default_na=False)
        except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
            raise EvaluationError(f"{file.name} is no CSV with a header: {error}") from error
        if parts and list(part.columns) != list(parts[0].columns):
            raise EvaluationError(f"{file.name} has other columns than {files[0].name}")
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        raise EvaluationError(f"{folder} holds a header and no row")
    return table


def need_columns(table: pd.DataFrame, names: Iterable[str]) -> None:
    """Raise EvaluationError, with the columns that there are, unless the table has all of these."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        there = ", ".join(map(str, table.columns))
        raise EvaluationError(f"the rows have no column {', '.join(missing)}; they have {there}")


def texts(table: pd.DataFrame, column: str) -> np.ndarray:
    """The cells of a column as text without outer blanks; a missing cell is the empty text."""
    values = [str(cell).strip() for cell in table[column].tolist()]
    return np.array(["" if value.lower() in MISSING else value for value in values], dtype=object)


def labels(table: pd.DataFrame, column: str) -> np.ndarray:
    """The labels of a column; `1`, `1.0` and `1.000e+00` are the same label, since frameworks write all three.

    Raises:
        EvaluationError: a cell is missing. Leaving such rows out would flatter a model that does not answer.
    """
    found = np.array([label(value) for value in texts(table, column)], dtype=object)
    _refuse_missing(column, found == "")
    return found


def label(text: str) -> str:
    """A label as it is compared: whole numbers without point or exponent, everything else as it is."""
    text = text.strip()
    if any(sign in text for sign in ".eE") and _NUMBER.fullmatch(text):
        value = float(text)
        if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
    return text


def numbers(table: pd.DataFrame, column: str) -> np.ndarray:
    """The finite numbers of a column.

    Raises:
        EvaluationError: a cell is missing, no number, or not finite.
    """
    found: np.ndarray = pd.to_numeric(pd.Series(texts(table, column)), errors="coerce").to_numpy(dtype=float)
    _refuse_missing(column, ~np.isfinite(found))
    return found


def _refuse_missing(column: str, bad: np.ndarray) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0]) + 1
        raise EvaluationError(
            f"{int(bad.sum())} of {len(bad)} rows have no usable value in the column {column}, the first is row {first}"
        )
