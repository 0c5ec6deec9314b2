"""Does it keep its countenance: hostile requests are refused as the client's fault, tell nothing, and break nothing.

A safety file has contract cases (see `staging_tests`). `expect.status` defaults to `4xx`; `expect.forbid` and
`expect.require` are lists of regular expressions that an answer must not, or must, contain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.online.rows import Answered
from lockkeeper.domain.release import Outcome, Verdict
from lockkeeper.domain.staging_tests import body_of, cases_in

LEAKS = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|\bat [\w.$]+\([\w]+\.java:\d+\)|/opt/ml/|site-packages/"
)
"""What answers of serving code that fell over look like."""
LOOKED_AT = 100_000
"""Characters of an answer that are looked at."""
NAMED = 5


@dataclass(frozen=True)
class HostileCase:
    """One hostile request, and what its answer must be like."""

    name: str
    body: str
    content_type: str
    accept: str
    status: str
    forbid: tuple[re.Pattern[str], ...]
    require: tuple[re.Pattern[str], ...]


def hostile_cases(text: str, *, source: str) -> tuple[HostileCase, ...]:
    """Read a safety file; `EvidenceMissing` names the line that cannot be used."""

    def read(case: dict[str, Any], expect: dict[str, Any], name: str) -> HostileCase:
        return HostileCase(
            name=name,
            body=body_of(case),
            content_type=str(case.get("content_type", "text/csv")),
            accept=str(case.get("accept", "application/json")),
            status=str(expect.get("status", "4xx")),
            forbid=tuple(re.compile(pattern) for pattern in expect.get("forbid", [])),
            require=tuple(re.compile(pattern) for pattern in expect.get("require", [])),
        )

    return cases_in(text, read, kind="safety case", source=source)


def judge_safety(cases: Sequence[HostileCase], answers: Sequence[Answered], alive: bool) -> tuple[Verdict, ...]:
    """One verdict on the answers, one on whether the endpoint still answers afterwards."""
    problems = [
        f"{case.name}: {problem}"
        for case, answer in zip(cases, answers, strict=True)
        if (problem := _problem(case, answer))
    ]
    required = f"{len(cases)} of {len(cases)} requests answered as they should be"
    measured = f"{len(cases) - len(problems)} of {len(cases)}"
    reason = "; ".join(problems[:NAMED]) or "every hostile request was answered as it should be"
    outcome = Outcome.FAILED if problems else Outcome.PASSED
    lives = Verdict(
        "safety: endpoint lives",
        Outcome.PASSED if alive else Outcome.FAILED,
        "it answers as before" if alive else "it does not answer a health request any more",
        "alive" if alive else "dead",
        "alive",
    )
    return (Verdict("safety: hostile requests", outcome, reason, measured, required), lives)


def _problem(case: HostileCase, answer: Answered) -> str:
    body = answer.body[:LOOKED_AT]
    status = str(answer.status)
    if answer.status >= 500:
        return f"answered {status}; what a client sends must never be the server's fault: {body[:120]}"
    if status != case.status and not (case.status.endswith("xx") and status[0] == case.status[0]):
        return f"answered {status}, expected {case.status}"
    if LEAKS.search(body):
        return "the answer tells of the serving code's insides"
    for pattern in case.forbid:
        if pattern.search(body):
            return f"the answer contains what {pattern.pattern!r} forbids"
    for pattern in case.require:
        if not pattern.search(body):
            return f"the answer lacks what {pattern.pattern!r} requires"
    return ""
