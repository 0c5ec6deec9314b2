"""Captured requests and answers, read hour by hour as SageMaker lays them out: `<prefix>/<endpoint>/<variant>/yyyy/mm/dd/hh/*.jsonl`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Iterator

from jobs.drift_monitor.errors import MonitorError
from jobs.drift_monitor.objects import HOUR, Objects, hours, lines_of
from jobs.drift_monitor.payloads import Row, one_for_each, rows_of


@dataclass(frozen=True)
class Window:
    """From when (inclusive) to when (exclusive) rows are counted, both with a time zone."""

    begins: datetime
    ends: datetime

    def earlier(self, delay: timedelta) -> Window:
        return Window(self.begins - delay, self.ends - delay)


@dataclass(frozen=True)
class Event:
    """One request: the names that ground truth may call it by, its rows and (where they were captured) its answers."""

    names: tuple[str, ...]
    rows: list[Row]
    answers: list[Row]


@dataclass
class Skipped:
    """What could not be used, by reason, and in how many objects there was nothing."""

    reasons: dict[str, int] = field(default_factory=Counter)
    objects: int = 0
    empty_objects: int = 0
    unread: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        # So many different ones say nothing more than that there are many.
        reason = reason if reason in self.reasons or len(self.reasons) < 20 else "other reasons"
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    @property
    def in_words(self) -> list[str]:
        told = [f"{count} captured lines were left out: {reason}" for reason, count in self.reasons.items()]
        if self.unread:
            told.append(
                f"{len(self.unread)} of {self.objects} capture files were not read to their end: {self.unread[0]}"
            )
        if self.empty_objects:
            told.append(f"{self.empty_objects} of {self.objects} capture files were empty")
        return told


def events(objects: Objects, prefix: str, window: Window, skipped: Skipped) -> Iterator[Event]:
    """The requests of a window, one after another.

    Records lie in the hour in which they were written, which is a little after that of their request, so that one hour more
    is read; a record that does not say when it was asked counts in the hour in which it lies. A file that breaks off counts as
    far as it was read; where none can be read at all, that is a MonitorError.
    """
    for hour in hours(window.begins, window.ends + HOUR):
        written = datetime.strptime(hour + "+0000", "%Y/%m/%d/%H/%z")
        for uri in objects.below(f"{prefix.rstrip('/')}/{hour}"):
            skipped.objects += 1
            try:
                yield from _events_in(objects, uri, written, window, skipped)
            except MonitorError as error:
                skipped.unread.append(str(error)[:200])
    if skipped.objects and len(skipped.unread) == skipped.objects:
        raise MonitorError(f"none of {skipped.objects} capture files can be read: {skipped.unread[0]}")


def _events_in(objects: Objects, uri: str, written: datetime, window: Window, skipped: Skipped) -> Iterator[Event]:
    empty = True
    with objects.open(uri) as stream:
        for line in lines_of(stream):
            if line.strip():
                empty = False
                event = _event(line, written, window, skipped)
                if event is not None:
                    yield event
    skipped.empty_objects += empty


def _event(line: bytes, written: datetime, window: Window, skipped: Skipped) -> Event | None:
    try:
        record = json.loads(line)
        captured, told = record["captureData"], record["eventMetadata"]
        asked = _time(told.get("inferenceTime")) or written
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        skipped.add("no record of a capture (cut off, or something else)")
        return None
    if not window.begins <= asked < window.ends:
        return None
    sides = []
    for name in ("endpointInput", "endpointOutput"):
        try:
            sides.append(rows_of(captured[name]) if name in captured else [])
        except (ValueError, TypeError, RecursionError) as error:
            skipped.add(f"{name}: {str(error)[:80]}")
            return None
    names = tuple(str(told[name]) for name in ("inferenceId", "eventId") if told.get(name))
    rows, answers = sides
    return Event(names, rows, one_for_each(answers, len(rows)))


def _time(text: Any) -> datetime | None:
    """A moment as AWS writes it; None where it is none."""
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return datetime.strptime(str(text).replace("Z", "+0000"), form)
        except ValueError:
            continue
    return None
