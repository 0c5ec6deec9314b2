"""Days of one group, in scenes that come to nearly all that its functions do: with cuts at what nothing else has cut so far."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from threading import Event, Thread
from typing import Any

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.faults.cut_planner import CutPlanner, limit
from tests.faults.lanes import decide_by_principal, roll_one_back
from tests.faults.lost_events import FOREVER, TRIES, swallow
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY, PATIENCE

STOPS_A_DAY = 2
"""How often an execution is stopped for each question: what cleans up after it makes the most calls, and runs once for each."""
END_AFTER = 3000.0
"""Seconds after which no new scene begins, so that what is missing by then is said."""
DAYS = range(1, 80)
PRESSED = 8
"""How often somebody presses a button at most: both ways cut the page of either."""
BROKEN = 500
"""Where the statuses of a page begin that broke."""
Scene = Callable[[Yard, str, Iterator[int]], list[str]]


def the_rest_with_cuts(yard: Yard, when: When) -> list[str]:
    """Days of one group, each scene with every function cut at what no lane has cut so far, until nothing is left.

    What each scene comes to is known from a day on which nothing is cut, and from every scene after that, of either way. A scene
    in which nothing is left to cut is not played again. Scenes in which events are lost are no part of the day without cuts.
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
    scenes: list[tuple[str, Scene]] = [
        ("a question", partial(a_question, person)),
        ("a drift", partial(a_drift, trainer)),
        ("a first version", partial(a_first_version, count(1))),
        ("a promotion", partial(a_promotion, count(1))),
        ("a stop", partial(a_stop, False)),
    ]
    if when is not When.NEVER:
        scenes += [
            ("an unheard stop", partial(a_stop, True)),
            ("an unheard drift", partial(an_unheard_drift, trainer)),
            ("an unheard release", partial(an_unheard_release, "")),
            ("a release whose news are not passed on", partial(an_unheard_release, "sfn:SendTaskSuccess")),
            *[("a stop", partial(a_stop, False))] * (STOPS_A_DAY - 1),
        ]
    until = time.monotonic() + END_AFTER
    with trainer.pipeline():
        for day in DAYS:
            played = False
            for number, (what, scene) in enumerate(scenes):
                planned = 0 if when is When.NEVER else planner.plan(what, f"{group}.{day}.{number}")
                if not planned and yard.reached[what]:
                    continue
                began, played = len(yard.plan.invocations()), True
                problems += scene(yard, group, versions) + yard.changed_as_often(group, what)
                planner.wait_until_quiet()
                yard.plan.drop(f"{group}.")
                planner.learn(what, began)
                if problems or time.monotonic() > until:
                    break
            if problems or not played or when is When.NEVER or time.monotonic() > until:
                break
    return problems + yard.nothing_left(group)


@contextmanager
def dead_letters_come_back(yard: Yard) -> Iterator[dict[str, str]]:
    """Meanwhile a person plays the dead letters again, and again: what dies at every try is tried until it does not.

    Yields, by message id, letters that no crash explains.
    """
    ended, known, odd = Event(), set[str](), dict[str, str]()

    def play() -> None:
        while not ended.wait(2.0):
            odd.update(letters_of_no_crash(yard, known))
            with suppress(AssertionError):  # A letter whose function dies once more stays, and the command says so.
                yard.cloud.lockkeeper("replay", "--dead-letters")

    person = Thread(target=play)
    person.start()
    try:
        yield odd
    finally:
        ended.set()
        person.join()
    yard.cloud.lockkeeper("replay", "--dead-letters")


def letters_of_no_crash(yard: Yard, known: set[str]) -> Iterator[tuple[str, str]]:
    """Letters in the queue, but for those that are `known`, whose event was not cut at every try; they stay there."""
    url = yard.cloud.outputs["DeadLettersUrl"]
    found = yard.cloud.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
    )
    for one in found.get("Messages", []):
        if one["MessageId"] not in known:
            known.add(one["MessageId"])
            event, cuts = json.loads(one["Body"]), [tried["event"] for tried in yard.plan.invocations() if tried["cut"]]
            if sum(json.loads(tried) == event for tried in cuts) < TRIES:
                yield one["MessageId"], f"{one.get('MessageAttributes')}: {one['Body']}"


def keep_house(yard: Yard, group: str, **event: Any) -> None:
    """The house is kept, and kept again where that died."""
    for _ in range(limit("KeepHouse") + 1):
        said = yard.keep_house(round=group, **event) or {}
        if "errorType" not in said:
            return
    raise AssertionError(f"{group}: the house was kept {limit('KeepHouse') + 1} times, and ended with {said}")


def keep_house_until(yard: Yard, release_id: str, status: str) -> None:
    """The house is kept until a release is where a scene wants it: nothing else tells it to go on."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        keep_house(yard, release_id.rpartition("-v")[0])
        with suppress(AssertionError):
            return yard.is_(release_id, status, seconds=1.0)
    return yard.is_(release_id, status)


def tell_again(yard: Yard, function: str, *about: str) -> None:
    """An event that a function was called with comes again, as events may, and again where the function dies of it."""
    until, came, target = time.monotonic() + PATIENCE, list[str](), yard.functions[function]
    while not came:
        assert time.monotonic() < until, f"{function} was told nothing about {about}"
        time.sleep(0.2)
        told = (one["event"] for one in yard.plan.invocations() if one["function"] == target)
        came = [event for event in told if all(text in event for text in about)]
    for _ in range(limit(function) + 1):
        said = yard.invoke(function, json.loads(came[0]))
        if "errorType" not in (said or {}):
            return
    raise AssertionError(f"{function} was told {limit(function) + 1} times about {about}, and ended with {said}")


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
    return problems + reject(yard, newest)


def a_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """The house is kept while a pipeline takes its time and while its version waits; that, and a training job's, are rejected."""
    trainer.hold()
    number = trainer.drift()
    keep_house(yard, group)
    trainer.let_go()
    retrained = f"{group}-v{next(versions)}-a1"
    yard.is_(retrained, "awaiting-approval")
    keep_house(yard, group, housekeeping={"cleanup": True})
    problems = reject(yard, retrained) + trainer.comes_to(number, "did not help") + resume_retraining(yard, group)
    trainer.train(number)
    return (
        problems + reject(yard, f"{group}-v{next(versions)}-a1") + trainer.looks(group, limit("StartDriftMonitor") + 1)
    )


