"""Send requests to the staging endpoint and measure its answers: one after another, at a kept rate, and hostile ones."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle, islice, takewhile
from typing import Any, TypeVar

from lockkeeper.domain.errors import DeploymentFailed, EvidenceMissing
from lockkeeper.domain.gates.verdicts import of_a_part
from lockkeeper.domain.online.latency import judge_latency, percentile
from lockkeeper.domain.online.load import Shot, judge_load
from lockkeeper.domain.online.rows import Answered, Row
from lockkeeper.domain.online.safety import HostileCase, Search, hostile_cases, judge_safety
from lockkeeper.domain.release import Verdict
from lockkeeper.domain.staging_rules import Latency, Load, Safety
from lockkeeper.domain.staging_tests import ContractCase
from lockkeeper.ports import Endpoints

SENDERS = 64
"""Requests that may be under way at once; an endpoint that is slower than that at its rate is held up visibly."""
LONGEST_PROBE = 4096
"""Bytes of a request that a release keeps: its record has 400 kB for everything."""

TESTING_SECONDS = 700
"""After that no request of a release's tests is sent any more: the last ones take their time, and the function has 900 seconds."""

Some = TypeVar("Some")
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


class UnderTest:
    """The endpoint under test, and how long its tests may go on: whatever it answers, they end with verdicts."""

    def __init__(self, name: str, endpoints: Endpoints, seconds: float = TESTING_SECONDS) -> None:
        self._name, self._endpoints = name, endpoints
        self._until = time.perf_counter() + seconds

    @property
    def time_is_up(self) -> bool:
        return time.perf_counter() >= self._until

    def in_time(self, requests: Iterable[Some]) -> Iterator[Some]:
        """Those for which there is time, each when its turn comes."""
        return takewhile(lambda _: not self.time_is_up, requests)

    def ask(self, request: Good | ContractCase | HostileCase) -> Answered:
        return self._endpoints.invoke(self._name, request.body, request.content_type, request.accept)


def measure_latency(tested: UnderTest, policy: Latency, requests: Sequence[Good]) -> Measured:
    """Requests one after another; those of the warm-up do not count."""
    asked = tested.in_time(islice(cycle(requests), policy.warm_up + policy.requests))
    # Rounded before they are judged: who judges what the dossier keeps comes to the same verdict.
    milliseconds = [round(_ask(tested, request)[1], 6) for request in asked][policy.warm_up :]
    ordered = sorted(milliseconds)
    shares = {f"p{share * 100:g}": percentile(ordered, share) for share in (0.5, 0.95, 0.99) if ordered}
    unasked = policy.requests - len(ordered)
    figures = {"requests": len(ordered), "milliseconds": shares, "each": ordered, "unasked": unasked}
    return judge_latency(milliseconds, policy.bounds, unasked), figures


def measure_load(tested: UnderTest, policy: Load, requests: Sequence[Good]) -> Measured:
    """An open loop: every request leaves at its time, whether or not the ones before were answered."""
    began = time.perf_counter()

    def shoot(number: int, request: Good) -> Shot | None:
        late = time.perf_counter() - began - number / policy.requests_per_second
        if tested.time_is_up:
            return None  # It has waited for its turn behind those that are not answered.
        answer, milliseconds = _ask(tested, request)
        return Shot(late, answer.status, milliseconds)

    with ThreadPoolExecutor(SENDERS) as senders:
        waiting = []
        for number, request in enumerate(tested.in_time(islice(cycle(requests), policy.planned))):
            time.sleep(max(0.0, began + number / policy.requests_per_second - time.perf_counter()))
            waiting.append(senders.submit(shoot, number, request))
        shots = [shot for one in waiting if (shot := one.result())]
    ordered = sorted(shot.milliseconds for shot in shots)
    shares = (("p50", 0.5), ("p95", 0.95)) if ordered else ()
    figures = {
        "requests": len(shots),
        "requests_per_second": policy.requests_per_second,
        "errors": sum(shot.status >= 500 for shot in shots),
        "milliseconds": {name: round(percentile(ordered, share), 3) for name, share in shares},
    }
    judged = judge_load(shots, policy.planned, policy.errors_below)
    return (of_a_part(judged, policy.planned - len(shots)),), figures


def measure_safety(tested: UnderTest, text: str, policy: Safety, requests: Sequence[Good], search: Search) -> Measured:
    """Every hostile request, as often as the policy says, then a good one: the endpoint has to live."""
    planned = hostile_cases(text, source=policy.suite) * policy.times
    answers = [_answer_of(tested, case) for case in tested.in_time(planned)]
    cases, unasked = planned[: len(answers)], len(planned) - len(answers)
    alive = _ask(tested, requests[0])[0].status == 200
    *judged, lives = judge_safety(cases, answers, alive, search, policy.forbid, policy.require)
    return (*(of_a_part(one, unasked) for one in judged), lives), {"requests": len(cases)}


def _ask(tested: UnderTest, request: Good) -> tuple[Answered, float]:
    began = time.perf_counter()
    answer = _answer_of(tested, request)
    return answer, (time.perf_counter() - began) * 1000


def _answer_of(tested: UnderTest, request: Good | HostileCase) -> Answered:
    """An endpoint that cannot be reached any more has answered with an error: that is what the gates are about."""
    try:
        return tested.ask(request)
    except DeploymentFailed as refused:
        return Answered(503, "text/plain", str(refused))
