"""What there is in an account, in the services in which Lockkeeper and its tests make things."""

from __future__ import annotations

import json
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
        *(served, _named, _tables, _queues, _rules, _schedule_groups),
        *(_alarms, _buckets, _machines, _subscriptions, _keys),
    )
    return [f"{account}: {one}" for listing in listings for one in listing(client, account)]


MAKES = re.compile(r"(Create|Register|Start|Run|Import)[A-Z]|Subscribe$")
"""Names of operations that make something, or begin something that has to end. What is put, by a name of its own, is not among them."""

LISTED = frozenset(
    (
        *("CreateEndpoint", "CreateEndpointConfig", "CreateModel", "CreateModelPackage", "CreateModelPackageGroup"),
        *("CreateProcessingJob", "CreateTrainingJob", "CreateHyperParameterTuningJob", "RegisterScalableTarget"),
        *("CreatePipeline", "StartPipelineExecution", "CreateStateMachine", "StartExecution", "CreateSchedule"),
        *("CreateScheduleGroup", "CreateEventBus"),
        *("CreateTable", "CreateQueue", "CreateTopic", "Subscribe", "CreateMultipartUpload"),
        *("CreateRole", "CreateStack", "CreateKey", "CreateSecret"),
    )
)
"""Operations of which the listings here, and those of releases, show what they made."""


def unlisted(logs: Path) -> list[str]:
    """Operations that made something in a laptop's AWS of which no listing would tell that it is left."""
    calls = map(json.loads, _calls(logs).splitlines())
    made = {(one["service"], one["operation"]) for one in calls if int(one["status"]) < 300}
    return sorted(
        f"whatever {service}:{operation} made: no listing is about it"
        for service, operation in made
        if MAKES.match(operation) and operation not in LISTED
    )


def accounts(logs: Path) -> list[str]:
    """Ids of the accounts in which a laptop's AWS was asked for something, by its logs."""
    return sorted(set(re.findall(r'"account": "(\d{12})"', _calls(logs))) | {HUB_ACCOUNT_ID})


def _calls(logs: Path) -> str:
    """Nothing where nothing was ever asked. A line that is being written is left out."""
    log = logs / "calls.jsonl"
    return log.read_text().rpartition("\n")[0] if log.exists() else ""


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
        ("list_hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries", "HyperParameterTuningJobName"),
    ):
        for page in sagemaker.get_paginator(operation).paginate(StatusEquals="InProgress"):
            for one in page[key]:
                yield f"{name} {one[name]}"
    yield from _pipeline_executions(sagemaker)
    autoscaling = client("application-autoscaling", account)
    for page in autoscaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="sagemaker"):
        for one in page["ScalableTargets"]:
            # As the endpoint is called whose instances it counts: endpoint/NAME/variant/NAME.
            yield f"ScalableTarget {one['ResourceId'].split('/')[1]}"


def _pipeline_executions(sagemaker: Any) -> Iterator[str]:
    pipelines = sagemaker.get_paginator("list_pipelines").paginate()
    for name in [one["PipelineName"] for page in pipelines for one in page["PipelineSummaries"]]:
        for page in sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name):
            for one in page["PipelineExecutionSummaries"]:
                if one["PipelineExecutionStatus"] in {"Executing", "Stopping"}:
                    yield f"PipelineExecution {one['PipelineExecutionArn']}"


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


NAMED = (
    (
        "sagemaker",
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupName {ModelPackageGroupName}",
    ),
    ("sagemaker", "list_pipelines", "PipelineSummaries", "pipeline {PipelineName}"),
    ("scheduler", "list_schedules", "Schedules", "schedule {GroupName}/{Name}"),
    ("sns", "list_topics", "Topics", "topic {TopicArn}"),
    ("iam", "list_roles", "Roles", "role {RoleName}"),
    ("secretsmanager", "list_secrets", "SecretList", "secret {Name}"),
    # With a stack goes what it made: functions, their logs.
    ("cloudformation", "describe_stacks", "Stacks", "stack {StackName}"),
)
"""Service, operation, where its answer lists things, and what to say of each."""


def _named(client: Client, account: str) -> Iterator[str]:
    for service, operation, key, words in NAMED:
        for page in client(service, account).get_paginator(operation).paginate():
            for one in page[key]:
                yield words.format(**one)


def _tables(client: Client, account: str) -> Iterator[str]:
    for page in client("dynamodb", account).get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            yield f"table {name}"


def _queues(client: Client, account: str) -> Iterator[str]:
    yield from letters(client, account)
    for url in client("sqs", account).list_queues().get("QueueUrls", []):
        yield f"queue {url}"


def _rules(client: Client, account: str) -> Iterator[str]:
    events = client("events", account)
    for bus in events.list_event_buses()["EventBuses"]:
        if bus["Name"] != "default":
            yield f"bus {bus['Name']}"
        for page in events.get_paginator("list_rules").paginate(EventBusName=bus["Name"]):
            for one in page["Rules"]:
                yield f"rule {bus['Name']}/{one['Name']}"


def _schedule_groups(client: Client, account: str) -> Iterator[str]:
    for page in client("scheduler", account).get_paginator("list_schedule_groups").paginate():
        for one in page["ScheduleGroups"]:
            if one["Name"] != "default":
                yield f"ScheduleGroup {one['Name']}"


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


def _subscriptions(client: Client, account: str) -> Iterator[str]:
    for page in client("sns", account).get_paginator("list_subscriptions").paginate():
        for one in page["Subscriptions"]:
            yield f"subscription {one['Protocol']}:{one['Endpoint']} of {one['TopicArn']}"


def _keys(client: Client, account: str) -> Iterator[str]:
    """Keys that are not about to be deleted: there is no quicker end for one."""
    kms = client("kms", account)
    for page in kms.get_paginator("list_keys").paginate():
        for one in page["Keys"]:
            if kms.describe_key(KeyId=one["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion":
                yield f"key {one['KeyId']}"
