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
    listings = (served, _registered, _schedules, _queues, _rules, _alarms, _buckets, _machines)
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
    for page in sagemaker.get_paginator("list_processing_jobs").paginate(StatusEquals="InProgress"):
        for one in page["ProcessingJobSummaries"]:
            yield f"ProcessingJobName {one['ProcessingJobName']}"


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
