"""Plans cuts at what is left, in scenes that come to it."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from typing import Any

from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import Coverage, Cut, Point, cut_of, points_of
from tests.faults.yard import STATES, Yard

CHANCES = 12
"""How often a cut is planned in scenes that came to its call before it is given up, and missing."""
MOST_WAYS = 6
"""How many groups of cuts that led to a call are remembered."""
UNDISTURBED: list[tuple[Cut, ...]] = [()]
"""What led to a call that is made without any cut."""
PAUSE = 4.0
"""Seconds in which an endpoint of the laptop's AWS comes up."""
Limits = dict[str, int]
"""How many cuts of a function a scene is given, by its name, and of all others under `OTHERS`."""
OTHERS = ""
BY_THE_MACHINE = dict.fromkeys((*STATES, "RequestApproval", "RollBack"), 5) | {"TestStaging": 3}
"""States are tried seven times or more, and TestStaging four."""
BY_DAY: Limits = {"KeepHouse": 16, **BY_THE_MACHINE, OTHERS: 2}
"""An event is tried three times. Scenes ask for the house to be kept until that does not die."""
BY_NIGHT: Limits = BY_DAY | {"KeepHouse": 40, "StartDriftMonitor": 2, "ServeWeb": 2, OTHERS: 4}
"""An event's dead letter is played until it goes; the monitor is asked three times, and buttons are pressed eight, of both ways."""
TOLD = 30
"""How many cuts of a function a scene is given that tells it by hand what happened, until it does not die."""
RECENT = 12
"""How many invocations about a group may lie between a cut and a call that it led to, in lanes that cut one call after the other."""
GROUP_OF_A_LANE = re.compile("(?:cut|asked|gone|back|reaped|kept|trained|days)-(?:before|after)")
NAMES_NO_GROUP = "ServeWeb"
"""A function whose events do not name the group: links have random names."""


class CutPlanner:
    """Cuts of the invocations about one group, before calls or after them."""

    def __init__(self, yard: Yard, group: str, when: When, limits: Limits, *, ways: bool) -> None:
        """Plan cuts at what is left of all `ways`, or of all sites, and of each function no more in a scene than its limit."""
        self._yard = yard
        self._group = group
        self._when = when
        self._limits = limits
        self._ways = ways
        self._planned: Counter[tuple[str, Cut]] = Counter()
        self._elsewhere = {} if ways else led_elsewhere(yard, limits)

    def plan(self, scene: str, name: str, told: str = "") -> int:
        """Plan cuts at points that have to be cut and were not, and that this scene came to before; how many.

        A function that is `told` by the scene is given more of them.

        A point that the scene came to after other cuts is tried without them, and with them; then with them and a pause, for
        what was under way may have to be over when the function comes again. So is one that a lane came to after cuts at calls
        that the scene comes to. What the scene is known to come to is planned first, then what was planned least, and none more than
        `CHANCES` times: what a scene came to once may have been a race.
        """
        chosen: dict[Cut, float] = {}
        limits = self._limits | {told: TOLD} if told else self._limits
        for wanted in self._wanted(scene):
            led = self._led(scene, wanted)
            turn, way = divmod(self._planned[scene, wanted], len(led))
            more = dict.fromkeys(led[way], PAUSE * (turn % 2)) | {wanted: 0.0}
            if fit([*chosen, *(one for one in more if one not in chosen)], limits):
                chosen = more | chosen
                self._planned[scene, wanted] += 1
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
            led = [(), tuple(of_one(function, cuts, self._limits)), tuple(of_all(function, cuts, self._limits))]
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
        """What to cut in this scene: one way to each site that is left, or every way; what is known to be reached first."""
        coverage, reached, wanted = Coverage(self._yard), self._yard.reached[scene], dict[tuple[str, Point], Cut]()
        left = coverage.ways_left if self._ways else coverage.sites_left
        cuts = [
            Cut(function, self._when, point)
            for function in self._yard.functions
            for point in left(function, self._when)
        ]
        for cut in sorted(
            cuts, key=lambda cut: ((cut.function, cut.point) not in reached, self._planned[scene, cut], cut)
        ):
            if self._led(scene, cut) and self._planned[scene, cut] < CHANCES:
                wanted.setdefault((cut.function, cut.point if self._ways else cut.point.site), cut)
        return list(wanted.values())

    def _led(self, scene: str, wanted: Cut) -> list[tuple[Cut, ...]]:
        """Groups of cuts after which this scene comes to a call, or may come to it as a lane did; none where that is not known."""
        reached = self._yard.reached[scene]
        if known := reached.get((wanted.function, wanted.point)):
            return known
        ways = self._elsewhere.get((wanted.function, wanted.point), [])
        return [way for way in ways if all((cut.function, cut.point) in reached for cut in way)]

    def _fault(self, name: str, cut: Cut, pause: float) -> Fault:
        about = () if cut.function == NAMES_NO_GROUP else (self._group,)
        where: dict[str, Any] = {"operation": cut.point.operation, "place": cut.point.place, "pause": pause}
        return Fault(
            f"{name}.{cut.function}", self._yard.functions[cut.function], cut.when, about, cut.point.time, **where
        )


def led_elsewhere(yard: Yard, limits: Limits) -> dict[tuple[str, Point], list[tuple[Cut, ...]]]:
    """Calls that were made so far after cuts in the same model group, by function and point, and sets of the cuts that led to them."""
    ways: dict[tuple[str, Point], list[tuple[Cut, ...]]] = defaultdict(list)
    cuts: dict[str, list[tuple[int, Cut]]] = defaultdict(list)
    number: Counter[str] = Counter()
    for one in yard.plan.invocations():
        function, named = yard.logical[one["function"]], GROUP_OF_A_LANE.search(one["event"])
        group = named[0] if named else function
        number[group] += 1
        recent = [cut for at, cut in cuts[group][-RECENT:] if number[group] - at <= RECENT]
        own = [cut for cut in recent if cut.function == function]
        led = [tuple(own[-1:]), tuple(recent[-1:]), tuple(of_all(function, recent, limits))]
        for point in points_of(one):
            known = ways[function, point]
            known += [way for way in dict.fromkeys(led) if way and way not in known][: MOST_WAYS - len(known)]
        if cut := cut_of(yard, one):
            cuts[group].append((number[group], cut))
    return ways


def limit(function: str, limits: Limits) -> int:
    """How many cuts of a function a scene is given."""
    return limits.get(function, limits[OTHERS])


def fit(cuts: list[Cut], limits: Limits) -> bool:
    """Whether every function has a try left after these."""
    return all(number <= limit(one, limits) for one, number in Counter(cut.function for cut in cuts).items())


def of_one(function: str, cuts: list[Cut], limits: Limits) -> list[Cut]:
    """The last cuts of a function; one try is left."""
    return [cut for cut in cuts if cut.function == function][1 - limit(function, limits) :]


def of_all(function: str, cuts: list[Cut], limits: Limits) -> list[Cut]:
    """The last cuts of every function; of this one a try is left."""
    others = sorted({cut.function for cut in cuts} - {function})
    last = {one: [cut for cut in cuts if cut.function == one][-limit(one, limits) :] for one in others}
    return of_one(function, cuts, limits) + [cut for one in others for cut in last[one]]
