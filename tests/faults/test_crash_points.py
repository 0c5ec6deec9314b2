"""Crash before or after any AWS call of any function: the retry completes, with one deployment and no orphan."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from cli.story.letter import open_page, press
from localcloud.fault_plan import When
from tests.conftest import Figure
from tests.faults.yard import Yard

MANY = 12
"""Fewer calls than the function with the most of them makes in each lane."""


def promote_with_cuts(yard: Yard, when: When) -> list[str]:
    """One release after the other, each with every function cut at the next call, until no function makes that many."""
    group, problems = f"cut-{when}", []
    yard.prepare(group)
    for call in count(1):
        release_id = f"{group}-v{call}-a1"
        yard.cuts_of_a_promotion(release_id, when, call)
        yard.register(group, call)
        problems += yard.ends_as(release_id, "promoted")
        if yard.production_changes(group) != call:
            problems.append(
                f"{release_id}: production was changed {yard.production_changes(group)} times by {call} releases"
            )
        if not yard.broke(release_id):
            break
    return problems + yard.nothing_left(group)


def decide_with_cuts(yard: Yard, when: When) -> list[str]:
    """People say no, through the page and under their AWS identity in turn, and the function dies at the next call."""
    group, problems = f"asked-{when}", []
    person = yard.cloud.person(f"Person-{when}")
    principal = f"arn:aws:iam::111122223333:role/Person-{when}"
    approvers = f"[{{name: Ada, email: ada-{when}@example.com, aws_principal: '{principal}'}}]"
    yard.prepare(group, approval=f"{{before: [staging], approvers: {approvers}}}")
    for version in count(1):
        call, release_id = (version + 1) // 2, f"{group}-v{version}-a1"
        yard.register(group, version)
        yard.is_(release_id, "awaiting-approval")
        link = yard.link(release_id, f"ada-{when}@example.com")
        if version % 2:
            yard.cut(release_id, "ServeWeb", when, call, link.rsplit("/", 1)[1], '"POST"')
            page = open_page(link)
            for _ in range(2):
                press(page, "reject", {"comment": "no"})
        else:
            yard.cut(release_id, "ServeWeb", when, call, release_id, '"POST"')
            for _ in range(2):
                reject_by_principal(yard, release_id, person)
        problems += yard.ends_as(release_id, "rejected")
        decisions = yard.release(release_id).approvals
        if len(decisions) != 1:
            problems.append(f"{release_id} was decided {len(decisions)} times")
        if version % 2 == 0 and not yard.broke(release_id):
            break
    return problems + yard.nothing_left(group)


def reject_by_principal(yard: Yard, release_id: str, person: dict[str, str]) -> None:
    """`lockkeeper reject`, whatever comes of it: the second try finds what the first one left."""
    command = [str(Path(sys.executable).parent / "lockkeeper"), "reject", release_id, "--comment", "no"]
    subprocess.run(command, env={**yard.cloud.environment, **person}, capture_output=True, check=False)


def in_both_ways(lane: Callable[[Yard, When], list[str]], yard: Yard) -> list[str]:
    """A lane that cuts before calls, and one that cuts after them, side by side."""
    with ThreadPoolExecutor(2) as pool:
        return [one for problems in pool.map(lane, [yard] * 2, [When.BEFORE, When.AFTER]) for one in problems]


@pytest.mark.parametrize("lane", [promote_with_cuts, decide_with_cuts])
def test_a_crash_at_any_call_is_made_up_for(
    yard: Yard, lane: Callable[[Yard, When], list[str]], figure: Figure
) -> None:
    problems = in_both_ways(lane, yard)
    cuts = [one["cut"] for one in yard.plan.invocations() if one["cut"]]
    assert len(cuts) > 2 * MANY, "too few calls were cut to have been all of them"
    what = lane.__name__.removesuffix("_with_cuts").replace("_", " ")
    figure(
        f"crash before or after any AWS call: {what}",
        f"{len(cuts)} cuts so far, {len(problems)} wrong or left",
        "1 deployment, 0 orphans",
    )
    assert problems == []
