"""The protocols of training: jobs as SageMaker describes them, and the registration of what they left."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from lockkeeper.domain.training import Register, TrainingHint


class Training(Protocol):
    """SageMaker's training and tuning jobs in the registry's account."""

    def training_job(self, name: str) -> dict[str, Any] | None:
        """DescribeTrainingJob's answer, or None when there is no such job."""
        ...

    def tuning_job(self, name: str) -> dict[str, Any] | None:
        """DescribeHyperParameterTuningJob's answer, or None when there is no such job."""
        ...

    def tags(self, arn: str) -> dict[str, str]: ...

    def ended(self, after: datetime, before: datetime) -> list[TrainingHint]:
        """The training and tuning jobs that ended between these times, as far as their last change tells."""
        ...


class Registrations(Protocol):
    """The part of the registry that versions are made in."""

    def registered_as(self, group: str, description: str, after: datetime) -> str | None:
        """ARN of the group's version with this description that was registered after this time."""
        ...

    def register(self, wanted: Register, report_uri: str) -> str:
        """Create the version and return its ARN; the same token gives the same version. `report_uri` may be empty.

        `RegistrationRefused` where the registry does not take it, now or later.
        """
        ...


class TrainingWorld(Protocol):
    """The part of the world that trains."""

    @property
    def training(self) -> Training: ...
