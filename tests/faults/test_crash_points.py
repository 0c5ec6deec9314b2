"""Crash before or after any AWS call of any function: the retry completes, with one deployment and no orphan."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.conftest import Figure
from tests.faults.cut_planner import CUTS, CUTS_OF_THE_HOUSE, CutPlanner
from tests.faults.cut_points import Coverage, cut_of
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY

pytestmark = [pytest.mark.crash, pytest.mark.long, pytest.mark.timeout(3600)]

STOPS_A_DAY = 4
"""How often an execution is stopped for each question: what cleans up after it makes the most calls, and runs once for each."""
DAYS_END_AFTER = 3000.0
"""Seconds after which no new day begins, so that what is missing by then is said."""
FEWEST_CUTS = 5
"""A lane that cuts less often than this, before calls or after them, has not done its work."""
PRESSED = 8
"""How often somebody presses a button at most: both ways cut the page of either."""
BROKEN = 500
"""Where the statuses of a page begin that broke."""
CALLS = range(1, 80)
"""Numbers of calls that are cut one after the other; no function makes as many."""


def promote_with_cuts(yard: Yard, when: When) -> list[str]:
    """One release after the other, each with every function cut at the next call, until no function makes that many.

    Like every lane it ends at its first problem: whoever comes after a release that is stuck would only wait for it.
    """
    group, problems = f"cut-{when}", []
    yard.prepare(group)
    for call in CALLS:
        release_id = f"{group}-v{call}-a1"
        yard.cuts_of_a_promotion(release_id, when, call)
        yard.register(group, call)
        problems += yard.ends_as(release_id, "promoted")
        # The next version's endpoint has the same name: cuts that did not happen would add up to its event's three tries.
        yard.plan.drop(f"{release_id}.production.")
        if yard.production_changes(group) != call:
            problems.append(
                f"{release_id}: production was changed {yard.production_changes(group)} times by {call} releases"
            )
        if problems or not yard.broke(release_id):
            break
    return problems + yard.nothing_left(group)


def roll_back_with_cuts(yard: Yard, when: When) -> list[str]:
    """First versions whose alarm goes off in the bake: the endpoint has to go. Then a champion, and versions that give way to it."""
    problems = []
    for kind in ("gone", "back"):
        group = f"{kind}-{when}"
        yard.prepare(group)
        yard.alarm(f"{group}-5xx", "OK")
        first = 1
        if kind == "back":
            yard.register(group, 1)
            problems += yard.ends_as(f"{group}-v1-a1", "promoted") + yard.changed_as_often(group, "a first promotion")
            first = 2
        yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
        for call in CALLS:
            problems += roll_one_back(yard, group, first + call - 1, when, call)
            if problems or not yard.broke(f"{group}-v{first + call - 1}-a1"):
                break
        problems += yard.nothing_left(group)
    return problems


def roll_one_back(yard: Yard, group: str, version: int, when: When, call: int) -> list[str]:
    release_id = f"{group}-v{version}-a1"
    yard.cut(release_id, "RollBack", when, call, f'"{release_id}"')
    if call == 1:
        yard.cut_role(release_id, "RollBack", when, f'"{release_id}"')
        yard.cut_role(release_id, "ResumeRelease", when, f"{group}-5xx", "ALARM")
        yard.cut_role(release_id, "CloseRelease", when, f'"{release_id}"')
    yard.cut(release_id, "ResumeRelease", when, call, f"{group}-5xx", "ALARM")
    yard.cut(f"{release_id}.back", "CloseRelease", when, call, f'"{release_id}"')
    yard.alarm(f"{group}-5xx", "OK")
    yard.register(group, version)
    yard.is_(release_id, "baking")
    # An alarm that the first look sees is no event's business, and the cuts of ResumeRelease would wait for the next version.
    yard.recorded(release_id, "looked at production")
    yard.alarm(f"{group}-5xx")
    problems = yard.ends_as(release_id, "rolled-back")
    # A later version's alarm is another event to the same function: cuts that did not happen would add up to its three tries.
    yard.plan.drop(f"{release_id}.")
    problems += yard.changed_as_often(
        group, "a way back" if version > 1 and "back" in group else "a first version's way back"
    )
    serving = "back" in group
    endpoints = yard.cloud.client("sagemaker").list_endpoints(NameContains=group)["Endpoints"]
    if bool([one for one in endpoints if one["EndpointStatus"] != "Deleting"]) != serving:
        problems.append(f"{release_id}: endpoints are {endpoints}")
    return problems


def decide_with_cuts(yard: Yard, when: When) -> list[str]:
    """People say no, through the page and under their AWS identity in turn, and the function dies at the next call."""
    group, broke, problems = f"asked-{when}", False, []
    person = yard.cloud.person(f"Person-{when}")
    principal = f"arn:aws:iam::111122223333:role/Person-{when}"
    approvers = f"[{{name: Ada, email: ada-{when}@example.com, aws_principal: '{principal}'}}]"
    yard.prepare(group, approval=f"{{before: [staging], approvers: {approvers}}}")
    for version in CALLS:
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
        problems += yard.changed_as_often(group, "a rejection")
        broke = yard.broke(release_id) or (version % 2 == 0 and broke)
        decisions = yard.release(release_id).approvals
        if len(decisions) != 1:
            problems.append(f"{release_id} was decided {len(decisions)} times")
        if problems or (version % 2 == 0 and not broke):
            break
    return problems + yard.nothing_left(group)


def reject_by_principal(yard: Yard, release_id: str, person: dict[str, str]) -> None:
    """`lockkeeper reject`, whatever comes of it: the second try finds what the first one left."""
    decide_by_principal(yard, release_id, "reject", person)


def decide_by_principal(yard: Yard, release_id: str, word: str, person: dict[str, str]) -> bool:
    """`lockkeeper approve` or `reject`; whether the command says that it went well."""
    command = [str(Path(sys.executable).parent / "lockkeeper"), word, release_id, "--comment", "as always"]
    return not subprocess.run(
        command, env={**yard.cloud.environment, **person}, capture_output=True, check=False
    ).returncode


def reap_with_cuts(yard: Yard, when: When) -> list[str]:
    """Executions that are stopped in their bake, and a function that dies twice while it cleans up after each."""
    group, problems = f"reaped-{when}", []
    yard.prepare(group)
    yard.apply(group, bake="7d")
    for version in CALLS:
        call, release_id = 2 * version - 1, f"{group}-v{version}-a1"
        yard.register(group, version)
        yard.is_(release_id, "baking")
        for number in (call, call + 1):
            yard.cut(f"{release_id}.{number}", "ReapRelease", when, number, f'"{release_id}"', "ABORTED")
        if call == 1:
            yard.cut_role(release_id, "ReapRelease", when, f"lockkeeper-{release_id}-")
        yard.stop(release_id)
        problems += yard.ends_as(release_id, "failed") + yard.changed_as_often(group, "a stopped bake")
        problems += yard.nothing_left(group)
        if problems or not yard.broke(release_id):
            break
    return problems


def keep_house_with_cuts(yard: Yard, when: When) -> list[str]:
    """A decision that was not delivered, and a keeper of the house that dies at the next call; its next round comes."""
    group, problems = f"kept-{when}", []
    address = f"kept-{when}@example.com"
    yard.prepare(group, approval=f"{{before: [staging], approvers: [{{name: Ada, email: {address}}}]}}")
    for call in CALLS:
        release_id = f"{group}-v{call}-a1"
        yard.register(group, call)
        yard.is_(release_id, "awaiting-approval")
        link = yard.link(release_id, address)
        yard.plan.add(
            Fault(
                f"{release_id}.web",
                yard.functions["ServeWeb"],
                When.BEFORE,
                (link.rsplit("/", 1)[1],),
                1,
                "sfn:SendTaskFailure",
            )
        )
        press(open_page(link), "reject", {"comment": "no"})
        yard.cut(release_id, "KeepHouse", when, call, release_id)
        for _ in range(2):
            yard.keep_house(round=release_id)
        problems += yard.ends_as(release_id, "rejected") + yard.changed_as_often(group, "a rejection")
        if problems or not yard.plan.fired(f"{release_id}.KeepHouse"):
            break
    return problems + yard.nothing_left(group)


def train_with_cuts(yard: Yard, when: When) -> list[str]:
    """Drift that trains anew and a training job, a version each; every function that hears of them dies at the next call."""
    group, problems = f"trained-{when}", []
    trainer = Trainer(yard, group, yard.folder_of(group))
    yard.prepare(group, production=f"{ALL_DAY['production']}{trainer.policy}")
    yard.register(group, 1)
    problems += yard.ends_as(f"{group}-v1-a1", "promoted") + yard.changed_as_often(group, "a first promotion")
    with trainer.pipeline():
        for call in CALLS:
            name, retrained, trained = f"{group}.{call}", f"{group}-v{2 * call}-a1", f"{group}-v{2 * call + 1}-a1"
            yard.cut(name, "ReactToDrift", when, call, f'"{group}-finding-{call}"')
            yard.cut(f"{name}.pipeline", "ReactToTraining", when, call, f"pipeline/{group}-train")
            yard.cut(f"{name}.promoted", "ReactToDrift", when, call, f'"{retrained}"')
            yard.cut(f"{name}.promoted", "StartDriftMonitor", when, call, f'"{retrained}"')
            yard.cut(f"{name}.job", "ReactToTraining", when, call, f"training-job/{group}-job-{call}")
            yard.cut(f"{name}.look", "StartDriftMonitor", when, call, f'"{name}"')
            number = trainer.drift()
            problems += yard.ends_as(retrained, "promoted") + trainer.comes_to(number, "helped")
            problems += trainer.looks(name)
            trainer.train(call)
            problems += yard.ends_as(trained, "promoted")
            made = (trainer.executions(), trainer.versions())
            if made != (call, 2 * call + 1):
                problems.append(f"{name}: {made[0]} executions and {made[1]} versions")
            problems += yard.changed_as_often(group, "a training")
            yard.plan.drop(f"{name}.")
            if problems or not yard.broke(name):
                break
    return problems + yard.nothing_left(group)


def the_rest_with_cuts(yard: Yard, when: When) -> list[str]:
    """Days of one group, each scene with every function cut at what no lane has cut so far, until nothing is left.

    What each scene comes to is known from a day on which nothing is cut, and from every scene after that, of either way. A scene
    in which nothing is left to cut is not played again.
    """
    group, problems, versions = f"days-{when}", [], count(1)
    planner, trainer = CutPlanner(yard, group, when), Trainer(yard, group, yard.folder_of(group))
    person, principal = yard.cloud.person(f"Ada-{when}"), f"arn:aws:iam::111122223333:role/Ada-{when}"
    # Nobody knows who started a pipeline: of such a version there have to be two who may decide.
    approvers = f"[{{name: Ada, email: {group}@example.com, aws_principal: '{principal}'}}, {{name: Bob, email: bob-{group}@example.com}}]"
    yard.prepare(group, production=f"{ALL_DAY['production']}{trainer.policy}")
    problems += yard.ends_as(yard.register(group, next(versions)), "promoted")
    problems += yard.changed_as_often(group, "a first promotion")
    yard.prepare(f"{group}-next")
    asks = f"{{before: [staging], approvers: {approvers}}}"
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n{trainer.policy}", approval=asks)
    stops = 1 if when is When.NEVER else STOPS_A_DAY
    scenes: list[tuple[str, Callable[[Yard, str, Iterator[int]], list[str]]]] = [
        ("a question", partial(a_question, person)),
        ("a drift", partial(a_drift, trainer)),
        ("a first version", partial(a_first_version, count(1))),
        ("a promotion", partial(a_promotion, count(1))),
        *[("a stop", a_stop)] * stops,
    ]
    until = time.monotonic() + DAYS_END_AFTER
    with trainer.pipeline():
        for day in CALLS:
            cuts = 0
            for number, (what, scene) in enumerate(scenes):
                planned = 0 if when is When.NEVER else planner.plan(what, f"{group}.{day}.{number}")
                if not planned and when is not When.NEVER:
                    continue
                began = len(yard.plan.invocations())
                problems += scene(yard, group, versions) + yard.changed_as_often(group, what)
                planner.wait_until_quiet()
                yard.plan.drop(f"{group}.")
                planner.learn(what, began)
                cuts += planned
                if problems:
                    break
            if problems or not cuts or time.monotonic() > until:
                break
    return problems + yard.nothing_left(group)


def keep_house(yard: Yard, group: str, **event: Any) -> None:
    """The house is kept, and kept again where that died."""
    for _ in range(CUTS_OF_THE_HOUSE + 1):
        said = yard.keep_house(round=group, **event) or {}
        if "errorType" not in said:
            return
    raise AssertionError(f"{group}: the house was kept {CUTS_OF_THE_HOUSE + 1} times, and ended with {said}")


def a_question(person: dict[str, str], yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A question gives way to a newer one, which is approved; two more wait for its lock; it fails, and the newest is rejected."""
    yard.alarm(f"{group}-5xx", "OK")
    older = yard.register(group, next(versions))
    yard.is_(older, "awaiting-approval")
    chosen = yard.register(group, next(versions))
    problems = yard.ends_as(older, "superseded")
    yard.is_(chosen, "awaiting-approval")
    for _ in range(PRESSED):
        if decide_by_principal(yard, chosen, "approve", person):
            break
    yard.is_(chosen, "baking")
    yard.recorded(chosen, "looked at production")
    passed_over = yard.register(group, next(versions))
    yard.is_(passed_over, "waiting-for-lock")
    newest = yard.register(group, next(versions))
    yard.is_(newest, "waiting-for-lock")
    keep_house(yard, group)
    yard.alarm(f"{group}-5xx")
    problems += yard.ends_as(chosen, "rolled-back") + yard.ends_as(passed_over, "superseded")
    yard.is_(newest, "awaiting-approval")
    answer(yard, newest, "reject")
    return problems + yard.ends_as(newest, "rejected")


