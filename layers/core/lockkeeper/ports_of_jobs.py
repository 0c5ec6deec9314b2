"""What the use cases need of work that is done elsewhere or later: Processing jobs, and schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from lockkeeper.domain.job import JobState, WantedJob


class Jobs(Protocol):
    """SageMaker's Processing jobs of one account, under the role that such jobs have there."""

    def arn_of(self, name: str) -> str: ...

    def start(self, job: WantedJob) -> bool:
        """Start a job; False when one of that name exists."""
        ...

    def look(self, name: str) -> JobState | None: ...

    def stop(self, name: str) -> None:
        """Stop a job; one that has ended, or was never started, is fine."""
        ...


class Schedules(Protocol):
    def once(self, name: str, at: datetime, payload: dict[str, Any]) -> None:
        """Call the function of these schedules with this payload at that time, once; the name makes a repetition the same schedule."""
        ...

    def every(self, name: str, seconds: int, payload: dict[str, Any]) -> None:
        """Call again and again at this pace, first when it has passed once. One of that name and pace goes on as it is."""
        ...

    def cancel(self, name: str) -> None: ...
