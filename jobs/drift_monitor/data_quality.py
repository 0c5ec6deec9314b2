"""Data quality: what requests held, against what the version was made from, in Model Monitor's three documents."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping

from jobs.drift_monitor.baseline import SLACK, Baseline, Feature
from jobs.drift_monitor.columns import FRACTIONAL, INTEGRAL, STRING, UNKNOWN, Column
from jobs.drift_monitor.distances import CHI_SQUARED, L_INFINITY, ROBUST, categorical_distance, chi_squared, robust
from jobs.drift_monitor.payloads import Row

BATCH = 5_000
"""Rows that are gathered before they are measured at once."""

MOST_EXTRA_COLUMNS = 50


@dataclass(frozen=True)
class Limits:
    """How far is too far; shares of rows, distances, and a p-value.

    `evaluated` is whether anything is judged, `compared` whether distances are: a baseline can say that they are not.
    """

    method: str = ROBUST
    categorical_method: str = L_INFINITY
    distance: float = 0.1
    categorical_distance: float = 0.1
    p_value: float = 0.05
    types: float = 1 - SLACK
    values: float = 1 - SLACK
    evaluated: bool = True
    compared: bool = True


@dataclass(frozen=True)
class Distance:
    """How far a feature is from its baseline. `measured` is a p-value where `method` is ChiSquared, else an L-infinity distance."""

    feature: str
    method: str
    measured: float
    threshold: float
    exact: bool

    @property
    def too_far(self) -> bool:
        return self.measured < self.threshold if self.method == CHI_SQUARED else self.measured > self.threshold

    @property
    def in_words(self) -> str:
        if self.method == CHI_SQUARED:
            return f"Baseline drift p-value: {self.measured:.4g} is below threshold: {self.threshold:g}"
        return f"Baseline drift distance: {self.measured:.4f} exceeds threshold: {self.threshold:g}"


@dataclass
class Traffic:
    """The columns of what was asked, of rows with names or without."""

    baseline: Baseline | None
    ignored: frozenset[str] = frozenset()
    rows: int = 0
    absent: dict[str, int] = field(default_factory=dict)
    extra: dict[str, Column] = field(default_factory=dict)
    more_columns: int = 0
    _held: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        features = self.baseline.features if self.baseline else []
        self.columns = {one.name: one.column() for one in features}
        self.names = list(self.columns)
        needed = len([name for name in self.names if name not in self.ignored])
        self._answers_from = needed if self.baseline and self.baseline.with_answers else 0

    @property
    def compared(self) -> list[Feature]:
        """The features of the baseline that somebody wants to hear of."""
        return [one for one in (self.baseline.features if self.baseline else []) if one.name not in self.ignored]

    def add(self, rows: list[Row], answers: list[Row]) -> None:
        """Take the rows of a request; of a baseline with more columns the first may be those of its answers."""
        self._held += [
            [*answer[: len(self.names) - len(row)], *row]
            if isinstance(row, list)
            and isinstance(answer, list)
            and len(row) < self._answers_from <= len(self.names) <= len(row) + len(answer)
            else row
            for row, answer in zip(rows, answers if len(answers) == len(rows) else [{}] * len(rows))
        ]
        if len(self._held) >= BATCH:
            self.measure()

    def measure(self) -> None:
        """Measure the rows that are held."""
        held, self._held = self._held, []
        by_shape: dict[Any, list[Row]] = {}
        for row in held:
            by_shape.setdefault(tuple(row) if isinstance(row, dict) else len(row), []).append(row)
        for shape, rows in by_shape.items():
            if isinstance(shape, tuple):
                cells = {str(name): [row[name] for row in rows] for name in shape}
            else:
                rows = [row for row in rows if row != self.names]  # A header is no row.
                names = [*self.names, *(f"_c{number}" for number in range(len(self.names), shape))][:shape]
                cells = dict(zip(names, map(list, zip(*rows))))
            self._take(cells, len(rows))

    def _take(self, cells: Mapping[str, list[Any]], rows: int) -> None:
        self.rows += rows
        for name in self.names:
            if name not in cells:
                self.absent[name] = self.absent.get(name, 0) + rows
        for name, several in cells.items():
            column = self.columns.get(name) or self.extra.get(name)
            if column is None and len(self.extra) >= MOST_EXTRA_COLUMNS:
                self.more_columns += 1
                continue
            if column is None:
                column = self.extra[name] = Column(name)
            column.add(several)


def distances(traffic: Traffic, limits: Limits) -> Iterator[Distance]:
    """How far each feature is that has a distribution on both sides."""
    for feature in traffic.compared:
        column = traffic.columns[feature.name]
        if feature.kind == STRING and feature.values and column.present:
            rows = float(sum(feature.values.values()))
            exact = not column.other_values
            if limits.categorical_method == CHI_SQUARED:
                p_value = chi_squared(feature.values, column.counted)
                yield Distance(feature.name, CHI_SQUARED, p_value, limits.p_value, exact)
                continue
            far = categorical_distance(feature.values, column.counted)
            yield _distance(feature.name, far, (rows, column.present), limits, limits.categorical_distance, exact)
        elif column.steps is not None and column.steps.count:
            reference = column.steps.reference
            far, sizes = column.steps.distance(), (reference.count, column.steps.count)
            yield _distance(feature.name, far, sizes, limits, limits.distance, reference.exact)


def _distance(
    name: str, far: float, sizes: tuple[float, float], limits: Limits, threshold: float, exact: bool
) -> Distance:
    measured = robust(far, *sizes) if limits.method == ROBUST else far
    return Distance(name, limits.method, measured, threshold, exact)


def violations(traffic: Traffic, limits: Limits) -> list[dict[str, str]]:
    """`constraint_violations.json`'s entries, feature by feature."""
    found: list[dict[str, str]] = []
    if traffic.baseline is None or not traffic.rows or not limits.evaluated:
        return found
    for feature in traffic.compared:
        share = traffic.absent.get(feature.name, 0) / traffic.rows
        if share > SLACK:
            found.append(
                _violation(feature.name, "missing_column_check", f"{share:.1%} of the rows do not have the column")
            )
            if share == 1:
                continue
        found += _of_cells(feature, traffic.columns[feature.name], limits)
    for name, column in traffic.extra.items():
        if name in traffic.ignored:
            continue
        share = column.rows / traffic.rows
        if share > SLACK:
            why = f"{share:.1%} of the rows have the column, which the baseline does not have"
            found.append(_violation(name, "extra_column_check", why))
    for distance in distances(traffic, limits):
        if limits.compared and distance.too_far:
            found.append(_violation(distance.feature, "baseline_drift_check", distance.in_words))
    return found


