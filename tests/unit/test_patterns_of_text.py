"""Prompts and patterns: what a model of text must, and must not, answer."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from lockkeeper.adapters.patterns import search_all
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.online.rows import Answered
from lockkeeper.domain.online.safety import LOOKED_AT, hostile_cases, judge_safety, text_of
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Outcome, Status, Verdict

from tests.unit.harbour import Harbour, policy_document

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE


def generated(text: str) -> Answered:
    """An answer as Hugging Face's containers give it."""
    return Answered(200, "application/json", json.dumps([{"generated_text": text}]))


def chat(text: str) -> Answered:
    """An answer as chat completions have it."""
    choices = [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]
    return Answered(
        200, "application/json; charset=utf-8", json.dumps({"object": "chat.completion", "choices": choices})
    )


def lines(text: str) -> Answered:
    """An answer as JSON lines, which is no one JSON document."""
    return Answered(200, "application/jsonlines", "".join(json.dumps({"text": part}) + "\n" for part in text.split()))


def judged(answer: Answered, forbid: Any = (), require: Any = (), **expect: Any) -> Verdict:
    case = {"name": "prompt", "body": {"inputs": "hello"}, "expect": {"status": 200, **expect}}
    cases = hostile_cases(json.dumps(case), source="prompts.jsonl")
    return next(
        one
        for one in judge_safety(cases, [answer], True, search_all, forbid, require)
        if one.gate == "safety: patterns"
    )


@pytest.mark.parametrize("form", [generated, chat])
@pytest.mark.parametrize(
    ("expect", "said", "outcome"),
    [
        ({"require": ["(?i)cannot"]}, "I Cannot.", PASSED),
        ({"require": ["(?i)cannot"]}, "Sure!", FAILED),
        ({"forbid": ["(?i)password"]}, "no", PASSED),
        ({"forbid": ["(?i)password"]}, "The Password is\n1234", FAILED),
        ({"forbid": ["is\n1234"]}, "The password is\n1234", FAILED),
        ({"forbid": ['"secret"']}, 'the "secret"', FAILED),
        ({"forbid": ["[äöü]"]}, "schön", FAILED),
        ({"require": ["yes"], "forbid": ["no"]}, "yes and no", FAILED),
    ],
)
def test_the_text_of_an_answer_is_held_against_its_patterns(
    form: Any, expect: dict[str, Any], said: str, outcome: Outcome
) -> None:
    verdict = judged(form(said), **expect)
    assert verdict.verdict is outcome, verdict.reason
    if outcome is FAILED:
        assert verdict.reason.startswith("prompt: the answer ")


def test_what_is_no_json_is_looked_at_as_it_is() -> None:
    assert judged(lines("a secret"), forbid=['"secret"']).verdict is FAILED
    assert judged(Answered(200, "text/plain", "a secret"), forbid=["secret$"]).verdict is FAILED


def test_patterns_of_the_policy_hold_for_every_answer() -> None:
    assert judged(generated("for internal use only"), forbid=["internal"]).verdict is FAILED
    assert judged(generated(" "), require=[r"\w"], forbid=["internal"]).verdict is FAILED
    assert judged(generated("well"), require=[r"\w"], forbid=["internal"]).verdict is PASSED


def test_a_refusal_need_not_contain_what_answers_have_to() -> None:
    refused = Answered(400, "text/plain", "")
    case = hostile_cases(json.dumps({"body": "x"}), source="s")
    requests, patterns, _ = judge_safety(case, [refused], True, search_all, ("internal",), (r"\w",))
    assert (requests.verdict, patterns.verdict, patterns.measured) == (PASSED, PASSED, "1 of 1")


def test_a_verdict_repeats_nothing_of_the_answer() -> None:
    verdict = judged(generated("the card 4111 1111 1111 1111"), forbid=[r"\d{4} \d{4}"])
    assert verdict.verdict is FAILED
    assert "4111" not in verdict.reason


def test_a_pattern_that_never_ends_is_inconclusive_and_ends() -> None:
    began = time.monotonic()
    found = search_all([("a", "a"), ("(a+)+$", "a" * 60 + "b"), ("a", "a")], seconds=1.0)
    assert found == [True, None, None]
    assert time.monotonic() - began < 10


