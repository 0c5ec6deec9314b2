"""Contract and replay: what an endpoint must have answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.online.replay import REPLAY_METRICS, Bounds, judge_replay
from lockkeeper.domain.online.rows import Answered, Replayed, Row, labelled_rows, predictions_in
from lockkeeper.domain.release import Outcome
from lockkeeper.domain.staging_tests import contract_cases, judge_contract
from lockkeeper.use_cases.send_rows import send_rows


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
    assert labelled_rows('y,a,b\n1,2,"x,y"\n\n0,3,z\n', source="h.csv") == [Row("1", '2,"x,y"'), Row("0", "3,z")]


@pytest.mark.parametrize(
    ("text", "said"), [("", "no rows"), ("y,a\n", "no rows"), ("y\n1\n", "no rows"), ("y,a\n1\n", "h.csv:2")]
)
def test_unusable_rows_are_refused(text: str, said: str) -> None:
    with pytest.raises(EvidenceMissing, match=said):
        labelled_rows(text, source="h.csv")


def test_metrics_are_what_their_names_say() -> None:
    assert REPLAY_METRICS["accuracy"].of(["1", "0", "yes", "2"], [1.0, "1", " yes ", "2.0"]) == 0.75
    assert REPLAY_METRICS["mae"].of(["1", "2"], ["2", 4]) == 1.5
    assert REPLAY_METRICS["rmse"].of(["0", "0"], [3, 4]) == pytest.approx(12.5**0.5)


def replayed(labels: list[str], predictions: list[Any]) -> Replayed:
    """Answers to rows that are all different."""
    return Replayed("suite", tuple((f"row {n}", *pair) for n, pair in enumerate(zip(labels, predictions, strict=True))))


def test_a_replay_is_judged_by_every_bound() -> None:
    labels, predictions = ["1"] * 10, ["1"] * 7 + ["0"] * 3
    verdicts = judge_replay(replayed(labels, predictions), Bounds({"accuracy": 0.7}, {"mae": 0.2}, 10))
    assert [(verdict.gate, verdict.verdict, verdict.measured) for verdict in verdicts] == [
        ("replay: accuracy", Outcome.PASSED, 0.7),
        ("replay: mae", Outcome.FAILED, 0.3),
    ]


def test_too_few_rows_are_inconclusive() -> None:
    (verdict,) = judge_replay(replayed(["1"], ["1"]), Bounds({"accuracy": 0.7}, {}, 2))
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "supply at least 2" in verdict.reason


@pytest.mark.parametrize("prediction", ["many", None, [1, 2]])
def test_answers_that_are_no_numbers_fail(prediction: Any) -> None:
    (verdict,) = judge_replay(replayed(["1"], [prediction]), Bounds({}, {"mae": 1}, 1))
    assert verdict.verdict is Outcome.FAILED


def test_a_number_that_is_none_never_passes_a_bound() -> None:
    (verdict,) = judge_replay(replayed(["1"], ["nan"]), Bounds({}, {"mae": 1}, 1))
    assert verdict.verdict is Outcome.FAILED


@pytest.mark.parametrize(
    ("rows", "body", "predictions"),
    [
        (3, "0.1,0.9,0.5", ["0.1", "0.9", "0.5"]),
        (1, "1,0.9", ["1"]),
        (2, "1,0.9", ["1"]),
        (2, "1,0.9\n0,0.2\n", ["1", "0"]),
        (3, "0.1,0.9", ["0.1"]),
    ],
)
def test_a_line_with_a_cell_for_each_of_several_rows_is_their_predictions(
    rows: int, body: str, predictions: list[str]
) -> None:
    """So answers a booster in the XGBoost container; of one row a second cell is its probability."""
    assert predictions_in(Answered(200, "text/csv", body), rows) == predictions


@pytest.mark.parametrize(("first", "problem"), [("0.1,0.2,0.3", ""), ("1\n0\n1", "2 rows were answered with 1")])
def test_two_rows_of_a_last_request_are_joined_where_the_rows_before_were(
    monkeypatch: pytest.MonkeyPatch, first: str, problem: str
) -> None:
    monkeypatch.setattr("lockkeeper.use_cases.send_rows.ROWS_PER_REQUEST", 3)
    answers = iter([first, "1,0.9"])
    rows = [Row("1", str(number)) for number in range(5)]
    sent = send_rows(rows, "sha", lambda _: Answered(200, "text/csv", next(answers)))
    assert problem in sent.problem
    assert [said for _, _, said in sent.answers] == ([] if problem else ["0.1", "0.2", "0.3", "1", "0.9"])


def test_predictions_of_each_form() -> None:
    assert predictions_in(Answered(200, "text/csv; charset=utf-8", "1,0.9\n0,0.2\n"), 2) == ["1", "0"]
    assert predictions_in(Answered(200, "application/json", '[{"predicted_label": 1}, [2], 3]'), 3) == [1, 2, 3]
