"""Days and nights of one group, in scenes that come to nearly all that its functions do, with cuts at what nothing else has cut."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import count
from threading import Event
from typing import Any

from lockkeeper.use_cases.keep_house import QUIET

from localcloud.fault_plan import When
from tests.faults.cut_points import Coverage, cuts_of
from tests.faults.fresh_cuts import BY_DAY, BY_NIGHT, cut_what_is_left
from tests.faults.scenes import (
    SENDS,
    a_crowded_promotion,
    a_crowded_question,
    a_crowded_rollback,
    a_decision_between_tries,
    a_drift,
    a_first_version,
    a_lock_for_another,
    a_missed_alarm,
    a_promotion,
    a_question,
    a_slow_start,
    a_stop,
    a_told_drift,
    a_told_end,
    a_told_finding,
    a_told_first_stop,
    a_told_promotion,
    a_told_stop,
    an_overtaken_decision,
    an_unheard_drift,
    an_unheard_release,
    an_unheard_stop,
    others_of,
    undelivered_decisions,
)
from tests.faults.told import (
    keep_house,
    letters_left,
    wait_for_last_tries,
    wait_until_quiet,
)
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY

SECONDS = {"days": 1200.0, "nights": 2400.0}
"""After so long no new scene begins, so that what is missing by then is said."""
LOOKS_EVERY = 15.0
"""Seconds between two looks at a town: long enough for more than one thing to be found."""
Act = Callable[[Yard, str, Iterator[int]], list[str]]
Scene = tuple[str, Act]
"""After which scene production has changed as often as here, and what happens."""


def days_with_cuts(yard: Yard, name: str) -> list[str]:
    """Days of one group, with every function cut once at each way that is left, until none is, and at each site that comes up."""
    town = Town(yard, f"days-{name}")
    cut_what_is_left(yard, town.group, BY_DAY)
    with town.trainer.pipeline(), looked_after(town):
        problems = play(town, [*town.told(), *town.scenes()], SECONDS["days"], lambda _: not ways_left(yard))
    return problems + letters_left(yard, town.group) + yard.nothing_left(town.group)


def undisturbed_day(yard: Yard) -> list[str]:
    """A day on which nothing is cut, but for the page of some decisions, which who keeps the house delivers."""
    town = Town(yard, "days-never")
    with town.trainer.pipeline(), looked_after(town):
        problems = play(town, town.scenes(), SECONDS["days"], lambda _: True)
    return problems + yard.nothing_left(town.group)


def nights_with_cuts(yard: Yard, name: str) -> list[str]:
    """The same with scenes in which events are lost, until on a whole day nothing is cut and nothing is left to be: a crash upon a crash.

    A function may die at every try of an event: a person plays its dead letter then, until it goes.
    """
    town = Town(yard, f"nights-{name}")
    cut_what_is_left(yard, town.group, BY_NIGHT)
    lost: list[Scene] = [
        ("a stop", an_unheard_stop),
        ("a drift", partial(an_unheard_drift, town.trainer)),
        ("a question", partial(an_unheard_release, "")),
        ("a question", partial(an_unheard_release, SENDS)),
    ]

    def nothing_is_left(quiet: bool) -> bool:
        return quiet and not Coverage(yard).missing(*yard.functions)

    with town.trainer.pipeline(), looked_after(town), dead_letters_come_back(yard):
        problems = play(town, [*town.told(), *lost, *town.scenes()], SECONDS["nights"], nothing_is_left)
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
            ("a rejection", an_overtaken_decision),
        ]

    def told(self) -> list[Scene]:
        """Scenes in which what a function hears is played by hand until it does not die: it may die of that as often as it has calls."""
        return [
            ("a stop", a_told_stop),
            ("a drift", partial(a_told_drift, self.trainer)),
            ("a drift", partial(a_told_finding, self.trainer)),
            ("a drift", partial(a_told_end, self.trainer)),
            ("a drift", partial(a_slow_start, self.trainer)),
            ("a rejection", a_crowded_question),
            ("a rejection", a_decision_between_tries),
            ("a rejection", a_lock_for_another),
            ("a stop", a_crowded_rollback),
            ("a stop", a_missed_alarm),
            ("a first stop", partial(a_told_first_stop, count(1))),
            ("a crowded promotion", partial(a_crowded_promotion, count(1))),
            ("a watched promotion", partial(a_told_promotion, self.trainer, count(1))),
        ]


def play(town: Town, scenes: list[Scene], seconds: float, is_over: Callable[[bool], bool]) -> list[str]:
    """Play all scenes of a day, then again and again those in which something was cut, then a new day: until it is over.

    `is_over` hears whether nothing was cut on a whole day.

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
            if problems or time.monotonic() > until or is_over(due is scenes and not cut):
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
    return problems, any(cuts_of(yard, one) for one in yard.plan.invocations()[began:] if group in one["event"])


def ways_left(yard: Yard) -> bool:
    """Whether any way is left to be cut, before or after its call."""
    coverage = Coverage(yard)
    return any(coverage.ways_left(name, when) for name in yard.functions for when in (When.BEFORE, When.AFTER))


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
            person.result()  # What went wrong there says more than what came of it.


def looked_after(town: Town) -> AbstractContextManager[None]:
    """Meanwhile the house is kept as it is on a schedule, by looks that name the group: so that KeepHouse can be cut there, too."""
    return meanwhile(LOOKS_EVERY, partial(keep_house, town.yard, town.group, quiet_seconds=QUIET.total_seconds()))


def dead_letters_come_back(yard: Yard) -> AbstractContextManager[None]:
    """Meanwhile a person plays the dead letters again, and again: what dies at every try is tried until it does not."""

    def play_them() -> None:
        with suppress(AssertionError):  # A letter whose function dies once more stays, and the command says so.
            yard.cloud.lockkeeper("replay", "--dead-letters")

    return meanwhile(2.0, play_them)