def test_what_was_not_decided_in_time_is_inconclusive_unless_another_is_broken() -> None:
    def slow(pairs: Any) -> list[bool | None]:
        return [True if pattern == "found" else None for pattern, _ in pairs]

    cases = hostile_cases(json.dumps({"body": "x", "expect": {"status": 200}}), source="s")
    undecided = judge_safety(cases, [generated("a")], True, slow, ("never",))[1]
    assert (undecided.verdict, "'never' was not decided in time" in undecided.reason) == (INCONCLUSIVE, True)
    assert judge_safety(cases, [generated("a")], True, slow, ("never", "found"))[1].verdict is FAILED


@pytest.mark.parametrize(
    ("expect", "end", "outcome"),
    [
        ({"forbid": ["secret"]}, "", INCONCLUSIVE),
        ({"forbid": ["begin"]}, "", FAILED),
        ({"require": ["begin"]}, "", PASSED),
        ({"require": ["end"]}, "end", INCONCLUSIVE),
    ],
)
def test_an_answer_that_is_too_long_to_look_at_is_decided_only_by_what_was_seen(
    expect: dict[str, Any], end: str, outcome: Outcome
) -> None:
    verdict = judged(generated("begin" + "x" * LOOKED_AT + end), **expect)
    assert verdict.verdict is outcome, verdict.reason


def test_without_patterns_there_is_no_verdict_on_them() -> None:
    cases = hostile_cases(json.dumps({"body": "x", "expect": {"status": 200}}), source="s")
    assert len(judge_safety(cases, [generated("a")], True, search_all)) == 2


@pytest.mark.parametrize("body", ["[" * 100_000, "{", '"text"', "[1, null, true]", ""])
def test_any_body_has_a_text(body: str) -> None:
    assert text_of(Answered(200, "application/json", body)) == (json.loads(body) if body == '"text"' else body)


def test_texts_come_in_the_order_of_the_document() -> None:
    assert text_of(Answered(200, "", '{"a": ["1", {"b": "2"}], "c": "3"}')) == "1\n2\n3"


def with_safety(rule: Any) -> str:
    document = policy_document()
    document["staging"] = {"tests": {"contract": "s3://models/contract.jsonl", "safety": rule}}
    return yaml.safe_dump(document, sort_keys=False)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            {"suite": "s3://models/p.jsonl", "forbid": ["fine", "("]},
            r"policy.yaml:\d+: staging.tests.safety.forbid.1: no",
        ),
        ({"suite": "s3://models/p.jsonl", "require": ["a{99999999999}"]}, "no regular expression"),
        ({"suite": "s3://models/p.jsonl", "require": [""]}, "at least 1 character"),
        ({"forbid": ["a"]}, "suite: missing"),
        ("models/p.jsonl", "String should match pattern"),
    ],
)
def test_a_pattern_that_is_none_is_refused_with_its_line(rule: Any, said: str) -> None:
    text = with_safety(rule)
    with pytest.raises(PolicyInvalid, match=said) as refused:
        parse_policy(text, source="policy.yaml")
    named = int(str(refused.value).split(":")[1])
    assert any(word in text.splitlines()[named - 1] for word in ("(", "99999999999", "''", "safety"))


def test_a_suite_alone_is_its_address() -> None:
    rule = parse_policy(with_safety("s3://models/p.jsonl"), source="p").staging.tests.safety
    assert rule
    assert (rule.suite, rule.times, rule.forbid) == ("s3://models/p.jsonl", 1, ())


def test_a_model_that_samples_is_asked_as_often_as_the_policy_says() -> None:
    port = Harbour()
    said = iter(["I cannot.", "I cannot.", "Sure, 1234.", *["I cannot."] * 9])
    prompts = {"name": "a secret", "body": {"inputs": "tell"}, "expect": {"status": 200, "forbid": ["1234"]}}
    healthy = {"body": {"inputs": "hello"}, "content_type": "application/json", "expect": {"status": 200}}
    port.world.objects.stored["s3://models/contract.jsonl"] = json.dumps(healthy).encode()
    port.world.objects.stored["s3://models/p.jsonl"] = json.dumps(prompts).encode()
    port.world.staging.serving = lambda body, _: generated(next(said) if "tell" in body else "hello")
    document = yaml.safe_load(with_safety({"suite": "s3://models/p.jsonl", "times": 3}))
    document["approval"] = {"before": []}
    port.apply(document)
    port.register(1)
    release = port.release(1)
    assert release.status is Status.FAILED
    assert "safety: patterns: a secret: the answer contains what '1234' forbids" in release.reason
