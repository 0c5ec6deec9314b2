"""What serves again after a rollback is asked with a request that it answered in staging; one that is silent calls people."""

from __future__ import annotations

import json

import pytest
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.online.rows import Answered
from lockkeeper.domain.release import Release, Status
from lockkeeper.domain.staging_tests import contract_cases
from lockkeeper.domain.targets import Queued
from lockkeeper.use_cases import ask_what_serves
from lockkeeper.use_cases.probe_staging import LONGEST_PROBE, Good, probe_from

from tests.unit.braking import FIRST, rollback, serving_two, to_production
from tests.unit.harbour import GROUP, Harbour, policy_document

CASE = {"name": "one row", "body": "1,2", "accept": "text/csv", "expect": {"status": 200}}


@pytest.fixture
def harbour(monkeypatch: pytest.MonkeyPatch) -> Harbour:
    monkeypatch.setattr(ask_what_serves, "PAUSE", 0.0)
    harbour = Harbour()
    harbour.world.objects.stored["s3://models/contract.jsonl"] = json.dumps(CASE).encode()
    harbour.apply({**policy_document(), "staging": {"tests": {"contract": "s3://models/contract.jsonl"}}})
    return harbour


def told(release: Release) -> str:
    """What a release's history says of what serves again."""
    return " ".join(
        entry.why for entry in release.timeline if entry.what in ("endpoint in service", "production is as it was")
    )


def asked_of_production(harbour: Harbour) -> int:
    return len(harbour.world.production.requests)


