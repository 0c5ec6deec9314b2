"""Days and nights of one group, in scenes that come to nearly all that its functions do, with cuts at what nothing else has cut."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from threading import Event
from typing import Any

from lockkeeper.use_cases.keep_house import QUIET

from cli.story.letter import open_page, press
from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import UNHEARD, Coverage, cut_of
from tests.faults.fresh_cuts import TOLD, cut_every_site, cut_more, cut_ways_left
from tests.faults.lanes import decide_by_principal, roll_one_back
from tests.faults.lost_events import FOREVER
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY, PATIENCE

SECONDS = {"days": 1200.0, "nights": 2400.0}
"""After so long no new scene begins, so that what is missing by then is said."""
PRESSED = 8
"""How often somebody presses a button at most."""
LOOKS_EVERY = 15.0
"""Seconds between two looks at a town: long enough for more than one thing to be found."""
OTHER_GROUPS = 3
"""Of how many more a decision is delivered by who keeps the house."""
BROKEN = 500
"""Where the statuses of a page begin that broke."""
TIMES_TOLD = TOLD + 1
"""How often something is asked for at most until what does it does not die."""
ROUNDS = count(1)
"""Numbers of what is asked for by hand, so that each is an event of its own."""
STEPS = "sagemaker:ListPipelineExecutionSteps"
"""How a version is known as that of a retraining."""
SENDS = "sfn:SendTaskSuccess"
"""How a state that waits is told to go on."""
EVENT_ID = re.compile('"id": ?"[0-9a-f-]{36}"')
Act = Callable[[Yard, str, Iterator[int]], list[str]]
News = tuple[str, tuple[str, ...], str]
"""A function, what an event says of which it is to hear by hand, and the operation before which it dies until then; else its first call."""
Scene = tuple[str, Act]
"""After which scene production has changed as often as here, and what happens."""


def days_with_cuts(yard: Yard, name: str) -> list[str]:
    """Days of one group, with every function cut once at each way that is left, until none is."""
    town = Town(yard, f"days-{name}")
    cut_ways_left(yard, town.group)
    with town.trainer.pipeline(), looked_after(town):
        problems = play(town, [*town.told(), *town.scenes()], SECONDS["days"], lambda: not ways_left(yard))
    return problems + letters_left(yard, town.group) + yard.nothing_left(town.group)


def undisturbed_day(yard: Yard) -> list[str]:
    """A day on which nothing is cut, but for the page of some decisions, which who keeps the house delivers."""
    town = Town(yard, "days-never")
    with town.trainer.pipeline(), looked_after(town):
        problems = play(town, town.scenes(), SECONDS["days"], lambda: True)
    return problems + yard.nothing_left(town.group)


def nights_with_cuts(yard: Yard, name: str) -> list[str]:
    """The same with scenes in which events are lost, and with cuts at every site: a crash upon a crash.

    A function may die at every try of an event: a person plays its dead letter then, until it goes.
    """
    town = Town(yard, f"nights-{name}")
    cut_every_site(yard, town.group)
    lost: list[Scene] = [
        ("a stop", an_unheard_stop),
        ("a drift", partial(an_unheard_drift, town.trainer)),
        ("a question", partial(an_unheard_release, "")),
        ("a question", partial(an_unheard_release, SENDS)),
    ]
    with town.trainer.pipeline(), looked_after(town), dead_letters_come_back(yard):
        problems = play(town, [*town.told(), *lost, *town.scenes()], SECONDS["nights"], lambda: False)
    return problems + letters_left(yard, town.group) + yard.nothing_left(town.group)


class Town:
    """A group whose versions are asked about, bake for long under an alarm and are trained anew; and the people there."""

    def __init__(self, yard: Yard, group: str) -> None:
        self.yard, self.group = yard, group
        self.trainer, self.versions = Trainer(yard, group, yard.folder_of(group)), count(1)
        self._person = yard.cloud.person(f"Ada-{group}")
        principal = f"arn:aws:iam::111122223333:role/Ada-{group}"
        # Nobody knows who started a pipeline: of such a version there have to be two who may decide.
        ada = f"{{name: Ada, email: {group}@example.com, aws_principal: '{principal}'}}"
        asks = f"{{before: [staging], approvers: [{ada}, {{name: Bob, email: bob-{group}@example.com}}]}}"
        asks_too = f"{{before: [staging], approvers: [{{name: Ada, email: {group}@example.com}}]}}"
        yard.prepare(group, production=f"{ALL_DAY['production']}{self.trainer.policy}")
        self.problems = yard.ends_as(yard.register(group, next(self.versions)), "promoted")
        self.problems += yard.changed_as_often(group, "a first promotion")
        yard.prepare(f"{group}-next")
        for other in others_of(group):
            yard.prepare(other, approval=asks_too)
        yard.alarm(f"{group}-5xx", "OK")
        yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n{self.trainer.policy}", approval=asks)

    def scenes(self) -> list[Scene]:
        """Scenes in which no event is lost."""
        return [
            ("a question", partial(a_question, self._person)),
            ("a drift", partial(a_drift, self.trainer)),
            ("a first version", partial(a_first_version, count(1))),
            ("a promotion", partial(a_promotion, count(1))),
            ("a stop", a_stop),
            ("a rejection", partial(undelivered_decisions, count(1))),
        ]

    def told(self) -> list[Scene]:
        """Scenes in which what a function hears is played by hand until it does not die: it may die of that as often as it has calls."""
        return [
            ("a stop", a_told_stop),
            ("a drift", partial(a_told_drift, self.trainer)),
            ("a finding", partial(a_told_finding, self.trainer)),
            ("a first stop", partial(a_told_first_stop, count(1))),
            ("a watched promotion", partial(a_told_promotion, self.trainer, count(1))),
        ]


def play(town: Town, scenes: list[Scene], seconds: float, is_over: Callable[[], bool]) -> list[str]:
    """Play all scenes of a day, then again and again those in which something was cut, then a new day: until it is over or nothing was cut.

    What is wrong, and what was never played, in words.
    """
    group, problems, until = town.group, town.problems, time.monotonic() + seconds
    due, unplayed = scenes, list(scenes)
    try:
        while True:
            cut = []
            for scene in due:
                if problems or time.monotonic() > until:
                    break
                found, was_cut = play_scene(town, scene)
                problems += found
                cut += [scene] if was_cut else []
                unplayed = [one for one in unplayed if one is not scene]
            if problems or time.monotonic() > until or is_over() or (due is scenes and not cut):
                break
            due = cut or scenes
    finally:
        town.yard.plan.drop(f"{group}.")
    never = [f"{group}: a scene such as {like} was not played in {seconds} s" for like, _ in unplayed]
    return problems or never


def play_scene(town: Town, scene: Scene) -> tuple[list[str], bool]:
    """Play a scene to its end; what is wrong, in words, and whether a function was cut."""
    (like, act), yard, group = scene, town.yard, town.group
    began = len(yard.plan.invocations())
    problems = act(yard, group, town.versions)
    wait_until_quiet(yard, group)
    wait_for_last_tries(yard, group)
    problems += yard.changed_as_often(group, like)
    return problems, any(cut_of(yard, one) for one in yard.plan.invocations()[began:] if group in one["event"])


def ways_left(yard: Yard) -> bool:
    """Whether any way is left to be cut, before or after its call."""
    coverage = Coverage(yard)
    return any(coverage.ways_left(name, when) for name in yard.functions for when in (When.BEFORE, When.AFTER))


def wait_until_quiet(yard: Yard, group: str, seconds: float = 10.0) -> None:
    """Wait until nothing is called about the group any more: what a scene leads to may come after its end."""
    until, calls = time.monotonic() + seconds, -1
    while time.monotonic() < until:
        now = sum(group in one["event"] for one in yard.plan.invocations())
        if now == calls:
            return
        calls = now
        time.sleep(1.5)


def wait_for_last_tries(yard: Yard, group: str) -> None:
    """Wait until the last try of every event about a group went through: one that died at all of them is a dead letter."""
    until = time.monotonic() + PATIENCE
    while died := {key for key, cut in last_tries(yard, group).items() if cut}:
        assert time.monotonic() < until, f"{group}: nobody made up for the crashes of {died}"
        time.sleep(0.5)


def last_tries(yard: Yard, group: str) -> dict[tuple[str, str], str]:
    """Where the last try of each event about a group was cut, if it was; by function, and by the event's id or all of its text."""
    events = [one for one in yard.plan.invocations() if group in one["event"] and '"detail-type"' in one["event"]]
    return {(one["function"], (EVENT_ID.search(one["event"]) or [one["event"]])[0]): one["cut"] for one in events}


