"""Ground truth by the names of requests: SageMaker's JSON lines below `yyyy/mm/dd/hh/`, kept on disk so that memory stays flat."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Iterator

from jobs.drift_monitor.capture import Window
from jobs.drift_monitor.objects import HOUR, Objects, hours, lines_of
from jobs.drift_monitor.payloads import Row, rows_of


class GroundTruth:
    """What was true, by request. The last that was said of a request counts."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ground-truth.sqlite"
        self._told = sqlite3.connect(str(self._file))
        self._told.execute("PRAGMA journal_mode = OFF")
        self._told.execute("PRAGMA synchronous = OFF")
        self._told.execute("CREATE TABLE told (name TEXT PRIMARY KEY, rows TEXT) WITHOUT ROWID")
        self.unreadable = 0

    def __enter__(self) -> GroundTruth:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._told.close()
        self._file.unlink()

    def read(self, objects: Objects, prefix: str, window: Window, until: Any) -> int:
        """Take everything that was said from the window's beginning until `until`; returns of how many requests it is known."""
        for hour in hours(window.begins, until + HOUR):
            for uri in objects.below(f"{prefix.rstrip('/')}/{hour}"):
                with objects.open(uri) as stream:
                    self._told.executemany("INSERT OR REPLACE INTO told VALUES (?, ?)", self._told_in(lines_of(stream)))
        return int(self._told.execute("SELECT COUNT(*) FROM told").fetchone()[0])

    def of(self, names: tuple[str, ...]) -> list[str] | None:
        """The labels of a request's rows; None where nobody has said them."""
        for name in names:
            found = self._told.execute("SELECT rows FROM told WHERE name = ?", (name,)).fetchone()
            if found:
                labels: list[str] = json.loads(found[0])
                return labels
        return None

    def _told_in(self, lines: Iterator[bytes]) -> Iterator[tuple[str, str]]:
        for line in lines:
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                name = str(record["eventMetadata"]["eventId"])
                labels = [_label(row) for row in rows_of(record["groundTruthData"])]
            except (ValueError, TypeError, KeyError, IndexError, RecursionError):
                self.unreadable += 1
                continue
            yield name, json.dumps(labels)


def _label(row: Row) -> str:
    return str(next(iter(row.values())) if isinstance(row, dict) else row[0])
