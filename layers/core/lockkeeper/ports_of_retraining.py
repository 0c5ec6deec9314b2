"""The protocols of drift: what monitors and alarms say in production, SageMaker Pipelines, and what the ledger keeps of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lockkeeper.domain.brakes import Brake
from lockkeeper.domain.drift import AlarmSeen, JobSeen
from lockkeeper.domain.retraining import Head, Kept, Retraining


@dataclass(frozen=True)
class PipelineLook:
    """Whether there is a pipeline, and which of its executions runs (an ARN; empty for none)."""

    exists: bool
    running: str = ""


@dataclass(frozen=True)
class Execution:
    """A pipeline execution as SageMaker describes it: its status in SageMaker's spelling, and why it failed."""

    status: str
    reason: str = ""

    @property
    def ended(self) -> bool:
        return self.status in {"Succeeded", "Failed", "Stopped"}


@dataclass(frozen=True)
class Step:
    """A step of an execution; `package_arn` is what a RegisterModel step has registered."""

    name: str
    status: str
    reason: str = ""
    package_arn: str = ""


class Pipelines(Protocol):
    """SageMaker Pipelines in the registry's account."""

    def look(self, pipeline: str) -> PipelineLook: ...

    def start(self, pipeline: str, token: str, parameters: dict[str, str], description: str) -> str:
        """Start an execution and return its ARN; the same token gives the same. `PipelineRefused` says why there is none."""
        ...

    def execution(self, arn: str) -> Execution | None: ...

    def steps(self, arn: str) -> tuple[Step, ...]:
        """The steps that have begun, in the order of their beginning."""
        ...


class Retrainings(Protocol):
    """The part of the ledger that keeps signals and retrainings. Every transition is a conditional write."""

    def signal(self, group: str, signal_id: str) -> Kept | None: ...

    def keep_signal(self, kept: Kept) -> bool:
        """Keep a signal with its answer, once; False where it is kept already."""
        ...

    def answer_anew(self, kept: Kept) -> bool:
        """Another answer for a signal that is kept and has started nothing; False where it has."""
        ...

    def signals(self, group: str, limit: int) -> list[Kept]:
        """What was kept last, newest first."""
        ...

    def retraining_head(self, group: str) -> Head: ...

    def heads(self) -> list[Head]:
        """The groups of which a retraining is open or a signal waits."""
        ...

    def let_wait(self, group: str, signal_id: str) -> None:
        """This signal is decided anew later, in place of an earlier one; empty for none."""
        ...

    def begin_retraining(self, kept: Kept, retraining: Retraining, seen: Head) -> bool:
        """Keep the signal and the retraining that it starts, in one write, and let the signal wait for its end if it `waits`; False where
        another began since `seen` was read."""
        ...

    def retraining(self, group: str, number: int) -> Retraining | None: ...

    def retrainings(self, group: str, limit: int) -> list[Retraining]:
        """Newest first."""
        ...

    def change_retraining(self, seen: Retraining, after: Retraining) -> bool:
        """Write what became of a retraining, and that none is open once it has ended; False where somebody else wrote meanwhile."""
        ...

    def retraining_of(self, group: str, version: int) -> Retraining | None:
        """The retraining that made a version."""
        ...

    def resume_retraining(self, group: str, brake: Brake) -> None:
        """Close the breaker, with its line in the group's history."""
        ...


class DriftLook(Protocol):
    """What production's account says of alarms and monitors, under a role that can change nothing there."""

    def alarm(self, name: str) -> AlarmSeen | None: ...
    def processing_job(self, name: str) -> JobSeen | None: ...

    def last_monitored(self, schedule: str) -> str:
        """Name of the newest job of a monitoring schedule; empty where there is none."""
        ...


class Retrained(Protocol):
    """The part of the world that models are trained in."""

    @property
    def pipelines(self) -> Pipelines: ...