def an_unheard_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_drift`, and nobody hears of the pipeline's end, of what it registered, of the decision, or of the training job."""
    trainer.hold()
    number, retrained, trained = trainer.drift(), f"{group}-v{next(versions)}-a1", f"{group}-v{next(versions)}-a1"
    unheard = [
        swallow(yard, f"{group}-drift-{number}.pipeline", "ReactToTraining", f"pipeline/{group}-train"),
        swallow(yard, f"{group}-drift-{number}.version", "ReactToRegistry", f"model-package/{group}/"),
        swallow(yard, f"{group}-drift-{number}.end", "ReactToDrift", f'"{retrained}"'),
    ]
    trainer.let_go()
    keep_house_until(yard, retrained, "awaiting-approval")
    problems = reject(yard, retrained)
    keep_house(yard, group)
    problems += trainer.comes_to(number, "did not help") + resume_retraining(yard, group)
    unheard.append(
        swallow(yard, f"{group}-drift-{number}.job", "ReactToTraining", f"training-job/{group}-job-{number}")
    )
    trainer.train(number)
    keep_house_until(yard, trained, "awaiting-approval")
    problems += reject(yard, trained)
    for one in unheard:
        yard.plan.drop(one.name)
    return problems


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


def a_stop(unheard: bool, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """One is stopped in its bake, and the one that waits for its lock is asked about and rejected."""
    stopped, heir = baking_with_heir(yard, group, versions)
    if unheard:
        fault = swallow(yard, stopped, "ReapRelease", f'"{stopped}"', '"ABORTED"')
        yard.stop(stopped)
        keep_house_until(yard, stopped, "failed")
        yard.plan.drop(fault.name)
    else:
        yard.stop(stopped)
        tell_again(yard, "ReapRelease", f'"{stopped}"', '"ABORTED"')
    return yard.ends_as(stopped, "failed") + a_late_try(yard, stopped) + reject(yard, heir)


def an_unheard_release(operation: str, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Nobody hears that an endpoint is ready, nor the alarm in the bake; or who does dies before each call of an operation."""
    yard.alarm(f"{group}-5xx", "OK")
    chosen = yard.register(group, next(versions))
    target = yard.functions["ResumeRelease"]
    fault = Fault(f"{chosen}.news", target, When.BEFORE, (group,), int(not operation), operation, times=FOREVER)
    yard.plan.add(fault)
    yard.is_(chosen, "awaiting-approval")
    answer(yard, chosen, "approve")
    keep_house_until(yard, chosen, "baking")
    yard.recorded(chosen, "looked at production")
    heir = yard.register(group, next(versions))
    yard.is_(heir, "waiting-for-lock")
    yard.alarm(f"{group}-5xx")
    keep_house_until(yard, chosen, "rolled-back")
    yard.plan.drop(fault.name)
    return yard.ends_as(chosen, "rolled-back") + reject(yard, heir)


def baking_with_heir(yard: Yard, group: str, versions: Iterator[int]) -> tuple[str, str]:
    """A release that bakes, and one that waits for its lock."""
    yard.alarm(f"{group}-5xx", "OK")
    baking = yard.register(group, next(versions))
    yard.is_(baking, "awaiting-approval")
    answer(yard, baking, "approve")
    yard.is_(baking, "baking")
    heir = yard.register(group, next(versions))
    yard.is_(heir, "waiting-for-lock")
    return baking, heir


def a_late_try(yard: Yard, release_id: str) -> list[str]:
    """WatchProduction was under way when the execution was stopped, and comes when all is over; what is wrong, in words."""
    for _ in range(limit("WatchProduction") + 1):
        said = yard.invoke("WatchProduction", {"release_id": release_id, "token": "of nobody"}) or {}
        if said.get("errorType") == "LockLost":
            return []
    return [f"{release_id}: a late try ended with {said}"]


def reject(yard: Yard, release_id: str) -> list[str]:
    """A release comes to its question, and Ada says no; what is wrong, in words."""
    yard.is_(release_id, "awaiting-approval")
    answer(yard, release_id, "reject")
    return yard.ends_as(release_id, "rejected")


def answer(yard: Yard, release_id: str, word: str) -> None:
    """Ada presses the button, and again where the page broke."""
    link = yard.link(release_id, f"{release_id.rpartition('-v')[0]}@example.com")
    pages = (open_page(link) for _ in range(PRESSED))
    page = next(page for page in pages if page.status < BROKEN)
    for _ in range(PRESSED):
        if press(page, word, {"comment": "as always"}).status < BROKEN:
            return
    raise AssertionError(f"{release_id}: the page broke {PRESSED} times")
