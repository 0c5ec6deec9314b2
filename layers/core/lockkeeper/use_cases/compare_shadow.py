"""Read what champion and candidate were asked and answered while the candidate was a shadow, and judge it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from lockkeeper.domain.captured import CapturedAnswer, captured_answer
from lockkeeper.domain.release import Verdict
from lockkeeper.domain.shadow import Shadow, shadow_of
from lockkeeper.domain.shadow_comparison import Shadowed, compared, judge_shadow
from lockkeeper.ports import Wait, World

MOST_FILES, MOST_RECORDS, MOST_BYTES = 1000, 20_000, 64_000_000
"""How much of one variant's capture is read, from its beginning: what a Lambda can hold and read in its time."""
ERRORS = ("Invocation4XXErrors", "Invocation5XXErrors")


def folder_of(release_id: str) -> str:
    """Key, in Lockkeeper's bucket, of the folder that both variants of a release's shadow are captured in."""
    return f"captured/shadows/{release_id}"


def compare_shadow(wait: Wait, asked: Shadow, variant: str, world: World) -> tuple[Verdict, ...]:
    """Every verdict on a shadow that is up. `variant` is the champion's."""
    shadow, endpoint_name = shadow_of(variant), wait.details["endpoint_name"]
    # One minute back: CloudWatch keeps what it counts by the minute in which it began.
    since = datetime.fromisoformat(wait.details["since"]) - timedelta(minutes=1)

    def metric(of: str, name: str) -> tuple[float, int]:
        return world.production.metric(endpoint_name, of, name, since, world.clock.now())

    def errors(of: str) -> float:
        return sum(metric(of, name)[0] for name in ERRORS)

    folder = f"{folder_of(wait.release_id)}/{endpoint_name}"
    champion, candidate = (_answers(f"{folder}/{one}/", world) for one in (variant, shadow))
    pairs, same = compared(champion, candidate, asked.tolerance)
    # An answer that is no success is not captured. What the champion refuses as well says nothing about the candidate.
    unanswered = round(max(0.0, errors(shadow) - errors(variant) * asked.percent / 100))
    latencies = (_average(*metric(variant, "ModelLatency")), _average(*metric(shadow, "ModelLatency")))
    known = (latencies[0], latencies[1]) if all(latencies) else None
    return judge_shadow(asked, Shadowed(pairs, same, unanswered, known))


def _average(total: float, count: int) -> float:
    return total / count if count else 0.0


def _answers(prefix: str, world: World) -> Iterator[CapturedAnswer]:
    records = read = 0
    for file in world.objects.own_listing(prefix, most=MOST_FILES):
        for line in world.objects.own_lines(f"{prefix}{file.path}"):
            read += len(line)
            if records == MOST_RECORDS or read > MOST_BYTES:
                return
            if one := captured_answer(line):
                records += 1
                yield one
