"""What the traffic is held against: the version's own data, or what Model Monitor had made of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pandas as pd

from jobs.drift_monitor.columns import (
    FRACTIONAL,
    INTEGRAL,
    STRING,
    UNKNOWN,
    Column,
    inferred_type,
    numbers_of,
    present,
    text_of,
)
from jobs.drift_monitor.distances import Steps
from jobs.drift_monitor.errors import MonitorError

MOST_POINTS = 50_000
"""Distinct numbers of a column that a distance is exact for; of more, so many evenly spread ones are kept."""

LARGEST_DOMAIN = 100
"""A text column with more values than this has no list of values that rows must be among."""

SLACK = 0.01
"""Share of the rows by which types, completeness and values may fall short of the baseline before it is told."""

TYPES = (INTEGRAL, FRACTIONAL, STRING)


@dataclass(frozen=True)
class Feature:
    """One column of the baseline: its type, how much of it was there, and its distribution (numbers or texts)."""

    name: str
    kind: str
    completeness: float
    steps: Steps | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    domain: list[str] | None = None
    non_negative: bool = False

    def column(self) -> Column:
        """A column of a stream that is held against this one."""
        return Column(self.name, self.kind, self.steps)


@dataclass(frozen=True)
class Baseline:
    """The columns in the order in which requests have them, and the `monitoring_config` that came with them (or none).

    `with_answers`: of Model Monitor's, which puts what an endpoint answered before what it was asked.
    """

    features: list[Feature]
    rows: int
    config: Mapping[str, Any] = field(default_factory=dict)
    with_answers: bool = False


def of_table(path: Path) -> Baseline:
    """Read CSV with a header, the label in the first column and the features after it, as replays have it.

    Raises:
        MonitorError: it is no such table.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise MonitorError(f"the baseline is no CSV with a header: {str(error)[:200]}") from error
    if table.empty or len(table.columns) < 2:
        raise MonitorError("the baseline needs a header, the label in the first column, features after it, and rows")
    features = [_feature(str(name), table[name].tolist()) for name in table.columns[1:]]
    return Baseline(features, len(table))


def _feature(name: str, cells: list[str]) -> Feature:
    there = present(cells)
    numbers, texts = numbers_of(there)
    kind = inferred_type(numbers, len(texts))
    completeness = max(0.0, len(there) / len(cells) - SLACK)
    if kind == STRING:
        values: dict[str, float] = {}
        for one in there:
            values[text_of(one)] = values.get(text_of(one), 0) + 1
        domain = sorted(values) if len(values) <= LARGEST_DOMAIN else None
        return Feature(name, kind, completeness, values=values, domain=domain)
    if kind == UNKNOWN:
        return Feature(name, kind, completeness)
    non_negative = bool((numbers >= 0).all())
    return Feature(name, kind, completeness, Steps.of(numbers, MOST_POINTS), non_negative=non_negative)


def of_model_monitor(statistics: Any, constraints: Any) -> Baseline:
    """Read Model Monitor's `statistics.json` and `constraints.json` of the data that a version was trained on.

    Raises:
        MonitorError: they are something else.
    """
    try:
        limits = {one["name"]: one for one in constraints["features"]}
        features = [_described(one, limits.get(one["name"], {})) for one in statistics["features"]]
        rows = int(statistics.get("dataset", {}).get("item_count", 0))
        config = constraints.get("monitoring_config") or {}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MonitorError(
            f"the baseline is not in Model Monitor's format: {type(error).__name__}: {str(error)[:200]}"
        ) from error
    if not features:
        raise MonitorError("the baseline's statistics have no features")
    return Baseline(features, rows, config, with_answers=True)


def _described(told: Any, limits: Any) -> Feature:
    name, kind = str(told["name"]), str(limits.get("inferred_type") or told.get("inferred_type"))
    kind = kind if kind in TYPES else UNKNOWN
    numeric, textual = told.get("numerical_statistics"), told.get("string_statistics")
    common = (numeric or textual or {}).get("common", {})
    known = float(common.get("num_present", 0))
    seen = known + float(common.get("num_missing", 0))
    completeness = float(limits.get("completeness", known / seen if seen else 0.0))
    if textual:
        buckets = textual.get("distribution", {}).get("categorical", {}).get("buckets", [])
        values = {text_of(one["value"]): float(one["count"]) for one in buckets}
        domain = limits.get("string_constraints", {}).get("domains")
        return Feature(name, kind, completeness, values=values, domain=domain and [text_of(one) for one in domain])
    steps = _steps(numeric.get("distribution", {}).get("kll", {}), known) if numeric else None
    return Feature(name, kind, completeness, steps)


def _steps(kll: Any, count: float) -> Steps | None:
    """The distribution of a sketch: exact where it holds every value, else by its weights or by its buckets alone."""
    levels = kll.get("sketch", {}).get("data") or []
    values = np.array([value for level in levels for value in level], dtype=float)
    weights = np.array([2.0**position for position, level in enumerate(levels) for _ in level])
    if len(values) and np.isfinite(values).all():
        steps = Steps.of(values, MOST_POINTS, weights)
        exact = steps.exact and len(values) == count
        return Steps(steps.points, steps.share, count or steps.count, exact)
    buckets = kll.get("buckets") or []
    total = sum(float(one["count"]) for one in buckets)
    if not total:
        return None
    points = np.array([float(one["upper_bound"]) for one in buckets])
    return Steps(points, np.cumsum([float(one["count"]) for one in buckets]) / total, count or total, False)


def read_baseline(folder: Path, hashes: Mapping[str, str]) -> Baseline:
    """Read the baseline of a folder: `baseline.csv`, or `statistics.json` with `constraints.json`.

    Args:
        folder: where it lies.
        hashes: SHA-256 (hex) of the files that it was made of when the version was promoted.

    Raises:
        MonitorError: there is neither, it cannot be read, or it is not what it was.
    """
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise MonitorError(f"the baseline's {name} is not what was kept when the version was promoted")
    table = folder / "baseline.csv"
    if table.is_file():
        return of_table(table)
    documents = []
    for name in ("statistics.json", "constraints.json"):
        path = folder / name
        if not path.is_file():
            raise MonitorError(f"there is no baseline: neither baseline.csv nor {name} is there")
        try:
            documents.append(json.loads(path.read_bytes()))
        except (ValueError, RecursionError) as error:
            raise MonitorError(f"the baseline's {name} is no JSON: {error}") from error
    return of_model_monitor(*documents)
