"""Where the contract tests run: the laptop's AWS, or an account of AWS itself. What they make has one prefix and is swept away."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PREFIX = "lockkeeper-contract-"
SCIKIT_LEARN = {
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-west-2": "246618743249",
    "eu-west-1": "141502667606",
    "eu-central-1": "492215442770",
}
"""Accounts of AWS's own registries, by region."""

TRUSTED = ("events.amazonaws.com", "sagemaker.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com")


@dataclass
class Target:
    """An AWS to test. `patience` is how many seconds something may take that happens in its own time."""

    session: boto3.Session
    endpoint_url: str | None
    patience: float
    name: str = field(default_factory=lambda: PREFIX + uuid.uuid4().hex[:8])

    def client(self, service: str) -> Any:
        config = Config(
            retries={"total_max_attempts": 5}, s3={"addressing_style": "path"} if self.endpoint_url else {},
            inject_host_prefix=not self.endpoint_url,
        )  # fmt: skip
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    @cached_property
    def caller(self) -> str:
        return str(self.client("sts").get_caller_identity()["Arn"])

    @property
    def account(self) -> str:
        return self.caller.split(":")[4]

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def unique(self) -> str:
        """A name that begins with this run's prefix, for anything that the sweep knows."""
        return f"{self.name}-{uuid.uuid4().hex[:6]}"

    def eventually(self, condition: Callable[[], Any]) -> Any:
        """Wait until the condition gives something, and return it."""
        deadline = time.monotonic() + self.patience
        while not (found := condition()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.1 if self.endpoint_url else 2)
        return found

    @cached_property
    def image(self) -> str:
        """An image of AWS's own registry in this region."""
        account = os.environ.get("LOCKKEEPER_CONTRACT_REGISTRY") or SCIKIT_LEARN[self.region]
        return f"{account}.dkr.ecr.{self.region}.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"

    @cached_property
    def bucket(self) -> str:
        name, where = self.unique(), {}
        if self.region != "us-east-1":
            where = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        s3 = self.client("s3")
        s3.create_bucket(Bucket=name, **where)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    @cached_property
    def role_arn(self) -> str:
        """A role of the services that the tests use; what it may do is bounded by this run's prefix."""
        iam, name = self.client("iam"), self.unique()
        trust = {"Effect": "Allow", "Principal": {"Service": list(TRUSTED)}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
        statements = [
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": self.arn("sqs", f"{self.name}*")},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{self.name}*/*"},
            {"Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": ["ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability"],
                "Resource": "*",
            },
        ]
        iam.put_role_policy(RoleName=name, PolicyName="contract", PolicyDocument=document(*statements))
        if not self.endpoint_url:
            # AWS needs some seconds until every service knows a new role.
            time.sleep(15)
        return str(arn)

    def queue(self) -> tuple[str, str]:
        """URL and ARN of a new queue that EventBridge may write to, for rules of this account."""
        sqs, name = self.client("sqs"), self.unique()
        arn = self.arn("sqs", name)
        speaks = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnLike": {"aws:SourceArn": self.arn("events", "rule/*")}},
        }
        url = sqs.create_queue(QueueName=name, Attributes={"Policy": document(speaks)})["QueueUrl"]
        return str(url), arn

    def messages(self, url: str) -> Iterator[dict[str, Any]]:
        """Bodies of the messages that are in a queue now; each is taken out."""
        sqs = self.client("sqs")
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0 if self.endpoint_url else 5
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield json.loads(message["Body"])


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def refusal(action: Callable[[], Any]) -> tuple[str, str]:
    """Error code and message of a call that is refused."""
    try:
        answer = action()
    except ClientError as error:
        return str(error.response["Error"]["Code"]), str(error.response["Error"]["Message"])
    raise AssertionError(f"not refused: {answer}")


def sweep(target: Target, prefix: str) -> list[str]:
    """Delete everything whose name begins with `prefix`; returns what could not be deleted, and why.

    It goes by what AWS lists, not by what the tests remember: a creation whose answer was lost is found too.
    """
    problems: list[str] = []
    for step in STEPS:
        try:
            for delete in step(target, prefix):
                with contextlib.suppress(target.client("sqs").exceptions.QueueDoesNotExist):
                    delete()
        except (ClientError, BotoCoreError) as error:
            problems.append(f"{step.__name__.lstrip('_')}: {error}")
    return problems


Deletions = Iterator[Callable[[], Any]]


def _all(client: Any, operation: str, member: str, **question: Any) -> list[Any]:
    return [item for page in client.get_paginator(operation).paginate(**question) for item in page.get(member, [])]


def _endpoints(target: Target, prefix: str) -> Deletions:
    sagemaker = target.client("sagemaker")
    for one in _all(sagemaker, "list_endpoints", "Endpoints", NameContains=prefix):
        name = one["EndpointName"]
        if one["EndpointStatus"] != "Deleting":
            target.eventually(lambda name=name: _settled(sagemaker, name))
            yield lambda name=name: sagemaker.delete_endpoint(EndpointName=name)


def _settled(sagemaker: Any, name: str) -> bool:
    status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
    return status in ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")


def _registry(target: Target, prefix: str) -> Deletions:
    sagemaker = target.client("sagemaker")
    groups = _all(sagemaker, "list_model_package_groups", "ModelPackageGroupSummaryList", NameContains=prefix)
    for name in (one["ModelPackageGroupName"] for one in groups):
        for version in _all(sagemaker, "list_model_packages", "ModelPackageSummaryList", ModelPackageGroupName=name):
            yield lambda arn=version["ModelPackageArn"]: sagemaker.delete_model_package(ModelPackageName=arn)
        yield lambda name=name: sagemaker.delete_model_package_group(ModelPackageGroupName=name)


def _models(target: Target, prefix: str) -> Deletions:
    sagemaker = target.client("sagemaker")
    for one in _all(sagemaker, "list_endpoint_configs", "EndpointConfigs", NameContains=prefix):
        yield lambda name=one["EndpointConfigName"]: sagemaker.delete_endpoint_config(EndpointConfigName=name)
    for one in _all(sagemaker, "list_models", "Models", NameContains=prefix):
        yield lambda name=one["ModelName"]: sagemaker.delete_model(ModelName=name)


def _rules(target: Target, prefix: str) -> Deletions:
    events = target.client("events")
    buses = [one["Name"] for one in events.list_event_buses(NamePrefix=prefix)["EventBuses"]]
    for bus in ("default", *buses):
        for rule in events.list_rules(EventBusName=bus, NamePrefix=prefix)["Rules"]:
            where = {"Rule": rule["Name"], "EventBusName": bus}
            ids = [one["Id"] for one in events.list_targets_by_rule(**where)["Targets"]]
            if ids:
                yield lambda where=where, ids=ids: events.remove_targets(**where, Ids=ids)
            yield lambda name=rule["Name"], bus=bus: events.delete_rule(Name=name, EventBusName=bus)
        if bus != "default":
            yield lambda bus=bus: events.delete_event_bus(Name=bus)


def _schedules(target: Target, prefix: str) -> Deletions:
    scheduler = target.client("scheduler")
    for one in scheduler.list_schedule_groups(NamePrefix=prefix)["ScheduleGroups"]:
        # Its schedules go with it.
        yield lambda name=one["Name"]: scheduler.delete_schedule_group(Name=name)


def _machines(target: Target, prefix: str) -> Deletions:
    functions = target.client("stepfunctions")
    for one in _all(functions, "list_state_machines", "stateMachines"):
        if one["name"].startswith(prefix):
            yield lambda arn=one["stateMachineArn"]: functions.delete_state_machine(stateMachineArn=arn)


def _alarms(target: Target, prefix: str) -> Deletions:
    cloudwatch = target.client("cloudwatch")
    for one in _all(cloudwatch, "describe_alarms", "MetricAlarms", AlarmNamePrefix=prefix):
        yield lambda name=one["AlarmName"]: cloudwatch.delete_alarms(AlarmNames=[name])


def _queues(target: Target, prefix: str) -> Deletions:
    sqs = target.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        yield lambda url=url: sqs.delete_queue(QueueUrl=url)


def _tables(target: Target, prefix: str) -> Deletions:
    dynamodb = target.client("dynamodb")
    for name in _all(dynamodb, "list_tables", "TableNames"):
        if name.startswith(prefix):
            yield lambda name=name: dynamodb.delete_table(TableName=name)


def _buckets(target: Target, prefix: str) -> Deletions:
    s3 = target.client("s3")
    for name in (one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith(prefix)):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
            for one in page.get("Versions", []) + page.get("DeleteMarkers", []):
                where = {"Bucket": name, "Key": one["Key"], "VersionId": one["VersionId"]}
                yield lambda where=where: s3.delete_object(**where)
        for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
            where = {"Bucket": name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
            yield lambda where=where: s3.abort_multipart_upload(**where)
        yield lambda name=name: s3.delete_bucket(Bucket=name)


def _roles(target: Target, prefix: str) -> Deletions:
    iam = target.client("iam")
    for name in (one["RoleName"] for one in _all(iam, "list_roles", "Roles") if one["RoleName"].startswith(prefix)):
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            yield lambda name=name, policy=policy: iam.delete_role_policy(RoleName=name, PolicyName=policy)
        yield lambda name=name: iam.delete_role(RoleName=name)


STEPS = (_endpoints, _registry, _models, _rules, _schedules, _machines, _alarms, _queues, _tables, _buckets, _roles)
"""What is swept, in this order: what is used by something else goes after it."""
