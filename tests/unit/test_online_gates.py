"""Latency, load and safety of an endpoint: the judgements, and the requests behind them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.adapters.in_memory.endpoints import InMemoryEndpoints
from lockkeeper.adapters.patterns import search_all
from lockkeeper.domain.errors import DeploymentFailed, EvidenceMissing
from lockkeeper.domain.online.latency import fewest, interval, judge_latency, percentile
from lockkeeper.domain.online.load import Shot, judge_load
from lockkeeper.domain.online.rows import Answered, Row
from lockkeeper.domain.online.safety import hostile_cases, judge_safety
from lockkeeper.domain.release import Outcome, Status
from lockkeeper.domain.staging_rules import Latency, Load, StagingTests
from lockkeeper.domain.staging_tests import contract_cases
from lockkeeper.use_cases.probe_staging import (
    Good,
    UnderTest,
    good_requests,
    measure_latency,
    measure_load,
)

from tests.unit.harbour import HOLDOUT, Harbour, policy_document, release_id

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("bound", "outcome"), [(200, PASSED), (196, INCONCLUSIVE), (190, INCONCLUSIVE), (184, INCONCLUSIVE), (100, FAILED)]
)
def test_a_bound_inside_the_interval_is_inconclusive(bound: float, outcome: Outcome) -> None:
    (verdict,) = judge_latency([float(number) for number in range(1, 201)], {0.95: bound})
    assert (verdict.gate, verdict.measured) == ("latency: p95", 190.0)
    assert verdict.verdict is outcome, verdict.reason
    assert "184 to 197 at 95%" in verdict.reason


@pytest.mark.parametrize(("share", "needed"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_too_few_requests_tell_no_percentile(share: float, needed: int) -> None:
    assert fewest(share) == needed
    (verdict,) = judge_latency([1.0] * (needed - 1), {share: 5})
    assert (verdict.verdict, f"ask for at least {needed}" in verdict.reason) == (INCONCLUSIVE, True)
    assert judge_latency([1.0] * needed, {share: 5})[0].verdict is PASSED
    assert judge_latency([], {share: 5})[0].verdict is INCONCLUSIVE


def test_the_interval_holds_the_true_percentile_as_often_as_it_says() -> None:
    generator, held, rounds = random.Random(5), 0, 2000
    places = interval(200, 0.95)
    assert places
    for _ in range(rounds):
        sample = sorted(generator.expovariate(1) for _ in range(200))
        held += sample[places[0]] <= 2.995732 <= sample[places[1]]
    assert held / rounds >= 0.945


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 0.99))
def test_a_percentile_is_exceeded_by_no_more_than_the_rest(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-9
    assert found in ordered


def shots(count: int, errors: int = 0, late: int = 0) -> list[Shot]:
    return [Shot(1.0 if one < late else 0.0, 503 if one < errors else 200, 5.0) for one in range(count)]


@pytest.mark.parametrize(
    ("fired", "outcome"),
    [
        (shots(100), PASSED),
        (shots(100, errors=1), FAILED),
        (shots(100, late=6), INCONCLUSIVE),
        (shots(100, late=6, errors=50), INCONCLUSIVE),
        (shots(99), INCONCLUSIVE),
    ],
)
def test_errors_count_at_a_rate_that_was_kept(fired: list[Shot], outcome: Outcome) -> None:
    assert judge_load(fired, 100, 0.01).verdict is outcome


def test_a_client_error_under_load_is_no_error_of_the_endpoint() -> None:
    assert judge_load([Shot(0.0, 400, 1.0)], 1, 0.5).verdict is PASSED


def hostile(**expect: Any) -> str:
    return json.dumps({"name": "hostile", "body": "x", **({"expect": expect} if expect else {})})


@pytest.mark.parametrize(
    ("expect", "answer", "said"),
    [
        ({}, Answered(400, "text/plain", "no such column"), ""),
        ({}, Answered(500, "text/plain", "oops"), "never be the server's fault"),
        ({"status": "5xx"}, Answered(500, "text/plain", "oops"), "never be the server's fault"),
        ({}, Answered(200, "text/plain", "1"), "answered 200, expected 4xx"),
        ({"status": 415}, Answered(400, "text/plain", ""), "answered 400, expected 415"),
        ({}, Answered(400, "text/plain", 'File "/opt/app.py", line 3'), "insides"),
        ({}, Answered(400, "text/plain", "Traceback (most recent call last):"), "insides"),
    ],
)
def test_a_hostile_request_is_answered_as_it_should_be(expect: dict[str, Any], answer: Answered, said: str) -> None:
    cases = hostile_cases(hostile(**expect), source="hostile.jsonl")
    requests, lives = judge_safety(cases, [answer], True, search_all)
    assert requests.verdict is (FAILED if said else PASSED)
    assert said in requests.reason
    assert lives.verdict is PASSED
    assert judge_safety(cases, [answer], False, search_all)[1].verdict is FAILED


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"name": "no body"}', hostile(forbid=["("]), hostile(forbid=3), hostile(require="ab")]
)
def test_a_safety_file_that_cannot_be_used_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(EvidenceMissing, match=r"hostile.jsonl"):
        hostile_cases(text, source="hostile.jsonl")


class Slow(InMemoryEndpoints):
    """Answers after some milliseconds, by its own count of requests."""

    def __init__(self, answers: Any) -> None:
        self.answers, self.asked = answers, 0

    def invoke(self, *_: Any, **__: Any) -> Answered:
        self.asked += 1
        return self.answers(self.asked)


ONE = (Good("1,2", "text/csv", "text/csv"),)


def test_the_warm_up_is_sent_and_does_not_count() -> None:
    endpoints = Slow(lambda _: Answered(200, "text/csv", "0"))
    verdicts, figures = measure_latency(
        UnderTest("wages", endpoints), Latency(p50_ms=1000.0, requests=10, warm_up=5), ONE
    )
    assert (endpoints.asked, figures["requests"]) == (15, 10)
    assert [one.verdict for one in verdicts] == [PASSED]
    assert set(figures["milliseconds"]) == {"p50", "p95", "p99"}


def test_load_is_kept_up_whatever_the_endpoint_answers() -> None:
    def answer(number: int) -> Answered:
        if number % 2:
            raise DeploymentFailed("the endpoint is gone")
        return Answered(200, "text/csv", "0")

    policy = Load(requests_per_second=100.0, seconds=1, errors_below=0.1)
    (verdict,), figures = measure_load(UnderTest("wages", Slow(answer)), policy, ONE)
    assert (verdict.verdict, verdict.measured) == (FAILED, 0.5)
    assert (figures["requests"], figures["errors"]) == (100, 50)


def test_good_requests_are_rows_or_the_contracts_own() -> None:
    line = {"name": "one", "body": "1", "expect": {"status": 200}}
    cases = contract_cases(
        "\n".join(json.dumps({**line, **more}) for more in ({}, {"expect": {"status": 400}})), source="c"
    )
    assert good_requests(cases, []) == (Good("1", "text/csv", "application/json"),)
    assert good_requests(cases, [Row("label", "5,6")]) == (Good("5,6", "text/csv", "text/csv"),)
    with pytest.raises(EvidenceMissing, match="answered 200"):
        good_requests(cases[1:], [])


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ({"latency": {"p95_ms": 100}}, "give contract or replay"),
        ({"contract": "s3://models/c.jsonl", "latency": {}}, "at least one of p50_ms"),
        ({"contract": "s3://models/c.jsonl", "latency": {"p99_ms": 1, "requests": 200}}, "give at least 368"),
    ],
)
def test_a_test_that_could_tell_nothing_is_refused(tests: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        StagingTests.model_validate(tests)


def harbour_with(**tests: Any) -> Harbour:
    """A harbour whose policy tests staging with a replay and what is given."""
    harbour = Harbour()
    harbour.world.objects.stored["s3://models/holdout.csv"] = HOLDOUT.encode()
    document = policy_document()
    document["approval"] = {"before": []}
    replay = {"dataset": "s3://models/holdout.csv", "at_least": {"accuracy": 0.0}, "minimum_rows": 10}
    document["staging"] = {"tests": {"replay": replay, **tests}}
    harbour.apply(document)
    return harbour


def test_every_online_gate_is_in_the_dossier() -> None:
    harbour = harbour_with(
        latency={"p95_ms": 5000, "requests": 100},
        load={"requests_per_second": 50, "seconds": 1},
        safety="s3://models/hostile.jsonl",
    )
    harbour.world.objects.stored["s3://models/hostile.jsonl"] = hostile(status=200).encode()
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.BAKING, release.reason
    gates = {one.gate: one.verdict for one in release.verdicts}
    wanted = {"latency: p95", "load", "safety: hostile requests", "safety: endpoint lives", "replay: accuracy"}
    assert {gates[gate] for gate in wanted} == {PASSED}
    key = f"s3://lockkeeper-bucket/dossiers/{release_id(1)}/tested.json"
    evidence = json.loads(harbour.world.objects.stored[key])["evidence"]
    assert set(evidence) == {"judged", "replay", "latency", "load", "safety"}


def test_an_endpoint_that_is_too_slow_or_tells_too_much_is_stopped_before_production() -> None:
    harbour = harbour_with(latency={"p50_ms": 0.0001}, safety="s3://models/hostile.jsonl")
    harbour.world.objects.stored["s3://models/hostile.jsonl"] = hostile().encode()
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "latency: p50" in release.reason
    assert "safety: hostile requests: hostile: answered 200, expected 4xx" in release.reason
    assert harbour.world.production.models == {}
