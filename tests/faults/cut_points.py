"""Which calls of which functions were cut, and which were not.

A cut point is a place in a function's use cases that makes a call where nothing breaks, before it or after. The ways to such a place
are counted beside, and not required; nor are calls that a function only makes since another one died.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from localcloud.fault_plan import When
from tests.faults.yard import Yard

BY = " < "
"""Between the frames of a place, the innermost first."""


@dataclass(frozen=True, order=True)
class Point:
    """A call of a function, told by where in the code it is made; in a loop the first is one point, and all later ones another."""

    operation: str
    place: str
    time: int
    """1, or 2 for any later time."""

    @property
    def site(self) -> Point:
        """The same call without the way to it: up to the use case that makes it, or that lets a wait be settled."""
        frames = self.place.split(BY)
        last = next((number for number, frame in enumerate(frames) if _is_use_case(frame)), len(frames) - 1)
        return replace(self, place=BY.join(frames[: last + 1]))

    def __str__(self) -> str:
        return f"{self.operation}, {'first' if self.time == 1 else 'later'} time at {self.place}"


def _is_use_case(frame: str) -> bool:
    return frame.startswith("use_cases/") and not frame.startswith("use_cases/settle_wait.py")


class Coverage:
    """Which calls of which functions were cut, against those that they make for groups whose faults never happen."""

    def __init__(self, yard: Yard) -> None:
        self._cut: dict[str, set[tuple[str, Point]]] = defaultdict(set)
        self._calls: dict[str, set[Point]] = defaultdict(set)
        logical = {physical: name for name, physical in yard.functions.items()}
        for one in yard.plan.invocations():
            name, points = logical[one["function"]], points_of(one)
            if one["cut"]:
                when, _, number = one["cut"].partition(" ")
                self._cut[name].add((when, points[int(number) - 1]))
            elif f"-{When.NEVER}" in one["event"]:
                self._calls[name] |= set(points)

    def missing(self, *functions: str) -> list[str]:
        """Cut points that were not tried, and functions that were never seen at work."""
        unseen = [f"{name} was never called" for name in functions if not self._calls[name]]
        return unseen + [
            f"{name} {when} {point}"
            for when in (When.BEFORE, When.AFTER)
            for name in functions
            for point in sorted({point.site for point in self.untried(name, when)})
        ]

    def untried(self, function: str, when: When) -> list[Point]:
        """Calls of a function at sites that were not cut before, or after them; each by all ways to it."""
        tried = {point.site for cut, point in self._cut[function] if cut == str(when)}
        return [point for point in sorted(self._calls[function]) if point.site not in tried]

    def cuts(self, *functions: str) -> int:
        """How many cut points were tried."""
        return sum(len({(when, point.site) for when, point in self._cut[name]}) for name in functions)

    def ways(self, *functions: str) -> str:
        """How many of the ways to these points were tried."""
        tried = sum(len(self._cut[name]) for name in functions)
        return f"{tried} of {sum(2 * len(self._calls[name] | {point for _, point in self._cut[name]}) for name in functions)}"


def points_of(invocation: dict[str, Any]) -> list[Point]:
    """The points of all calls of an invocation, in order."""
    made = list(zip(invocation["calls"], invocation["places"], strict=True))
    return [Point(*call, min(made[:number].count(call), 2)) for number, call in enumerate(made, 1)]
