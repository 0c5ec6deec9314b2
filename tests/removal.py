"""Removes by name what tests have made in an account of the laptop's AWS."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from tests.inventory import Client, inventory
from tests.patience import PATIENCE


def remove_named(client: Client, account: str, part: str) -> None:
    """Delete what has `part` in its name of what is removed below; executions are stopped."""
    for remove in (_alarms, _rules, _schedules, _queues, _machines, _topics, _roles):
        remove(client, account, part)


def emptied(client: Client, account: str, seconds: float = PATIENCE) -> list[str]:
    """Remove the usual things from an account that a few tests have had to themselves; returns all that is there after it.

    These are what `remove_named` removes, groups of versions, buckets, and what serves: an endpoint that changes is deleted when
    it has changed.
    """
    until = time.monotonic() + seconds
    remove_named(client, account, "")
    _groups(client, account)
    for bucket in client("s3", account).list_buckets()["Buckets"]:
        remove_bucket(client("s3", account), bucket["Name"])
    while client("sagemaker", account).list_endpoints()["Endpoints"] and time.monotonic() < until:
        time.sleep(0.2)
        _served(client, account)
    _served(client, account)
    return inventory(client, account)


def _served(client: Client, account: str) -> None:
    sagemaker = client("sagemaker", account)
    for operation, key, name, delete in (
        ("list_endpoints", "Endpoints", "EndpointName", sagemaker.delete_endpoint),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", sagemaker.delete_endpoint_config),
        ("list_models", "Models", "ModelName", sagemaker.delete_model),
    ):
        for page in list(sagemaker.get_paginator(operation).paginate()):
            for one in page[key]:
                with suppress(sagemaker.exceptions.ClientError):  # It changes, or an endpoint still needs it.
                    delete(**{name: one[name]})


def _groups(client: Client, account: str) -> None:
    sagemaker = client("sagemaker", account)
    for page in list(sagemaker.get_paginator("list_model_package_groups").paginate()):
        for one in page["ModelPackageGroupSummaryList"]:
            remove_group(sagemaker, one["ModelPackageGroupName"])


def remove_group(sagemaker: Any, name: str) -> None:
    """Delete a model package group with its versions."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=name)
    # All are listed before one is deleted: a page's token is worth nothing when what came before it is gone.
    for arn in [one["ModelPackageArn"] for page in pages for one in page["ModelPackageSummaryList"]]:
        sagemaker.delete_model_package(ModelPackageName=arn)
    with suppress(sagemaker.exceptions.ClientError):  # The test failed before it was made.
        sagemaker.delete_model_package_group(ModelPackageGroupName=name)


def remove_bucket(s3: Any, name: str) -> None:
    """Delete a bucket with its objects, where there is one."""
    with suppress(s3.exceptions.NoSuchBucket):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
            for one in page.get("Contents", []):
                s3.delete_object(Bucket=name, Key=one["Key"])
        s3.delete_bucket(Bucket=name)


def _alarms(client: Client, account: str, part: str) -> None:
    cloudwatch = client("cloudwatch", account)
    pages = list(cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"]))
    for name in [one["AlarmName"] for page in pages for one in page["CompositeAlarms"] if part in one["AlarmName"]]:
        # First, since what they look at stays as long as they do; and one in each call.
        cloudwatch.delete_alarms(AlarmNames=[name])
    if found := [one["AlarmName"] for page in pages for one in page["MetricAlarms"] if part in one["AlarmName"]]:
        cloudwatch.delete_alarms(AlarmNames=found)


def _rules(client: Client, account: str, part: str) -> None:
    events = client("events", account)
    for bus in [one["Name"] for one in events.list_event_buses()["EventBuses"]]:
        for name in [one["Name"] for one in events.list_rules(EventBusName=bus)["Rules"] if part in one["Name"]]:
            targets = [one["Id"] for one in events.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]]
            if targets:
                events.remove_targets(Rule=name, EventBusName=bus, Ids=targets)
            events.delete_rule(Name=name, EventBusName=bus)
        if bus != "default" and part in bus:
            events.delete_event_bus(Name=bus)


def _schedules(client: Client, account: str, part: str) -> None:
    scheduler = client("scheduler", account)
    for page in list(scheduler.get_paginator("list_schedules").paginate()):
        for one in [one for one in page["Schedules"] if part in one["Name"]]:
            scheduler.delete_schedule(GroupName=one["GroupName"], Name=one["Name"])
    for page in list(scheduler.get_paginator("list_schedule_groups").paginate()):
        for name in [one["Name"] for one in page["ScheduleGroups"] if part in one["Name"] and one["Name"] != "default"]:
            scheduler.delete_schedule_group(Name=name)


def _queues(client: Client, account: str, part: str) -> None:
    sqs = client("sqs", account)
    for url in sqs.list_queues().get("QueueUrls", []):
        if part in url:
            sqs.delete_queue(QueueUrl=url)


def _topics(client: Client, account: str, part: str) -> None:
    sns = client("sns", account)
    for page in list(sns.get_paginator("list_topics").paginate()):
        for arn in [one["TopicArn"] for one in page["Topics"] if part in one["TopicArn"]]:
            unsubscribe_all(sns, arn)
            sns.delete_topic(TopicArn=arn)


def unsubscribe_all(sns: Any, topic_arn: str) -> None:
    """End every subscription of a topic."""
    for page in list(sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)):
        for subscription in page["Subscriptions"]:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


def _roles(client: Client, account: str, part: str) -> None:
    iam = client("iam", account)
    for page in list(iam.get_paginator("list_roles").paginate()):
        for name in [one["RoleName"] for one in page["Roles"] if part in one["RoleName"]]:
            remove_role(iam, name)


def remove_role(iam: Any, name: str) -> None:
    """Delete a role with its own policies."""
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _machines(client: Client, account: str, part: str) -> None:
    functions = client("stepfunctions", account)
    for page in list(functions.get_paginator("list_state_machines").paginate()):
        for arn in [one["stateMachineArn"] for one in page["stateMachines"] if part in one["name"]]:
            running = functions.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
            for execution in running:
                functions.stop_execution(executionArn=execution["executionArn"])
            functions.delete_state_machine(stateMachineArn=arn)
