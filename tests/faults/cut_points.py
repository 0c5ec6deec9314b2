"""Which calls of which functions were cut, and which were not."""

from __future__ import annotations

from collections import defaultdict

from localcloud.fault_plan import When
from tests.faults.yard import Yard

Point = tuple[str, int]
"""A call of a function: its operation, and the how many-th of that operation in the invocation it is."""


class Coverage:
    """Which calls of which functions were cut, against the calls that these functions make where nothing breaks."""

    def __init__(self, yard: Yard) -> None:
        self._cut: dict[str, set[tuple[str, Point]]] = defaultdict(set)
        self._calls: dict[str, set[Point]] = defaultdict(set)
        logical = {physical: name for name, physical in yard.functions.items()}
        for one in yard.plan.invocations():
            name, calls = logical[one["function"]], one["calls"]
            if one["cut"]:
                when, _, number = one["cut"].partition(" ")
                self._cut[name].add((when, point(calls, int(number))))
            elif not any(yard.plan.fired(fault) for fault in one["faults"]):
                # A retry makes other calls than a first try.
                self._calls[name] |= {point(calls, number) for number in range(1, len(calls) + 1)}

    def missing(self, *functions: str) -> list[str]:
        """Cut points that were not tried, and functions that were never seen at work."""
        unseen = [f"{name} was never called" for name in functions if not self._calls[name]]
        return unseen + [
            f"{name} {when} {operation}, call {number}"
            for when in (When.BEFORE, When.AFTER)
            for name in functions
            for operation, number in self.untried(name, when)
        ]

    def untried(self, function: str, when: When) -> list[Point]:
        """Calls of a function that were not cut before, or after them."""
        return [point for point in sorted(self._calls[function]) if (str(when), point) not in self._cut[function]]

    def cuts(self, *functions: str) -> int:
        return sum(len(self._cut[name]) for name in functions)


def point(calls: list[str], number: int) -> Point:
    """The call of this number (from 1)."""
    operation = calls[number - 1]
    return operation, calls[:number].count(operation)