def a_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """The house is kept while a pipeline takes its time and while its version waits; that, and a training job's, are rejected."""
    trainer.hold()
    number = trainer.drift()
    keep_house(yard, group)
    trainer.let_go()
    retrained = f"{group}-v{next(versions)}-a1"
    yard.is_(retrained, "awaiting-approval")
    keep_house(yard, group, housekeeping={"cleanup": True})
    answer(yard, retrained, "reject")
    problems = yard.ends_as(retrained, "rejected") + trainer.comes_to(number, "did not help")
    problems += resume_retraining(yard, group)
    trainer.train(number)
    trained = f"{group}-v{next(versions)}-a1"
    yard.is_(trained, "awaiting-approval")
    answer(yard, trained, "reject")
    return problems + yard.ends_as(trained, "rejected") + trainer.looks(group)


def resume_retraining(yard: Yard, group: str) -> list[str]:
    """`lockkeeper resume-retraining`, and again where the function behind it died; what is wrong, in words."""
    for _ in range(PRESSED):
        with suppress(AssertionError):
            yard.cloud.lockkeeper("resume-retraining", group, "--reason", "more is to come")
            return []
    return [f"{group}: retraining was not resumed"]


def a_first_version(groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group, whose alarm goes off in the bake: its endpoint goes."""
    group = f"{group}-first-{next(groups)}"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    return roll_one_back(yard, group, 1, When.NEVER, 1) + yard.nothing_left(group)


def a_promotion(versions: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The next version of another group, whose policy asks nobody, is promoted."""
    group = f"{group}-next"
    problems = yard.ends_as(yard.register(group, next(versions)), "promoted")
    return problems + yard.changed_as_often(group, "a promotion of another group")


def a_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """One is stopped in its bake, and the one that waits for its lock is asked about and rejected."""
    yard.alarm(f"{group}-5xx", "OK")
    stopped = yard.register(group, next(versions))
    yard.is_(stopped, "awaiting-approval")
    answer(yard, stopped, "approve")
    yard.is_(stopped, "baking")
    heir = yard.register(group, next(versions))
    yard.is_(heir, "waiting-for-lock")
    yard.stop(stopped)
    problems = yard.ends_as(stopped, "failed") + a_late_try(yard, stopped)
    yard.is_(heir, "awaiting-approval")
    answer(yard, heir, "reject")
    return problems + yard.ends_as(heir, "rejected")


def a_late_try(yard: Yard, release_id: str) -> list[str]:
    """WatchProduction was under way when the execution was stopped, and comes when all is over; what is wrong, in words."""
    for _ in range(CUTS + 1):
        said = yard.invoke("WatchProduction", {"release_id": release_id, "token": "of nobody"}) or {}
        if said.get("errorType") == "LockLost":
            return []
    return [f"{release_id}: a late try ended with {said}"]


def answer(yard: Yard, release_id: str, word: str) -> None:
    """Ada presses the button, and again where the page broke."""
    link = yard.link(release_id, f"{release_id.rpartition('-v')[0]}@example.com")
    pages = (open_page(link) for _ in range(PRESSED))
    page = next(page for page in pages if page.status < BROKEN)
    for _ in range(PRESSED):
        if press(page, word, {"comment": "as always"}).status < BROKEN:
            return
    raise AssertionError(f"{release_id}: the page broke {PRESSED} times")


def in_both_ways(lane: Callable[[Yard, When], list[str]], yard: Yard) -> list[str]:
    """A lane in which nothing is cut, to compare with; then one that cuts before calls, and one that cuts after them, side by side."""
    with yard.undisturbed_round():
        problems = lane(yard, When.NEVER)
    if problems:
        return problems
    began = len(yard.plan.invocations())
    with ThreadPoolExecutor(2) as pool:
        problems = [one for found in pool.map(lane, [yard] * 2, [When.BEFORE, When.AFTER]) for one in found]
    cuts = [cut.when for one in yard.plan.invocations()[began:] if (cut := cut_of(yard, one))]
    few = [when for when in (When.BEFORE, When.AFTER) if cuts.count(when) < FEWEST_CUTS]
    return problems + [f"no more than {cuts.count(when)} cuts {when} calls" for when in few]


@pytest.mark.parametrize(
    "lane",
    [
        promote_with_cuts,
        decide_with_cuts,
        roll_back_with_cuts,
        reap_with_cuts,
        keep_house_with_cuts,
        train_with_cuts,
        the_rest_with_cuts,
    ],
)
def test_a_crash_at_any_call_is_made_up_for(
    yard: Yard, lane: Callable[[Yard, When], list[str]], figure: Figure
) -> None:
    problems = in_both_ways(lane, yard)
    what = lane.__name__.removesuffix("_with_cuts").replace("_", " ")
    figure(f"crash before or after any AWS call: {what}", f"{len(problems)} wrong or left", "1 deployment, 0 orphans")
    assert not problems, "\n".join(problems)


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
