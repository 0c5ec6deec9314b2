"""Training and tuning jobs, in memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockkeeper.adapters.in_memory.copies import copied
from lockkeeper.domain.training import ENDED, TrainingHint


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

    def ended(self, after: datetime, before: datetime) -> list[TrainingHint]:
        return [
            TrainingHint(one[f"{kind}Arn"], name, tuning)
            for kind, jobs, tuning in (
                ("TrainingJob", self.training_jobs, False),
                ("HyperParameterTuningJob", self.tuning_jobs, True),
            )
            for name, one in jobs.items()
            if one[f"{kind}Status"] in ENDED and after < one["LastModifiedTime"] < before
        ]
