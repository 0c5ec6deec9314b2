"""Crash before or after any AWS call of any function: the retry completes, with one deployment and no orphan."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from localcloud.fault_plan import When
from tests.conftest import Figure
from tests.faults.cut_points import Coverage, cut_of
from tests.faults.days import days_with_cuts, nights_with_cuts, undisturbed_day
from tests.faults.lanes import (
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

FEWEST_CUTS = 5
"""A lane that cuts less often than this, before calls or after them, has not done its work."""
Lane = Callable[[Yard, When], list[str]]


def in_both_ways(lane: Lane, yard: Yard) -> list[str]:
    """A lane that cuts before calls, and one that cuts after them, side by side."""
    began = len(yard.plan.invocations())
    with ThreadPoolExecutor(2) as pool:
        problems = [one for found in pool.map(lane, [yard] * 2, [When.BEFORE, When.AFTER]) for one in found]
    cuts = [cut.when for one in yard.plan.invocations()[began:] if (cut := cut_of(yard, one))]
    few = [when for when in (When.BEFORE, When.AFTER) if cuts.count(when) < FEWEST_CUTS]
    return problems + [f"no more than {cuts.count(when)} cuts {when} calls" for when in few]


def in_two_towns(days: Callable[[Yard, str], list[str]], yard: Yard) -> list[str]:
    """Two groups side by side, each with functions that are cut before and after calls."""
    with ThreadPoolExecutor(2) as pool:
        return [one for found in pool.map(days, [yard] * 2, ["east", "west"]) for one in found]


def report(figure: Figure, name: str, problems: list[str]) -> None:
    figure(f"crash before or after any AWS call: {name}", f"{len(problems)} wrong or left", "1 deployment, 0 orphans")
    assert not problems, "\n".join(problems)


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
    with yard.undisturbed_round():
        problems = lane(yard, When.NEVER)
    report(figure, name, problems or in_both_ways(lane, yard))


def test_a_crash_on_any_way_that_no_lane_cuts_is_made_up_for(yard: Yard, figure: Figure) -> None:
    with yard.undisturbed_round():
        problems = undisturbed_day(yard)
    report(figure, "days", problems or in_two_towns(days_with_cuts, yard))


def test_a_crash_upon_a_crash_is_made_up_for(yard: Yard, figure: Figure) -> None:
    """Limits of states are minutes on a scaled clock, and so many crashes take longer."""
    with yard.executions(without_limits):
        report(figure, "nights", in_two_towns(nights_with_cuts, yard))


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
