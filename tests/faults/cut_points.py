"""Which calls of which functions were cut, and which have to be.

Two rules say what has to be cut, before it and after it (decision 40):

- every **way** through the code to a call that a function makes in a round of a lane in which nothing is cut,
- every **site** of a call that a function makes at all, also in a retry and where it makes up for the crash of another function:
  once, whatever the way to it; after it, if it was ever made, and not only come to by an invocation that died before it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from lockkeeper.domain import errors

from localcloud.fault_plan import When
from tests.faults.yard import Yard

UNHEARD = "unheard-"
"""How the names of faults begin that end every try of an event."""
SITE = r"use_cases/(?!settle_wait\.py)"
"""Where the way to a site begins: the use case that makes a call, or that lets a wait be settled."""
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
        """The same call without the way to it: up to its use case."""
        frames = self.place.split(BY)
        last = next((number for number, frame in enumerate(frames) if re.match(SITE, frame)), len(frames) - 1)
        return replace(self, place=BY.join(frames[: last + 1]))

    def __str__(self) -> str:
        return f"{self.operation}, {'first' if self.time == 1 else 'later'} time at {self.place}"


@dataclass(frozen=True, order=True)
class Cut:
    """A function that was, or is to be, ended before or after a call."""

    function: str
    when: When
    point: Point


class Coverage:
    """Which calls of which functions were cut, against those that have to be."""

    def __init__(self, yard: Yard) -> None:
        self._cut: set[Cut] = set()
        self._undisturbed: dict[str, set[Point]] = defaultdict(set)
        self._calls: dict[tuple[str, When], set[Point]] = defaultdict(set)
        for number, one in enumerate(yard.plan.invocations()):
            name, points = yard.logical[one["function"]], points_of(one)
            if cuts := cuts_of(yard, one):
                self._cut.update(cuts)
            elif not one["cut"] and any(number in window for window in yard.undisturbed):
                self._undisturbed[name] |= set(points)
            self._calls[name, When.BEFORE] |= set(points)
            death = death_of(one)
            self._calls[name, When.AFTER] |= {
                point for call, point in enumerate(points, 1) if death != (When.BEFORE, call)
            }

    def missing(self, *functions: str) -> list[str]:
        """Ways and sites that were not cut, and functions that were never seen at work."""
        unseen = [f"{name} was never called" for name in functions if not self._undisturbed[name]]
        return unseen + [
            f"{name} {when} {what}"
            for when in (When.BEFORE, When.AFTER)
            for name in functions
            for what in (
                *(f"way {point}" for point in sorted(self.ways_left(name, when))),
                *(f"site {point}" for point in sorted({point.site for point in self.sites_left(name, when)})),
            )
        ]

    def undisturbed(self, function: str) -> set[Point]:
        """Calls of a function in rounds in which nothing was cut."""
        return set(self._undisturbed[function])

    def ways_left(self, function: str, when: When) -> set[Point]:
        """Calls of a function whose way has to be cut before, or after them, and was not."""
        return self._undisturbed[function] - self._points_cut(function, when)

    def sites_left(self, function: str, when: When) -> set[Point]:
        """Calls of a function whose site was not cut before, or after them: all ways to each."""
        tried = {point.site for point in self._points_cut(function, when)}
        return {point for point in self._calls[function, when] if point.site not in tried}

    def cuts(self) -> int:
        """How many ways to calls were cut before or after, required or not."""
        return len(self._cut)

    def required(self) -> tuple[int, int]:
        """How many ways, and how many sites, have to be cut, before and after."""
        sites = sum(len({point.site for point in points}) for points in self._calls.values())
        return 2 * sum(len(points) for points in self._undisturbed.values()), sites

    def _points_cut(self, function: str, when: When) -> set[Point]:
        return {cut.point for cut in self._cut if (cut.function, cut.when) == (function, when)}


def broken(yard: Yard, began: int) -> list[str]:
    """Invocations, from the `began`-th on, that ended with an error which is not the project's own, in words: a crash is to be no cause."""
    return [
        f"{yard.logical[one['function']]} broke with {one['error']}: {one['event'][:500]}"
        for one in yard.plan.invocations()[began:]
        if one["error"] and one["error"] not in vars(errors)
    ]


def points_of(invocation: dict[str, Any]) -> tuple[Point, ...]:
    """The points of all calls of an invocation, in order."""
    return _points(tuple(zip(invocation["calls"], invocation["places"], strict=True)))


@cache
def _points(made: tuple[tuple[str, str], ...]) -> tuple[Point, ...]:
    return tuple(Point(*call, min(made[:number].count(call), 2)) for number, call in enumerate(made, 1))


def death_of(invocation: dict[str, Any]) -> tuple[When, int]:
    """Before or after which call an invocation was cut, by its number; `NEVER` and 0 where it was not."""
    when, _, number = invocation["cut"].partition(" ")
    return (When(when), int(number)) if when else (When.NEVER, 0)


def cuts_of(yard: Yard, invocation: dict[str, Any]) -> tuple[Cut, ...]:
    """Where an invocation was cut, if it was: before a call may be after another. One that nobody was to hear of is no cut: its retry was
    not to complete."""
    if not invocation["cut"] or any(name.startswith(UNHEARD) for name in invocation["faults"]):
        return ()
    here = [death_of(invocation)]
    if invocation["answered"]:
        here.append((When.AFTER, invocation["answered"]))
    name, points = yard.logical[invocation["function"]], points_of(invocation)
    return tuple(Cut(name, where, points[number - 1]) for where, number in here)
