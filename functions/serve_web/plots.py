"""The one plot of the board: measurements by version, as numbers for an SVG that needs no script."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.quality_series import QualitySeries

WIDTH, HEIGHT = 480, 210
LEFT, RIGHT, TOP, BOTTOM = 58, 470, 16, 178
MOST_LABELS = 12
"""Versions that are named below the plot; more would stand in each other's way."""


def quality_plot(series: QualitySeries | None) -> dict[str, Any] | None:
    """Where everything of the plot stands, in units of its view box; None without measurements."""
    if series is None:
        return None
    values = [one.value for one in series.measurements] + ([series.bound] if series.bound is not None else [])
    low, high = _range(min(values), max(values))
    count = len(series.measurements)
    every = -(-count // MOST_LABELS)

    def y(value: float) -> float:
        return round(BOTTOM - (value - low) / (high - low) * (BOTTOM - TOP), 1)

    def x(index: int) -> float:
        return round((LEFT + RIGHT) / 2 if count == 1 else LEFT + 16 + index * (RIGHT - LEFT - 32) / (count - 1), 1)

    points = [
        {
            "x": x(index),
            "y": y(one.value),
            "version": one.version,
            "verdict": str(one.verdict),
            "label": f"{one.value:.4g}",
            # The newest is always named.
            "named": (count - 1 - index) % every == 0,
        }
        for index, one in enumerate(series.measurements)
    ]
    ticks = [{"y": y(value), "label": f"{value:.4g}"} for value in (low, (low + high) / 2, high)]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": RIGHT,
        "metric": series.metric,
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "ticks": ticks,
        "bound": {"y": y(series.bound), "label": f"{series.bound:.4g}"} if series.bound is not None else None,
        "by_release": {one.release_id: f"{one.value:.4g}" for one in series.measurements},
        "words": "; ".join(f"version {point['version']}: {point['label']}, {point['verdict']}" for point in points),
    }


def _range(low: float, high: float) -> tuple[float, float]:
    """A little more than what is shown; of one single value, some way around it."""
    margin = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin
