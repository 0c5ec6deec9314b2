"""Test the staging endpoint with recorded requests and held-out rows, and seal the dossier `tested`."""

from __future__ import annotations

import time
from typing import Any

from lockkeeper.domain.errors import EvidenceMissing, GateFailed
from lockkeeper.domain.policy import Replay
from lockkeeper.domain.release import Status, Verdict
from lockkeeper.domain.staging_tests import (
    Answered,
    contract_cases,
    judge_contract,
    judge_replay,
    labelled_rows,
    predictions_in,
)
from lockkeeper.ports import World
from lockkeeper.use_cases.judge_candidate import seal_verdicts
from lockkeeper.use_cases.pinned import pinned_policy, still_ours

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
    if tests.contract:
        verdicts.append(_contract(name, tests.contract, world))
    if tests.replay:
        judged, timings = _replay(name, tests.replay, world)
        verdicts += judged
        evidence["replay"] = timings
    return seal_verdicts(release, tuple(verdicts), evidence, "tested", world)


def _contract(endpoint: str, uri: str, world: World) -> Verdict:
    cases = contract_cases(_text(uri, world), source=uri)
    answers = [world.staging.invoke(endpoint, case.body, case.content_type, case.accept) for case in cases]
    return judge_contract(cases, answers)


def _replay(endpoint: str, replay: Replay, world: World) -> tuple[tuple[Verdict, ...], dict[str, Any]]:
    rows = labelled_rows(_text(replay.dataset, world), source=replay.dataset)
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