@contextmanager
def meanwhile(seconds: float, act: Callable[[], Any]) -> Iterator[None]:
    """Meanwhile somebody does something, again and again after so many seconds."""
    ended = Event()

    def go_on() -> None:
        while not ended.wait(seconds):
            act()

    with ThreadPoolExecutor(1) as pool:
        person = pool.submit(go_on)
        try:
            yield
        finally:
            ended.set()
        person.result()


def looked_after(town: Town) -> AbstractContextManager[None]:
    """Meanwhile the house is kept as it is on a schedule, by looks that name the group: so that KeepHouse can be cut there, too."""
    return meanwhile(LOOKS_EVERY, partial(keep_house, town.yard, town.group, quiet_seconds=QUIET.total_seconds()))


def dead_letters_come_back(yard: Yard) -> AbstractContextManager[None]:
    """Meanwhile a person plays the dead letters again, and again: what dies at every try is tried until it does not."""

    def play_them() -> None:
        with suppress(AssertionError):  # A letter whose function dies once more stays, and the command says so.
            yard.cloud.lockkeeper("replay", "--dead-letters")

    return meanwhile(2.0, play_them)


@contextmanager
def unheard(yard: Yard, name: str, function: str, *about: str, operation: str = "") -> Iterator[None]:
    """Meanwhile a function dies of such events at every try, before its first call or before every call of an operation."""
    target, call = yard.functions[function], 0 if operation else 1
    fault = Fault(f"{UNHEARD}{name}.{function}", target, When.BEFORE, about, call, operation, times=FOREVER)
    yard.plan.add(fault)
    try:
        yield
    finally:
        yard.plan.drop(fault.name)


