"""The replay, judged: metrics computed from real answers, against bounds and against the champion on the same rows.

The champion's answers were kept when it was tested. Each row that both have answered is a pair, and pairs tell small differences
from chance far better than two figures do: what makes a row hard is hard for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.gates.verdicts import decided, inconclusive
from lockkeeper.domain.online.rows import Replayed, is_number
from lockkeeper.domain.release import Outcome, Verdict

SURE = 1.959964
"""Standard errors to either side that hold 95 % of what chance does."""
FEWEST_PAIRS = 30
"""Below that the normal approximation says too little to accuse a model."""


def _hit(label: str, prediction: Any) -> float:
    if is_number(label) and is_number(prediction):
        return float(float(label) == float(prediction))
    return float(str(label).strip() == str(prediction).strip())


def _absolute_error(label: str, prediction: Any) -> float:
    return abs(_finite(prediction) - _finite(label))


def _squared_error(label: str, prediction: Any) -> float:
    return (_finite(prediction) - _finite(label)) ** 2


def _finite(value: Any) -> float:
    """A `ValueError` for NaN and infinity, which answer nothing and cannot be sealed."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r}")
    return number


@dataclass(frozen=True)
class Metric:
    """A mean over rows, or its root. `of_row` raises where label and prediction are no numbers and would have to be."""

    of_row: Callable[[str, Any], float]
    higher_is_better: bool = False
    root: bool = False

    def of(self, labels: Sequence[str], predictions: Sequence[Any]) -> float:
        """The metric itself, in the label's unit (accuracy: a share)."""
        return self.of_rows([self.of_row(*pair) for pair in zip(labels, predictions, strict=True)])

    def of_rows(self, values: Sequence[float]) -> float:
        mean = math.fsum(values) / len(values)
        return math.sqrt(mean) if self.root else mean

    def shares(self, values: Sequence[float]) -> list[float]:
        """What each row contributes: their mean is off by as much as the metric is (for a root, to first order)."""
        if not self.root:
            return list(values)
        whole = self.of_rows(values)
        return [value / (2 * whole) if whole else 0.0 for value in values]


REPLAY_METRICS = {
    "accuracy": Metric(_hit, higher_is_better=True),
    "mae": Metric(_absolute_error),
    "rmse": Metric(_squared_error, root=True),
}
"""Metrics that a replay can be bounded by."""


@dataclass(frozen=True)
class Bounds:
    """What a replay has to reach, by metric, and on how many rows."""

    at_least: dict[str, float]
    at_most: dict[str, float]
    minimum_rows: int


@dataclass(frozen=True)
class ServedAnswers:
    """What the version in production answered when it was tested; `missing` says why that is not known."""

    version: int
    replayed: Replayed | None = None
    missing: str = ""


def judge_replay(replayed: Replayed, bounds: Bounds) -> tuple[Verdict, ...]:
    """Recompute each bounded metric from the endpoint's answers; too few rows is inconclusive."""
    wanted = [(name, bound, True) for name, bound in bounds.at_least.items()]
    wanted += [(name, bound, False) for name, bound in bounds.at_most.items()]
    return tuple(_judge(name, bound, up, replayed, bounds.minimum_rows) for name, bound, up in wanted)


def _judge(name: str, bound: float, up: bool, replayed: Replayed, minimum_rows: int) -> Verdict:
    gate, sign = f"replay: {name}", ">=" if up else "<="
    required = f"{sign} {bound:g} on at least {minimum_rows} rows"
    if replayed.unknown:
        return inconclusive(gate, replayed.unknown, required)
    if replayed.problem:
        return Verdict(gate, Outcome.FAILED, replayed.problem, None, required)
    rows = len(replayed.answers)
    if rows < minimum_rows:
        return inconclusive(gate, f"{rows} rows are too few to judge; supply at least {minimum_rows}", required)
    try:
        measured = REPLAY_METRICS[name].of(*_apart(replayed))
    except (ValueError, TypeError, OverflowError) as error:
        return Verdict(gate, Outcome.FAILED, f"the answers are no numbers: {error}", None, required)
    holds = measured >= bound if up else measured <= bound
    verb = "meets" if holds else "does not meet"
    reason = f"{name} {measured:.4g} on {rows} real answers {verb} {sign} {bound:g}"
    return Verdict(gate, Outcome.PASSED if holds else Outcome.FAILED, reason, measured, required)


