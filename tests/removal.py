"""Removes by name what tests have made in an account of the laptop's AWS."""

from __future__ import annotations

from tests.inventory import Client


def remove_named(client: Client, account: str, part: str) -> None:
    """Delete the alarms, rules, schedules, queues and state machines that have `part` in their names; executions are stopped."""
    for remove in (_alarms, _rules, _schedules, _queues, _machines):
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


def _machines(client: Client, account: str, part: str) -> None:
    functions = client("stepfunctions", account)
    for page in list(functions.get_paginator("list_state_machines").paginate()):
        for arn in [one["stateMachineArn"] for one in page["stateMachines"] if part in one["name"]]:
            running = functions.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]
            for execution in running:
                functions.stop_execution(executionArn=execution["executionArn"])
            functions.delete_state_machine(stateMachineArn=arn)
