"""Does it keep its countenance: hostile requests are refused as the client's fault, tell nothing, and break nothing.

A safety file has contract cases (see `staging_tests`). `expect.status` defaults to `4xx`; `expect.forbid` and
`expect.require` are lists of regular expressions that an answer must not, or must, contain. For a model of text a case is a prompt
whose status is 200.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.gates.verdicts import inconclusive
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

Search = Callable[[Sequence[tuple[str, str]]], Sequence[bool | None]]
"""Whether each pattern is found in its text; None where that could not be decided in time."""


@dataclass(frozen=True)
class HostileCase:
    """One hostile request or prompt, and what its answer must be like."""

    name: str
    body: str
    content_type: str
    accept: str
    status: str
    forbid: tuple[str, ...]
    require: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A pattern held against the text of an answer."""

    case: str
    pattern: str
    forbidden: bool
    text: str

    @property
    def problem(self) -> str:
        """What it means when it is not as it should be; never the answer itself, which may be what nobody should see."""
        return f"{self.case}: the answer {'contains what' if self.forbidden else 'lacks what'} {self.pattern!r} " + (
            "forbids" if self.forbidden else "requires"
        )


def hostile_cases(text: str, *, source: str) -> tuple[HostileCase, ...]:
    """Read a safety file; `EvidenceMissing` names the line that cannot be used."""

    def read(case: dict[str, Any], expect: dict[str, Any], name: str) -> HostileCase:
        return HostileCase(
            name=name,
            body=body_of(case),
            content_type=str(case.get("content_type", "text/csv")),
            accept=str(case.get("accept", "application/json")),
            status=str(expect.get("status", "4xx")),
            forbid=patterns(expect.get("forbid", ())),
            require=patterns(expect.get("require", ())),
        )

    return cases_in(text, read, kind="safety case", source=source)


def patterns(given: Any) -> tuple[str, ...]:
    """Regular expressions as they are written; a `re.error` or `TypeError` says what is none."""
    if isinstance(given, str):
        raise TypeError("patterns are a list")
    return tuple(re.compile(pattern).pattern for pattern in given)


def judge_safety(
    cases: Sequence[HostileCase],
    answers: Sequence[Answered],
    alive: bool,
    search: Search,
    forbid: Sequence[str] = (),
    require: Sequence[str] = (),
) -> tuple[Verdict, ...]:
    """Verdicts on the answers, on the patterns where there are any, and on whether the endpoint still answers afterwards.

    `forbid` holds for every answer, `require` for every answer that is no refusal.
    """
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
    asked = [
        one
        for case, answer in zip(cases, answers, strict=True)
        for one in _asked(case, answer, (*case.forbid, *forbid), (*case.require, *require))
    ]
    judged = (_judge_patterns(asked, search),) if asked else ()
    return (Verdict("safety: hostile requests", outcome, reason, measured, required), *judged, lives)


def _problem(case: HostileCase, answer: Answered) -> str:
    status = str(answer.status)
    if answer.status >= 500:
        return f"answered {status}; what a client sends must never be the server's fault: {answer.body[:120]}"
    if status != case.status and not (case.status.endswith("xx") and status[0] == case.status[0]):
        return f"answered {status}, expected {case.status}"
    return "the answer tells of the serving code's insides" if LEAKS.search(answer.body[:LOOKED_AT]) else ""


def _asked(case: HostileCase, answer: Answered, forbid: Sequence[str], require: Sequence[str]) -> Iterator[Asked]:
    text = text_of(answer)
    yield from (Asked(case.name, pattern, True, text) for pattern in forbid)
    if answer.status < 400 or case.require:
        yield from (Asked(case.name, pattern, False, text) for pattern in require)


def text_of(answer: Answered) -> str:
    """What an answer says: every text in it where it is JSON (a line each, without JSON's escapes), else its body."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return answer.body
    texts = list(_texts(document))
    return "\n".join(texts) if texts else answer.body


def _texts(document: Any) -> Iterator[str]:
    """The texts of a document in their order. A loop: JSON may be nested deeper than Python calls."""
    left = [document]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            left += reversed(value.values())
        elif isinstance(value, list):
            left += reversed(value)


def _judge_patterns(asked: Sequence[Asked], search: Search) -> Verdict:
    """Broken ones fail. What could not be looked at to its end is inconclusive: there might be anything in it."""
    gate, required = "safety: patterns", f"{len(asked)} of {len(asked)} patterns as they should be"
    found = search([(one.pattern, one.text[:LOOKED_AT]) for one in asked])
    broken = [one for one, there in zip(asked, found, strict=True) if there is one.forbidden]
    # A pattern that was found is found, however long the text goes on; one that was not might be further on.
    certain = [one for one in broken if one.forbidden or len(one.text) <= LOOKED_AT]
    undecided = [
        f"{one.case}: {one.pattern!r} was not decided in time"
        if there is None
        else f"{one.case}: its answer has {len(one.text)} characters, of which {LOOKED_AT} are looked at"
        for one, there in zip(asked, found, strict=True)
        if there is None or (not there and len(one.text) > LOOKED_AT)
    ]
    measured = f"{len(asked) - len(certain) - len(undecided)} of {len(asked)}"
    if certain:
        return Verdict(gate, Outcome.FAILED, "; ".join(one.problem for one in certain[:NAMED]), measured, required)
    if undecided:
        why = f"{'; '.join(undecided[:NAMED])}; write simpler patterns or ask for shorter answers"
        return inconclusive(gate, why, required)
    return Verdict(gate, Outcome.PASSED, "every answer is as its patterns want it", measured, required)
