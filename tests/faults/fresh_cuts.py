"""Cuts at whatever call is new: each function of one group dies at the first call that none has died at before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import SITE, Coverage
from tests.faults.yard import STATES, Yard

Way = tuple[str, str, int, str]
"""When, operation, 1 or 2, and place, as faults name a call."""
Limits = dict[str, int]
"""How often a function may die of the same event, by its name, and of all others under `OTHERS`."""
OTHERS = ""
TOLD = 100
"""How often a function may die of an event of which a scene tells it by hand, until it does not die."""
BY_DAY: Limits = dict.fromkeys((*STATES, "RequestApproval", "RollBack"), 5) | {
    "TestStaging": 3,
    "KeepHouse": TOLD,
    OTHERS: 2,
}
"""States are tried seven times or more, TestStaging four, and an event three; the house is kept until that does not die.
Of a page both towns cut as often: its events do not name the group."""
BY_NIGHT: Limits = BY_DAY | {"StartDriftMonitor": 2, "ServeWeb": 2, OTHERS: 4}
"""An event's dead letter is played until it goes; the monitor is asked three times, and buttons are pressed eight, of both towns."""
ASKED = ("KeepHouse", "RequestApproval", "ServeWeb", "StartDriftMonitor")
"""Functions that a lane asks no more often than its own cuts take, or whose retry makes a question anew that is being answered there."""
AGAIN = "more is to come [0-9]+"
"""What tells one request to resume a retraining from another: they have the same address."""
EVENT = ('"id": ?"[0-9a-f-]{36}"', '"release_id": ?"[^"]+"', AGAIN, '"rawPath": ?"[^"]+"')
"""What tells one event from another: EventBridge's id; the release, of all that a state or a deadline is called for; the address, of all
that is done with a page. Else it is all of the text."""
NAMES_NO_GROUP = "ServeWeb"
"""A function whose events do not name the group: links have random names."""


def cut_what_is_left(yard: Yard, group: str, limits: Limits) -> None:
    """From now on every function of a group dies once at each site of a call that it comes to, and at each of the ways that are left,
    before the call and after it."""
    coverage = Coverage(yard)
    for function in yard.functions:
        ways = tuple(
            (str(when), point.operation, point.time, point.place)
            for when in (When.BEFORE, When.AFTER)
            for point in coverage.ways_left(function, when)
        )
        yard.plan.add(_fault(yard, group, function, limits, also=ways))


def cut_what_else_comes(yard: Yard, group: str) -> None:
    """From now on the functions of a lane also die at sites that no undisturbed round has come to: in retries, and in races.

    What the lane has planned for an event is left over to it. The sites of undisturbed rounds are the business of its plan, and of days.
    """
    coverage = Coverage(yard)
    for function in set(yard.functions) - set(ASKED):
        sites = {point.site for point in coverage.undisturbed(function)}
        known = tuple(
            (str(when), site.operation, site.time, site.place) for when in (When.BEFORE, When.AFTER) for site in sites
        )
        yard.plan.add(replace(_fault(yard, group, function, BY_DAY), known=known))


@contextmanager
def cut_more(yard: Yard, group: str, function: str, about: str) -> Iterator[None]:
    """Meanwhile a function that is told by hand of an event, which says this, may die of it more often; if it is to die at all."""
    more = [
        replace(fault, name=f"{fault.name}.{about}", about=(about,), times=TOLD)
        for fault in yard.plan.planned(f"{group}.{function}")
    ]
    yard.plan.add(*more)
    yield
    yard.plan.drop(f"{group}.{function}.{about}")


def _fault(yard: Yard, group: str, function: str, limits: Limits, also: tuple[Way, ...] = ()) -> Fault:
    about = () if function == NAMES_NO_GROUP else (group,)
    times = limits.get(function, limits[OTHERS])
    name, target = f"{group}.{function}", yard.functions[function]
    return Fault(name, target, When.AROUND, about, times=times, fresh="sites", until=SITE, each=EVENT, also=also)
