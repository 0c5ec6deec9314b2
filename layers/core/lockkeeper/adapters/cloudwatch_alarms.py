"""CloudWatch of one environment: the alarms that watch its endpoints, those that are made for them, and how often they are asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from lockkeeper.adapters.refusals import is_missing, translated
from lockkeeper.domain.alarms import MadeAlarm, Watched
from lockkeeper.domain.rollout import AlarmLook

KINDS = ["MetricAlarm", "CompositeAlarm"]
"""Alarms that may guard production; CloudWatch leaves composite ones out where it is not asked for them."""
STANDARD = frozenset({"Average", "Sum", "Minimum", "Maximum", "SampleCount"})
"""Statistics that are no percentiles."""


class CloudWatchAlarms(ABC):
    """The part of `ports.Endpoints` that is about alarms and metrics."""

    @abstractmethod
    def _client(self, service: str) -> Any:
        """A client in the environment, under its deploy role."""

    def alarms(self, names: tuple[str, ...], since: datetime) -> tuple[AlarmLook, ...]:
        states = self.alarm_states(names)
        return tuple(
            AlarmLook(name, states[name], states[name] != "missing" and self._alarmed(name, since)) for name in names
        )

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        return alarm_states(self._client("cloudwatch"), names)

    def make_alarm(self, name: str, alarm: MadeAlarm, fleet: Watched, description: str) -> None:
        request = alarm_request(name, alarm, fleet)
        try:
            self._client("cloudwatch").put_metric_alarm(**request, AlarmDescription=description)
        except ClientError as error:
            raise translated(error, f"alarm {name} cannot be made") from error

    def delete_alarm(self, name: str) -> None:
        try:
            self._client("cloudwatch").delete_alarms(AlarmNames=[name])
        except ClientError as error:
            if not (
                is_missing(error)
                or error.response["Error"]["Code"] in {"ResourceNotFound", "ResourceNotFoundException"}
            ):
                raise translated(error, f"alarm {name} cannot be deleted") from error

    def invocations(
        self, endpoint_name: str, variant: str, since: datetime, until: datetime, *, queued: bool = False
    ) -> int:
        # Whether a request that failed counts as processed, SageMaker does not say: one of both says that it was there.
        names = ("InvocationsProcessed", "InvocationFailures") if queued else ("Invocations",)
        return int(max(self.metric(endpoint_name, variant, name, since, until)[0] for name in names))

    def metric(
        self, endpoint_name: str, variant: str, name: str, since: datetime, until: datetime
    ) -> tuple[float, int]:
        answer = self._client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=name,
            Dimensions=[{"Name": "EndpointName", "Value": endpoint_name}, {"Name": "VariantName", "Value": variant}],
            StartTime=since,
            EndTime=until,
            Period=_period(since, until),
            Statistics=["Sum", "SampleCount"],
        )
        points = answer["Datapoints"]
        return sum(one["Sum"] for one in points), int(sum(one["SampleCount"] for one in points))

    def _alarmed(self, name: str, since: datetime) -> bool:
        pages = (
            self._client("cloudwatch")
            .get_paginator("describe_alarm_history")
            .paginate(AlarmName=name, AlarmTypes=KINDS, HistoryItemType="StateUpdate", StartDate=since)
        )
        items = (item for page in pages for item in page["AlarmHistoryItems"])
        return any("to ALARM" in item.get("HistorySummary", "") for item in items)


def alarm_states(client: Any, names: tuple[str, ...]) -> dict[str, str]:
    """The state of each alarm; `missing` where there is none of that name."""
    if not names:
        return {}
    pages = client.get_paginator("describe_alarms").paginate(AlarmNames=list(names), AlarmTypes=KINDS)
    found = [alarm for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(kind, [])]
    states = {alarm["AlarmName"]: str(alarm["StateValue"]) for alarm in found}
    return {name: states.get(name, "missing") for name in names}


def alarm_request(name: str, alarm: MadeAlarm, fleet: Watched) -> dict[str, Any]:
    """PutMetricAlarm's parameters. What has no data is calm: a fleet that nobody has asked yet has made no mistake."""
    dimensions = fleet.known_by(alarm.metric) if alarm.dimensions is None else alarm.dimensions
    statistic = "Statistic" if alarm.statistic in STANDARD else "ExtendedStatistic"
    return {
        "AlarmName": name,
        "Namespace": alarm.namespace,
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
        statistic: alarm.statistic,
        "Period": alarm.period,
        "EvaluationPeriods": alarm.evaluation_periods,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": "notBreaching",
    }


def _period(since: datetime, until: datetime) -> int:
    """Seconds that keep the answer below CloudWatch's 1,440 points; older than 15 days it wants a multiple of 300."""
    span = (until - since).total_seconds()
    step = 300 if span > 14 * 86400 else 60
    return step * max(1, -(-int(span) // (step * 1400)))
