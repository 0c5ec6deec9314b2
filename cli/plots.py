"""Small plots of a release's evidence for a terminal. Every plot says its scale; a bar begins at zero, always."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.evidence import number_at
from lockkeeper.domain.online.latency import CONFIDENCE, interval, percentile
from lockkeeper.domain.release import Verdict
from rich.console import RenderableType
from rich.text import Text

from cli.terminal import OUTCOME_STYLES, plain, shorten, table

WIDTH = 24
"""Cells of a plot; with its gate and scale it fits 80 columns."""
BAR, EMPTY, BOUND, DOT, LINE = "━", "·", "┃", "●", "─"
LEVELS = " ▁▂▃▄▅▆▇█"
"""Nothing to eight eighths of a line."""
NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
ONE_SIDED = re.compile(rf"(?:>=|<=|<|errors below) {NUMBER}")
TWO_SIDED = re.compile(rf"{NUMBER} to {NUMBER}$")
MOST_SLICES = 30
PERCENTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Scale:
    """From `low` to `high` in `cells` steps."""

    low: float
    high: float
    cells: int = WIDTH

    def cell(self, value: float) -> int:
        """The cell that a value falls into, from 0."""
        share = (value - self.low) / (self.high - self.low)
        return max(0, min(self.cells - 1, int(share * self.cells)))


def draw_measured(verdicts: Iterable[Verdict]) -> RenderableType | None:
    """A bar for each gate that measured a number and has a bound; None where none has."""
    drawn = table("gate", "measured", "required", "from", "", "to", title=f"Measured {BAR} against required {BOUND}")
    for column in drawn.columns[1:]:
        column.no_wrap = True
        column.justify = "right" if column.header in ("measured", "from") else "left"
    for verdict in verdicts:
        asked = _asked(verdict.required or "")
        if asked and isinstance(verdict.measured, float) and math.isfinite(verdict.measured):
            bounds = bounds_of(asked)
            scale = scale_for([verdict.measured, *bounds])
            bar = _bar(scale, verdict.measured, bounds, OUTCOME_STYLES[verdict.verdict])
            measured = f"{verdict.measured:.4g}"
            drawn.add_row(plain(_short(verdict.gate)), measured, asked, f"{scale.low:g}", bar, f"{scale.high:g}")
    return drawn if drawn.row_count else None


def _short(gate: str) -> str:
    """A gate without the words that every path of a report has."""
    return shorten(re.sub(r"\b\w+_metrics\.|\.value\b", "", gate), 60)


def _asked(required: str) -> str:
    """What a requirement in words says of numbers: `>= 0.7` of `>= 0.7 on at least 300 rows`; empty for none."""
    found = TWO_SIDED.match(required) or ONE_SIDED.match(required)
    return found[0].replace("errors below", "<") if found else ""


def bounds_of(required: str) -> tuple[float, ...]:
    """The one or two numbers that a requirement in words bounds a value by; none where it says something else."""
    found = TWO_SIDED.match(required) or ONE_SIDED.match(required)
    return tuple(float(one) for one in found.groups()) if found else ()


def scale_for(values: Iterable[float]) -> Scale:
    """A scale that holds zero and all values, and ends at round numbers: 0 to 1 for shares."""
    known = [*values]
    low, high = min(0.0, *known), max(0.0, *known)
    if low == 0.0 and 0 < high <= 1 and max(known) > 0.1:
        return Scale(0.0, 1.0)
    return Scale(-_round_up(-low) if low else 0.0, _round_up(high) if high else (0.0 if low else 1.0))


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    # What is smaller has no power of ten of its own in floating point.
    power = 10.0 ** math.floor(math.log10(max(value, 1e-300)))
    return next(float(f"{step * power:.10g}") for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if step * power >= value)


def _bar(scale: Scale, measured: float, bounds: tuple[float, ...], style: str) -> Text:
    """A bar from zero to the measured value, and the bounds across it."""
    zero, (end, marks) = scale.cell(0.0), _cells(scale, measured, bounds)
    first, last = (zero, end) if measured >= 0 else (end, zero - 1)
    drawn = Text()
    for cell in range(scale.cells):
        if cell in marks:
            drawn.append(BOUND, "bold")
        elif first <= cell <= last and measured != 0:
            drawn.append(BAR, style)
        else:
            drawn.append(EMPTY, "dim")
    return drawn


def _cells(scale: Scale, value: float, bounds: tuple[float, ...]) -> tuple[int, set[int]]:
    """The cells of a value and of its bounds: whatever the scale's steps, a value lies on its own side of each bound."""
    cell, marks = scale.cell(value), set()
    for bound in bounds:
        mark = scale.cell(bound)
        if mark == cell and value != bound:
            mark += -1 if value > bound else 1
            if not 0 <= mark < scale.cells:
                mark, cell = scale.cell(bound), cell + (1 if value > bound else -1)
        marks.add(mark)
    return cell, marks


