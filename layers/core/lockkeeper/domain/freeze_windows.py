"""Windows in which the policy lets no production change begin: when one is open, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

from lockkeeper.domain.cron import Cron, parse_cron
from lockkeeper.domain.durations import DURATION, seconds_of
from lockkeeper.domain.section import Section


def _cron(text: str) -> str:
    parse_cron(text)
    return text


def _zone(name: str) -> str:
    """A zone that this machine knows. Names are keys of a database, and may lead out of it."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            "no time zone of that name; write one as the IANA database has it, such as Europe/Berlin"
        ) from error
    return name


def _lasting(seconds: int) -> int:
    if not 60 <= seconds <= 31 * 86400:
        raise ValueError("it must be between 1m and 31d")
    return seconds


class FreezeWindow(Section):
    """From each time that `cron` names in `time_zone`, for as long as `lasts`, no production change of the group begins."""

    cron: Annotated[str, StringConstraints(max_length=200), AfterValidator(_cron)]
    lasts: Annotated[
        int,
        BeforeValidator(seconds_of),
        AfterValidator(_lasting),
        WithJsonSchema({"type": "string", "pattern": DURATION.pattern}),
    ]
    time_zone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$"), AfterValidator(_zone)] = "UTC"
    reason: Annotated[str, Field(min_length=1, max_length=200)]


@dataclass(frozen=True)
class Opening:
    """A window that is open, since when and until when (UTC)."""

    window: FreezeWindow
    since: datetime
    until: datetime


def open_window(windows: Sequence[FreezeWindow], now: datetime) -> Opening | None:
    """The window that is open at a time, of several the one that ends last; None where none is."""
    openings = [opening for window in windows if (opening := _opening(window, now))]
    return max(openings, key=lambda one: one.until, default=None)


def _opening(window: FreezeWindow, now: datetime) -> Opening | None:
    cron, zone, lasts = parse_cron(window.cron), ZoneInfo(window.time_zone), timedelta(seconds=window.lasts)
    day = now.astimezone(zone).date()
    earliest = (now - lasts).astimezone(zone).date()
    while day >= earliest:
        begun = [start for start in _starts(cron, day, zone) if start <= now]
        if begun:
            since = max(begun)
            return Opening(window, since, since + lasts) if now < since + lasts else None
        day -= timedelta(days=1)
    return None


def _starts(cron: Cron, day: date, zone: ZoneInfo) -> list[datetime]:
    """When it fires on a day. A time that clocks leap over is an hour later; of one that comes twice, the first counts."""
    if not cron.is_on(day):
        return []
    return [
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
        for hour in cron.hours
        for minute in cron.minutes
    ]
