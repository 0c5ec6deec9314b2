"""Removes by name what tests have made in an account of the laptop's AWS."""

from __future__ import annotations

from typing import Any

from tests.inventory import Client


def remove_named(client: Client, account: str, part: str) -> None:
    """Delete what has `part` in its name of what is removed below; executions are stopped."""
    for remove in (_alarms, _rules, _schedules, _queues, _machines, _topics, _roles):
        remove(client, account, part)


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


def _schedules(client: Client, account: str, part: str) -> None:
    scheduler = client("scheduler", account)
    for page in list(scheduler.get_paginator("list_schedules").paginate()):
        for name in [one["Name"] for one in page["Schedules"] if part in one["Name"]]:
            scheduler.delete_schedule(Name=name)


def _queues(client: Client, account: str, part: str) -> None:
    sqs = client("sqs", account)
    for url in sqs.list_queues().get("QueueUrls", []):
        if part in url:
            sqs.delete_queue(QueueUrl=url)


def _topics(client: Client, account: str, part: str) -> None:
    sns = client("sns", account)
    for page in list(sns.get_paginator("list_topics").paginate()):
        for arn in [one["TopicArn"] for one in page["Topics"] if part in one["TopicArn"]]:
            for subscription in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
                sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            sns.delete_topic(TopicArn=arn)


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
