"""Send requests to the staging endpoint and measure its answers: one after another, at a kept rate, and hostile ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from typing import Any

from lockkeeper.domain.errors import DeploymentFailed, EvidenceMissing
from lockkeeper.domain.online.latency import judge_latency, percentile
from lockkeeper.domain.online.load import Shot, judge_load
from lockkeeper.domain.online.rows import Answered, Row
from lockkeeper.domain.online.safety import Search, hostile_cases, judge_safety
from lockkeeper.domain.release import Verdict
from lockkeeper.domain.staging_rules import Latency, Load, Safety
from lockkeeper.domain.staging_tests import ContractCase
from lockkeeper.ports import Endpoints

SENDERS = 64
"""Requests that may be under way at once; an endpoint that is slower than that at its rate is held up visibly."""
LONGEST_PROBE = 4096
"""Bytes of a request that a release keeps: its record has 400 kB for everything."""

Measured = tuple[tuple[Verdict, ...], dict[str, Any]]
"""Verdicts, and the figures behind them for the dossier."""


@dataclass(frozen=True)
class Good:
    """A request that the endpoint is known to answer with 200."""

    body: str
    content_type: str
    accept: str


def good_requests(cases: Sequence[ContractCase], rows: Sequence[Row]) -> tuple[Good, ...]:
    """Single rows of the replay where there are any, otherwise the contract's requests that are answered 200."""
    if not (found := _known(cases, rows)):
        raise EvidenceMissing(
            "latency, load and safety need a request that is answered 200",
            cure="add one to the contract, or give the policy a replay",
        )
    return found


def probe_from(cases: Sequence[ContractCase], rows: Sequence[Row]) -> dict[str, str]:
    """A short request that is answered 200, as a release keeps it; empty where the tests have none."""
    short = (one for one in _known(cases, rows) if len(one.body.encode()) <= LONGEST_PROBE)
    return asdict(one) if (one := next(short, None)) else {}


def _known(cases: Sequence[ContractCase], rows: Sequence[Row]) -> tuple[Good, ...]:
    if rows:
        return tuple(Good(row.features, "text/csv", "text/csv") for row in rows)
    return tuple(Good(case.body, case.content_type, case.accept) for case in cases if case.status in ("200", "2xx"))


def measure_latency(endpoint: str, policy: Latency, requests: Sequence[Good], endpoints: Endpoints) -> Measured:
    """Requests one after another; those of the warm-up do not count."""
    asked = islice(cycle(requests), policy.warm_up + policy.requests)
    # Rounded before they are judged: who judges what the dossier keeps comes to the same verdict.
    milliseconds = [round(_ask(endpoint, request, endpoints)[1], 6) for request in asked][policy.warm_up :]
    ordered = sorted(milliseconds)
    shares = {f"p{share * 100:g}": percentile(ordered, share) for share in (0.5, 0.95, 0.99)}
    figures = {"requests": len(milliseconds), "milliseconds": shares, "each": ordered}
    return judge_latency(milliseconds, policy.bounds), figures


def measure_load(endpoint: str, policy: Load, requests: Sequence[Good], endpoints: Endpoints) -> Measured:
    """An open loop: every request leaves at its time, whether or not the ones before were answered."""
    began = time.perf_counter()

    def shoot(number: int, request: Good) -> Shot:
        late = time.perf_counter() - began - number / policy.requests_per_second
        answer, milliseconds = _ask(endpoint, request, endpoints)
        return Shot(late, answer.status, milliseconds)

    with ThreadPoolExecutor(SENDERS) as senders:
        waiting = []
        for number, request in enumerate(islice(cycle(requests), policy.planned)):
            time.sleep(max(0.0, began + number / policy.requests_per_second - time.perf_counter()))
            waiting.append(senders.submit(shoot, number, request))
        shots = [one.result() for one in waiting]
    ordered = sorted(shot.milliseconds for shot in shots)
    figures = {
        "requests": len(shots),
        "requests_per_second": policy.requests_per_second,
        "errors": sum(shot.status >= 500 for shot in shots),
        "milliseconds": {name: round(percentile(ordered, share), 3) for name, share in (("p50", 0.5), ("p95", 0.95))},
    }
    return (judge_load(shots, policy.planned, policy.errors_below),), figures


def measure_safety(
    endpoint: str, text: str, policy: Safety, requests: Sequence[Good], endpoints: Endpoints, search: Search
) -> Measured:
    """Every hostile request, as often as the policy says, then a good one: the endpoint has to live."""
    cases = hostile_cases(text, source=policy.suite) * policy.times
    answers = [
        _answer_of(lambda case=case: endpoints.invoke(endpoint, case.body, case.content_type, case.accept))  # type: ignore[misc]
        for case in cases
    ]
    alive = _ask(endpoint, requests[0], endpoints)[0].status == 200
    return judge_safety(cases, answers, alive, search, policy.forbid, policy.require), {"requests": len(cases)}


def _ask(endpoint: str, request: Good, endpoints: Endpoints) -> tuple[Answered, float]:
    began = time.perf_counter()
    answer = _answer_of(lambda: endpoints.invoke(endpoint, request.body, request.content_type, request.accept))
    return answer, (time.perf_counter() - began) * 1000


def _answer_of(invoke: Callable[[], Answered]) -> Answered:
    """An endpoint that cannot be reached any more has answered with an error: that is what the gates are about."""
    try:
        return invoke()
    except DeploymentFailed as refused:
        return Answered(503, "text/plain", str(refused))
