"""What the use cases need of CloudWatch in the account of an environment: alarms, and how often its endpoints are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from lockkeeper.domain.alarms import MadeAlarm, Watched
from lockkeeper.domain.rollout import AlarmLook


class Alarms(Protocol):
    """The alarms that watch endpoints: those that are there already, and those that are made for a release."""

    def alarm_arn(self, name: str) -> str: ...
    def alarms(self, names: tuple[str, ...], since: datetime) -> tuple[AlarmLook, ...]: ...

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        """The state of each alarm; `missing` where there is none of that name."""
        ...

    def make_alarm(self, name: str, alarm: MadeAlarm, fleet: Watched, description: str) -> None:
        """Create an alarm, or set it to this again; one of SageMaker's metrics sees that fleet alone."""
        ...

    def delete_alarm(self, name: str) -> None:
        """Delete an alarm; gone already is fine."""
        ...

    def metric(
        self, endpoint_name: str, variant: str, name: str, since: datetime, until: datetime
    ) -> tuple[float, int]:
        """Sum of one of SageMaker's metrics of a variant, and how many values that is the sum of."""
        ...

    def invocations(
        self, endpoint_name: str, variant: str, since: datetime, until: datetime, *, queued: bool = False
    ) -> int:
        """How often a variant was asked; `queued` of an asynchronous endpoint, whose requests are counted elsewhere."""
        ...
