"""Step Functions, EventBridge, Scheduler, SNS and the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lockkeeper.domain.policy import Approver, filter_of, mailbox_of

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef

TOKEN_GONE = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class SystemClock:
    """Implements `ports.Clock`."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class StepFunctionsTasks:
    """Implements `ports.Tasks`."""

    def __init__(self, client: SFNClient, state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def succeed(self, token: str, output: dict[str, Any]) -> bool:
        return _token_call(lambda: self._client.send_task_success(taskToken=token, output=json.dumps(output)))

    def fail(self, token: str, error: str, cause: str) -> bool:
        return _token_call(
            lambda: self._client.send_task_failure(taskToken=token, error=error[:256], cause=cause[:32000])
        )

    def state_of(self, name: str) -> str:
        described = self._describe(name)
        return described["status"] if described else ""

    def payload_of(self, name: str) -> dict[str, Any]:
        described = self._describe(name)
        payload = json.loads(described.get("input", "{}")) if described else {}
        return payload if isinstance(payload, dict) else {}

    def _describe(self, name: str) -> DescribeExecutionOutputTypeDef | None:
        arn = f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            return self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise

    def start(self, name: str, payload: dict[str, Any]) -> bool:
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn, name=name, input=json.dumps(payload, sort_keys=True)
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                return False
            raise
        return True


def _token_call(call: Any) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in TOKEN_GONE:
            return False
        raise
    return True


class OneTimeSchedules:
    """Implements `ports.Schedules` with EventBridge Scheduler: schedules of one group, which call one function."""

    def __init__(
        self, client: EventBridgeSchedulerClient, *, group: str, target_arn: str, role_arn: str, dead_letter_arn: str
    ) -> None:
        self._client = client
        self._group = group
        self._target = {
            "Arn": target_arn,
            "RoleArn": role_arn,
            "DeadLetterConfig": {"Arn": dead_letter_arn},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        }

    def once(self, name: str, at: datetime, payload: dict[str, Any]) -> None:
        # at() has whole seconds; rounded up, so that nothing fires before its deadline.
        moment = (at + timedelta(microseconds=999_999)).astimezone(UTC)
        request: dict[str, Any] = {
            "Name": name,
            "GroupName": self._group,
            "ScheduleExpression": f"at({moment:%Y-%m-%dT%H:%M:%S})",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {**self._target, "Input": json.dumps(payload)},
        }
        try:
            self._client.create_schedule(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":
                raise
            self._replace(request)

    def _replace(self, request: dict[str, Any]) -> None:
        try:
            self._client.update_schedule(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            # It fired in between, and was deleted as one-time schedules are.
            self._client.create_schedule(**request)

    def every(self, name: str, seconds: int, payload: dict[str, Any]) -> None:
        # A schedule that is written again counts its pause anew, and one that is written daily would never come to its day.
        wanted = _rate(seconds)
        known = self._expression_of(name)
        if known == wanted:
            return
        if known:
            self.cancel(name)
        request: dict[str, Any] = {
            "Name": name,
            "GroupName": self._group,
            "ScheduleExpression": wanted,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {**self._target, "Input": json.dumps(payload)},
        }
        try:
            self._client.create_schedule(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConflictException":  # Somebody else has made it meanwhile.
                raise

    def _expression_of(self, name: str) -> str:
        try:
            return self._client.get_schedule(Name=name, GroupName=self._group)["ScheduleExpression"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return ""

    def cancel(self, name: str) -> None:
        try:
            self._client.delete_schedule(Name=name, GroupName=self._group)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def _rate(seconds: int) -> str:
    """Scheduler's words for a pace: it counts in whole minutes, hours or days, and wants one of them in the singular."""
    unit, length = next((one for one in (("day", 86400), ("hour", 3600)) if seconds % one[1] == 0), ("minute", 60))
    count = max(1, seconds // length)
    return f"rate({count} {unit}{'s' if count > 1 else ''})"


class BusPublisher:
    """Implements `ports.Publisher` on Lockkeeper's bus."""

    SOURCE = "lockkeeper"

    def __init__(self, client: EventBridgeClient, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, detail_type: str, detail: dict[str, Any]) -> None:
        entry: Any = {
            "Source": self.SOURCE,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
            "EventBusName": self._bus_name,
        }
        answer = self._client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            refused = answer["Entries"][0]
            raise RuntimeError(
                f"the bus refused {detail_type}: {refused.get('ErrorCode')} {refused.get('ErrorMessage')}"
            )


class TopicMail:
    """Implements `ports.Mail` with two SNS topics: one for personal messages (filtered by `address`), one for everybody."""

    def __init__(self, client: SNSClient, *, personal_topic_arn: str, broadcast_topic_arn: str) -> None:
        self._client = client
        self._personal = personal_topic_arn
        self._broadcast = broadcast_topic_arn

    def personal(self, approver: Approver, subject: str, text: str) -> None:
        self._client.publish(
            TopicArn=self._personal,
            Subject=_subject(subject),
            Message=text,
            # Never by name: approvers of two groups may share one, and the mail has a link that decides.
            MessageAttributes={"address": {"DataType": "String", "StringValue": approver.mailbox}},
        )

    def confirmed(self, addresses: frozenset[str]) -> frozenset[str]:
        pages = self._client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self._personal)
        listed = [one for page in pages for one in page["Subscriptions"] if one["Protocol"].startswith("email")]
        # Until the reader has followed the link, SNS lists words in place of the ARN.
        arns = [(mailbox_of(one["Endpoint"]), one["SubscriptionArn"]) for one in listed]
        asked = {mailbox_of(address) for address in addresses}
        known = {box for box, arn in arns if box in asked and arn.startswith("arn:") and self._lets_through(box, arn)}
        return frozenset(address for address in addresses if mailbox_of(address) in known)

    def _lets_through(self, address: str, arn: str) -> bool:
        """An earlier version's filter, or a person's, keeps mails away."""
        attributes = self._client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return bool(json.loads(attributes.get("FilterPolicy") or "{}") == filter_of(address))

    def broadcast(self, subject: str, text: str, *, urgent: bool = False) -> None:
        # A subscription may filter on it: a pager that hears of what is urgent, and of nothing else.
        marked: dict[str, MessageAttributeValueTypeDef] = (
            {"urgent": {"DataType": "String", "StringValue": "true"}} if urgent else {}
        )
        self._client.publish(
            TopicArn=self._broadcast, Subject=_subject(subject), Message=text, MessageAttributes=marked
        )


def _subject(text: str) -> str:
    """SNS takes fewer than 100 printable ASCII characters."""
    return "".join(character if 32 <= ord(character) < 127 else "?" for character in text)[:99]
