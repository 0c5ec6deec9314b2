"""Geometry of the report's pictures: from measured figures to lengths that a template draws without arithmetic.

Lengths are in the units of the picture's view box. Nothing here formats text or knows HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHART_WIDTH = 340
LEVELS = ("registered", "judged", "staging", "production")
"""The chambers of the lock picture, lowest first."""

CHAMBER_WIDTH = 180
LOWEST_SURFACE = 150
RISE = 30


@dataclass(frozen=True)
class Chamber:
    """One chamber of the lock picture: its left side and the height of its water, both in view-box units."""

    name: str
    x: float
    surface: float


@dataclass(frozen=True)
class Gate:
    """The gate in front of a chamber; `shut` when it stopped a release."""

    x: float
    top: float
    shut: bool


@dataclass(frozen=True)
class Boat:
    """A release, floating where it got to."""

    x: float
    y: float
    promoted: bool


@dataclass(frozen=True)
class Staircase:
    """The lock picture: chambers from left to right, each higher than the one before."""

    chambers: tuple[Chamber, ...]
    gates: tuple[Gate, ...]
    boats: tuple[Boat, ...]


@dataclass(frozen=True)
class Span:
    """One state of a release: where its bar starts and ends, in percent of the whole journey."""

    name: str
    note: str
    left: float
    width: float
    seconds: float
    kind: str
    """`work`, `people` (somebody was asked) or `bad` (an error ended it)."""


@dataclass(frozen=True)
class Bar:
    """A horizontal bar of `length` view-box units; `good` decides its colour."""

    label: str
    value: float
    length: float
    good: bool


@dataclass(frozen=True)
class Column:
    """One bin of a histogram: `count` values from `low` up to `high`, drawn from (x, y)."""

    low: float
    high: float
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """Bins of equal width; values above the last edge are counted in `beyond`."""

    columns: tuple[Column, ...]
    peak: int
    beyond: int
    last_edge: float


@dataclass(frozen=True)
class Stack:
    """The requests of one kind in a part of the time, drawn from (x, y)."""

    kind: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Flow:
    """Requests over time by what answered them: how many of each kind, the most a second, and how long it went on in seconds."""

    stacks: tuple[Stack, ...]
    totals: dict[str, int]
    peak: int
    seconds: float


@dataclass(frozen=True)
class Dot:
    """One measured value on a line over time; `kind` says of what it was measured."""

    x: float
    y: float
    value: float
    kind: str


@dataclass(frozen=True)
class Line:
    """Values over time as dots and the path through them, with the height of their bound; `top` is the value at height 0."""

    dots: tuple[Dot, ...]
    path: str
    bound: float
    top: float


@dataclass(frozen=True)
class Cell:
    """One field of a confusion matrix; `share` of all rows decides how strongly it is filled."""

    truth: str
    answer: str
    count: int
    share: float
    right: bool


def spans(states: Sequence[dict[str, Any]]) -> tuple[Span, ...]:
    """Place states on a common time axis.

    Args:
        states: `{name, note, started_at, ended_at, failed, waits_for_people}` with times in seconds since the epoch.
    """
    if not states:
        return ()
    begin = min(state["started_at"] for state in states)
    whole = max(max(state["ended_at"] for state in states) - begin, 1e-9)
    return tuple(
        Span(
            name=state["name"],
            note=state["note"],
            left=100 * (state["started_at"] - begin) / whole,
            width=max(100 * (state["ended_at"] - state["started_at"]) / whole, 0.4),
            seconds=state["ended_at"] - state["started_at"],
            kind="bad" if state["failed"] else "people" if state["waits_for_people"] else "work",
        )
        for state in states
    )


def bars(values: Sequence[tuple[str, float, bool]], width: float = CHART_WIDTH) -> tuple[Bar, ...]:
    """Bars of shares from 0 to 1 given as (label, value, good)."""
    return tuple(Bar(label, value, position(value, width), good) for label, value, good in values)


def position(share: float, width: float = CHART_WIDTH) -> float:
    """Where a share from 0 to 1 lies on an axis of this width."""
    return round(width * min(max(share, 0.0), 1.0), 2)


def histogram(
    values: Sequence[float], bins: int = 24, width: float = CHART_WIDTH, height: float = 120
) -> Histogram | None:
    """Bin values from zero up to their 99th percentile, so that one slow request does not flatten the picture.

    Returns:
        None when there is nothing to draw.
    """
    if not values:
        return None
    ordered = sorted(values)
    last_edge = nice_ceiling(ordered[min(len(ordered) - 1, math.ceil(0.99 * len(ordered)) - 1)])
    step = last_edge / bins
    counts = [0] * bins
    beyond = 0
    for value in ordered:
        if value > last_edge:
            beyond += 1
        else:
            counts[min(int(value / step), bins - 1)] += 1
    peak = max(max(counts), 1)
    column_width = width / bins
    columns = tuple(
        Column(
            low=index * step,
            high=(index + 1) * step,
            count=count,
            x=round(index * column_width, 2),
            y=round(height * (1 - count / peak), 2),
            width=round(column_width - 1, 2),
            height=round(height * count / peak, 2),
        )
        for index, count in enumerate(counts)
    )
    return Histogram(columns=columns, peak=peak, beyond=beyond, last_edge=last_edge)


def flow(
    answered: Mapping[str, Sequence[float]], bins: int = 60, width: float = CHART_WIDTH, height: float = 120
) -> Flow:
    """Stack requests by what answered them, in equal parts of the time from the first answer to the last.

    Args:
        answered: By kind, the lowest first, the seconds from the first answer of all to each of this kind; at least one.
    """
    seconds = max(at for times in answered.values() for at in times) or 1.0
    counts = [dict.fromkeys(answered, 0) for _ in range(bins)]
    for kind, times in answered.items():
        for at in times:
            counts[min(int(bins * at / seconds), bins - 1)][kind] += 1
    peak = max(sum(one.values()) for one in counts)
    stacks = []
    for index, one in enumerate(counts):
        below = 0
        for kind in answered:
            if one[kind]:
                top = height * (1 - (below + one[kind]) / peak)
                bar = round(height * one[kind] / peak, 2)
                stacks.append(
                    Stack(
                        kind,
                        one[kind],
                        round(index * width / bins, 2),
                        round(top, 2),
                        round(width / bins - 0.6, 2),
                        bar,
                    )
                )
                below += one[kind]
    totals = {kind: sum(one[kind] for one in counts) for kind in answered}
    return Flow(tuple(stacks), totals, round(peak * bins / seconds), seconds)


def line(
    values: Sequence[tuple[float, float, str]],
    seconds: float,
    bound: float,
    width: float = CHART_WIDTH,
    height: float = 120,
) -> Line:
    """Values over time, above an axis at zero.

    Args:
        values: Seconds since the beginning, the value, and of what it was measured; in the order of time.
        seconds: How long the time axis is.
        bound: What the values are held against.
    """
    top = nice_ceiling(max([bound, *(value for _, value, _ in values)]))
    dots = tuple(
        Dot(position(at / seconds, width), round(height * (1 - value / top), 2), value, kind)
        for at, value, kind in values
    )
    path = "".join(f"{'L' if number else 'M'}{dot.x:g} {dot.y:g}" for number, dot in enumerate(dots))
    return Line(dots, path, round(height * (1 - bound / top), 2), top)


def nice_ceiling(value: float) -> float:
    """The next larger of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten; 1 for values that are not positive."""
    if value <= 0:
        return 1.0
    magnitude = 10.0 ** math.floor(math.log10(value))
    # The tolerance keeps 3.0000000000000004 from becoming 4.
    return next(
        factor * magnitude for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if factor * magnitude >= value * (1 - 1e-9)
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def confusion_cells(matrix: dict[str, dict[str, int]]) -> tuple[Cell, ...]:
    """The four fields of a confusion matrix in the format of model quality reports (truth, then answer)."""
    total = max(sum(count for row in matrix.values() for count in row.values()), 1)
    return tuple(
        Cell(truth, answer, matrix[truth][answer], matrix[truth][answer] / total, truth == answer)
        for truth in ("0", "1")
        for answer in ("0", "1")
    )


def staircase(releases: Sequence[dict[str, Any]]) -> Staircase:
    """Place releases (as `lockkeeper show --json` gives them) in the chambers they reached."""
    levels = [level_reached(release) for release in releases]
    stopped = {level for level in levels if level < len(LEVELS) - 1}
    return Staircase(
        chambers=tuple(Chamber(name, CHAMBER_WIDTH * index, _surface(index)) for index, name in enumerate(LEVELS)),
        gates=tuple(
            Gate(CHAMBER_WIDTH * level, _surface(level), shut=level - 1 in stopped) for level in range(1, len(LEVELS))
        ),
        boats=tuple(
            # Boats that share a chamber lie side by side, as far apart as it is wide.
            Boat(
                CHAMBER_WIDTH * (level + (levels[:order].count(level) + 1) / (levels.count(level) + 1)),
                _surface(level),
                level == len(LEVELS) - 1,
            )
            for order, level in enumerate(levels)
        ),
    )


def level_reached(release: dict[str, Any]) -> int:
    """How many chambers a release has risen (0 to 3), read from the evidence it carries."""
    if release["status"] == "promoted":
        return 3
    seals = release["pins"]["seals"]
    if "tested" in seals:
        return 2
    return int("judged" in seals and all(verdict["verdict"] == "passed" for verdict in release["verdicts"]))


def _surface(level: int) -> float:
    return LOWEST_SURFACE - RISE * level