def keep_house(yard: Yard, group: str, **event: Any) -> None:
    """The house is kept, and kept again where that died."""
    this = f"{group}.{next(ROUNDS)}"
    for _ in range(TIMES_TOLD):
        said = yard.keep_house(round=this, **event) or []
        if isinstance(said, list):
            # What is told to try again is seen in the next look.
            problems = [one["what"] for one in said if one["kind"] == "problem" and "TryAgain" not in one["what"]]
            assert not problems, f"{group}: who kept the house had problems: {problems}"
            return
        assert said["errorType"] == "Runtime.ExitError", f"{group}: keeping the house broke: {said}"
    raise AssertionError(f"{group}: the house was kept {TIMES_TOLD} times, and ended with {said}")


def keep_house_until(yard: Yard, release_id: str, status: str) -> None:
    """The house is kept until a release is where a scene wants it: nothing else tells it to go on."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        keep_house(yard, release_id.rpartition("-v")[0])
        with suppress(AssertionError):
            return yard.is_(release_id, status, seconds=1.0)
    return yard.is_(release_id, status)


def take_letter(yard: Yard, *about: str) -> dict[str, Any]:
    """Wait for a dead letter and take it out of the queue: its event."""
    queue, url, until = yard.cloud.client("sqs"), yard.cloud.outputs["DeadLettersUrl"], time.monotonic() + PATIENCE
    while time.monotonic() < until:
        # Hidden for a moment: whoever else looks for a letter meanwhile would make these receipts void.
        found = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=10).get("Messages", [])
        mine = [one for one in found if all(text in one["Body"] for text in about)]
        for one in found:
            if one in mine[:1]:
                queue.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            else:
                queue.change_message_visibility(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0)
        if mine:
            return dict(json.loads(mine[0]["Body"]))
        time.sleep(0.3)
    raise AssertionError(f"there was no letter about {about}")


def letters_left(yard: Yard, group: str) -> list[str]:
    """Dead letters about a group, which nobody has played, in words."""
    queue, url = yard.cloud.client("sqs"), yard.cloud.outputs["DeadLettersUrl"]
    looks = [queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0) for _ in range(3)]
    letters = dict.fromkeys(one["Body"] for look in looks for one in look.get("Messages", []))
    return [f"{group}: a dead letter was left: {letter[:500]}" for letter in letters if group in letter]


def tell(yard: Yard, function: str, event: dict[str, Any]) -> list[str]:
    """Call a function again and again until it does not die; what is wrong, in words: it may break for no other reason.

    Who keeps the house may be about the same at that moment: it is told to try again then.
    """
    for _ in range(TIMES_TOLD):
        said = yard.invoke(function, event)
        kind = said.get("errorType", "") if isinstance(said, dict) else ""
        if kind not in {"Runtime.ExitError", "TryAgain"}:
            return [f"{function} broke: {said}"] if kind else []
    return [f"{function} died {TIMES_TOLD} times of {event}"]


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
    """The house is kept while a pipeline takes its time and while its version waits; that, and two training jobs', are rejected."""
    number = trainer.held_drift()
    keep_house(yard, group)
    trainer.let_go()
    retrained = f"{group}-v{next(versions)}-a1"
    yard.is_(retrained, "awaiting-approval")
    keep_house(yard, group, housekeeping={"cleanup": True})
    problems = reject(yard, retrained) + trainer.comes_to(number, "did not help") + resume_retraining(yard, group)
    for job in (2 * number, 2 * number + 1):
        trainer.train(job)
        problems += reject(yard, f"{group}-v{next(versions)}-a1")
    return problems + trainer.looks(f"{group}-{number}")


