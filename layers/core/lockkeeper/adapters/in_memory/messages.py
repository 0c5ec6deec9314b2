"""Task tokens, schedules, published events, mails and the clock, in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from lockkeeper.domain.policy import Approver

BEGINNING = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


class SettableClock:
    """Implements `ports.Clock`; stands still until it is moved."""

    def __init__(self, moment: datetime = BEGINNING) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


class InMemoryTasks:
    """Implements `ports.Tasks`. `states` are the statuses of executions; a token is good from `issue` until it is used or withdrawn."""

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.results: dict[str, dict[str, Any]] = {}
        self.states: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._changing = Lock()

    def issue(self, token: str) -> None:
        """A state begins to wait with this token."""
        with self._changing:
            self._waiting.add(token)

    def withdraw(self, token: str) -> None:
        """The state ended otherwise: its function failed, or its time was over."""
        with self._changing:
            self._waiting.discard(token)

    def succeed(self, token: str, output: dict[str, Any]) -> bool:
        return self._end(token, {"output": json.loads(json.dumps(output))})

    def fail(self, token: str, error: str, cause: str) -> bool:
        return self._end(token, {"error": error[:256], "cause": cause[:32000]})

    def state_of(self, name: str) -> str:
        with self._changing:
            return self.states.get(name, "")

    def payload_of(self, name: str) -> dict[str, Any]:
        with self._changing:
            return dict(self.started.get(name, {}))

    def start(self, name: str, payload: dict[str, Any]) -> bool:
        with self._changing:
            if name in self.started:
                return False
            self.started[name] = json.loads(json.dumps(payload))
            self.states[name] = "RUNNING"
        return True

    def _end(self, token: str, result: dict[str, Any]) -> bool:
        with self._changing:
            if token not in self._waiting:
                return False
            self._waiting.discard(token)
            self.results[token] = result
        return True


class InMemorySchedules:
    """Implements `ports.Schedules`. `due` hands out what has come, each once."""

    def __init__(self) -> None:
        self.planned: dict[str, tuple[datetime, dict[str, Any]]] = {}
        self.repeated: dict[str, tuple[int, dict[str, Any]]] = {}
        """Schedules that come again and again: their pace in seconds, and what they say."""

    def once(self, name: str, at: datetime, payload: dict[str, Any]) -> None:
        self.planned[name] = (at, payload)

    def every(self, name: str, seconds: int, payload: dict[str, Any]) -> None:
        if self.repeated.get(name, (0, {}))[0] != seconds:
            self.repeated[name] = (seconds, payload)

    def cancel(self, name: str) -> None:
        self.planned.pop(name, None)
        self.repeated.pop(name, None)

    def due(self, now: datetime) -> list[dict[str, Any]]:
        come = sorted((at, name) for name, (at, _) in self.planned.items() if at <= now)
        return [self.planned.pop(name)[1] for _, name in come]


class InMemoryPublisher:
    """Implements `ports.Publisher`: a list of (detail type, detail)."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []

    def publish(self, detail_type: str, detail: dict[str, Any]) -> None:
        self.published.append((detail_type, json.loads(json.dumps(detail))))


@dataclass(frozen=True)
class Letter:
    """One mail; `approver` and `mailbox` are empty for a broadcast."""

    approver: str
    subject: str
    text: str
    urgent: bool = False
    mailbox: str = ""


class InMemoryMail:
    """Implements `ports.Mail`: a list of letters. Every address has confirmed, except for the `unconfirmed`."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.unconfirmed: set[str] = set()

    def confirmed(self, addresses: frozenset[str]) -> frozenset[str]:
        return addresses - self.unconfirmed

    def personal(self, approver: Approver, subject: str, text: str) -> None:
        self.letters.append(Letter(approver.name, subject, text, mailbox=approver.mailbox))

    def broadcast(self, subject: str, text: str, *, urgent: bool = False) -> None:
        self.letters.append(Letter("", subject, text, urgent))
