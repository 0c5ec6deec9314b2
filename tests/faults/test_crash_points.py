"""Crash before or after any AWS call of any function: the retry completes, with one deployment and no orphan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import pytest

from localcloud.fault_plan import When
from tests.conftest import Figure
from tests.faults.cut_points import Coverage, broken, cuts_of
from tests.faults.days import days_with_cuts, nights_with_cuts, undisturbed_day
from tests.faults.lanes import (
    Side,
    decide_with_cuts,
    keep_house_with_cuts,
    promote_with_cuts,
    reap_with_cuts,
    roll_back_with_cuts,
    train_with_cuts,
)
from tests.faults.lost_events import without_limits
from tests.faults.yard import Yard

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.timeout(3600)]

Which = TypeVar("Which")
FEWEST_CUTS = 5
"""A side of a lane that cuts less often than this, before calls or after them, has not done its work."""
TOWNS = ("east", "west")
Lane = Callable[[Yard, Side], list[str]]


def side_by_side(
    lane: Callable[[Yard, Which], list[str]], yard: Yard, sides: Sequence[Which], fresh: bool
) -> list[str]:
    """A lane of each side at the same time, of which each has to cut before calls and after them: as planned, or what is new."""
    began = len(yard.plan.invocations())
    with ThreadPoolExecutor(len(sides)) as pool:
        problems = [one for found in pool.map(partial(lane, yard), sides) for one in found]
    invocations = [one for one in yard.plan.invocations()[began:] if one["fresh"] is fresh]
    for side in sides:
        mine = [one for one in invocations if any(f"-{side}" in name for name in one["faults"])]
        cuts = Counter(cut.when for one in mine for cut in cuts_of(yard, one))
        problems += [
            f"{side}: no more than {cuts[when]} cuts {when} calls"
            for when in (When.BEFORE, When.AFTER)
            if cuts[when] < FEWEST_CUTS
        ]
    return problems


def report(figure: Figure, yard: Yard, name: str, play: Callable[[], list[str]]) -> None:
    began = len(yard.plan.invocations())
    problems = play() + broken(yard, began)
    figure(f"crash before or after any AWS call: {name}", f"{len(problems)} wrong or left", "1 deployment, 0 orphans")
    assert not problems, "\n".join(problems)


def undisturbed_first(yard: Yard, undisturbed: Callable[[], list[str]], cut: Callable[[], list[str]]) -> list[str]:
    """What is called while nothing is cut is what has to be cut then."""
    with yard.undisturbed_round():
        problems = undisturbed()
    return problems or cut()


@pytest.mark.parametrize(
    "lane",
    [
        promote_with_cuts,
        decide_with_cuts,
        roll_back_with_cuts,
        reap_with_cuts,
        keep_house_with_cuts,
        train_with_cuts,
    ],
)
def test_a_crash_at_any_call_is_made_up_for(yard: Yard, lane: Lane, figure: Figure) -> None:
    name = lane.__name__.removesuffix("_with_cuts").replace("_", " ")
    both = partial(side_by_side, lane, yard, (Side.ODD, Side.EVEN), fresh=False)
    report(figure, yard, name, partial(undisturbed_first, yard, partial(lane, yard, Side.NEVER), both))


def test_a_crash_on_any_way_that_no_lane_cuts_is_made_up_for(yard: Yard, figure: Figure) -> None:
    both = partial(side_by_side, days_with_cuts, yard, TOWNS, fresh=True)
    with yard.cloud.without_house_keeping():
        report(figure, yard, "days", partial(undisturbed_first, yard, partial(undisturbed_day, yard), both))


def test_a_crash_upon_a_crash_is_made_up_for(yard: Yard, figure: Figure) -> None:
    """Limits of states are minutes on a scaled clock, and so many crashes take longer."""
    with yard.executions(without_limits), yard.cloud.without_house_keeping():
        report(figure, yard, "nights", partial(side_by_side, nights_with_cuts, yard, TOWNS, fresh=True))


def test_every_call_of_every_function_was_cut(yard: Yard, figure: Figure) -> None:
    """What the tests above have cut, against what has to be."""
    coverage = Coverage(yard)
    missing = coverage.missing(*yard.functions)
    ways, sites = coverage.required()
    figure(
        "crash before or after any AWS call: cut points",
        f"{coverage.cuts()} tried, {len(missing)} not tried of {ways} ways and {sites} sites "
        f"in {len(yard.functions)} functions",
        "0 not tried",
    )
    assert not missing, "\n".join(missing)
