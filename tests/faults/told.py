"""What a function hears by hand, or not at all; and what is waited for until it has gone through."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from threading import Condition, Lock
from typing import Any

from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import UNHEARD
from tests.faults.fresh_cuts import TOLD, cut_more
from tests.faults.lost_events import FOREVER
from tests.faults.yard import Yard
from tests.patience import PATIENCE

CROWD = 4
"""How many hear of the same at the same moment."""
HEARS = "ResumeRelease"
"""Who hears what a release waits for."""
SETTLES = "dynamodb:TransactWriteItems"
"""How one of those who have all seen that a wait is over writes that down."""
LONG_ENOUGH = 20.0
"""Seconds in which all of them come to that, each in a sandbox of its own, some of which die on the way."""
TIMES_TOLD = TOLD + 1
"""How often something is asked for at most until what does it does not die."""
ROUNDS = count(1)
"""Numbers of what is asked for by hand, so that each is an event of its own."""
EVENT_ID = re.compile('"id": ?"[0-9a-f-]{36}"')
News = tuple[str, tuple[str, ...], str]
"""A function, what an event says of which it is to hear by hand, and the operation before which it dies until then; else its first call."""


class Looks:
    """The looks of who keeps the house, of all towns: each goes through all that is there."""

    def __init__(self) -> None:
        self._beginning, self._ended, self._under_way = Lock(), Condition(), 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A look, which begins when looks are allowed."""
        with self._beginning, self._ended:
            self._under_way += 1
        try:
            yield
        finally:
            with self._ended:
                self._under_way -= 1
                self._ended.notify_all()

    @contextmanager
    def none(self) -> Iterator[None]:
        """Begins when those under way have ended; meanwhile none begins."""
        with self._beginning:
            with self._ended:
                self._ended.wait_for(lambda: not self._under_way)
            yield


LOOKS = Looks()


def wait_until_quiet(yard: Yard, group: str, seconds: float = 10.0) -> None:
    """Wait until nothing is called about the group any more: what a scene leads to may come after its end."""
    until, calls = time.monotonic() + seconds, -1
    while time.monotonic() < until:
        now = sum(group in one["event"] for one in yard.plan.invocations())
        if now == calls:
            return
        calls = now
        time.sleep(1.5)


def wait_until_through(yard: Yard, function: str, release_id: str, seconds: float = PATIENCE) -> None:
    """Wait until a function was called about a release and did not die: whoever dies is called again."""
    until, target = time.monotonic() + seconds, yard.functions[function]
    while True:
        tries = [one for one in yard.plan.invocations() if one["function"] == target and release_id in one["event"]]
        if tries and not tries[-1]["cut"] and not tries[-1]["error"]:
            return
        assert time.monotonic() < until, f"{function} did not come through with {release_id} in {len(tries)} tries"
        time.sleep(0.1)


def wait_for_last_tries(yard: Yard, group: str) -> None:
    """Wait until the last try of every event about a group went through: one that failed at all of them is a dead letter."""
    until = time.monotonic() + PATIENCE
    while died := {key for key, failed in last_tries(yard, group).items() if failed}:
        assert time.monotonic() < until, f"{group}: nobody made up for the crashes of {died}"
        time.sleep(0.5)


def last_tries(yard: Yard, group: str) -> dict[tuple[str, str], str]:
    """Where the last try of each event about a group was cut, or its error, if it has one; by function, and by the event's id or all of
    its text."""
    events = [one for one in yard.plan.invocations() if group in one["event"] and '"detail-type"' in one["event"]]
    return {
        (one["function"], (EVENT_ID.search(one["event"]) or [one["event"]])[0]): one["cut"] or one["error"]
        for one in events
    }


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
        with LOOKS.one():
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


def missed(yard: Yard, group: str, about: tuple[str, ...], act: Callable[[], Any]) -> dict[str, Any]:
    """Something happens, and no release hears of it: what one would have heard."""
    with unheard(yard, f"{group}.{next(ROUNDS)}", HEARS, *about):
        act()
        return take_letter(yard, *about)


def told_at_once(yard: Yard, group: str, event: dict[str, Any], *, by_nobody_else: bool = True) -> list[str]:
    """Several hear at the same moment what a release waits for; what is wrong, in words. Where somebody else may end the wait as well, it
    may be over when they hear."""
    heard, raced = at_once(yard, group, HEARS, (name_of(event),), CROWD, partial(tell, yard, HEARS, event))
    problems = [one for found in heard for one in found]
    if by_nobody_else and not raced:
        problems.append(f"{group}: not even two saw at the same moment that a wait was over, of {event}")
    return problems


def at_once(
    yard: Yard, group: str, function: str, about: tuple[str, ...], crowd: int, act: Callable[[], Any]
) -> tuple[list[Any], bool]:
    """Several make a function hear of the same: what came of it, and whether two had seen that a wait was open before either ended it."""
    this = about[0]
    together = f"{group}.together.{this}"
    target = yard.functions[function]
    held = Fault(together, target, When.HELD, about, 1, SETTLES, times=TOLD, seconds=LONG_ENOUGH, together=crowd)
    yard.plan.add(held)
    with ThreadPoolExecutor(crowd) as several, cut_more(yard, group, function, this):
        came = list(several.map(lambda _: act(), range(crowd)))
    yard.plan.drop(together)
    return came, len(yard.plan.fired(together)) > 1


def name_of(event: dict[str, Any]) -> str:
    """What tells an event from another: its id, and of a deadline the time."""
    return str(event["deadline"]["at"] if "deadline" in event else event["id"])


def told(yard: Yard, group: str, name: str, news: Sequence[News], act: Callable[[], Any]) -> list[str]:
    """Functions die at every try of the news of something, and again and again where those letters are played, one after the other."""
    # A late try of what came before is no news of it.
    wait_until_quiet(yard, group)
    wait_for_last_tries(yard, group)
    problems: list[str] = []
    with ExitStack() as deaf:
        for number, (function, about, operation) in enumerate(news):
            deaf.enter_context(unheard(yard, f"{name}.{number}", function, *about, operation=operation))
        with LOOKS.none():
            act()
            # Who dies at a later call than the first does not come to it when a look of somebody else has found the same.
            letters = {about: take_letter(yard, *about) for _, about, operation in news if operation}
        for number, (function, about, _) in enumerate(news):
            event = letters.get(about) or take_letter(yard, *about)
            yard.plan.drop(f"{UNHEARD}{name}.{number}.")
            with cut_more(yard, group, function, name_of(event)):
                problems += tell(yard, function, event)
    return problems
