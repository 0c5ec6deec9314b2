"""Drift signals and retrainings, and SageMaker Pipelines, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from threading import RLock

from lockkeeper.domain.brakes import Brake
from lockkeeper.domain.errors import PipelineRefused
from lockkeeper.domain.retraining import Head, Kept, Retraining
from lockkeeper.ports_of_retraining import Execution, PipelineLook, Step


class Retrainings:
    writing: RLock
    _braked: list[tuple[str, Brake]]

    def __init__(self) -> None:
        self._signals: dict[tuple[str, str], Kept] = {}
        self._heads: dict[str, Head] = {}
        self._retrainings: dict[tuple[str, int], Retraining] = {}

    def signal(self, group: str, signal_id: str) -> Kept | None:
        with self.writing:
            return self._signals.get((group, signal_id))

    def keep_signal(self, kept: Kept) -> bool:
        with self.writing:
            if self.signal(kept.signal.group, kept.signal.signal_id):
                return False
            self._keep(kept)
        return True

    def answer_anew(self, kept: Kept) -> bool:
        with self.writing:
            standing = self.signal(kept.signal.group, kept.signal.signal_id)
            if standing is None or standing.number:
                return False
            self._keep(kept)
        return True

    def _keep(self, kept: Kept) -> None:
        self._signals[kept.signal.group, kept.signal.signal_id] = kept

    def signals(self, group: str, limit: int) -> list[Kept]:
        with self.writing:
            mine = [kept for (its, _), kept in self._signals.items() if its == group]
        return sorted(mine, key=lambda kept: (kept.signal.at, kept.signal.signal_id), reverse=True)[:limit]

    def retraining_head(self, group: str) -> Head:
        with self.writing:
            return self._heads.get(group, Head(group))

    def heads(self) -> list[Head]:
        with self.writing:
            return [head for _, head in sorted(self._heads.items()) if head.open or head.waiting]

    def let_wait(self, group: str, signal_id: str) -> None:
        with self.writing:
            self._heads[group] = replace(self.retraining_head(group), waiting=signal_id)

    def begin_retraining(self, kept: Kept, retraining: Retraining, seen: Head) -> bool:
        group, number = kept.signal.group, retraining.number
        with self.writing:
            head, standing = self.retraining_head(group), self.signal(group, kept.signal.signal_id)
            if head.number != seen.number or head.open or (standing and standing.number):
                return False
            if (group, number) in self._retrainings:
                return False
            self._keep(kept)
            self._retrainings[group, number] = retraining
            waiting = kept.signal.signal_id if kept.waits else ""
            self._heads[group] = replace(head, number=number, open=number, waiting=waiting)
        return True

    def retraining(self, group: str, number: int) -> Retraining | None:
        with self.writing:
            return self._retrainings.get((group, number))

    def retrainings(self, group: str, limit: int) -> list[Retraining]:
        with self.writing:
            mine = [one for (its, _), one in self._retrainings.items() if its == group]
        return sorted(mine, key=lambda one: one.number, reverse=True)[:limit]

    def change_retraining(self, seen: Retraining, after: Retraining) -> bool:
        with self.writing:
            standing = self.retraining(after.group, after.number)
            if standing is None or standing.revision != seen.revision:
                return False
            self._retrainings[after.group, after.number] = after
            if seen.open and not after.open:
                self._heads[after.group] = replace(self.retraining_head(after.group), open=0)
        return True

    def retraining_of(self, group: str, version: int) -> Retraining | None:
        made = [one for one in self.retrainings(group, 1_000_000) if version and one.version == version]
        return made[0] if made else None

    def resume_retraining(self, group: str, brake: Brake) -> None:
        with self.writing:
            self._heads[group] = replace(self.retraining_head(group), resumed_at=brake.at)
            self._braked.append((group, brake))


@dataclass
class InMemoryPipelines:
    """Implements `ports.Pipelines`. Executions run until a test ends them; `unknown` are parameters that no pipeline defines."""

    existing: set[str] = field(default_factory=lambda: {"train"})
    unknown: set[str] = field(default_factory=set)
    started: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Every execution that was started, once: the pipeline and its parameters."""
    _by_token: dict[str, str] = field(default_factory=dict)
    _executions: dict[str, Execution] = field(default_factory=dict)
    _steps: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    _writing: RLock = field(default_factory=RLock)

    def look(self, pipeline: str) -> PipelineLook:
        with self._writing:
            running = [
                arn for arn, one in self._executions.items() if f":pipeline/{pipeline}/" in arn and not one.ended
            ]
        return PipelineLook(pipeline in self.existing, running[0] if running else "")

    def start(self, pipeline: str, token: str, parameters: dict[str, str], description: str) -> str:  # noqa: ARG002
        with self._writing:
            if token in self._by_token:
                return self._by_token[token]
            if pipeline not in self.existing:
                raise PipelineRefused(f"Pipeline '{pipeline}' does not exist.")
            if unknown := self.unknown & set(parameters):
                raise PipelineRefused(f"Unknown pipeline parameters: {sorted(unknown)}")
            return self.run(pipeline, token, parameters)

    def run(self, pipeline: str, token: str = "", parameters: dict[str, str] | None = None) -> str:
        """An execution begins, as anybody starts one."""
        with self._writing:
            arn = f"arn:aws:sagemaker:eu-central-1:111111111111:pipeline/{pipeline}/execution/e{len(self._executions) + 1}"
            self._executions[arn] = Execution("Executing")
            if token:
                self._by_token[token] = arn
                self.started.append((pipeline, dict(parameters or {})))
        return arn

    def execution(self, arn: str) -> Execution | None:
        return self._executions.get(arn)

    def steps(self, arn: str) -> tuple[Step, ...]:
        return self._steps.get(arn, ())

    def step(self, arn: str, step: Step) -> None:
        """A step has gone that far."""
        self._steps[arn] = (*(one for one in self.steps(arn) if one.name != step.name), step)

    def end(self, arn: str, status: str = "Succeeded", reason: str = "") -> None:
        """An execution ends, well or badly."""
        self._executions[arn] = Execution(status, reason)
