"""Events, schedules and alarms of the laptop's AWS."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.full

Eventually = Callable[..., Any]

JOINED_ACCOUNT = "999988887777"


@pytest.fixture
def rule(cloud: Any, unique: str) -> Iterator[Callable[..., None]]:
    """Puts a rule named after the test onto a bus, and takes it away again."""
    events, buses = cloud.client("events"), []

    def put(pattern: dict[str, Any], target: dict[str, Any], bus: str = "default") -> None:
        events.put_rule(Name=unique, EventPattern=json.dumps(pattern), EventBusName=bus)
        events.put_targets(Rule=unique, EventBusName=bus, Targets=[{"Id": "only", **target}])
        buses.append(bus)

    yield put
    for bus in buses:
        events.remove_targets(Rule=unique, EventBusName=bus, Ids=["only"])
        events.delete_rule(Name=unique, EventBusName=bus)


def send(cloud: Any, detail: dict[str, Any], bus: str = "default", source: str = "probe", kind: str = "Asked") -> None:
    entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus}
    assert cloud.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0


def test_a_rule_on_a_bus_invokes_a_function(cloud: Any, unique: str, eventually: Eventually) -> None:
    send(cloud, {"action": "remember", "key": unique}, bus="probe")
    assert eventually(lambda: cloud.remembered(unique))[0]["key"] == unique


def test_the_default_bus_forwards_to_another_bus(
    cloud: Any, rule: Callable[..., None], unique: str, eventually: Eventually
) -> None:
    rule({"source": ["probe"]}, {"Arn": cloud.outputs["BusArn"], "RoleArn": cloud.outputs["RoleArn"]})
    send(cloud, {"action": "remember", "key": unique})
    assert eventually(lambda: cloud.remembered(unique))


def service_role(cloud: Any, account_id: str, name: str, action: str, resource: str) -> str:
    """A role that services may take, which allows one thing."""
    iam = cloud.client("iam", account_id)
    services = ["events.amazonaws.com", "scheduler.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    allowed = {"Effect": "Allow", "Action": action, "Resource": resource}
    document = {"Version": "2012-10-17"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document | {"Statement": [trust]}))
    policy = json.dumps(document | {"Statement": [allowed]})
    iam.put_role_policy(RoleName=name, PolicyName="one-thing", PolicyDocument=policy)
    return str(role["Role"]["Arn"])


def forwarding_account(cloud: Any, account_id: str, unique: str) -> Any:
    """EventBridge of an account that forwards what it hears from `joined` and from `lockkeeper` to the probe bus."""
    role = service_role(cloud, account_id, unique[:40], "events:PutEvents", cloud.outputs["BusArn"])
    queue = cloud.client("sqs", account_id).create_queue(QueueName=unique[:80])["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{account_id}:{unique[:80]}"
    allowed = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed | {"Resource": arn}]})
    cloud.client("sqs", account_id).set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events = cloud.client("events", account_id)
    events.put_rule(Name=unique, EventPattern='{"source": ["joined", "lockkeeper"]}')
    target = {"Id": "hub", "Arn": cloud.outputs["BusArn"], "RoleArn": role, "DeadLetterConfig": {"Arn": arn}}
    events.put_targets(Rule=unique, Targets=[target])
    return events


@pytest.mark.parametrize(("account", "source"), [(JOINED_ACCOUNT, "lockkeeper"), ("555566667777", "joined")])
def test_a_bus_takes_from_other_accounts_what_its_policy_names_and_the_rest_is_buried_at_home(
    cloud: Any, unique: str, account: str, source: str, eventually: Eventually
) -> None:
    events = forwarding_account(cloud, account, unique)
    events.put_events(Entries=[{"Source": source, "DetailType": "Any", "Detail": json.dumps({"key": unique})}])
    queue = cloud.client("sqs", account)
    asked = {"QueueUrl": queue.get_queue_url(QueueName=unique[:80])["QueueUrl"], "MessageAttributeNames": ["All"]}
    letter = eventually(lambda: queue.receive_message(**asked).get("Messages"))[0]
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_a_queue_takes_dead_letters_only_from_the_rules_that_its_policy_names(cloud: Any, unique: str) -> None:
    events, closed = cloud.client("events"), f"closed-{unique}"[:64]
    target = {"Id": "q", "Arn": "arn:aws:lambda:us-east-1:111122223333:function:gone"}
    for name, source in ((closed, "closed"), (unique, "open")):
        events.put_rule(Name=name, EventPattern=json.dumps({"source": [f"{source}-{unique}"]}))
        letters = {"DeadLetterConfig": {"Arn": cloud.outputs["QueueArn"]}}
        events.put_targets(Rule=name, Targets=[target | letters])
    send(cloud, {"key": f"closed-{unique}"}, source=f"closed-{unique}")
    send(cloud, {"key": f"open-{unique}"}, source=f"open-{unique}")
    assert json.loads(cloud.dead_letters(unique)["Body"])["detail"] == {"key": f"open-{unique}"}


def test_another_account_forwards_its_events_under_its_own_account_number(cloud: Any, unique: str) -> None:
    joined = forwarding_account(cloud, JOINED_ACCOUNT, unique)
    hub = cloud.client("events")
    hub.put_rule(Name=unique, EventBusName="probe", EventPattern='{"account": ["999988887777"], "source": ["joined"]}')
    hub.put_targets(Rule=unique, EventBusName="probe", Targets=[{"Id": "q", "Arn": cloud.outputs["QueueArn"]}])
    joined.put_events(Entries=[{"Source": "joined", "DetailType": "Any", "Detail": json.dumps({"key": unique})}])
    event = json.loads(cloud.dead_letters(unique)["Body"])
    hub.remove_targets(Rule=unique, EventBusName="probe", Ids=["q"])
    assert event["account"] == JOINED_ACCOUNT


def test_a_function_that_fails_on_an_event_is_retried_and_buried(cloud: Any, unique: str) -> None:
    send(cloud, {"action": "raise", "message": unique}, bus="probe")
    assert json.loads(cloud.dead_letters(unique)["Body"])["message"] == unique


@pytest.mark.parametrize(
    ("target", "code"),
    [("arn:aws:lambda:us-east-1:111122223333:function:gone", "NO_RESOURCE"), ("Reserved", "NO_PERMISSIONS")],
)
def test_what_can_never_be_delivered_goes_to_the_targets_dead_letter_queue(
    cloud: Any, rule: Callable[..., None], unique: str, target: str, code: str
) -> None:
    if target == "Reserved":
        target = f"arn:aws:lambda:us-east-1:111122223333:function:{cloud.outputs['ReservedName']}"
    rule({"source": [unique]}, {"Arn": target, "DeadLetterConfig": {"Arn": cloud.outputs["QueueArn"]}})
    send(cloud, {"key": unique}, source=unique)
    letter = cloud.dead_letters(unique)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == code
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == target
    assert json.loads(letter["Body"])["detail"] == {"key": unique}


def test_delivery_is_retried_as_the_policy_says(cloud: Any, rule: Callable[..., None], unique: str) -> None:
    target = {
        "Arn": cloud.outputs["MachineArn"],
        "RoleArn": cloud.outputs["RoleArn"],
        "Input": "this is no JSON and no execution takes it",
        "RetryPolicy": {"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 3600},
        "DeadLetterConfig": {"Arn": cloud.outputs["QueueArn"]},
    }
    rule({"source": [unique]}, target)
    send(cloud, {"key": unique}, source=unique)
    letter = cloud.dead_letters("no execution takes it")
    assert letter["MessageAttributes"]["RETRY_ATTEMPTS"]["StringValue"] == "2"
    assert letter["MessageAttributes"]["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"


def test_oversized_entries_are_refused(cloud: Any) -> None:
    with pytest.raises(ClientError) as refused:
        send(cloud, {"text": "x" * 262_144})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def schedule(cloud: Any, name: str, expression: str, payload: dict[str, Any], **fields: Any) -> None:
    target = {"Arn": cloud.outputs["ProbeArn"], "RoleArn": cloud.outputs["RoleArn"], "Input": json.dumps(payload)}
    cloud.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**target, **fields.pop("Target", {})},
        **fields,
    )


def at(delay: timedelta) -> str:
    return f"at({datetime.now(UTC) + delay:%Y-%m-%dT%H:%M:%S})"


def test_a_one_time_schedule_fires_under_the_clock_scale_and_deletes_itself(
    cloud: Any, unique: str, eventually: Eventually
) -> None:
    began = time.monotonic()
    event = {"action": "remember", "key": unique}
    schedule(cloud, unique, at(timedelta(minutes=2)), event, ActionAfterCompletion="DELETE")
    assert eventually(lambda: cloud.remembered(unique)) == [event]
    assert 1.5 < time.monotonic() - began < 100
    with pytest.raises(ClientError) as gone:
        cloud.client("scheduler").get_schedule(Name=unique)
    assert gone.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_time_zone_counts(cloud: Any, unique: str, eventually: Eventually) -> None:
    elsewhere = at(timedelta(minutes=1) + timedelta(hours=9))
    schedule(cloud, unique, elsewhere, {"action": "remember", "key": unique}, ScheduleExpressionTimezone="Asia/Tokyo")
    assert eventually(lambda: cloud.remembered(unique))


def test_a_rate_fires_again_and_again(cloud: Any, unique: str, eventually: Eventually) -> None:
    schedule(cloud, unique, "rate(1 minutes)", {"action": "remember", "key": unique})
    assert eventually(lambda: len(cloud.remembered(unique)) >= 2)
    cloud.client("scheduler").delete_schedule(Name=unique)


def test_a_rate_waits_for_the_function_that_it_calls(cloud: Any, unique: str, eventually: Eventually) -> None:
    """A scaled minute is shorter than the work: without waiting, a slow machine would start it faster than it ends."""
    began = time.monotonic()
    schedule(cloud, unique, "rate(1 minutes)", {"action": "remember", "key": unique, "seconds": 1.4})
    assert eventually(lambda: len(cloud.remembered(unique)) >= 3)
    cloud.client("scheduler").delete_schedule(Name=unique)
    assert time.monotonic() - began > 3.5


def test_a_schedule_whose_role_allows_nothing_is_buried(cloud: Any, unique: str) -> None:
    role = service_role(cloud, "111122223333", unique[:40], "sqs:SendMessage", cloud.outputs["QueueArn"])
    target = {"RoleArn": role, "DeadLetterConfig": {"Arn": cloud.outputs["QueueArn"]}}
    schedule(cloud, unique, at(timedelta()), {"key": unique}, Target=target)
    letter = cloud.dead_letters(unique)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_PERMISSIONS"


def test_a_schedule_without_its_target_is_buried(cloud: Any, unique: str) -> None:
    missing = "arn:aws:lambda:us-east-1:111122223333:function:gone"
    target = {"Arn": missing, "DeadLetterConfig": {"Arn": cloud.outputs["QueueArn"]}}
    schedule(cloud, unique, at(timedelta()), {"key": unique}, Target=target)
    assert json.loads(cloud.dead_letters(unique)["Body"]) == {"key": unique}


def alarm(cloud: Any, name: str, **fields: Any) -> None:
    defaults: dict[str, Any] = {
        "Namespace": "Probe",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "Endpoint", "Value": name}],
        "Statistic": "Sum",
        "Period": 600,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **(defaults | fields))


def publish(cloud: Any, endpoint: str, value: float) -> None:
    dimensions = [{"Name": "Endpoint", "Value": endpoint}]
    data = [{"MetricName": "Errors", "Dimensions": dimensions, "Value": value}]
    cloud.client("cloudwatch").put_metric_data(Namespace="Probe", MetricData=data)


def state_of(cloud: Any, name: str) -> str:
    return str(cloud.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"])


def test_an_alarm_looks_at_its_own_dimensions_and_tells_the_default_bus(
    cloud: Any, rule: Callable[..., None], unique: str, eventually: Eventually
) -> None:
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [unique], "state": {"value": ["ALARM"]}}}
    rule(pattern, {"Arn": cloud.outputs["QueueArn"]})
    alarm(cloud, unique, AlarmDescription="Too many errors")
    publish(cloud, "another endpoint", 100)
    eventually(lambda: state_of(cloud, unique) == "OK")
    publish(cloud, unique, 6)
    event = json.loads(cloud.dead_letters(unique)["Body"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["resources"] == [f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{unique}"]
    detail = event["detail"]
    assert (detail["previousState"]["value"], detail["state"]["value"]) == ("OK", "ALARM")
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [6.0]
    assert detail["configuration"]["description"] == "Too many errors"
    (metric,) = detail["configuration"]["metrics"]
    assert metric["metricStat"]["metric"]["dimensions"] == {"Endpoint": unique}
    assert metric["metricStat"]["period"] == 600


def test_an_alarm_recovers_when_its_period_has_passed(cloud: Any, unique: str, eventually: Eventually) -> None:
    alarm(cloud, unique, Period=60)
    publish(cloud, unique, 6)
    assert state_of(cloud, unique) == "ALARM"
    eventually(lambda: state_of(cloud, unique) == "OK")


def test_one_bad_datapoint_of_two_wanted_is_no_alarm(cloud: Any, unique: str, eventually: Eventually) -> None:
    alarm(cloud, unique, EvaluationPeriods=3, DatapointsToAlarm=2)
    publish(cloud, unique, 6)
    eventually(lambda: state_of(cloud, unique) == "OK")


def test_missing_data_is_treated_as_the_alarm_says(cloud: Any, unique: str, eventually: Eventually) -> None:
    alarm(cloud, f"{unique}-breaching", TreatMissingData="breaching")
    alarm(cloud, f"{unique}-missing", TreatMissingData="missing")
    eventually(lambda: state_of(cloud, f"{unique}-breaching") == "ALARM")
    assert state_of(cloud, f"{unique}-missing") == "INSUFFICIENT_DATA"


def test_a_forced_state_is_an_event_too(cloud: Any, rule: Callable[..., None], unique: str) -> None:
    rule({"source": ["aws.cloudwatch"], "detail": {"alarmName": [unique]}}, {"Arn": cloud.outputs["QueueArn"]})
    alarm(cloud, unique, TreatMissingData="ignore")
    cloud.client("cloudwatch").set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="an exercise")
    event = json.loads(cloud.dead_letters(unique)["Body"])
    assert event["detail"]["state"]["reason"] == "an exercise"


def test_an_alarm_in_the_second_from_which_its_history_is_asked_for_is_found(cloud: Any, unique: str) -> None:
    alarm(cloud, unique, TreatMissingData="ignore")
    time.sleep((0.2 - time.time()) % 1)
    moment = datetime.now(UTC)
    client = cloud.client("cloudwatch")
    client.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="an exercise")
    items = client.describe_alarm_history(AlarmName=unique, StartDate=moment)["AlarmHistoryItems"]
    assert ["to ALARM" in one["HistorySummary"] for one in items] == [True]


def test_composite_alarms_and_their_history_are_told_to_who_asks_for_them(cloud: Any, unique: str) -> None:
    below, above, client = f"{unique}-below", f"{unique}-above", cloud.client("cloudwatch")
    alarm(cloud, below, TreatMissingData="ignore")
    client.put_composite_alarm(AlarmName=above, AlarmRule=f'ALARM("{below}")')
    client.set_alarm_state(AlarmName=below, StateValue="ALARM", StateReason="an exercise")
    assert not client.describe_alarms(AlarmNames=[above])["CompositeAlarms"]
    assert not client.describe_alarm_history(AlarmName=above)["AlarmHistoryItems"]
    both = ["MetricAlarm", "CompositeAlarm"]
    (known,) = client.describe_alarms(AlarmNames=[above], AlarmTypes=both)["CompositeAlarms"]
    assert known["StateValue"] == "ALARM"
    items = client.describe_alarm_history(AlarmName=above, AlarmTypes=both)["AlarmHistoryItems"]
    assert any("to ALARM" in one["HistorySummary"] for one in items)
