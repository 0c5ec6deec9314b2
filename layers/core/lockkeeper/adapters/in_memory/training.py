"""Training and tuning jobs, in memory."""

from __future__ import annotations

from typing import Any

from lockkeeper.adapters.in_memory.copies import copied


class InMemoryTraining:
    """Implements `ports_of_training.Training`: descriptions by name, tags by ARN."""

    def __init__(self) -> None:
        self.training_jobs: dict[str, dict[str, Any]] = {}
        self.tuning_jobs: dict[str, dict[str, Any]] = {}
        self.tagged: dict[str, dict[str, str]] = {}

    def training_job(self, name: str) -> dict[str, Any] | None:
        return copied(self.training_jobs.get(name))

    def tuning_job(self, name: str) -> dict[str, Any] | None:
        return copied(self.tuning_jobs.get(name))

    def tags(self, arn: str) -> dict[str, str]:
        return dict(self.tagged.get(arn, {}))
