"""What a shadow has shown: whether the candidate answers as the champion does, and how fast."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.captured import CapturedAnswer
from lockkeeper.domain.gates.verdicts import decided, inconclusive
from lockkeeper.domain.release import Outcome, Verdict
from lockkeeper.domain.shadow import Shadow

REQUESTS, AGREEMENT, LATENCY = "shadow: requests", "shadow: agreement", "shadow: latency"
SEPARATORS = re.compile(r"[\s,;]+")


@dataclass(frozen=True)
class Shadowed:
    """What became of the requests that both were asked.

    Args:
        pairs: Requests that both answered, as captured.
        same: Those of them that both answered alike.
        unanswered: Requests that the candidate could not answer, beyond those that the champion could not either.
        latencies: Average microseconds of the champion and of the candidate; None where CloudWatch has none.
    """

    pairs: int
    same: int
    unanswered: int = 0
    latencies: tuple[float, float] | None = None


def judge_shadow(asked: Shadow, seen: Shadowed) -> tuple[Verdict, ...]:
    """The verdicts at a shadow's end. Of too few requests nothing but their number is judged: a share of three proves nothing."""
    requests, required = seen.pairs + seen.unanswered, f">= {asked.minimum_requests}"
    if requests < asked.minimum_requests:
        why = f"{requests} requests that both were asked are too few to judge by; {asked.minimum_requests} are required"
        if not requests:
            why += "; where there was traffic, see whether the roles of both models may write to Lockkeeper's bucket"
        return (inconclusive(REQUESTS, why, required, float(requests)),)
    enough = Verdict(REQUESTS, Outcome.PASSED, f"{requests} requests were asked of both", float(requests), required)
    return (enough, _judge_agreement(asked, seen), _judge_latency(asked, seen))


def _judge_agreement(asked: Shadow, seen: Shadowed) -> Verdict:
    requests = seen.pairs + seen.unanswered
    share = seen.same / requests
    about = f"{seen.same} of {requests} requests were answered as by the champion"
    about += f", {seen.unanswered} not at all: " if seen.unanswered else ": "
    return decided(AGREEMENT, share, f">= {asked.agree_at_least:g}", share >= asked.agree_at_least, about)


def _judge_latency(asked: Shadow, seen: Shadowed) -> Verdict:
    required = f"<= {asked.slower_at_most:g} times the champion's"
    if seen.latencies is None:
        return inconclusive(LATENCY, "CloudWatch has no ModelLatency of both variants", required)
    champion, candidate = seen.latencies
    about = f"{candidate / 1000:.3g} ms on average, the champion {champion / 1000:.3g} ms: "
    return decided(LATENCY, candidate / champion, required, candidate <= asked.slower_at_most * champion, about)


def compared(
    champion: Iterable[CapturedAnswer], candidate: Iterable[CapturedAnswer], tolerance: float
) -> tuple[int, int]:
    """How many requests both answered, and how many of them alike.

    Records are paired by what was asked: nobody promises that those of a request and of its copy have an id in common. Of the same
    request asked several times, the first answer of one goes with the first of the other.
    """
    answers: dict[str, deque[str]] = {}
    for one in champion:
        answers.setdefault(one.asked, deque()).append(one.answer)
    pairs = same = 0
    for copy in candidate:
        waiting = answers.get(copy.asked)
        if waiting:
            pairs += 1
            same += same_answer(waiting.popleft(), copy.answer, tolerance)
    return pairs, same


def same_answer(one: str, other: str, tolerance: float) -> bool:
    """Whether two answers say the same: as JSON, else word by word; numbers may lie `tolerance` apart."""
    if one == other:
        return True
    try:
        return _same(json.loads(one), json.loads(other), tolerance)
    except (ValueError, RecursionError):
        ours, theirs = (SEPARATORS.split(text.strip()) for text in (one, other))
    return len(ours) == len(theirs) and all(
        _same(_value(left), _value(right), tolerance) for left, right in zip(ours, theirs, strict=True)
    )


def _value(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _same(one: Any, other: Any, tolerance: float) -> bool:
    if _is_number(one) and _is_number(other):
        try:
            near = bool(abs(one - other) <= tolerance)
        except OverflowError:
            near = False
        return near or bool(one == other) or bool(one != one and other != other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair, tolerance) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key], tolerance) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
