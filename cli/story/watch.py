"""Watches a release through its states: a live table on a terminal, spans of time for the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lockkeeper.domain.release import ENDED, Status
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.terminal import table

PERIOD_SECONDS = 0.4
FAILURES = frozenset({"TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed"})
PEOPLE = frozenset({"RequestStagingApproval", "RequestProductionApproval"})
WAITS_FOR = {
    "OpenRelease": "the group's lock",
    "ScanArtifact": "a scan, a hash and a write-once copy",
    "JudgeCandidate": "the offline gates",
    "RequestStagingApproval": "people, if the policy asks them before staging",
    "DeployToStaging": "SageMaker's event: the endpoint is in service",
    "TestStaging": "the answers of the staging endpoint",
    "RequestProductionApproval": "people, if the policy asks them before production",
    "PromoteToProduction": "SageMaker's event: production serves the version",
    "WatchProduction": "the end of the bake, or an alarm",
    "RollBack": "the champion to serve again",
    "CloseRelease": "staging to be torn down, the registry to be stamped",
}
"""What each state of the state machine waits for or does, in the order of a journey."""


@dataclass(frozen=True)
class StateSpan:
    """A state that was entered, and left unless it is the one the release is in; `failed` when an error ended it."""

    name: str
    entered: datetime
    left: datetime | None
    failed: bool = False

    def seconds(self, now: datetime) -> float:
        """How long the release was (or is) in the state."""
        return ((self.left or now) - self.entered).total_seconds()


def read_states(step_functions: Any, execution_arn: str) -> list[StateSpan]:
    """Read the states of an execution, in the order they were entered, from its history."""
    spans: list[StateSpan] = []
    failing = False
    pages = step_functions.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    for event in (event for page in pages for event in page["events"]):
        kind = event["type"]
        if kind == "TaskStateEntered":
            spans.append(StateSpan(event["stateEnteredEventDetails"]["name"], event["timestamp"], None))
        elif kind == "TaskStateExited":
            # A journey has no parallel states: what is left is what was entered last.
            spans[-1] = replace(spans[-1], left=event["timestamp"], failed=failing)
        elif kind.startswith("Task"):
            # A retry begins with another TaskScheduled, so the last word before the exit counts.
            failing = kind in FAILURES
    return spans


class Watch:
    """Looks at releases until something has happened to them."""

    def __init__(
        self, console: Console, step_functions: Any, read_release: Callable[[str], dict[str, Any] | None]
    ) -> None:
        self._console = console
        self._step_functions = step_functions
        self._read_release = read_release

    def until(
        self, release_id: str, reached: Callable[[dict[str, Any]], bool], timeout_seconds: float, *, keep: bool = False
    ) -> dict[str, Any]:
        """Show the release's way until `reached` holds for its JSON form, and return that.

        What was shown goes away afterwards unless `keep` asks for it to stay on the terminal.

        Raises:
            TimeoutError: it did not hold in time; the message says where the release is.
        """
        deadline = time.monotonic() + timeout_seconds
        release = None
        with Live(console=self._console, transient=not keep, refresh_per_second=8) as live:
            while time.monotonic() < deadline:
                release = self._read_release(release_id)
                if release is not None:
                    live.update(draw(release, self.states(release), datetime.now(UTC)))
                    if reached(release):
                        return release
                time.sleep(PERIOD_SECONDS)
        place = f"in {release['stage']} ({release['status']}: {release['reason']})" if release else "not opened yet"
        raise TimeoutError(f"{release_id} is {place} after {timeout_seconds:.0f} s")

    def until_ended(self, release_id: str, timeout_seconds: float) -> tuple[dict[str, Any], str]:
        """Show the release's way to its end, and wait for its execution to end as well.

        Returns:
            The release in its JSON form, all of its states metered, and the status of its execution.

        Raises:
            TimeoutError: one of the two had not ended in time.
        """
        deadline = time.monotonic() + timeout_seconds
        release = self.until(release_id, has_ended, timeout_seconds, keep=True)
        while time.monotonic() < deadline:
            execution = self._step_functions.describe_execution(executionArn=release["execution_arn"])
            if execution["status"] != "RUNNING":
                return self._read_release(release_id) or release, str(execution["status"])
            time.sleep(PERIOD_SECONDS)
        raise TimeoutError(f"the execution of {release_id} still runs after {timeout_seconds:.0f} s")

    def states(self, release: dict[str, Any]) -> list[StateSpan]:
        """The states a release (in its JSON form) went through so far."""
        return read_states(self._step_functions, release["execution_arn"]) if release["execution_arn"] else []


def has_ended(release: dict[str, Any]) -> bool:
    """A release that will not change any more."""
    return bool(Status(release["status"]) in ENDED)


def told(release: dict[str, Any]) -> str:
    """A release's status, with the reason where it has one."""
    return f"{release['status']}: {release['reason']}" if release["reason"] else str(release["status"])


def draw(release: dict[str, Any], states: list[StateSpan], now: datetime) -> Table:
    """Draw a release's states: how each that is over ended and how long it took, and what the current one waits for."""
    drawn = table("", "state", "seconds", "waits for", title=f"{release['release_id']}: {release['status']}")
    for state in states:
        over = state.left is not None
        mark = ("✗", "red") if state.failed else ("✓", "green") if over else ("…", "yellow")
        drawn.add_row(
            Text(*mark),
            Text(state.name, "" if over else "bold"),
            f"{state.seconds(now):.1f}",
            Text("" if over else WAITS_FOR.get(state.name, ""), "dim"),
        )
    return drawn


def journey(release: dict[str, Any], states: list[StateSpan]) -> dict[str, Any]:
    """A release's states as the report draws them: `{version, states}` with times in seconds since the epoch."""
    end = max((state.left or state.entered for state in states), default=datetime.now(UTC))
    return {
        "version": release["version"],
        "states": [
            {
                "name": state.name,
                "note": release["reason"] if state.failed else _note(state.name, release),
                "started_at": state.entered.timestamp(),
                "ended_at": (state.left or end).timestamp(),
                "failed": state.failed,
                "waits_for_people": state.name in PEOPLE and bool(_decisions(state.name, release)),
            }
            for state in states
        ],
    }


def _decisions(state: str, release: dict[str, Any]) -> list[dict[str, Any]]:
    before = "staging" if state == "RequestStagingApproval" else "production"
    return [approval for approval in release["approvals"] if approval.get("before", before) == before]


def _note(state: str, release: dict[str, Any]) -> str:
    if state not in PEOPLE:
        return ""
    said = {"approve": "approved", "reject": "rejected"}
    decisions = [
        f"{one['approver']} {said.get(one['answer'], one['answer'])} ({one['channel']})"
        for one in _decisions(state, release)
    ]
    return ", ".join(decisions)