def _apart(replayed: Replayed) -> tuple[list[str], list[Any]]:
    return [label for _, label, _ in replayed.answers], [said for _, _, said in replayed.answers]


def judge_against_champion(
    replayed: Replayed, champion: ServedAnswers | None, metrics: Iterable[str], share: float, minimum_rows: int
) -> tuple[Verdict, ...]:
    """One verdict for each metric. A loss of more than `share` of the champion's value fails where chance cannot have made it.

    A measured loss within the share passes; one beyond it whose confidence interval reaches back to the share is inconclusive.
    """
    if replayed.problem or replayed.unknown:
        return ()  # Without an answer to every row no bound has passed.
    return tuple(_against(name, replayed, champion, share, minimum_rows) for name in metrics)


def _against(name: str, replayed: Replayed, champion: ServedAnswers | None, share: float, minimum_rows: int) -> Verdict:
    gate, asked = f"replay: {name} against the champion", f"no worse than the champion by {share:.4g} of its value"
    if champion is None:
        return Verdict(gate, Outcome.PASSED, "no champion yet: nothing to compare with", None, asked)
    who = f"the champion (version {champion.version})"
    off = "or set staging.tests.replay.champion.compare: false for this release"
    if champion.replayed is None:
        return inconclusive(gate, f"{who} {champion.missing}; {off}", asked)
    served = {key: said for key, _, said in champion.replayed.answers}
    pairs = [(label, said, served[key]) for key, label, said in replayed.answers if key in served]
    if len(pairs) < minimum_rows:
        same = "the same suite" if champion.replayed.suite_sha256 == replayed.suite_sha256 else "another suite"
        why = (
            f"{who} was tested with {same}: {len(pairs)} rows in common, {minimum_rows} are needed; "
            f"keep rows of the suite before in the new one, {off}"
        )
        return inconclusive(gate, why, asked)
    metric = REPLAY_METRICS[name]
    try:
        ours = [metric.of_row(label, said) for label, said, _ in pairs]
        theirs = [metric.of_row(label, said) for label, _, said in pairs]
    except (ValueError, TypeError, OverflowError) as error:
        return inconclusive(gate, f"answers that are no numbers cannot be compared: {error}", asked)
    return _compared(gate, metric, ours, theirs, share)


def _compared(gate: str, metric: Metric, ours: list[float], theirs: list[float], share: float) -> Verdict:
    measured, served = metric.of_rows(ours), metric.of_rows(theirs)
    keep = 1 - share if metric.higher_is_better else 1 + share
    required = f"{'>=' if metric.higher_is_better else '<='} {keep * served:.4g} (champion {served:.4g} on the same {len(ours)} rows)"
    sign = 1 if metric.higher_is_better else -1
    # How far the candidate is beyond what it may lose, row by row: the interval of the mean is that of the difference.
    beyond = sign * (keep * served - measured)
    each = [sign * (keep * their - our) for our, their in zip(metric.shares(ours), metric.shares(theirs), strict=True)]
    error = SURE * _standard_error(each)
    if beyond <= 0:
        return decided(gate, measured, required, True)
    if beyond - error > 0 and len(ours) >= FEWEST_PAIRS:
        return decided(gate, measured, required, False)
    why = (
        f"{measured:.4g} is {beyond:.2g} short of {required}, and chance alone makes up to {error:.2g} at 95%; "
        "supply more rows, or a better version"
    )
    return inconclusive(gate, why, required, measured)


def _standard_error(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    return math.sqrt(spread / len(values))
