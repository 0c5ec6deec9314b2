"""Plans cuts at what is left, in scenes that come to it."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from typing import Any

from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import Coverage, Cut, Point, cut_of, points_of
from tests.faults.yard import Yard

CHANCES = 20
"""How often a cut is planned in scenes that came to its call before it is given up, and missing."""
MOST_WAYS = 6
"""How many groups of cuts that led to a call are remembered."""
UNDISTURBED: list[tuple[Cut, ...]] = [()]
"""What led to a call that is made without any cut."""
PAUSE = 4.0
"""Seconds in which an endpoint of the laptop's AWS comes up."""
CUTS = {"KeepHouse": 16, "ReapRelease": 12, "ServeWeb": 2}
"""How many cuts of a function a scene is given that calls it itself, so often and once more. Both ways cut the pages of either."""
USUAL_CUTS = 4
"""The same of all others: a state is tried seven times, and an event three, and then as often as its dead letter is played."""
RECENT = 12
"""How many invocations about a group may lie between a cut and a call that it led to, in lanes that cut one call after the other."""
GROUP_OF_A_LANE = re.compile("[a-z]+-(?:before|after)")
NAMES_NO_GROUP = "ServeWeb"
"""A function whose events do not name the group: links have random names."""


class CutPlanner:
    """Cuts of the invocations about one group, before calls or after them."""

    def __init__(self, yard: Yard, group: str, when: When) -> None:
        self._yard = yard
        self._group = group
        self._when = when
        self._planned: Counter[Cut] = Counter()
        self._elsewhere = led_elsewhere(yard)

    def plan(self, scene: str, name: str) -> int:
        """Plan cuts at points that have to be cut and were not, and that this scene came to before; how many.

        A point that the scene came to after other cuts is tried without them, and with them; then with them and a pause, for
        what was under way may have to be over when the function comes again. So is one that a lane came to after cuts at calls
        that the scene comes to. Those that were planned least come first, and none more
        than `CHANCES` times: what a scene came to once may have been a race.
        """
        chosen: dict[Cut, float] = {}
        for wanted in sorted(self._wanted(scene), key=self._order):
            led = self._led(scene, wanted.function, wanted.point)
            turn, way = divmod(self._planned[wanted], len(led))
            more = dict.fromkeys(led[way], PAUSE * (turn % 2)) | {wanted: 0.0}
            if self._fit([*chosen, *(one for one in more if one not in chosen)]):
                chosen = more | chosen
                self._planned[wanted] += 1
        faults = (self._fault(f"{name}.{number}", cut, pause) for number, (cut, pause) in enumerate(chosen.items()))
        self._yard.plan.add(*faults)
        return len(chosen)

    def learn(self, scene: str, began: int) -> None:
        """Remember what a scene came to, from the `began`-th invocation on, and after which cuts."""
        reached, cuts = self._yard.reached[scene], list[Cut]()
        for one in self._yard.plan.invocations()[began:]:
            function = self._yard.logical[one["function"]]
            if self._group not in one["event"] and function != NAMES_NO_GROUP:
                continue
            led = [(), tuple(of_one(function, cuts)), tuple(of_all(function, cuts))]
            for point in points_of(one):
                known = reached.setdefault((function, point), [])
                if known != UNDISTURBED:
                    known += [way for way in dict.fromkeys(led) if way not in known][: MOST_WAYS - len(known)]
            if cut := cut_of(self._yard, one):
                cuts.append(cut)

    def wait_until_quiet(self, seconds: float = 10.0) -> None:
        """Wait until nothing is called about the group any more: what a scene leads to may come after its end."""
        until, calls = time.monotonic() + seconds, -1
        while time.monotonic() < until:
            now = sum(self._group in one["event"] for one in self._yard.plan.invocations())
            if now == calls:
                return
            calls = now
            time.sleep(1.5)

    def _wanted(self, scene: str) -> list[Cut]:
        coverage, wanted = Coverage(self._yard), list[Cut]()
        for function in self._yard.functions:
            left = [point for point in coverage.untried(function, self._when) if self._led(scene, function, point)]
            cuts = sorted((Cut(function, self._when, point) for point in left), key=self._order)
            wanted += [
                Cut(function, self._when, point)
                for point in coverage.one_way_each(function, [cut.point for cut in cuts])
            ]
        return [cut for cut in wanted if self._planned[cut] < CHANCES]

    def _led(self, scene: str, function: str, point: Point) -> list[tuple[Cut, ...]]:
        """Groups of cuts after which this scene comes to a point, or may come to it as a lane did; none where that is not known."""
        reached = self._yard.reached[scene]
        if known := reached.get((function, point)):
            return known
        ways = self._elsewhere.get((function, point), [])
        return [way for way in ways if all((cut.function, cut.point) in reached for cut in way)]

    def _order(self, cut: Cut) -> tuple[int, Cut]:
        return self._planned[cut], cut

    def _fit(self, cuts: list[Cut]) -> bool:
        """Whether every function has a try left after these."""
        return all(number <= limit(function) for function, number in Counter(cut.function for cut in cuts).items())

    def _fault(self, name: str, cut: Cut, pause: float) -> Fault:
        about = () if cut.function == NAMES_NO_GROUP else (self._group,)
        where: dict[str, Any] = {"operation": cut.point.operation, "place": cut.point.place, "pause": pause}
        return Fault(
            f"{name}.{cut.function}", self._yard.functions[cut.function], cut.when, about, cut.point.time, **where
        )


def led_elsewhere(yard: Yard) -> dict[tuple[str, Point], list[tuple[Cut, ...]]]:
    """Calls that were made so far after cuts in the same group, by function and point, and groups of the cuts that led to them."""
    ways: dict[tuple[str, Point], list[tuple[Cut, ...]]] = defaultdict(list)
    cuts: dict[str, list[tuple[int, Cut]]] = defaultdict(list)
    number: Counter[str] = Counter()
    for one in yard.plan.invocations():
        function, named = yard.logical[one["function"]], GROUP_OF_A_LANE.search(one["event"])
        group = named[0] if named else function
        number[group] += 1
        recent = [cut for at, cut in cuts[group][-RECENT:] if number[group] - at <= RECENT]
        own = [cut for cut in recent if cut.function == function]
        led = [tuple(own[-1:]), tuple(recent[-1:]), tuple(of_all(function, recent))]
        for point in points_of(one):
            known = ways[function, point]
            known += [way for way in dict.fromkeys(led) if way and way not in known][: MOST_WAYS - len(known)]
        if cut := cut_of(yard, one):
            cuts[group].append((number[group], cut))
    return ways


def of_one(function: str, cuts: list[Cut]) -> list[Cut]:
    """The last cuts of a function; one try is left."""
    return [cut for cut in cuts if cut.function == function][1 - limit(function) :]


def of_all(function: str, cuts: list[Cut]) -> list[Cut]:
    """The last cuts of every function; of this one a try is left."""
    others = {cut.function for cut in cuts} - {function}
    return of_one(function, cuts) + [
        cut for one in sorted(others) for cut in [cut for cut in cuts if cut.function == one][-limit(one) :]
    ]


def limit(function: str) -> int:
    """How many cuts of a function a scene is given."""
    return CUTS.get(function, USUAL_CUTS)
