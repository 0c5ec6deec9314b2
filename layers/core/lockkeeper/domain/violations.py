"""What monitors write: `constraint_violations.json` and `statistics.json` in SageMaker Model Monitor's formats, of all four kinds.

The files come from jobs of anybody's making: whatever is in them, nothing here raises.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FORM = frozenset({"data_type_check", "missing_column_check", "extra_column_check"})
"""What is asked has another form than what the model learned from: no training on it mends that."""
INCOMPLETE = frozenset({"completeness_check"})
DISTRIBUTION = frozenset({"baseline_drift_check", "categorical_values_check"})
QUALITY = frozenset({"LessThanThreshold", "GreaterThanThreshold"})
BIAS = frozenset({"bias_drift_check"})
ATTRIBUTION = frozenset({"feature_attribution_drift_check"})
TRAINABLE = DISTRIBUTION | QUALITY | BIAS | ATTRIBUTION | {"alarm", "event"}
"""What a retraining may help against."""
KNOWN = FORM | INCOMPLETE | TRAINABLE

MOST = 100
"""Violations that are kept of one signal."""
LONGEST = 200
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w)")


@dataclass(frozen=True)
class Drifted:
    """One thing that drifted: which, by what check, how far (None where nobody says), and the monitor's words."""

    name: str
    check: str
    measured: float | None = None
    threshold: float | None = None
    words: str = ""

    @property
    def told(self) -> str:
        """`exp .136 (threshold .1)`, as people read it."""
        far = "" if self.measured is None else f" {self.measured:.4g}"
        bound = "" if self.threshold is None else f" (threshold {self.threshold:.4g})"
        return f"{self.name}{far}{bound}" if far or bound else f"{self.name}: {self.words or self.check}"


def read_violations(body: bytes | None) -> tuple[Drifted, ...] | str:
    """The violations of a file, or why there are none to read."""
    document = _document(body)
    if isinstance(document, str):
        return document
    listed = document.get("violations")
    if not isinstance(listed, list):
        return "constraint_violations.json has no list of violations"
    found = tuple(_violation(one) for one in listed[:MOST] if isinstance(one, dict))
    return found or "constraint_violations.json has no violation in it"


def read_rows(body: bytes | None) -> int | None:
    """On how many rows a monitor looked, by `statistics.json`; None where it does not say."""
    document = _document(body)
    dataset = document.get("dataset") if isinstance(document, dict) else None
    count = number(dataset.get("item_count")) if isinstance(dataset, dict) else None
    return int(count) if count is not None and count >= 0 else None


def told_of(drifted: Iterable[Drifted]) -> str:
    """The first few in words, and how many more."""
    listed = [one.told for one in drifted]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def plain(value: object, longest: int = LONGEST) -> str:
    """A text of a file as it may be kept and shown: one line, short, of whole characters."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    clean = "".join(one if one.isprintable() else " " for one in text[: longest * 2])
    return " ".join(clean.encode(errors="replace").decode().split())[:longest]


def number(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        known = float(value)
    except OverflowError:
        return None
    return known if math.isfinite(known) else None


def _document(body: bytes | None) -> dict[str, Any] | str:
    if body is None:
        return "constraint_violations.json is not there"
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return "constraint_violations.json is not JSON"
    return document if isinstance(document, dict) else "constraint_violations.json is not a JSON object"


def _violation(one: dict[str, Any]) -> Drifted:
    words = plain(one.get("description"))
    numbers = [float(found) for found in NUMBER.findall(words)]
    finite = [value for value in numbers if math.isfinite(value)]
    name = next((text for key in ("feature_name", "metric_name") if (text := plain(one.get(key), 100))), "something")
    facet = plain(one.get("facet"), 60)
    if facet:
        name = f"{name} of {facet}={plain(one.get('facet_value'), 60)}"
    check = plain(one.get("constraint_check_type"), 60) or "unknown"
    return Drifted(name, check, finite[0] if finite else None, finite[-1] if len(finite) > 1 else None, words)
