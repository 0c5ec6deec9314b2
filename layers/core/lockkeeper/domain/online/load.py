"""Does it stand its traffic: the share of errors at a rate that is kept whatever the endpoint answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockkeeper.domain.gates.verdicts import inconclusive
from lockkeeper.domain.release import Outcome, Verdict

ON_TIME_SECONDS = 0.25
"""A request that leaves later than this was held up by the sender, not by the endpoint."""
ON_TIME_SHARE = 0.95


@dataclass(frozen=True)
class Shot:
    """One request of an open loop: how late it left (seconds), its status, how long its answer took."""

    late: float
    status: int
    milliseconds: float


def judge_load(shots: Sequence[Shot], planned: int, errors_below: float) -> Verdict:
    """5xx answers count as errors. A rate that the sender could not keep is inconclusive: it proves nothing."""
    required = f"errors below {errors_below:g} of {planned} requests"
    on_time = sum(shot.late <= ON_TIME_SECONDS for shot in shots)
    if len(shots) < planned or on_time < ON_TIME_SHARE * planned:
        why = f"only {on_time} of {planned} requests left on time; ask for a lower rate or test from a larger function"
        return inconclusive("load", why, required)
    errors = sum(shot.status >= 500 for shot in shots)
    share = errors / planned
    if share < errors_below:
        return Verdict("load", Outcome.PASSED, f"{errors} of {planned} requests were errors", share, required)
    return Verdict("load", Outcome.FAILED, f"{errors} of {planned} requests were errors", share, required)
