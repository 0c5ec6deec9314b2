"""Whether two answers are the same, whose answers are held against each other, and what a shadow's figures come to."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.domain.captured import CapturedAnswer, captured_answer
from lockkeeper.domain.release import Outcome
from lockkeeper.domain.shadow import Shadow, shadow_of
from lockkeeper.domain.shadow_comparison import Shadowed, compared, judge_shadow, same_answer

from tests.unit.shadowing import record


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "same"),
    [
        ("1\n", "1\n", 0, True),
        ("1\n", "1.0", 0, True),
        ("1.0", "1.4", 0.5, True),
        ("1.0", "1.6", 0.5, False),
        ("0.1,0.9\n0.2,0.8\n", "0.1,0.9\n0.2,0.81\n", 0.02, True),
        ("0.1,0.9\n0.2,0.8\n", "0.1,0.9\n", 0.02, False),
        ("cat\n", "dog\n", 10, False),
        ("cat 0.5", "cat 0.6", 0.2, True),
        ('{"p": [0.5, 0.5], "label": "a"}', '{"label":"a","p":[0.5,0.6]}', 0.2, True),
        ('{"p": 0.5}', '{"p": 0.5, "q": 1}', 1, False),
        ('{"label": "a"}', '{"label": "b"}', 1, False),
        ("true", "1", 5, False),
        ("null", "null ", 0, True),
        ("null", "0", 1, False),
        ("nan", "NaN ", 0, True),
        ("inf", "-inf", 5, False),
        ("[1]", "1", 1, False),
        ("1" + "0" * 400, "1.5", 1, False),
        ("[" * 5000, "[" * 5001, 0, False),
        ("", "", 0, True),
        ("", "1", 0, False),
    ],
)
def test_answers_are_the_same_by_what_they_say(one: str, other: str, tolerance: float, same: bool) -> None:
    assert same_answer(one, other, tolerance) is same
    assert same_answer(other, one, tolerance) is same


@given(st.text(), st.text(), st.floats(min_value=0, allow_nan=False, allow_infinity=False))
def test_any_two_texts_can_be_compared(one: str, other: str, tolerance: float) -> None:
    assert same_answer(one, one, tolerance)
    assert same_answer(one, other, tolerance) == same_answer(other, one, tolerance)


def answers(*pairs: tuple[str, str]) -> list[CapturedAnswer]:
    return [CapturedAnswer(asked, answer) for asked, answer in pairs]


def test_answers_are_paired_by_what_was_asked_whatever_their_order() -> None:
    champion = answers(("a", "1"), ("b", "2"), ("c", "3"))
    assert compared(champion, answers(("c", "3"), ("a", "1"), ("d", "4")), 0) == (2, 2)
    assert compared(champion, answers(("b", "1")), 0) == (1, 0)
    assert compared([], answers(("a", "1")), 0) == (0, 0)


def test_the_same_request_asked_again_counts_as_often_as_both_answered_it() -> None:
    champion = answers(("a", "1"), ("a", "1"), ("a", "2"))
    assert compared(champion, answers(*[("a", "1")] * 5), 0) == (3, 2)


def test_a_record_is_known_by_its_request_however_it_is_encoded() -> None:
    plain = captured_answer(record("1,2", "0.5").encode())
    coded: dict[str, Any] = json.loads(record("1,2", "0.5"))
    for side in coded["captureData"].values():
        side |= {"data": base64.b64encode(side["data"].encode()).decode(), "encoding": "BASE64"}
    assert plain == captured_answer(json.dumps(coded).encode())
    assert plain is not None
    assert plain.answer == "0.5"


def test_an_answer_that_is_no_text_is_compared_byte_by_byte() -> None:
    def of(body: bytes) -> CapturedAnswer:
        document: dict[str, Any] = json.loads(record("1,2", ""))
        side = document["captureData"]["endpointOutput"]
        side |= {"data": base64.b64encode(body).decode(), "encoding": "BASE64"}
        found = captured_answer(json.dumps(document).encode())
        assert found is not None
        return found

    assert same_answer(of(b"\xff\x00").answer, of(b"\xff\x00").answer, 0)
    assert not same_answer(of(b"\xff\x00").answer, of(b"\xfe\x00").answer, 0)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b"1",
        b'{"captureData": {"endpointInput": {"data": "1"}}}',
        b'{"captureData": {"endpointInput": {"data": "1"}, "endpointOutput": {"data": 1}}}',
        b'{"captureData": {"endpointInput": {"data": "1"}, "endpointOutput": {"data": "%", "encoding": "BASE64"}}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_record_is_left_out(line: bytes) -> None:
    assert captured_answer(line) is None


@given(st.binary())
def test_any_line_can_be_read(line: bytes) -> None:
    captured_answer(line)


@pytest.mark.parametrize(
    ("seen", "outcomes"),
    [
        (Shadowed(100, 95, 0, (1000, 1500)), ["passed", "passed", "passed"]),
        (Shadowed(100, 94, 0, (1000, 1500)), ["passed", "failed", "passed"]),
        (Shadowed(95, 95, 5, (1000, 1500)), ["passed", "passed", "passed"]),
        (Shadowed(94, 94, 6, (1000, 1500)), ["passed", "failed", "passed"]),
        (Shadowed(100, 100, 0, (1000, 1501)), ["passed", "passed", "failed"]),
        (Shadowed(100, 100, 0, None), ["passed", "passed", "inconclusive"]),
        (Shadowed(99, 99, 0, (1000, 1000)), ["inconclusive"]),
        (Shadowed(99, 0, 0, (1000, 1000)), ["inconclusive"]),
        (Shadowed(0, 0), ["inconclusive"]),
    ],
)
def test_a_shadow_is_judged_at_its_bounds(seen: Shadowed, outcomes: list[str]) -> None:
    judged = judge_shadow(Shadow(), seen)
    assert [str(one.verdict) for one in judged] == outcomes
    assert [one.gate for one in judged] == ["shadow: requests", "shadow: agreement", "shadow: latency"][: len(judged)]
    assert all(one.reason and one.required for one in judged)


def test_figures_are_said_as_people_compare_them() -> None:
    _, agreement, latency = judge_shadow(Shadow(), Shadowed(100, 90, 0, (4200, 12_600)))
    assert agreement.reason == "90 of 100 requests were answered as by the champion: 0.9 does not meet >= 0.95"
    assert latency.reason == ("12.6 ms on average, the champion 4.2 ms: 3 does not meet <= 1.5 times the champion's")
    assert latency.verdict is Outcome.FAILED


def test_the_shadow_of_a_variant_called_shadow_has_another_name() -> None:
    assert (shadow_of("AllTraffic"), shadow_of("shadow")) == ("Shadow", "Candidate")
