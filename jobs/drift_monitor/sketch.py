"""A bounded sketch of a stream of numbers: KLL, as Model Monitor's statistics hold it."""

from __future__ import annotations

from typing import Any

import numpy as np

SIZE = 2048
"""Values that a level holds, as in Model Monitor. Up to so many values the sketch is all of them."""

BUCKETS = 10


class Sketch:
    """Level i holds values that stand for 2**i each; a full level leaves every other of its values to the next."""

    def __init__(self) -> None:
        self._levels: list[np.ndarray] = [np.empty(0)]
        # Which half stays is chance, so that no pattern of the stream decides; always the same chance.
        self._chance = np.random.default_rng(0)

    def add(self, values: np.ndarray) -> None:
        """Take finite values, shape (n,)."""
        level = 0
        while len(values):
            if level == len(self._levels):
                self._levels.append(np.empty(0))
            held = np.concatenate([self._levels[level], values])
            if len(held) <= SIZE:
                self._levels[level] = held
                return
            held.sort()
            odd = len(held) % 2
            self._levels[level], held = held[:odd], held[odd:]
            values = held[int(self._chance.integers(2)) :: 2]
            level += 1

    def weighted(self) -> tuple[np.ndarray, np.ndarray]:
        """The values, ascending, and what each stands for."""
        values = np.concatenate(self._levels)
        weights = np.concatenate([np.full(len(one), 2.0**level) for level, one in enumerate(self._levels)])
        order = np.argsort(values, kind="stable")
        return values[order], weights[order]

    def to_json(self, least: float, most: float) -> dict[str, Any]:
        """`distribution.kll`: ten buckets of equal width between the least and the greatest value, and the sketch itself."""
        values, weights = self.weighted()
        edges = np.linspace(least, most, BUCKETS + 1)
        counts, _ = (
            np.histogram(values, bins=edges, weights=weights) if most > least else (np.array([weights.sum()]), None)
        )
        bounds = list(zip(edges[:-1], edges[1:])) if most > least else [(least, most)]
        return {
            "buckets": [
                {"lower_bound": float(low), "upper_bound": float(high), "count": float(count)}
                for (low, high), count in zip(bounds, counts)
            ],
            "sketch": {
                "parameters": {"c": 0.64, "k": float(SIZE)},
                "data": [np.sort(level).tolist() for level in self._levels],
            },
        }
