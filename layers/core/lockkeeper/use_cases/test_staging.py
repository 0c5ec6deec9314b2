"""Test the staging endpoint with recorded requests and held-out rows, and seal the dossier `tested`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.about import about_latency
from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.gates.verdicts import of_a_part
from lockkeeper.domain.online.rows import Answered, Replayed, Row, labelled_rows
from lockkeeper.domain.release import Status, Verdict
from lockkeeper.domain.staging_rules import ReplayJob, StagingTests
from lockkeeper.domain.staging_tests import ContractCase, contract_cases, judge_contract
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.judge_candidate import seal_verdicts
from lockkeeper.use_cases.pinned import REQUESTS, pinned_policy, still_ours
from lockkeeper.use_cases.probe_staging import (
    Good,
    Measured,
    UnderTest,
    good_requests,
    measure_latency,
    measure_load,
    measure_safety,
    probe_from,
)
from lockkeeper.use_cases.replay_by_job import STATE, job_of, start_replay
from lockkeeper.use_cases.replay_staging import champions_answers, judge_answers
from lockkeeper.use_cases.send_rows import send_rows
from lockkeeper.use_cases.settle_wait import NOBODY, complete_own_wait

MAX_BYTES = 20_000_000


def test_staging(release_id: str, token: str, world: World) -> None:
    """Run the policy's tests against the endpoint that staging serves; a policy without tests seals an empty list.

    The wait is over at once, except for a suite that a job sends.
    """
    release = world.ledger.get(release_id)
    still_ours(release, world)
    policy = pinned_policy(release, world)
    name = release.endpoints["staging"]["endpoint_name"]
    world.ledger.record(release_id, "testing staging", name, stage="TestStaging", status=Status.TESTING)
    tests = policy.staging.tests
    verdicts: list[Verdict] = []
    evidence: dict[str, Any] = {"judged": release.pins.seals["judged"]}
    cases = contract_cases(_text(tests.contract, world), source=tests.contract) if tests.contract else ()
    suite = _text(tests.replay.dataset, world) if tests.replay else ""
    rows = labelled_rows(suite, source=tests.replay.dataset) if tests.replay else []
    tested = UnderTest(name, world.staging)
    if cases:
        verdicts.append(_contract(tested, cases))
    # Who gives no token goes on when this returns, so the suite has to have been sent by then.
    by_job = policy.production.target == BATCH
    job = job_of(tests.replay, len(rows), always=by_job) if tests.replay and token != NOBODY else None
    if tests.replay and not isinstance(job, ReplayJob):
        replayed = Replayed(_digest(suite), unknown=job) if job else _replay(tested, rows, suite)
        served = champions_answers(release.model_package_group, world)
        judged, evidence["replay"] = judge_answers(release, tests.replay, replayed, served, world)
        verdicts += judged
    if probe := probe_from(cases, rows):
        if policy.production.target == ASYNC:
            probe |= {"uri": _for_its_queue(probe, world)}
        world.ledger.record(release_id, "request kept", "what serves after a rollback is asked with it", probe=probe)
    for kind, (judged, figures) in _probes(tested, tests, cases, rows, world):
        verdicts += judged
        evidence[kind] = figures
    if evidence.get("latency", {}).get("requests"):
        measured = about_latency(evidence["latency"])
        world.ledger.record(release_id, "latency measured", _in_words(measured["latency"]), measured=measured)
    if tests.replay and isinstance(job, ReplayJob):
        start_replay(release, tests.replay, job, suite, (tuple(verdicts), evidence), token, world)
        return
    seal_verdicts(release, tuple(verdicts), evidence, "tested", world)
    wait = Wait(release_id, STATE, token)
    world.ledger.store_wait(wait)
    complete_own_wait(wait, {}, world)


def _for_its_queue(probe: dict[str, str], world: World) -> str:
    """An asynchronous endpoint reads its requests from S3: this one lies where the model's role may read already."""
    body = probe["body"]
    return world.objects.write(f"{REQUESTS}/{_digest(body)}", body.encode(), probe["content_type"])


def _probes(
    tested: UnderTest, tests: StagingTests, cases: tuple[ContractCase, ...], rows: list[Row], world: World
) -> Iterator[tuple[str, Measured]]:
    """What the policy asks for beside contract and replay: latency first, while nothing has disturbed the endpoint."""
    if not (tests.latency or tests.load or tests.safety):
        return
    requests = good_requests(cases, rows)
    if tests.latency:
        yield "latency", measure_latency(tested, tests.latency, requests)
    if tests.load:
        yield "load", measure_load(tested, tests.load, requests)
    if tests.safety:
        suite = _text(tests.safety.suite, world)
        yield "safety", measure_safety(tested, suite, tests.safety, requests, world.search)


def _in_words(latency: dict[str, Any]) -> str:
    return f"p50 {latency['p50']:.4g} ms, p95 {latency['p95']:.4g} ms of {latency['requests']} requests"


def _contract(tested: UnderTest, cases: tuple[ContractCase, ...]) -> Verdict:
    answers = [tested.ask(case) for case in tested.in_time(cases)]
    return of_a_part(judge_contract(cases[: len(answers)], answers), len(cases) - len(answers))


def _replay(tested: UnderTest, rows: list[Row], suite: str) -> Replayed:
    def ask(body: str) -> Answered:
        return tested.ask(Good(body, "text/csv", "text/csv"))

    return send_rows(rows, _digest(suite), ask, tested.in_time)


def _digest(suite: str) -> str:
    return hashlib.sha256(suite.encode()).hexdigest()


def _text(uri: str, world: World) -> str:
    try:
        return world.objects.read(uri, max_bytes=MAX_BYTES).decode()
    except UnicodeDecodeError as error:
        raise EvidenceMissing(f"{uri} is no UTF-8 text: {error}", cure="upload it again as UTF-8") from error
