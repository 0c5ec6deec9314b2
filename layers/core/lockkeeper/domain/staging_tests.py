"""The contract of a staging endpoint: recorded requests, and what must come back.

A contract file has one JSON object per line::

    {"name": "one row", "body": "12,40,no,...", "content_type": "text/csv",
     "expect": {"status": 200, "content_type": "application/json", "rows": 1, "numeric": true}}

`expect.status` defaults to 200; `4xx` means any client error. `rows` is the number of predictions in the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.online.rows import Answered, is_number, predictions_in
from lockkeeper.domain.release import Outcome, Verdict


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
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, re.error) as error:
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
        predictions = predictions_in(answer, case.rows or 1)
    except ValueError as error:
        return str(error)
    if case.rows is not None and len(predictions) != case.rows:
        return f"answered {len(predictions)} predictions, expected {case.rows}"
    if case.numeric and not all(is_number(one) for one in predictions):
        return f"answered something that is no number: {str(predictions)[:120]}"
    return ""
