"""A model that hangs: its silence is an answer, the gates come to their verdicts in time, and nobody waits for it in vain."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from lockkeeper.adapters.in_memory.endpoints import Serving
from lockkeeper.adapters.invocations import invoke, runtime
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.gates.verdicts import of_a_part
from lockkeeper.domain.online.rows import LONGEST_ANSWER, Answered
from lockkeeper.domain.recorded import judge_recorded, recorded_from
from lockkeeper.domain.release import Outcome, Release, Status, Verdict
from lockkeeper.domain.staging_rules import StagingTests
from lockkeeper.settings import Environment
from lockkeeper.use_cases import ask_what_serves, probe_staging

from tests.unit.braking import rollback, to_production
from tests.unit.harbour import HOLDOUT, Harbour, package_arn, policy_document, release_id

URL = "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/wages/invocations"
SILENT = ReadTimeoutError(endpoint_url=URL)
HUNG = 60.0
"""Seconds after which SageMaker gives a container up."""


class Wire:
    """What is answered to each request that botocore sends, in turn; the last one stays."""

    def __init__(self, *answers: Exception | AWSResponse) -> None:
        self.answers, self.sent = list(answers), 0

    def send(self, *_: Any) -> AWSResponse:
        answer = self.answers[min(self.sent, len(self.answers) - 1)]
        self.sent += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class Stalled(io.BytesIO):
    """An answer whose body does not come."""

    def read(self, *_: Any) -> bytes:
        raise SILENT

    def stream(self, *_: Any, **__: Any) -> Any:
        yield b""


def response(status: int, body: dict[str, Any], kind: str = "") -> AWSResponse:
    raw = io.BytesIO(json.dumps(body).encode())
    raw.stream = lambda *_, **__: iter([raw.read()])  # type: ignore[attr-defined]
    headers = {"content-type": "application/json", **({"x-amzn-errortype": kind} if kind else {})}
    return AWSResponse(URL, status, headers, raw)


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Wire]:
    def lay(*answers: Exception | AWSResponse) -> Wire:
        wire = Wire(*answers)
        monkeypatch.setattr(URLLib3Session, "send", lambda _, request: wire.send(request))
        monkeypatch.setattr(time, "sleep", lambda _: None)
        return wire

    return lay


def asked() -> Answered:
    session = boto3.Session("testing", "testing", region_name="eu-central-1")
    return invoke(runtime(session), "wages", "1,2", "text/csv", "text/csv")


def test_a_model_that_does_not_answer_is_asked_once(wired: Callable[..., Wire]) -> None:
    wire = wired(SILENT)
    assert asked().status == 504
    assert wire.sent == 1


def test_a_connection_that_breaks_each_time_is_no_answer_either(wired: Callable[..., Wire]) -> None:
    wire = wired(ConnectionClosedError(endpoint_url=URL))
    assert (asked().status, wire.sent) == (504, 5)


def test_an_answer_that_does_not_end_is_none(wired: Callable[..., Wire]) -> None:
    wired(AWSResponse(URL, 200, {"content-type": "text/csv"}, Stalled()))
    assert asked().status == 504


@pytest.mark.parametrize(
    "passing",
    [
        response(400, {"message": "Rate exceeded"}, "ThrottlingException"),
        response(503, {"message": "Try your call again."}, "ServiceUnavailable"),
        ConnectionClosedError(endpoint_url=URL),
    ],
)
def test_what_passes_is_tried_again(wired: Callable[..., Wire], passing: Exception | AWSResponse) -> None:
    wire = wired(passing, response(200, {}))
    assert (asked().status, wire.sent) == (200, 2)


def test_a_sagemaker_that_cannot_be_reached_says_nothing_of_a_model(wired: Callable[..., Wire]) -> None:
    wire = wired(EndpointConnectionError(endpoint_url=URL))
    with pytest.raises(EndpointConnectionError):
        asked()
    assert wire.sent == 5


def test_a_container_that_sagemaker_gave_up_has_not_answered(wired: Callable[..., Wire]) -> None:
    told = {
        "Message": "Received server error (0)",
        "OriginalStatusCode": 0,
        "OriginalMessage": "Your invocation timed out",
    }
    wire = wired(response(424, told, "ModelError"))
    assert asked() == Answered(504, "text/plain", "Your invocation timed out")
    assert wire.sent == 1


def test_who_asks_says_how_long_it_waits(wired: Callable[..., Wire]) -> None:
    wired(SILENT)
    session = boto3.Session("testing", "testing", region_name="eu-central-1")
    place = Environment("333333333333", "eu-central-1", "aws", "", "")
    endpoints = SageMakerEndpoints(lambda: session, place, default_role=lambda: "")
    for seconds in (LONGEST_ANSWER, 40):
        assert endpoints.invoke("wages", "1,2", "text/csv", "text/csv", seconds=seconds).status == 504
    assert {one.meta.config.read_timeout for one in endpoints._clients.values()} == {LONGEST_ANSWER, 40}


class FakeTime:
    """Time that passes only while somebody is waited for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def hang(self, *_: Any) -> Answered:
        self.asked += 1
        self.now += HUNG
        return Answered(504, "text/plain", "no answer")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(probe_staging, "time", clock)
    monkeypatch.setattr(ask_what_serves, "time", clock)
    return clock