def an_unheard_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_drift`, and nobody hears of the pipeline's end, of what it registered, of the decision, or of the training job."""
    number, retrained, trained = held_drift(trainer, group, versions)
    name = f"{group}-{number}"
    with (
        unheard(yard, f"{name}.version", "ReactToRegistry", f"model-package/{group}/"),
        unheard(yard, f"{name}.pipeline", "ReactToTraining", f"pipeline/{group}-train"),
        unheard(yard, f"{name}.job", "ReactToTraining", f"training-job/{group}-job-{2 * number}"),
    ):
        trainer.let_go()
        keep_house_until(yard, retrained, "awaiting-approval")
        with unheard(yard, f"{name}.end", "ReactToDrift", f'"{retrained}"'):
            problems = reject(yard, retrained)
            keep_house(yard, group)
            problems += trainer.comes_to(number, "did not help")
        problems += resume_retraining(yard, group)
        trainer.train(2 * number)
        keep_house_until(yard, trained, "awaiting-approval")
        return problems + reject(yard, trained)


def held_drift(trainer: Trainer, group: str, versions: Iterator[int]) -> tuple[int, str, str]:
    """A drift whose pipeline takes its time: its number, and the releases of what it and then a training job register."""
    return trainer.held_drift(), f"{group}-v{next(versions)}-a1", f"{group}-v{next(versions)}-a1"


def resume_retraining(yard: Yard, group: str) -> list[str]:
    """`lockkeeper resume-retraining`, and again where the function behind it died; what is wrong, in words."""
    reason = f"more is to come {next(ROUNDS)}"
    for _ in range(PRESSED):
        with suppress(AssertionError):
            yard.cloud.lockkeeper("resume-retraining", group, "--reason", reason)
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


def others_of(group: str) -> list[str]:
    """Groups whose questions Ada is asked as well: several decisions are left to who keeps the house, who dies at the first of them."""
    return [f"{group}-too-{number}" for number in range(OTHER_GROUPS)]


def undelivered_decisions(others: Iterator[int], yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Some groups' versions are rejected, and nobody tells their executions but who keeps the house."""
    version, releases = next(others), [yard.register(group, next(versions))]
    releases += [yard.register(other, version) for other in others_of(group)]
    for release_id in releases:
        yard.is_(release_id, "awaiting-approval")
    for release_id in releases:
        reject_unheard(yard, release_id, f"{group}@example.com")
    for release_id in releases:
        keep_house_until(yard, release_id, "rejected")
    return [one for release_id in releases for one in yard.ends_as(release_id, "rejected")]


def a_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """One is stopped in its bake, and the one that waits for its lock is asked about and rejected."""
    stopped, heir = baking_with_heir(yard, group, versions)
    yard.stop(stopped)
    return yard.ends_as(stopped, "failed") + a_late_try(yard, stopped) + reject(yard, heir)


def a_told_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_stop`, and ReapRelease hears by hand that the execution has ended, that production is back, and that staging is gone."""
    stopped, heir = baking_with_heir(yard, group, versions)
    news: list[News] = [
        ("ReapRelease", (f'"{stopped}"', '"ABORTED"'), ""),
        ("ReapRelease", (f':endpoint/{group}"', '"IN_SERVICE"'), ""),
        ("ReapRelease", (f':endpoint/lockkeeper-{stopped}-staging"', '"DELETED"'), ""),
    ]
    problems = told(yard, group, stopped, news, partial(yard.stop, stopped))
    return problems + yard.ends_as(stopped, "failed") + reject(yard, heir)


def a_told_drift(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_drift`, and who reacts to its version, its pipeline's end, the decision and a training job hears of it by hand."""
    number, retrained, trained = held_drift(trainer, group, versions)
    name, job = f"{group}-told-{number}", 2 * number
    trains: list[News] = [
        # The release has begun by the time it hears whose version that is.
        ("ReactToRegistry", (f"model-package/{group}/",), STEPS),
        ("ReactToTraining", (f"pipeline/{group}-train", "SageMaker Training Job State Change"), ""),
        ends_of(group),
    ]
    problems = told(yard, group, name, trains, trainer.let_go)
    yard.is_(retrained, "awaiting-approval")
    ends: list[News] = [("ReactToDrift", (f'"{retrained}"', "Release Rejected"), "")]
    problems += told(yard, group, retrained, ends, partial(answer, yard, retrained, "reject"))
    problems += yard.ends_as(retrained, "rejected") + trainer.comes_to(number, "did not help")
    problems += resume_retraining(yard, group)
    trains_again: list[News] = [("ReactToTraining", (f"training-job/{group}-job-{job}",), "")]
    problems += told(yard, group, f"{name}.job", trains_again, partial(trainer.train, job)) + reject(yard, trained)
    for asked in ({"group": group}, {}):
        this = f"{group}-look-{next(ROUNDS)}"
        with cut_more(yard, group, "StartDriftMonitor", this):
            problems += tell(yard, "StartDriftMonitor", {"drift_monitor": asked, "round": this})
    return problems


