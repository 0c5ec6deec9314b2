"""What production's account says of alarms and monitors, as CloudWatch and SageMaker describe them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from lockkeeper.adapters.refusals import is_missing
from lockkeeper.domain.drift import AlarmSeen, JobSeen


class AwsDriftLook(ABC):
    """The part of `ports.ProductionLook` that is about drift."""

    @abstractmethod
    def _client(self, service: str) -> Any:
        """A client in production, under the role that can change nothing."""

    def alarm(self, name: str) -> AlarmSeen | None:
        answer = self._client("cloudwatch").describe_alarms(
            AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        found = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
        return _alarm(found[0]) if found else None

    def processing_job(self, name: str) -> JobSeen | None:
        try:
            answer = self._client("sagemaker").describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        outputs = answer.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return JobSeen(
            name=answer["ProcessingJobName"],
            arn=answer["ProcessingJobArn"],
            status=answer["ProcessingJobStatus"],
            exit_message=answer.get("ExitMessage") or "",
            environment=answer.get("Environment") or {},
            outputs=tuple(one["S3Output"]["S3Uri"] for one in outputs if one.get("S3Output")),
            schedule=(answer.get("MonitoringScheduleArn") or "").rpartition("/")[2],
            ended_at=_iso(answer.get("ProcessingEndTime") or answer["CreationTime"]),
            failure=answer.get("FailureReason") or "",
        )

    def last_monitored(self, schedule: str) -> str:
        try:
            answer = self._client("sagemaker").describe_monitoring_schedule(MonitoringScheduleName=schedule)
        except ClientError as error:
            if is_missing(error) or error.response["Error"]["Code"] in {
                "ResourceNotFound",
                "ResourceNotFoundException",
            }:
                return ""
            raise
        arn: str = (answer.get("LastMonitoringExecutionSummary") or {}).get("ProcessingJobArn") or ""
        return arn.rpartition("/")[2]


def _alarm(described: dict[str, Any]) -> AlarmSeen:
    triggering = _triggering(described) if "AlarmRule" in described else ()
    return AlarmSeen(
        name=described["AlarmName"],
        arn=described["AlarmArn"],
        state=described["StateValue"],
        since=_iso(described.get("StateTransitionedTimestamp") or described["StateUpdatedTimestamp"]),
        reason=described.get("StateReason") or "",
        reason_data=described.get("StateReasonData") or "",
        metric=described.get("MetricName") or "",
        threshold=described.get("Threshold"),
        dimensions={one["Name"]: one["Value"] for one in described.get("Dimensions") or []},
        children=triggering,
        suppressed_by=(described.get("ActionsSuppressedBy") or "")
        and (described.get("ActionsSuppressor") or "its suppressor"),
    )


def _triggering(described: dict[str, Any]) -> tuple[str, ...]:
    """The alarms that a composite is in ALARM for, by name; itself where CloudWatch does not say."""
    try:
        data = json.loads(described.get("StateReasonData") or "{}")
        arns = [one["arn"] for one in data.get("triggeringAlarms", [])]
    except (ValueError, TypeError, KeyError, AttributeError):
        arns = []
    return tuple(str(arn).split(":alarm:")[-1] for arn in arns) or (described["AlarmName"],)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