def test_what_serves_again_is_asked_after_a_promotion_was_withdrawn(harbour: Harbour) -> None:
    serving_two(harbour)
    before = asked_of_production(harbour)
    rollback(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert "it answers a request of its staging tests with status 200" in told(harbour.release(2))
    assert asked_of_production(harbour) == before + 1


def test_what_serves_again_is_asked_after_a_bake(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    rollback(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert "it answers a request of its staging tests with status 200" in told(harbour.release(2))


def test_a_champion_that_does_not_answer_is_a_rollback_that_failed(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    harbour.world.production.serving = lambda *_: Answered(500, "text/plain", "no disk")
    before = asked_of_production(harbour)
    rollback(harbour)
    release = harbour.release(2)
    assert release.status is Status.FAILED
    assert (
        f"InService with {FIRST} again, but answers a request of its staging tests with status 500: no disk"
        in release.reason
    )
    assert harbour.world.ledger.frozen(GROUP) is not None
    assert harbour.published("Group Frozen")[-1]["urgent"]
    assert asked_of_production(harbour) == before + ask_what_serves.TRIES


def test_one_stumble_is_no_failure(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    answers = iter([Answered(503, "text/plain", "warming up")])
    harbour.world.production.serving = lambda *_: next(answers, Answered(200, "text/csv", "1"))
    rollback(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK


def test_one_that_is_too_busy_to_be_asked_is_no_failure_and_that_is_said(harbour: Harbour) -> None:
    def throttled(*_: object) -> Answered:
        raise TryAgain("endpoint wages took no request: ThrottlingException: not now")

    harbour.promote(1)
    to_production(harbour, 2)
    harbour.world.production.serving = throttled
    before = asked_of_production(harbour)
    rollback(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert "it could not be asked: endpoint wages took no request" in told(harbour.release(2))
    assert asked_of_production(harbour) == before + ask_what_serves.TRIES
    assert harbour.world.ledger.frozen(GROUP) is None


def test_one_that_fails_once_and_is_then_too_busy_has_failed(harbour: Harbour) -> None:
    def failing_once(*_: object) -> Answered:
        for answer in answers:
            return answer
        raise TryAgain("not now")

    harbour.promote(1)
    to_production(harbour, 2)
    answers = iter([Answered(500, "text/plain", "no disk")])
    harbour.world.production.serving = failing_once
    rollback(harbour)
    assert "with status 500: no disk" in harbour.release(2).reason


def test_without_a_known_request_nothing_is_asked_and_that_is_said(harbour: Harbour) -> None:
    harbour.apply(policy_document())
    serving_two(harbour)
    before = asked_of_production(harbour)
    rollback(harbour)
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert "nobody knows a request that it answers" in told(harbour.release(2))
    assert asked_of_production(harbour) == before


def test_a_release_keeps_a_short_request_and_shows_it_to_nobody(harbour: Harbour) -> None:
    harbour.promote(1)
    assert harbour.release(1).probe == {"body": "1,2", "content_type": "text/csv", "accept": "text/csv"}
    assert "probe" not in harbour.release(1).to_json()


def test_long_requests_are_not_kept() -> None:
    def case(body: str) -> str:
        return json.dumps({**CASE, "body": body})

    cases = contract_cases(case("é" * (LONGEST_PROBE // 2 + 1)), source="s3://models/contract.jsonl")
    assert probe_from(cases, []) == {}
    cases = contract_cases(case("1" * LONGEST_PROBE), source="s3://models/contract.jsonl")
    assert Good(**probe_from(cases, [])).body == "1" * LONGEST_PROBE


FAILED = Answered(500, "text/plain", "no disk")


@pytest.fixture
def queue(harbour: Harbour) -> Harbour:
    """A group whose endpoint answers through a queue."""
    document = policy_document()
    document["staging"] = {"target": "real-time", "tests": {"contract": "s3://models/contract.jsonl"}}
    places = {"output": "s3://models/answers", "failures": "s3://models/failures"}
    document["production"] |= {"target": "async", "asynchronous": places, "strategy": {"bake": "10m"}}
    harbour.apply(document)
    return harbour


def test_what_answers_through_a_queue_is_asked_through_it(queue: Harbour) -> None:
    serving_two(queue)
    before = asked_of_production(queue)
    rollback(queue)
    assert queue.release(2).status is Status.ROLLED_BACK
    assert "it answers a request of its staging tests through its queue, at s3://models/answers/" in told(
        queue.release(2)
    )
    assert asked_of_production(queue) == before + 1
    kept = queue.release(1).probe["uri"]
    assert queue.world.objects.stored[kept] == b"1,2"
    assert "/artifacts/requests/" in kept


def test_a_queue_that_fails_is_a_rollback_that_failed(queue: Harbour) -> None:
    queue.promote(1)
    to_production(queue, 2)
    queue.world.production.serving = lambda *_: FAILED
    before = asked_of_production(queue)
    rollback(queue)
    release = queue.release(2)
    assert release.status is Status.FAILED
    assert "through its queue with a failure, at s3://models/failures/" in release.reason
    assert "no disk" in release.reason
    assert queue.world.ledger.frozen(GROUP) is not None
    assert asked_of_production(queue) == before + ask_what_serves.TRIES


def test_a_queue_that_is_silent_is_told_of_and_freezes_nobody(queue: Harbour) -> None:
    """Whether it is behind other requests, or may not be read, nobody can tell."""
    queue.promote(1)
    to_production(queue, 2)
    looked: list[str] = []
    queue.world.production.written = looked.append  # type: ignore[assignment, method-assign]
    rollback(queue)
    assert queue.release(2).status is Status.ROLLED_BACK
    assert "it was asked through its queue, and has left nothing that Lockkeeper may read" in told(queue.release(2))
    assert looked.count(looked[0]) == ask_what_serves.LOOKS


def test_looks_end_also_where_the_last_one_finds_a_failure(queue: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.promote(1)
    to_production(queue, 2)
    looks = iter([None] * (2 * ask_what_serves.LOOKS - 1) + ["no disk"])
    monkeypatch.setattr(queue.world.production, "written", lambda _: next(looks, None))
    rollback(queue)
    assert queue.release(2).status is Status.ROLLED_BACK
    assert "has left nothing that Lockkeeper may read" in told(queue.release(2))
    assert next(looks, "all looked") == "all looked"


def test_a_queue_that_lockkeeper_may_not_ask_says_nothing_of_the_model(
    queue: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: str) -> Queued:
        raise DeploymentFailed("endpoint wages takes no requests: AccessDeniedException: not authorized")

    queue.promote(1)
    to_production(queue, 2)
    monkeypatch.setattr(queue.world.production, "enqueue", refused)
    rollback(queue)
    assert queue.release(2).status is Status.ROLLED_BACK
    assert "it could not be asked: endpoint wages takes no requests: AccessDeniedException" in told(queue.release(2))


def test_a_queue_whose_request_was_never_kept_is_not_asked(queue: Harbour) -> None:
    serving_two(queue)
    bare = {name: value for name, value in queue.release(1).probe.items() if name != "uri"}
    queue.world.ledger.record("wages-v1-a1", "as an older Lockkeeper kept it", "", probe=bare)
    before = asked_of_production(queue)
    rollback(queue)
    assert "no request was kept where its queue could read it, so it was not asked" in told(queue.release(2))
    assert asked_of_production(queue) == before
