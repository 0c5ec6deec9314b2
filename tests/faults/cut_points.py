"""Which calls of which functions were cut, and which were not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from localcloud.fault_plan import When
from tests.faults.yard import Yard


@dataclass(frozen=True, order=True)
class Point:
    """A call of a function, told by where in the code it is made; in a loop the first is one point, and all later ones another."""

    operation: str
    place: str
    time: int
    """1, or 2 for any later time."""

    def __str__(self) -> str:
        return f"{self.operation}, {'first' if self.time == 1 else 'later'} time at {self.place}"


class Coverage:
    """Which calls of which functions were cut, against the calls that these functions make where nothing breaks."""

    def __init__(self, yard: Yard) -> None:
        self._cut: dict[str, set[tuple[str, Point]]] = defaultdict(set)
        self._calls: dict[str, set[Point]] = defaultdict(set)
        logical = {physical: name for name, physical in yard.functions.items()}
        for one in yard.plan.invocations():
            name, points = logical[one["function"]], points_of(one)
            if one["cut"]:
                when, _, number = one["cut"].partition(" ")
                self._cut[name].add((when, points[int(number) - 1]))
            elif not any(yard.plan.fired(fault) for fault in one["faults"]):
                # A retry makes other calls than a first try.
                self._calls[name] |= set(points)

    def missing(self, *functions: str) -> list[str]:
        """Cut points that were not tried, and functions that were never seen at work."""
        unseen = [f"{name} was never called" for name in functions if not self._calls[name]]
        return unseen + [
            f"{name} {when} {point}"
            for when in (When.BEFORE, When.AFTER)
            for name in functions
            for point in self.untried(name, when)
        ]

    def untried(self, function: str, when: When) -> list[Point]:
        """Calls of a function that were not cut before, or after them."""
        return [point for point in sorted(self._calls[function]) if (str(when), point) not in self._cut[function]]

    def cuts(self, *functions: str) -> int:
        return sum(len(self._cut[name]) for name in functions)


def points_of(invocation: dict[str, Any]) -> list[Point]:
    """The points of all calls of an invocation, in order."""
    made = list(zip(invocation["calls"], invocation["places"], strict=True))
    return [Point(*call, min(made[:number].count(call), 2)) for number, call in enumerate(made, 1)]
