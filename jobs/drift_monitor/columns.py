"""What is known of one column of a stream: counts, types, moments, a sketch, and its distance from a baseline. Memory is bounded."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Sequence

import numpy as np

from jobs.drift_monitor.distances import StepCounts, Steps
from jobs.drift_monitor.sketch import Sketch

INTEGRAL, FRACTIONAL, STRING, UNKNOWN = "Integral", "Fractional", "String", "Unknown"
MISSING = frozenset({"", "nan"})
"""How CSV has a missing cell, in small letters. Words such as `NA` or `None` may well be a value."""

MOST_VALUES = 10_000
"""Distinct texts of a column that are counted one by one; what comes after counts as one more value."""

LARGEST = 1e150
"""Numbers from here on are texts: their squares are none that a computer holds."""

MOST_OF_A_TEXT = 200
OTHER = "(other values)"
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


def present(cells: Sequence[Any]) -> list[Any]:
    """The cells that are not missing; a number that is none or infinite is missing."""
    return [one for one in cells if not _is_missing(one)]


def _is_missing(cell: Any) -> bool:
    if cell is None:
        return True
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return isinstance(cell, float) and not math.isfinite(cell)


def numbers_of(cells: Sequence[Any]) -> tuple[np.ndarray, list[str]]:
    """The numbers among present cells (shape (n,)), and the others as texts. Truth values count as texts."""
    if not any(isinstance(one, (bool, list, dict)) for one in cells):
        try:
            found = np.array(cells, dtype=float)
            if (np.abs(found) < LARGEST).all():
                return found, []
        except (ValueError, TypeError, OverflowError):
            pass
    numbers: list[float] = []
    texts: list[str] = []
    for one in cells:
        value = _number(one)
        if value is None:
            texts.append(text_of(one))
        else:
            numbers.append(value)
    return np.array(numbers, dtype=float), texts


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        return None
    try:
        value = float(cell)
    except (OverflowError, ValueError):
        return None  # What a pattern takes for a blank, Python may not.
    return value if abs(value) < LARGEST else None


def text_of(cell: Any) -> str:
    """A cell as a value of a category: whole numbers without a point, since frameworks write 1 and 1.0 for the same."""
    text = str(cell).strip()
    value = _number(cell)
    if value is not None and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return text[:MOST_OF_A_TEXT]


def inferred_type(numbers: np.ndarray, texts: int) -> str:
    """Model Monitor's type of a column: of numbers alone Integral or Fractional, String with any text, Unknown of nothing."""
    if texts:
        return STRING
    if not len(numbers):
        return UNKNOWN
    return INTEGRAL if bool((numbers == np.floor(numbers)).all()) else FRACTIONAL


@dataclass
class Column:
    """A column of a stream. `kind` is the baseline's type, which decides what is measured; without a baseline it is Unknown."""

    name: str
    kind: str = UNKNOWN
    reference: Steps | None = None
    rows: int = 0
    present: int = 0
    integral: int = 0
    fractional: int = 0
    texts: int = 0
    values: dict[str, int] = field(default_factory=dict)
    other_values: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def __post_init__(self) -> None:
        self.sketch = Sketch()
        self.steps = None if self.reference is None else StepCounts(self.reference)

    @property
    def numbers(self) -> int:
        return self.integral + self.fractional

    @property
    def missing(self) -> int:
        return self.rows - self.present

    @property
    def observed_type(self) -> str:
        """The type of what was seen, by what most cells are; a baseline's Fractional column may hold whole numbers alone."""
        if not self.present:
            return UNKNOWN
        if self.texts > self.numbers or self.kind == STRING:
            return STRING
        return FRACTIONAL if self.fractional or self.kind == FRACTIONAL else INTEGRAL

    @property
    def counted(self) -> dict[str, int]:
        """Rows by value, of a category."""
        return {**self.values, OTHER: self.other_values} if self.other_values else self.values

    def add(self, cells: Sequence[Any]) -> None:
        """Take cells, one a row."""
        self.rows += len(cells)
        there = present(cells)
        self.present += len(there)
        numbers, texts = numbers_of(there)
        whole = int((numbers == np.floor(numbers)).sum())
        self.integral += whole
        self.fractional += len(numbers) - whole
        self.texts += len(texts)
        if self.kind == STRING or (self.kind == UNKNOWN and texts):
            self._count([text_of(one) for one in there] if self.kind == STRING else texts)
        if self.kind != STRING and len(numbers):
            self._measure(numbers)

    def _count(self, texts: Sequence[str]) -> None:
        for text in texts:
            if text in self.values or len(self.values) < MOST_VALUES:
                self.values[text] = self.values.get(text, 0) + 1
            else:
                self.other_values += 1

    def _measure(self, numbers: np.ndarray) -> None:
        before = self.numbers - len(numbers)
        mean = float(numbers.mean())
        # Two parts' sums of squares as one, without the difference of two large numbers (Chan, Golub and LeVeque).
        shift = mean - self.mean
        self.squares += float(((numbers - mean) ** 2).sum()) + shift**2 * before * len(numbers) / self.numbers
        self.mean += shift * len(numbers) / self.numbers
        self.least = min(self.least, float(numbers.min()))
        self.most = max(self.most, float(numbers.max()))
        self.sketch.add(numbers)
        if self.steps is not None:
            self.steps.add(numbers)
