"""Tests against a staging endpoint, judged: the contract (recorded requests) and the replay (held-out rows).

A contract file has one JSON object per line::

    {"name": "one row", "body": "12,40,no,...", "content_type": "text/csv",
     "expect": {"status": 200, "content_type": "application/json", "rows": 1, "numeric": true}}

`expect.status` defaults to 200; `4xx` means any client error. `rows` is the number of predictions in the answer.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.release import Outcome, Verdict


@dataclass(frozen=True)
class Answered:
    """What the endpoint said: the model container's HTTP status, its content type and body."""

    status: int
    content_type: str
    body: str


@dataclass(frozen=True)
class ContractCase:
    """One recorded request and what must come back."""

    name: str
    body: str
    content_type: str
    accept: str
    status: str
    answer_type: str | None
    rows: int | None
    numeric: bool


def contract_cases(text: str, *, source: str) -> tuple[ContractCase, ...]:
    """Read a contract file; `EvidenceMissing` names the line that cannot be used."""

    def read(case: dict[str, Any], expect: dict[str, Any], name: str) -> ContractCase:
        return ContractCase(
            name=name,
            body=body_of(case),
            content_type=str(case.get("content_type", "text/csv")),
            accept=str(case.get("accept", expect.get("content_type", "application/json"))),
            status=str(expect.get("status", 200)),
            answer_type=expect.get("content_type"),
            rows=int(expect["rows"]) if "rows" in expect else None,
            numeric=bool(expect.get("numeric", False)),
        )

    return cases_in(text, read, kind="contract case", source=source)


Case = TypeVar("Case")


def cases_in(
    text: str, read: Callable[[dict[str, Any], dict[str, Any], str], Case], *, kind: str, source: str
) -> tuple[Case, ...]:
    """One case a line, as `read` makes it of the line's object, its `expect` and its name; the refusal names the line."""
    cases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
            cases.append(read(case, case.get("expect", {}), str(case.get("name", f"line {number}"))))
        except (ValueError, KeyError, TypeError, AttributeError, re.error) as error:
            raise EvidenceMissing(
                f"{source}:{number}: not a {kind} ({type(error).__name__}: {error})",
                cure='write one JSON object per line with "body" and "expect"',
            ) from error
    if not cases:
        raise EvidenceMissing(f"{source} has no {kind}", cure="write at least one JSON object on a line")
    return tuple(cases)


def body_of(case: dict[str, Any]) -> str:
    """A request's body: text as it is, anything else as JSON."""
    return case["body"] if isinstance(case["body"], str) else json.dumps(case["body"])


def judge_contract(cases: Sequence[ContractCase], answers: Sequence[Answered]) -> Verdict:
    """Every recorded request must be answered as recorded."""
    broken = []
    for case, answer in zip(cases, answers, strict=True):
        problem = _contract_problem(case, answer)
        if problem:
            broken.append(f"{case.name}: {problem}")
    required = f"{len(cases)} of {len(cases)} requests answered as recorded"
    measured = f"{len(cases) - len(broken)} of {len(cases)}"
    if broken:
        return Verdict("contract", Outcome.FAILED, "; ".join(broken[:5]), measured, required)
    return Verdict("contract", Outcome.PASSED, "every request was answered as recorded", measured, required)


def _contract_problem(case: ContractCase, answer: Answered) -> str:
    wanted = case.status
    fits = str(answer.status) == wanted or (wanted.endswith("xx") and str(answer.status)[0] == wanted[0])
    if not fits:
        return f"answered {answer.status}, expected {wanted}: {answer.body[:120]}"
    if answer.status >= 400:
        return ""
    if case.answer_type and answer.content_type.split(";")[0].strip() != case.answer_type:
        return f"answered as {answer.content_type}, expected {case.answer_type}"
    if case.rows is None and not case.numeric:
        return ""
    try:
        predictions = predictions_in(answer)
    except ValueError as error:
        return str(error)
    if case.rows is not None and len(predictions) != case.rows:
        return f"answered {len(predictions)} predictions, expected {case.rows}"
    if case.numeric and not all(_is_number(one) for one in predictions):
        return f"answered something that is no number: {str(predictions)[:120]}"
    return ""