def a_told_first_stop(groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group is stopped in its bake, and ReapRelease hears by hand of that and of both endpoints' end."""
    other = f"{group}-told-{next(groups)}"
    yard.prepare(other)
    yard.apply(other, bake="7d")
    stopped = yard.register(other, 1)
    yard.is_(stopped, "baking")
    news: list[News] = [
        ("ReapRelease", (f'"{stopped}"', '"ABORTED"'), ""),
        ("ReapRelease", (f':endpoint/{other}"', '"DELETED"'), ""),
        ("ReapRelease", (f':endpoint/lockkeeper-{stopped}-staging"', '"DELETED"'), ""),
    ]
    problems = told(yard, group, stopped, news, partial(yard.stop, stopped))
    problems += yard.ends_as(stopped, "failed") + yard.changed_as_often(other, "a first version's stop")
    return problems + yard.nothing_left(other)


def a_told_promotion(trainer: Trainer, groups: Iterator[int], yard: Yard, group: str, _: Iterator[int]) -> list[str]:
    """The first version of another group is promoted, and who begins to look at its traffic hears of that by hand."""
    other = f"{group}-watched-{next(groups)}"
    yard.prepare(other, production=f"{ALL_DAY['production']}{trainer.policy}")
    promoted = f"{other}-v1-a1"
    news = [("StartDriftMonitor", f'"{promoted}"', "Release Promoted")]
    problems = told(yard, group, promoted, news, partial(yard.register, other, 1))
    yard.apply(other)  # Nobody looks any more.
    problems += tell(yard, "StartDriftMonitor", {"drift_monitor": {}, "round": f"{other} is done"})
    problems += yard.ends_as(promoted, "promoted") + yard.changed_as_often(other, "a first watched version")
    return problems + yard.nothing_left(other)


def ends_of(group: str) -> News:
    """That a pipeline has ended."""
    about = f"pipeline/{group}-train", "SageMaker Model Building Pipeline Execution Status Change"
    return ("ReactToTraining", about, "")


def a_told_finding(trainer: Trainer, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """A drift, and who reacts to it hears by hand of what it has started when that has ended; before anybody hears of the end."""
    retrained, number = f"{group}-v{next(versions)}-a1", trainer.next_number

    def end_soon() -> None:
        trainer.hold()
        assert trainer.drift() == number
        trainer.end_pipeline()
        yard.is_(retrained, "awaiting-approval")

    news: list[News] = [
        ("ReactToDrift", (f'"{trainer.finding(number)}"',), "sagemaker:DescribePipelineExecution"),
        ends_of(group),
    ]
    problems = told(yard, group, f"{group}-finding-{number}", news, end_soon)
    problems += reject(yard, retrained) + trainer.comes_to(number, "did not help")
    return problems + resume_retraining(yard, group)


def told(yard: Yard, group: str, name: str, news: Sequence[News], act: Callable[[], Any]) -> list[str]:
    """Functions die at every try of the news of something, and again and again where those letters are played, one after the other."""
    # A late try of what came before is no news of it.
    wait_until_quiet(yard, group)
    wait_for_last_tries(yard, group)
    problems: list[str] = []
    with ExitStack() as deaf:
        for number, (function, about, operation) in enumerate(news):
            deaf.enter_context(unheard(yard, f"{name}.{number}", function, *about, operation=operation))
        act()
        for number, (function, about, _) in enumerate(news):
            event = take_letter(yard, *about)
            yard.plan.drop(f"{UNHEARD}{name}.{number}.")
            with cut_more(yard, group, function, event["id"]):
                problems += tell(yard, function, event)
    return problems


def an_unheard_stop(yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """As `a_stop`, and only who keeps the house finds out."""
    stopped, heir = baking_with_heir(yard, group, versions)
    with unheard(yard, stopped, "ReapRelease", f'"{stopped}"', '"ABORTED"'):
        yard.stop(stopped)
        keep_house_until(yard, stopped, "failed")
    return yard.ends_as(stopped, "failed") + reject(yard, heir)


def an_unheard_release(operation: str, yard: Yard, group: str, versions: Iterator[int]) -> list[str]:
    """Nobody hears that an endpoint is ready, nor the alarm in the bake; or who does dies before each call of an operation."""
    yard.alarm(f"{group}-5xx", "OK")
    chosen = yard.register(group, next(versions))
    with unheard(yard, chosen, "ResumeRelease", group, operation=operation):
        yard.is_(chosen, "awaiting-approval")
        answer(yard, chosen, "approve")
        keep_house_until(yard, chosen, "baking")
        yard.recorded(chosen, "looked at production")
        heir = yard.register(group, next(versions))
        yard.is_(heir, "waiting-for-lock")
        yard.alarm(f"{group}-5xx")
        keep_house_until(yard, chosen, "rolled-back")
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
    for _ in range(TIMES_TOLD):
        said = yard.invoke("WatchProduction", {"release_id": release_id, "token": "of nobody"}) or {}
        if said.get("errorType") == "LockLost":
            return []
    return [f"{release_id}: a late try ended with {said}"]


def reject(yard: Yard, release_id: str) -> list[str]:
    """A release comes to its question, and Ada says no; what is wrong, in words."""
    yard.is_(release_id, "awaiting-approval")
    answer(yard, release_id, "reject")
    return yard.ends_as(release_id, "rejected")


def reject_unheard(yard: Yard, release_id: str, address: str) -> None:
    """Ada says no, and the page breaks when that is written and nobody was told."""
    link = yard.link(release_id, address)
    with unheard(yard, release_id, "ServeWeb", link.rsplit("/", 1)[1], operation="sfn:SendTaskFailure"):
        for _ in range(PRESSED):
            page = open_page(link)
            if page.status < BROKEN:
                press(page, "reject", {"comment": "as always"})
            if yard.release(release_id).approvals:
                return
    raise AssertionError(f"{release_id}: the decision was not written in {PRESSED} times")


def answer(yard: Yard, release_id: str, word: str) -> None:
    """Ada presses the button, and again where the page broke."""
    link = yard.link(release_id, f"{release_id.rpartition('-v')[0]}@example.com")
    pages = (open_page(link) for _ in range(PRESSED))
    page = next(page for page in pages if page.status < BROKEN)
    for _ in range(PRESSED):
        if press(page, word, {"comment": "as always"}).status < BROKEN:
            return
    raise AssertionError(f"{release_id}: the page broke {PRESSED} times")
