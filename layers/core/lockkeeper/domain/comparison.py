"""The candidate beside the champion, measure by measure, from the verdicts of both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lockkeeper.domain.release import Outcome, Verdict

AGAINST = " against the champion"
CHAMPIONS = re.compile(r"\(champion ([^ )]+)")
"""Where a verdict against the champion says what it was held against."""
ORDER = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)


@dataclass(frozen=True)
class Compared:
    """One measure: values as people read them (the champion's is empty where nobody knows it), the worst verdict about it."""

    measure: str
    candidate: str
    champion: str
    required: str
    verdict: Outcome


def compare(verdicts: Iterable[Verdict], champions: Iterable[Verdict]) -> tuple[Compared, ...]:
    """A row for every gate that measured a number of the model; a bound and the comparison with the champion share one."""
    rows: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if isinstance(verdict.measured, (int, float)) and verdict.gate != "artifact":
            rows.setdefault(verdict.gate.removesuffix(AGAINST), []).append(verdict)
    served = {verdict.gate: verdict.measured for verdict in champions if isinstance(verdict.measured, (int, float))}
    return tuple(_row(gate, judged, served.get(gate)) for gate, judged in rows.items())


def short_name(gate: str) -> str:
    """`accuracy` of `quality: binary_classification_metrics.accuracy.value`: a phone is narrow."""
    return re.sub(r"\.value\b", "", re.sub(r"\b\w+_metrics\.", "", gate)).removeprefix("quality: ")


def _row(gate: str, judged: list[Verdict], served: float | str | None) -> Compared:
    required = [one.required for one in judged if one.required]
    held_against = [found[1] for text in required if (found := CHAMPIONS.search(text))]
    known = "" if served is None else f"{served:.4g}"
    return Compared(
        measure=short_name(gate),
        candidate=f"{judged[0].measured:.4g}",
        # What the verdict was held against before what the champion was once judged by: the rows may be others.
        champion=held_against[0] if held_against else known,
        required="; ".join(re.sub(r" \(champion [^)]*\)", "", text) for text in required),
        verdict=next(outcome for outcome in ORDER if any(one.verdict is outcome for one in judged)),
    )