def predictions_in(answer: Answered) -> list[Any]:
    """The predictions of an answer, one per row: CSV's first column, a JSON list, or JSON's `predictions`."""
    kind = answer.content_type.split(";")[0].strip()
    if kind == "application/json":
        try:
            document = json.loads(answer.body)
        except ValueError as error:
            raise ValueError(f"the answer is no JSON: {answer.body[:80]}") from error
        if isinstance(document, dict):
            document = document.get("predictions")
        if not isinstance(document, list):
            raise ValueError('the JSON answer is neither a list nor an object with "predictions"')
        return [_only(one) for one in document]
    if kind == "text/csv":
        return [row[0] for row in csv.reader(io.StringIO(answer.body)) if row]
    raise ValueError(f"answered as {answer.content_type!r}; text/csv and application/json are understood")


def _only(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("predicted_label", value.get("score", value.get("prediction")))
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def labelled_rows(text: str, *, source: str) -> list[tuple[str, str]]:
    """Rows of a held-out data set as (label, CSV line of the features). CSV with a header, the label first."""
    rows = list(csv.reader(io.StringIO(text)))
    if len(rows) < 2 or len(rows[0]) < 2:
        raise EvidenceMissing(
            f"{source} has no rows", cure="write CSV with a header, the label in the first column, features after it"
        )
    labelled = []
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(rows[0]):
            raise EvidenceMissing(
                f"{source}:{number}: {len(row)} columns, the header has {len(rows[0])}", cure="mend the line"
            )
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(row[1:])
        labelled.append((row[0], line.getvalue()))
    return labelled


def accuracy(labels: Sequence[str], predictions: Sequence[Any]) -> float:
    """Share of predictions equal to the label; `1`, `1.0` and `"1"` are the same."""
    return sum(_same(a, b) for a, b in zip(labels, predictions, strict=True)) / len(labels)


def _same(label: str, prediction: Any) -> bool:
    if _is_number(label) and _is_number(prediction):
        return float(label) == float(prediction)
    return str(label).strip() == str(prediction).strip()


def _errors(labels: Sequence[str], predictions: Sequence[Any]) -> list[float]:
    return [float(b) - float(a) for a, b in zip(labels, predictions, strict=True)]


def mean_absolute_error(labels: Sequence[str], predictions: Sequence[Any]) -> float:
    """In the label's unit."""
    return sum(abs(error) for error in _errors(labels, predictions)) / len(labels)


def root_mean_squared_error(labels: Sequence[str], predictions: Sequence[Any]) -> float:
    """In the label's unit."""
    return math.sqrt(sum(error**2 for error in _errors(labels, predictions)) / len(labels))


REPLAY_METRICS: dict[str, Callable[[Sequence[str], Sequence[Any]], float]] = {
    "accuracy": accuracy,
    "mae": mean_absolute_error,
    "rmse": root_mean_squared_error,
}
"""Metrics that a replay can be bounded by, computed from real answers."""


def judge_replay(
    labels: Sequence[str],
    predictions: Sequence[Any],
    *,
    at_least: dict[str, float],
    at_most: dict[str, float],
    minimum_rows: int,
) -> tuple[Verdict, ...]:
    """Recompute each bounded metric from the endpoint's answers; too few rows is inconclusive."""
    bounds = [(name, bound, True) for name, bound in at_least.items()]
    bounds += [(name, bound, False) for name, bound in at_most.items()]
    return tuple(_judge_metric(name, bound, up, labels, predictions, minimum_rows) for name, bound, up in bounds)


def _judge_metric(
    name: str, bound: float, up: bool, labels: Sequence[str], predictions: Sequence[Any], minimum_rows: int
) -> Verdict:
    gate = f"replay: {name}"
    required = f"{'>=' if up else '<='} {bound:g} on at least {minimum_rows} rows"
    if len(labels) < minimum_rows:
        reason = f"{len(labels)} rows are too few to judge; supply at least {minimum_rows}"
        return Verdict(gate, Outcome.INCONCLUSIVE, reason, None, required)
    try:
        measured = REPLAY_METRICS[name](labels, predictions)
    except (ValueError, TypeError) as error:
        return Verdict(gate, Outcome.FAILED, f"the answers are no numbers: {error}", None, required)
    holds = measured >= bound if up else measured <= bound
    verb = "meets" if holds else "does not meet"
    reason = f"{name} {measured:.4g} on {len(labels)} real answers {verb} {'>=' if up else '<='} {bound:g}"
    return Verdict(gate, Outcome.PASSED if holds else Outcome.FAILED, reason, measured, required)
