"""What production does not need any more: an endpoint that nobody asks, and what is left of releases that nothing goes back to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from lockkeeper.domain.durations import DURATION, seconds_of
from lockkeeper.domain.release import Release, resource_name
from lockkeeper.domain.section import Section

IDLE_ENDPOINT, LEFTOVERS = "idle-endpoint", "leftovers"


def _counted(seconds: int) -> int:
    if not 60 <= seconds <= 60 * 86400:
        raise ValueError("it must be between 1m and 60d: CloudWatch keeps counts for little longer")
    return seconds


def _kept(seconds: int) -> int:
    if seconds > 3650 * 86400:
        raise ValueError("it must be between 0s and 3650d")
    return seconds


_WRITTEN = WithJsonSchema({"type": "string", "pattern": DURATION.pattern})
IdleTime = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_counted), _WRITTEN]
KeptTime = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_kept), _WRITTEN]


class Cleanup(Section):
    """After how long it is told that nobody needs something, and what of that is removed."""

    idle_after: IdleTime = 14 * 86400
    leftovers_after: KeptTime = 90 * 86400
    remove: tuple[Literal["idle-endpoint", "leftovers"], ...] = Field(default=(), max_length=2, strict=False)


@dataclass(frozen=True)
class Left:
    """What may be left of a release in production: one name for model and endpoint configuration, its alarms, and its shadow's
    configuration (empty for none)."""

    release: Release
    name: str
    alarms: tuple[str, ...]
    shadow: str = ""


def leftovers(releases: Iterable[Release], served: Sequence[tuple[str, str]], serving: str, before: str) -> list[Left]:
    """What was of use until `before` and is of none since: nothing serves it, and no rollback goes back to it.

    Args:
        releases: The group's releases.
        served: Release and since when it served (ISO 8601), the newest first.
        serving: The endpoint configuration that serves.
        before: ISO 8601; what ended or stopped to serve later is kept.
    """
    stopped: dict[str, str] = {}
    for (_, next_since), (release_id, _) in pairwise(served):
        stopped.setdefault(release_id, next_since)
    known = list(releases)
    kept = {serving} | {
        str(place["previous_config_name"])
        for one in known
        if (place := one.endpoints.get("production")) and (place["config_name"] == serving or one.unfinished)
    }
    found = []
    for one in known:
        place, name = one.endpoints.get("production"), resource_name(one.release_id, "production")
        if place and not one.unfinished and name not in kept and stopped.get(one.release_id, one.ended_at) < before:
            shadow = str((place.get("shadow") or {}).get("config_name", ""))
            found.append(Left(one, name, tuple(place.get("alarms", ())), shadow))
    return found


def in_words(idle: str, left: Sequence[str], removed: Sequence[str]) -> str:
    """Everything that was found, and what was done about it, in one sentence."""
    parts = [idle] if idle else []
    if left:
        parts.append(
            f"models, endpoint configurations or alarms are left of what nothing goes back to: {', '.join(left[:5])}"
        )
        parts[-1] += f" and {len(left) - 5} more" if len(left) > 5 else ""
    if removed:
        parts.append(f"removed: {', '.join(removed)}")
    return "; ".join(parts)
