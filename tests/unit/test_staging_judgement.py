"""Contract and replay: what an endpoint must have answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.release import Outcome
from lockkeeper.domain.staging_tests import (
    Answered,
    accuracy,
    contract_cases,
    judge_contract,
    judge_replay,
    labelled_rows,
    mean_absolute_error,
    predictions_in,
    root_mean_squared_error,
)


def contract(answer: Answered, **expect: Any) -> Any:
    cases = contract_cases(json.dumps({"name": "one", "body": "1,2", "expect": expect}), source="c.jsonl")
    return judge_contract(cases, [answer])


@pytest.mark.parametrize(
    ("expect", "answer"),
    [
        ({}, Answered(200, "text/csv", "1")),
        ({"rows": 2, "numeric": True}, Answered(200, "text/csv", "1\n0.5")),
        ({"rows": 1, "content_type": "application/json"}, Answered(200, "application/json; charset=utf-8", "[[1]]")),
        ({"rows": 1, "numeric": True}, Answered(200, "application/json", '{"predictions": [{"score": 1}]}')),
        ({"status": "4xx"}, Answered(415, "text/plain", "no")),
        ({"status": 400}, Answered(400, "text/plain", "no")),
    ],
)
def test_an_answer_as_recorded_passes(expect: dict[str, Any], answer: Answered) -> None:
    assert contract(answer, **expect).verdict is Outcome.PASSED


@pytest.mark.parametrize(
    ("expect", "answer", "said"),
    [
        ({}, Answered(500, "text/plain", "boom"), "one: answered 500, expected 200: boom"),
        ({"status": "4xx"}, Answered(500, "text/plain", "boom"), "expected 4xx"),
        ({"status": "4xx"}, Answered(200, "text/csv", "1"), "answered 200"),
        ({"rows": 2}, Answered(200, "text/csv", "1"), "1 predictions, expected 2"),
        ({"numeric": True}, Answered(200, "text/csv", "yes"), "no number"),
        ({"numeric": True}, Answered(200, "text/csv", "nan"), "no number"),
        ({"numeric": True}, Answered(200, "application/json", "[true]"), "no number"),
        ({"content_type": "text/csv"}, Answered(200, "application/json", "[1]"), "answered as application/json"),
        ({"rows": 1}, Answered(200, "application/json", "{"), "no JSON"),
        ({"rows": 1}, Answered(200, "application/json", "3"), "neither a list nor an object"),
        ({"rows": 1}, Answered(200, "image/png", "x"), "text/csv and application/json are understood"),
    ],
)
def test_any_other_answer_fails_and_says_why(expect: dict[str, Any], answer: Answered, said: str) -> None:
    verdict = contract(answer, **expect)
    assert verdict.verdict is Outcome.FAILED
    assert said in verdict.reason
    assert verdict.measured == "0 of 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no contract case"),
        ("\n\n", "no contract case"),
        ('{"body": "1"}\nno json', "c.jsonl:2: not a contract case"),
        ('{"expect": {}}', "c.jsonl:1: not a contract case"),
        ("[1]", "c.jsonl:1: not a contract case"),
        ('{"body": "1", "expect": []}', "c.jsonl:1: not a contract case"),
        ('{"body": "1", "expect": {"rows": "many"}}', "c.jsonl:1: not a contract case"),
    ],
)
def test_an_unusable_contract_names_its_line(text: str, said: str) -> None:
    with pytest.raises(EvidenceMissing, match=said.replace(".", r"\.")):
        contract_cases(text, source="c.jsonl")


def test_a_body_may_be_json() -> None:
    (case,) = contract_cases('{"body": {"rows": [1]}, "content_type": "application/json"}', source="c")
    assert (json.loads(case.body), case.status, case.accept) == ({"rows": [1]}, "200", "application/json")


def test_rows_are_label_and_features() -> None:
    assert labelled_rows('y,a,b\n1,2,"x,y"\n\n0,3,z\n', source="h.csv") == [("1", '2,"x,y"'), ("0", "3,z")]


@pytest.mark.parametrize(
    ("text", "said"), [("", "no rows"), ("y,a\n", "no rows"), ("y\n1\n", "no rows"), ("y,a\n1\n", "h.csv:2")]
)
def test_unusable_rows_are_refused(text: str, said: str) -> None:
    with pytest.raises(EvidenceMissing, match=said):
        labelled_rows(text, source="h.csv")


def test_metrics_are_what_their_names_say() -> None:
    assert accuracy(["1", "0", "yes", "2"], [1.0, "1", " yes ", "2.0"]) == 0.75
    assert mean_absolute_error(["1", "2"], ["2", 4]) == 1.5
    assert root_mean_squared_error(["0", "0"], [3, 4]) == pytest.approx(12.5**0.5)


def test_a_replay_is_judged_by_every_bound() -> None:
    labels, predictions = ["1"] * 10, ["1"] * 7 + ["0"] * 3
    verdicts = judge_replay(labels, predictions, at_least={"accuracy": 0.7}, at_most={"mae": 0.2}, minimum_rows=10)
    assert [(verdict.gate, verdict.verdict, verdict.measured) for verdict in verdicts] == [
        ("replay: accuracy", Outcome.PASSED, 0.7),
        ("replay: mae", Outcome.FAILED, 0.3),
    ]


def test_too_few_rows_are_inconclusive() -> None:
    (verdict,) = judge_replay(["1"], ["1"], at_least={"accuracy": 0.7}, at_most={}, minimum_rows=2)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "supply at least 2" in verdict.reason


@pytest.mark.parametrize("prediction", ["many", None, [1, 2]])
def test_answers_that_are_no_numbers_fail(prediction: Any) -> None:
    (verdict,) = judge_replay(["1"], [prediction], at_least={}, at_most={"mae": 1}, minimum_rows=1)
    assert verdict.verdict is Outcome.FAILED


def test_a_number_that_is_none_never_passes_a_bound() -> None:
    (verdict,) = judge_replay(["1"], ["nan"], at_least={}, at_most={"mae": 1}, minimum_rows=1)
    assert verdict.verdict is Outcome.FAILED


def test_predictions_of_each_form() -> None:
    assert predictions_in(Answered(200, "text/csv; charset=utf-8", "1,0.9\n0,0.2\n")) == ["1", "0"]
    assert predictions_in(Answered(200, "application/json", '[{"predicted_label": 1}, [2], 3]')) == [1, 2, 3]