def harbour_with(**tests: Any) -> Harbour:
    """Every test of staging, with far more requests than a model that hangs can be asked."""
    harbour = Harbour()
    case = {"body": "1,2", "accept": "text/csv", "expect": {"status": 200}}
    prompts = [{"body": f"{number}", "expect": {"status": 200}} for number in range(40)]
    stored = harbour.world.objects.stored
    stored["s3://models/contract.jsonl"] = json.dumps(case).encode()
    stored["s3://models/holdout.csv"] = HOLDOUT.encode()
    stored["s3://models/hostile.jsonl"] = "\n".join(map(json.dumps, prompts)).encode()
    harbour.apply(
        {
            **policy_document(),
            "staging": {"tests": {"contract": "s3://models/contract.jsonl", **tests}},
        }
    )
    return harbour


REPLAY = {"dataset": "s3://models/holdout.csv", "at_least": {"accuracy": 0.0}, "minimum_rows": 10}
LATENCY = {"p95_ms": 5000, "requests": 100, "warm_up": 5}
LOAD = {"requests_per_second": 50, "seconds": 1}
SAFETY = "s3://models/hostile.jsonl"


def judged(harbour: Harbour, serving: Serving) -> tuple[Release, dict[str, Verdict]]:
    harbour.world.staging.serving = serving
    harbour.register(1)
    harbour.approve()
    release = harbour.release(1)
    return release, {one.gate: one for one in release.verdicts}


def test_a_model_that_always_hangs_gets_every_verdict_within_the_functions_time(clock: FakeTime) -> None:
    harbour = harbour_with(replay=REPLAY, latency=LATENCY, load=LOAD, safety=SAFETY)
    release, gates = judged(harbour, clock.hang)
    assert (release.status, stamp(harbour)) == (Status.FAILED, "Rejected"), release.reason
    assert clock.now <= 840
    failed = {name for name, one in gates.items() if one.verdict is Outcome.FAILED}
    assert failed == {"contract", "replay: accuracy", "safety: endpoint lives"}
    undecided = {"latency: p95", "load", "safety: hostile requests"}
    assert {gates[name].verdict for name in undecided} == {Outcome.INCONCLUSIVE}
    assert "could not be sent before the time of the staging tests was up" in gates["latency: p95"].reason


def test_a_hostile_request_that_hangs_is_a_verdict(clock: FakeTime) -> None:
    def serving(body: str, kind: str) -> Answered:
        return clock.hang() if body == "7" else Answered(200, "text/csv", "0")

    harbour = harbour_with(safety=SAFETY)
    _, gates = judged(harbour, serving)
    assert "line 8: answered 504" in gates["safety: hostile requests"].reason
    assert gates["safety: endpoint lives"].verdict is Outcome.PASSED
    assert stamp(harbour) == "Rejected"


def test_what_there_was_no_time_for_passes_nothing_and_accuses_nobody(clock: FakeTime) -> None:
    def slow(body: str, kind: str) -> Answered:
        clock.sleep(10)
        return Answered(200, "text/csv", "\n".join("0" for _ in body.splitlines()))

    harbour = harbour_with(latency={**LATENCY, "p95_ms": 20_000}, safety=SAFETY)
    release, gates = judged(harbour, slow)
    assert gates["contract"].verdict is Outcome.PASSED
    assert gates["latency: p95"].verdict is gates["safety: hostile requests"].verdict is Outcome.INCONCLUSIVE
    assert (release.status, stamp(harbour)) == (Status.FAILED, "PendingManualApproval")
    shown = {
        "model_package_arn": release.model_package_arn,
        "verdicts": [one.__dict__ for one in release.verdicts],
        "dossiers": {kind: {"document": document(harbour, kind)} for kind in ("judged", "tested")},
    }
    (again,) = judge_recorded(
        StagingTests.model_validate(
            {"contract": "s3://models/contract.jsonl", "latency": {**LATENCY, "p95_ms": 20_000}}
        ),
        recorded_from(shown),
    )[1:]
    assert again == gates["latency: p95"]


def stamp(harbour: Harbour) -> str:
    return str(harbour.world.registry.packages[package_arn(1)]["ModelApprovalStatus"])


def document(harbour: Harbour, kind: str) -> Any:
    return json.loads(harbour.world.objects.stored[f"s3://lockkeeper-bucket/dossiers/{release_id(1)}/{kind}.json"])


def test_rows_that_there_was_no_time_for_are_unknown(clock: FakeTime) -> None:
    def slow(body: str, kind: str) -> Answered:
        clock.sleep(400)
        return Answered(200, "text/csv", "\n".join("0" for _ in body.splitlines()))

    harbour = harbour_with(replay=REPLAY)
    lines = HOLDOUT.splitlines()
    harbour.world.objects.stored["s3://models/holdout.csv"] = "\n".join([lines[0], *lines[1:2] * 100]).encode()
    _, gates = judged(harbour, slow)
    assert gates["replay: accuracy"].verdict is Outcome.INCONCLUSIVE
    assert "only 25 of 100 rows could be sent in time" in gates["replay: accuracy"].reason


def test_what_failed_of_a_part_has_failed() -> None:
    failed = Verdict("contract", Outcome.FAILED, "answered 504", "0 of 3", "3 of 3")
    passed = Verdict("contract", Outcome.PASSED, "as recorded", "3 of 3", "3 of 3")
    assert of_a_part(failed, 2) == failed
    assert of_a_part(passed, 0) == passed
    assert of_a_part(passed, 2).verdict is Outcome.INCONCLUSIVE


def test_a_champion_that_hangs_is_asked_once_and_is_a_rollback_that_failed(clock: FakeTime) -> None:
    harbour = harbour_with()
    harbour.promote(1)
    to_production(harbour, 2)
    harbour.world.production.serving = clock.hang
    began = clock.now
    rollback(harbour)
    assert harbour.release(2).status is Status.FAILED
    assert "answers a request of its staging tests with status 504: no answer" in harbour.release(2).reason
    assert clock.asked == 1
    assert clock.now - began == HUNG