def _of_cells(feature: Feature, column: Column, limits: Limits) -> Iterator[dict[str, str]]:
    if column.rows and column.present / column.rows < feature.completeness:
        why = f"Expected completeness: {feature.completeness:.2%}. Observed: {column.present / column.rows:.2%}"
        yield _violation(feature.name, "completeness_check", f"Data completeness requirement is not met. {why}")
    fitting = {INTEGRAL: column.integral, FRACTIONAL: column.numbers}.get(feature.kind, column.present)
    if column.present and fitting / column.present < limits.types:
        why = (
            f"Expected data type: {feature.kind}, Expected match: {limits.types:.1%}. "
            f"Observed: Only {fitting / column.present:.1%} of data is {feature.kind}."
        )
        yield _violation(feature.name, "data_type_check", f"Data type match requirement is not met. {why}")
    if feature.domain is not None and column.present:
        known = sum(column.values.get(one, 0) for one in feature.domain) / column.present
        if known < limits.values:
            news = [one for one in column.values if one not in feature.domain][:3]
            why = (
                f"Expected match: {limits.values:.1%}. Observed: Only {known:.1%}; new are {', '.join(news) or OTHERS}"
            )
            yield _violation(feature.name, "categorical_values_check", f"Value match requirement is not met. {why}")


OTHERS = "values that come seldom"


def _violation(feature: str, check: str, why: str) -> dict[str, str]:
    return {"feature_name": feature, "constraint_check_type": check, "description": why}


def statistics(traffic: Traffic) -> dict[str, Any]:
    """`statistics.json`."""
    columns = [*traffic.columns.values(), *traffic.extra.values()]
    return {
        "version": 0.0,
        "dataset": {"item_count": traffic.rows},
        "features": [_described(one) for one in columns if one.rows],
    }


def _described(column: Column) -> dict[str, Any]:
    common = {"num_present": column.present, "num_missing": column.missing}
    kind = column.observed_type
    told: dict[str, Any] = {"name": column.name, "inferred_type": kind}
    if kind == STRING:
        buckets = [{"value": value, "count": count} for value, count in _most_frequent(column.counted)]
        told["string_statistics"] = {
            "common": common,
            "distinct_count": len(column.values),
            "distribution": {"categorical": {"buckets": buckets}},
        }
    elif kind != UNKNOWN:
        told["numerical_statistics"] = {
            "common": common,
            "mean": column.mean,
            "sum": column.mean * column.numbers,
            "std_dev": math.sqrt(column.squares / column.numbers),
            "min": column.least,
            "max": column.most,
            "distribution": {"kll": column.sketch.to_json(column.least, column.most)},
        }
    return told


def _most_frequent(values: Mapping[str, int]) -> list[Any]:
    return sorted(values.items(), key=lambda one: (-one[1], one[0]))[:100]


_SWITCH = {True: "Enabled", False: "Disabled"}


def constraints(baseline: Baseline, limits: Limits) -> dict[str, Any]:
    """`constraints.json`: what the traffic was held against."""
    features = []
    for one in baseline.features:
        told: dict[str, Any] = {"name": one.name, "inferred_type": one.kind, "completeness": one.completeness}
        if one.kind in (INTEGRAL, FRACTIONAL):
            told["num_constraints"] = {"is_non_negative": one.non_negative}
        if one.domain is not None:
            told["string_constraints"] = {"domains": one.domain}
        features.append(told)
    return {
        "version": 0.0,
        "features": features,
        "monitoring_config": {
            "evaluate_constraints": _SWITCH[limits.evaluated],
            "emit_metrics": "Enabled",
            "datatype_check_threshold": limits.types,
            "domain_content_threshold": limits.values,
            "distribution_constraints": {
                "perform_comparison": _SWITCH[limits.compared],
                "comparison_threshold": limits.distance,
                "comparison_method": limits.method,
                "categorical_comparison_threshold": limits.p_value
                if limits.categorical_method == CHI_SQUARED
                else limits.categorical_distance,
                "categorical_drift_method": limits.categorical_method,
            },
        },
    }
