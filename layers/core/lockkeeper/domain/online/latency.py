"""Is it fast enough: percentiles of measured requests, with what chance alone would make of them.

A percentile of a sample is an estimate. Its confidence interval is taken from order statistics, so it holds for any
distribution: the j-th and the k-th fastest of n requests enclose the true percentile with a binomial probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lockkeeper.domain.gates.verdicts import inconclusive, of_a_part
from lockkeeper.domain.release import Outcome, Verdict

CONFIDENCE = 0.95


def judge_latency(milliseconds: Sequence[float], bounds: dict[float, float], unasked: int = 0) -> tuple[Verdict, ...]:
    """One verdict for each bounded percentile (0.95: its bound in milliseconds); a bound inside the interval is inconclusive.

    `unasked` requests were not sent any more: without them nothing passes.
    """
    ordered = sorted(milliseconds)
    return tuple(of_a_part(_judge(ordered, share, bound), unasked) for share, bound in sorted(bounds.items()))


def _judge(ordered: list[float], share: float, bound: float) -> Verdict:
    gate, required = f"latency: p{share * 100:g}", f"<= {bound:g} ms"
    places = interval(len(ordered), share)
    if places is None:
        why = f"{len(ordered)} requests are too few to tell p{share * 100:g}; ask for at least {fewest(share)}"
        return inconclusive(gate, why, required)
    measured = percentile(ordered, share)
    low, high = ordered[places[0]], ordered[places[1]]
    about = (
        f"p{share * 100:g} {measured:.4g} ms of {len(ordered)} requests ({low:.4g} to {high:.4g} at {CONFIDENCE:.0%})"
    )
    if high <= bound:
        return Verdict(gate, Outcome.PASSED, f"{about} meets {required}", measured, required)
    if low > bound:
        return Verdict(gate, Outcome.FAILED, f"{about} does not meet {required}", measured, required)
    return inconclusive(
        gate, f"{about}: chance decides whether it meets {required}; ask for more requests", required, measured
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the sorted values does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def interval(count: int, share: float) -> tuple[int, int] | None:
    """Places (from 0) of the two sorted values that enclose the true percentile; None where so few values cannot."""
    tail = (1 - CONFIDENCE) / 2
    below, cumulated = _binomial(count, share), 0.0
    low = high = -1
    for place, chance in enumerate(below):
        if cumulated <= tail:
            low = place - 1  # The chance that fewer than `place` values are below the percentile is small enough.
        cumulated += chance
        if cumulated >= 1 - tail:
            high = place
            break
    return (low, high) if low >= 0 and 0 <= high < count else None


def fewest(share: float) -> int:
    """How many requests it takes at least to tell a percentile: with fewer, all may well be on one side of it."""
    tail = (1 - CONFIDENCE) / 2
    return max(2, math.ceil(math.log(tail) / math.log(max(share, 1 - share))))


def _binomial(count: int, share: float) -> list[float]:
    """Chances that exactly 0, 1, ... `count` of the values are below the percentile."""
    logs = (math.log(share), math.log1p(-share))
    whole = math.lgamma(count + 1)
    return [
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * logs[0] + (count - k) * logs[1])
        for k in range(count + 1)
    ]
