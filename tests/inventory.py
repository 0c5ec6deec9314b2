"""What there is in an account, in the services in which Lockkeeper and its tests make things."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from localcloud.settings import HUB_ACCOUNT_ID

Client = Callable[[str, str], Any]
"""A client of a service, in an account."""


def inventory(client: Client, account: str) -> list[str]:
    """Everything there is, in words that begin with the account."""
    listings = (
        *(served, _registered, _pipelines, _schedules, _queues, _rules, _alarms, _buckets, _machines),
        *(_topics, _tables, _roles, _stacks),
    )
    return [f"{account}: {one}" for listing in listings for one in listing(client, account)]


def accounts(logs: Path) -> list[str]:
    """Ids of the accounts in which a laptop's AWS was asked for something, by its logs."""
    called = (logs / "calls.jsonl").read_text()
    return sorted(set(re.findall(r'"account": "(\d{12})"', called)) | {HUB_ACCOUNT_ID})


def served(client: Client, account: str) -> Iterator[str]:
    sagemaker = client("sagemaker", account)
    for operation, key, name in (
        ("list_endpoints", "Endpoints", "EndpointName"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        ("list_models", "Models", "ModelName"),
    ):
        for page in sagemaker.get_paginator(operation).paginate():
            for one in page[key]:
                yield f"{name} {one[name]}"
    for page in client("ssm", account).get_paginator("describe_parameters").paginate():
        for one in page["Parameters"]:
            yield f"Parameter {one['Name']}"
    for operation, key, name in (
        ("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName"),
        ("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"),
    ):
        for page in sagemaker.get_paginator(operation).paginate(StatusEquals="InProgress"):
            for one in page[key]:
                yield f"{name} {one[name]}"
    autoscaling = client("application-autoscaling", account)
    for page in autoscaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="sagemaker"):
        for one in page["ScalableTargets"]:
            # As the endpoint is called whose instances it counts: endpoint/NAME/variant/NAME.
            yield f"ScalableTarget {one['ResourceId'].split('/')[1]}"


def alarms_of_releases(client: Client, account: str) -> Iterator[str]:
    """Alarms that were made for a release, by its id."""
    for page in client("cloudwatch", account).get_paginator("describe_alarms").paginate():
        for one in page["MetricAlarms"]:
            if made := re.match(r"Lockkeeper (\S+-v[0-9]+-a[0-9]+): ", one.get("AlarmDescription", "")):
                yield f"ReleaseAlarm {made[1]}"


def letters(client: Client, account: str) -> Iterator[str]:
    sqs = client("sqs", account)
    for url in sqs.list_queues().get("QueueUrls", []):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if any(int(counts[name]) for name in names):
            yield f"messages in {url}"


def _registered(client: Client, account: str) -> Iterator[str]:
    for page in client("sagemaker", account).get_paginator("list_model_package_groups").paginate():
        for one in page["ModelPackageGroupSummaryList"]:
            yield f"ModelPackageGroupName {one['ModelPackageGroupName']}"


def _pipelines(client: Client, account: str) -> Iterator[str]:
    sagemaker = client("sagemaker", account)
    for page in sagemaker.get_paginator("list_pipelines").paginate():
        for one in page["PipelineSummaries"]:
            yield f"pipeline {one['PipelineName']}"


def _topics(client: Client, account: str) -> Iterator[str]:
    for page in client("sns", account).get_paginator("list_topics").paginate():
        for one in page["Topics"]:
            yield f"topic {one['TopicArn']}"


def _tables(client: Client, account: str) -> Iterator[str]:
    for page in client("dynamodb", account).get_paginator("list_tables").paginate():
        for one in page["TableNames"]:
            yield f"table {one}"


def _roles(client: Client, account: str) -> Iterator[str]:
    for page in client("iam", account).get_paginator("list_roles").paginate():
        for one in page["Roles"]:
            yield f"role {one['RoleName']}"


def _stacks(client: Client, account: str) -> Iterator[str]:
    """With a stack goes what it made: functions, their logs, keys, secrets."""
    for page in client("cloudformation", account).get_paginator("describe_stacks").paginate():
        for one in page["Stacks"]:
            yield f"stack {one['StackName']}"


def _schedules(client: Client, account: str) -> Iterator[str]:
    for page in client("scheduler", account).get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            yield f"schedule {one['GroupName']}/{one['Name']}"


def _queues(client: Client, account: str) -> Iterator[str]:
    yield from letters(client, account)
    for url in client("sqs", account).list_queues().get("QueueUrls", []):
        yield f"queue {url}"


def _rules(client: Client, account: str) -> Iterator[str]:
    events = client("events", account)
    for bus in events.list_event_buses()["EventBuses"]:
        for page in events.get_paginator("list_rules").paginate(EventBusName=bus["Name"]):
            for one in page["Rules"]:
                yield f"rule {bus['Name']}/{one['Name']}"


def _alarms(client: Client, account: str) -> Iterator[str]:
    both = ["MetricAlarm", "CompositeAlarm"]
    for page in client("cloudwatch", account).get_paginator("describe_alarms").paginate(AlarmTypes=both):
        for one in (*page["MetricAlarms"], *page["CompositeAlarms"]):
            yield f"alarm {one['AlarmName']}"


def _buckets(client: Client, account: str) -> Iterator[str]:
    for one in client("s3", account).list_buckets()["Buckets"]:
        yield f"bucket {one['Name']}"


def _machines(client: Client, account: str) -> Iterator[str]:
    functions = client("stepfunctions", account)
    for page in functions.get_paginator("list_state_machines").paginate():
        for machine in page["stateMachines"]:
            yield f"state machine {machine['name']}"
            asked = {"stateMachineArn": machine["stateMachineArn"], "statusFilter": "RUNNING"}
            for one in functions.list_executions(**asked)["executions"]:
                yield f"running execution {one['name']} of {machine['name']}"
