"""Buses, rules, patterns, alarms and one-time schedules, as any client may ask of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.aws.target import Target, refusal

EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "SageMaker Endpoint State Change",
    "source": "aws.sagemaker",
    "account": "123456789012",
    "time": "2026-11-24T01:23:45Z",
    "region": "us-east-1",
    "resources": ["arn:aws:sagemaker:us-east-1:123456789012:endpoint/wages"],
    "detail": {"EndpointStatus": "IN_SERVICE", "Tags": {"team": "pay"}, "FailureReason": None},
}


@pytest.fixture(scope="module")
def events(target: Target) -> Any:
    return target.client("events")


@pytest.fixture(scope="module")
def bus(target: Target, events: Any) -> str:
    name = target.unique()
    events.create_event_bus(Name=name)
    return name


def matches(events: Any, pattern: dict[str, Any], **changes: Any) -> bool:
    event = json.dumps({**EVENT, **changes})
    return bool(events.test_event_pattern(EventPattern=json.dumps(pattern), Event=event)["Result"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.sagemaker"]}, True),
        ({"source": ["aws.sagemaker"], "account": ["123456789012", "210987654321"]}, True),
        ({"source": ["aws.sagemaker"], "account": ["210987654321"]}, False),
        ({"source": ["AWS.SAGEMAKER"]}, False),
        ({"detail": {"EndpointStatus": ["InService"]}}, False),
        ({"detail": {"EndpointStatus": [{"equals-ignore-case": "in_service"}]}}, True),
        ({"detail": {"FailureReason": [None]}}, True),
        ({"detail": {"Tags": {"team": [{"exists": True}]}}}, True),
        ({"detail": {"EndpointName": [{"exists": False}]}}, True),
        ({"resources": [{"prefix": "arn:aws:sagemaker:us-east-1:"}]}, True),
    ],
    ids=json.dumps,
)
def test_a_pattern_matches_as_its_parts_say(events: Any, pattern: dict[str, Any], expected: bool) -> None:
    assert matches(events, pattern) is expected


def test_a_pattern_that_is_none_is_refused(target: Target, events: Any, bus: str) -> None:
    for pattern in ('{"source": "aws.sagemaker"}', "{}", "no JSON"):
        code, _ = refusal(
            lambda pattern=pattern: events.put_rule(Name=target.unique(), EventBusName=bus, EventPattern=pattern)
        )
        assert code == "InvalidEventPatternException", pattern


def test_nobody_speaks_in_the_name_of_aws(events: Any, bus: str) -> None:
    for where in ("default", bus):
        entry = {"Source": "aws.sagemaker", "DetailType": "Any", "Detail": "{}", "EventBusName": where}
        answer = events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 1
        assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"


def test_a_detail_that_is_no_json_fails_alone(events: Any, bus: str) -> None:
    good = {"Source": "contract", "DetailType": "Any", "Detail": "{}", "EventBusName": bus}

    answer = events.put_events(Entries=[good, {**good, "Detail": "no JSON"}])

    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["EventId"]
    assert answer["Entries"][1]["ErrorCode"] == "MalformedDetail"


@pytest.mark.parametrize("missing", ["Source", "DetailType", "Detail"])
def test_an_entry_needs_its_parts(events: Any, bus: str, missing: str) -> None:
    entry = {"Source": "contract", "DetailType": "Any", "Detail": "{}", "EventBusName": bus}
    del entry[missing]

    answer = events.put_events(Entries=[entry])

    assert answer["Entries"][0]["ErrorCode"] == "InvalidArgument"
    assert missing in answer["Entries"][0]["ErrorMessage"]


def test_a_rule_hands_on_what_it_matches_and_nothing_else(target: Target, events: Any, bus: str) -> None:
    url, arn = target.queue()
    rule = target.unique()
    events.put_rule(
        Name=rule, EventBusName=bus, EventPattern=json.dumps({"source": ["contract"], "detail": {"wanted": [True]}})
    )
    events.put_targets(Rule=rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    if not target.endpoint_url:
        target.eventually(lambda: delivered(target, events, bus, url))
    entries = [
        {
            "Source": "contract",
            "DetailType": "Told",
            "Detail": json.dumps({"wanted": wanted, "n": n}),
            "EventBusName": bus,
        }
        for n, wanted in enumerate([False, True])
    ]
    events.put_events(Entries=entries)

    got = target.eventually(lambda: [one for one in target.messages(url) if "n" in one["detail"]])
    assert [one["detail"] for one in got] == [{"wanted": True, "n": 1}]
    assert (got[0]["account"], got[0]["source"], got[0]["detail-type"]) == (target.account, "contract", "Told")


def delivered(target: Target, events: Any, bus: str, url: str) -> bool:
    """Whether a new rule is in force already: AWS says that it may take a minute."""
    entry = {"Source": "contract", "DetailType": "Try", "Detail": '{"wanted": true}', "EventBusName": bus}
    events.put_events(Entries=[entry])
    return bool(list(target.messages(url)))


def test_the_registry_tells_the_default_bus(target: Target, events: Any) -> None:
    url, arn = target.queue()
    rule, group, sagemaker = target.unique(), target.unique(), target.client("sagemaker")
    kind = "SageMaker Model Package State Change"
    pattern = {"source": ["aws.sagemaker"], "detail-type": [kind], "detail": {"ModelPackageGroupName": [group]}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    container = {"Image": target.image, "ModelDataUrl": f"s3://{target.bucket}/model.tar.gz"}
    containers = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }

    def registered() -> list[dict[str, Any]]:
        # A rule may not be in force yet, and the event is best effort: register until one comes.
        sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=containers)
        return list(target.messages(url))

    event = target.eventually(registered)[0]
    package = event["detail"]["ModelPackageArn"]
    assert package.startswith(target.arn("sagemaker", f"model-package/{group}/"))
    assert event["resources"] == [package]
    assert (event["account"], event["region"], event["detail-type"]) == (target.account, target.region, kind)
    assert event["detail"]["ModelPackageStatus"] == "Completed"


def test_an_alarm_tells_the_default_bus_and_remembers(target: Target, events: Any) -> None:
    url, arn = target.queue()
    rule, name, cloudwatch = target.unique(), target.unique(), target.client("cloudwatch")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name], "state": {"value": ["ALARM"]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="LockkeeperContract",
        MetricName="Nothing",
        Statistic="Sum",
        Period=3600,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )

    def alarmed() -> list[dict[str, Any]]:
        for state in ("OK", "ALARM"):
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="tried")
        return list(target.messages(url))

    event = target.eventually(alarmed)[0]
    assert event["resources"] == [target.arn("cloudwatch", f"alarm:{name}")]
    assert event["detail"]["state"]["value"] == "ALARM"
    assert event["detail"]["previousState"]["value"] == "OK"
    history = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert any("to ALARM" in one["HistorySummary"] for one in history)


def test_a_one_time_schedule_is_made_once_changed_and_deleted_once(target: Target) -> None:
    scheduler, group = target.client("scheduler"), target.unique()
    scheduler.create_schedule_group(Name=group)
    _, arn = target.queue()
    request = {
        "Name": "bake",
        "GroupName": group,
        "ScheduleExpression": "at(2099-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {"Arn": arn, "RoleArn": target.role_arn, "Input": "{}"},
    }
    scheduler.create_schedule(**request)

    assert refusal(lambda: scheduler.create_schedule(**request))[0] == "ConflictException"
    scheduler.update_schedule(**{**request, "ScheduleExpression": "at(2099-01-02T00:00:00)"})
    kept = scheduler.get_schedule(Name="bake", GroupName=group)
    assert kept["ScheduleExpression"] == "at(2099-01-02T00:00:00)"
    assert kept["ActionAfterCompletion"] == "DELETE"
    scheduler.delete_schedule(Name="bake", GroupName=group)
    gone = lambda: scheduler.delete_schedule(Name="bake", GroupName=group)  # noqa: E731
    assert refusal(gone)[0] == "ResourceNotFoundException"


def test_a_schedule_that_is_none_is_refused(target: Target) -> None:
    scheduler = target.client("scheduler")
    _, arn = target.queue()
    request = {
        "Name": target.unique(),
        "ScheduleExpression": "at(someday)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": arn, "RoleArn": target.role_arn},
    }
    assert refusal(lambda: scheduler.create_schedule(**request))[0] == "ValidationException"
