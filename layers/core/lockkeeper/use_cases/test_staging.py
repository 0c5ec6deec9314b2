"""Test the staging endpoint with recorded requests and held-out rows, and seal the dossier `tested`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.errors import EvidenceMissing, GateFailed
from lockkeeper.domain.policy import Replay, StagingTests
from lockkeeper.domain.release import Status, Verdict
from lockkeeper.domain.staging_tests import (
    Answered,
    ContractCase,
    contract_cases,
    judge_contract,
    judge_replay,
    labelled_rows,
    predictions_in,
)
from lockkeeper.ports import World
from lockkeeper.use_cases.judge_candidate import seal_verdicts
from lockkeeper.use_cases.pinned import pinned_policy, still_ours
from lockkeeper.use_cases.probe_staging import Measured, good_requests, measure_latency, measure_load, measure_safety

MAX_BYTES = 20_000_000
ROWS_PER_REQUEST = 25


def test_staging(release_id: str, world: World) -> tuple[Verdict, ...]:
    """Run the policy's tests against the endpoint that staging serves; a policy without tests seals an empty list."""
    release = world.ledger.get(release_id)
    still_ours(release, world)
    policy = pinned_policy(release, world)
    name = release.endpoints["staging"]["endpoint_name"]
    world.ledger.record(release_id, "testing staging", name, stage="TestStaging", status=Status.TESTING)
    tests = policy.staging.tests
    verdicts: list[Verdict] = []
    evidence: dict[str, Any] = {"judged": release.pins.seals["judged"]}
    cases = contract_cases(_text(tests.contract, world), source=tests.contract) if tests.contract else ()
    rows = labelled_rows(_text(tests.replay.dataset, world), source=tests.replay.dataset) if tests.replay else []
    if cases:
        verdicts.append(_contract(name, cases, world))
    if tests.replay:
        judged, timings = _replay(name, tests.replay, rows, world)
        verdicts += judged
        evidence["replay"] = timings
    for kind, (judged, figures) in _probes(name, tests, cases, rows, world):
        verdicts += judged
        evidence[kind] = figures
    return seal_verdicts(release, tuple(verdicts), evidence, "tested", world)


def _probes(
    endpoint: str,
    tests: StagingTests,
    cases: tuple[ContractCase, ...],
    rows: list[tuple[str, str]],
    world: World,
) -> Iterator[tuple[str, Measured]]:
    """What the policy asks for beside contract and replay: latency first, while nothing has disturbed the endpoint."""
    if not (tests.latency or tests.load or tests.safety):
        return
    requests = good_requests(cases, rows)
    if tests.latency:
        yield "latency", measure_latency(endpoint, tests.latency, requests, world.staging)
    if tests.load:
        yield "load", measure_load(endpoint, tests.load, requests, world.staging)
    if tests.safety:
        yield "safety", measure_safety(endpoint, _text(tests.safety, world), tests.safety, requests, world.staging)


def _contract(endpoint: str, cases: tuple[ContractCase, ...], world: World) -> Verdict:
    answers = [world.staging.invoke(endpoint, case.body, case.content_type, case.accept) for case in cases]
    return judge_contract(cases, answers)


def _replay(endpoint: str, replay: Replay, rows: list[tuple[str, str]], world: World) -> Measured:
    labels: list[str] = []
    predictions: list[Any] = []
    milliseconds: list[float] = []
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        part = rows[start : start + ROWS_PER_REQUEST]
        began = time.perf_counter()
        answer = world.staging.invoke(endpoint, "\n".join(line for _, line in part), "text/csv", "text/csv")
        milliseconds.append(round((time.perf_counter() - began) * 1000, 3))
        predictions += _predictions(answer, len(part), start)
        labels += [label for label, _ in part]
    verdicts = judge_replay(
        labels, predictions, at_least=replay.at_least, at_most=replay.at_most, minimum_rows=replay.minimum_rows
    )
    milliseconds.sort()
    return verdicts, {
        "rows": len(rows),
        "requests": len(milliseconds),
        "rows_per_request": ROWS_PER_REQUEST,
        "milliseconds_median": milliseconds[len(milliseconds) // 2],
    }


def _predictions(answer: Answered, rows: int, start: int) -> list[Any]:
    if answer.status != 200:
        raise GateFailed(
            f"replay: rows {start + 1} to {start + rows} were answered {answer.status}: {answer.body[:200]}",
            cure="check that the data set's features are the model's, in its order",
        )
    try:
        predictions = predictions_in(answer)
    except ValueError as error:
        raise GateFailed(f"replay: rows {start + 1} to {start + rows}: {error}") from error
    if len(predictions) != rows:
        raise GateFailed(f"replay: {rows} rows were answered with {len(predictions)} predictions")
    return predictions


def _text(uri: str, world: World) -> str:
    try:
        return world.objects.read(uri, max_bytes=MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        raise EvidenceMissing(f"{uri} is no UTF-8 text: {error}", cure="upload it again as UTF-8") from error