def draw_latency(evidence: Any, verdicts: Iterable[Verdict]) -> RenderableType | None:
    """Percentiles of single requests with their confidence intervals and bounds; None where they were not measured."""
    each = evidence.get("each") if isinstance(evidence, dict) else None
    if not isinstance(each, list) or not each:
        return None
    ordered = sorted(float(one) for one in each)
    bounds = {one.gate.removeprefix("latency: "): bounds_of(one.required or "") for one in verdicts}
    title = (
        f"Latency of {len(ordered)} requests, ms ({DOT} percentile, {LINE} {CONFIDENCE:.0%} interval, {BOUND} bound)"
    )
    drawn = table("", "ms", "from", "", "to", title=title)
    drawn.columns[1].justify = drawn.columns[2].justify = "right"
    rows = [(f"p{share * 100:g}", percentile(ordered, share), _interval(ordered, share)) for share in PERCENTILES]
    every = [bound for name, _, _ in rows for bound in bounds.get(name, ())]
    shown = [edge for _, value, around in rows for edge in (value, *(around or ()))]
    scale = scale_for([*shown, *every])
    for name, value, around in rows:
        ends = f"{around[0]:.4g} to {around[1]:.4g}" if around else "too few for an interval"
        plot = _interval_plot(scale, value, around, bounds.get(name, ()))
        drawn.add_row(name, f"{value:.4g}", f"{scale.low:g}", plot, Text.assemble(f"{scale.high:g}  ", (ends, "dim")))
    return drawn


def _interval(ordered: list[float], share: float) -> tuple[float, float] | None:
    places = interval(len(ordered), share)
    return (ordered[places[0]], ordered[places[1]]) if places else None


def _interval_plot(scale: Scale, value: float, around: tuple[float, float] | None, bounds: tuple[float, ...]) -> Text:
    first, last = (scale.cell(edge) for edge in around) if around else (scale.cells, -1)
    dot, marks = _cells(scale, value, bounds)
    drawn = Text()
    for cell in range(scale.cells):
        if cell == dot:
            drawn.append(DOT, "bold cyan")
        elif cell in marks:
            drawn.append(BOUND, "bold")
        elif first <= cell <= last:
            drawn.append(LINE, "cyan")
        else:
            drawn.append(EMPTY, "dim")
    return drawn


def draw_slices(report: Any, verdicts: Iterable[Verdict]) -> RenderableType | None:
    """Each metric that was judged slice by slice, one column a slice; None where none was."""
    drawn = table("slices", "", "values", title="Slice by slice")
    for verdict in verdicts:
        judged = re.fullmatch(r"quality: (.+) by ([^.]+?)(?: against the champion)?", verdict.gate)
        values = dict(_slice_values(report, judged[2], judged[1])) if judged else {}
        if not judged or not values:
            continue
        scale = scale_for(values.values())
        shown = dict(sorted(values.items(), key=lambda one: one[1])[:MOST_SLICES])
        named = ", ".join(f"{name} {value:.4g}" for name, value in shown.items())
        more = f" and {len(values) - len(shown)} higher" if len(values) > len(shown) else ""
        # A column has no way to go below its floor.
        columns = _columns(shown.values(), scale) if scale.low == 0 else ""
        drawn.add_row(
            plain(_short(f"{judged[1]} by {judged[2]}")),
            Text(columns, "cyan"),
            plain(f"{shorten(named, 300)}{more}; columns from {scale.low:g} to {scale.high:g}"),
        )
    return drawn if drawn.row_count else None


def _columns(values: Iterable[float], scale: Scale) -> str:
    return "".join(LEVELS[round(value / scale.high * (len(LEVELS) - 1))] for value in values)


def _slice_values(report: Any, column: str, metric: str) -> Iterator[tuple[str, float]]:
    """The metric of each slice that has it."""
    slices = report.get("slices") if isinstance(report, dict) else None
    found = slices.get(column) if isinstance(slices, dict) else None
    for name, part in (found if isinstance(found, dict) else {}).items():
        value = number_at(part, metric)
        if isinstance(value, float):
            yield str(name), value
