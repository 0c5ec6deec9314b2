"""The five fields of cron, read strictly: minute, hour, day of month, month, day of week (0 and 7 are Sunday)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {
    "month": {name: number for number, name in enumerate(MONTHS, 1)},
    "day of week": {name: number for number, name in enumerate(WEEKDAYS)},
}
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month, in the year that has most."""
ITEM = re.compile(r"(?P<all>\*)|(?P<first>[a-z0-9]+)(?:-(?P<last>[a-z0-9]+))?", re.ASCII)
STEP = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


@dataclass(frozen=True)
class Cron:
    """The values of each field. `weekdays` are those of `date.isoweekday`: Monday is 1, Sunday is 7."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def is_on(self, day: date) -> bool:
        """Whether it fires on a day: where both kinds of days are restricted, either is enough, as cron has it."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() in self.weekdays
        if self.any_day or self.any_weekday:
            return of_month and of_week
        return of_month or of_week


def parse_cron(text: str) -> Cron:
    """`ValueError` says which field is wrong and what it may be."""
    parts = text.split(" ")
    if len(parts) != len(FIELDS) or not all(parts):
        raise ValueError(
            f"{text!r} has to have five fields with one space between them: minute, hour, day of month, month, day of week"
        )
    read = [_field(part.lower(), *field) for part, field in zip(parts, FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = read
    cron = Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(day or 7 for day in weekdays),
        # As crontab(5) has it: a field with a star in it, `*/2` too, does not make the other a choice.
        any_day=parts[2].startswith("*"),
        any_weekday=parts[4].startswith("*"),
    )
    if (cron.any_weekday or cron.any_day) and not any(min(days) <= LONGEST[month - 1] for month in months):
        raise ValueError(f"{text!r} never comes: no such month has a day {min(days)}")
    return cron


def _field(text: str, name: str, lowest: int, highest: int) -> set[int]:
    values: set[int] = set()
    for item in text.split(","):
        span, slash, step = item.partition("/")
        found = ITEM.fullmatch(span)
        if found is None or (slash and not STEP.fullmatch(step)):
            raise ValueError(f"{name}: {item!r} is no number, range, * or step of one, such as 5, 1-5, * or */15")
        if found["all"]:
            first, last = lowest, highest
        else:
            first = _value(found["first"], name, lowest, highest)
            last = _value(found["last"], name, lowest, highest) if found["last"] else first
        if slash and not (found["all"] or found["last"]):
            raise ValueError(f"{name}: {item!r} is a step of a single value; write a range before the /")
        if last < first:
            raise ValueError(f"{name}: {item!r} ends before it begins; write two, with a comma between them")
        values |= set(range(first, last + 1, int(step or 1)))
    return values


def _value(word: str, name: str, lowest: int, highest: int) -> int:
    known = NAMES.get(name, {})
    if word in known:
        return known[word]
    if not (word.isascii() and word.isdigit() and len(word) <= 2 and lowest <= int(word) <= highest):
        names = f", or a name such as {next(iter(known))}" if known else ""
        raise ValueError(f"{name}: {word!r} is not from {lowest} to {highest}{names}")
    return int(word)
