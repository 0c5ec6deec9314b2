"""What IAM is asked on the laptop's AWS, that it is asked everything AWS would ask, and that all of it is written down."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.test_local_data import code_of

HUB = "arn:aws:iam::111122223333:role"

Session = Callable[..., dict[str, str]]


def trust(principal: dict[str, str], **condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def session(cloud: Any, unique: str) -> Session:
    """A session of a new role that may do these things; what a client takes as its keys."""

    def make(*allowed: tuple[str, str]) -> dict[str, str]:
        iam, name = cloud.client("iam"), unique
        account = {"AWS": "arn:aws:iam::111122223333:root"}
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(account))
        statements = [{"Effect": "Allow", "Action": action, "Resource": arn} for action, arn in allowed]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="May", PolicyDocument=document)
        granted = cloud.client("sts").assume_role(RoleArn=f"{HUB}/{name}", RoleSessionName="tests")["Credentials"]
        return {
            "aws_access_key_id": granted["AccessKeyId"],
            "aws_secret_access_key": granted["SecretAccessKey"],
            "aws_session_token": granted["SessionToken"],
        }

    return make


def recorded(cloud: Any, name: str, file: str = "decisions.jsonl") -> list[dict[str, Any]]:
    """What was written down about a role, by its name."""
    lines = (cloud.running.logs / file).read_text().splitlines()
    return [json.loads(line) for line in lines if name in line]


def test_a_missing_object_is_told_to_who_may_list_the_bucket(cloud: Any, session: Session, unique: str) -> None:
    bucket = f"arn:aws:s3:::{cloud.outputs['BucketName']}"
    s3 = cloud.client("s3", **session(("s3:GetObject", f"{bucket}/*")))
    place = {"Bucket": cloud.outputs["BucketName"], "Key": unique}
    assert code_of(lambda: s3.get_object(**place)) == "AccessDenied"
    assert code_of(lambda: s3.head_object(**place)) == "403"


def test_who_may_list_the_bucket_is_told_that_the_object_is_missing(cloud: Any, session: Session, unique: str) -> None:
    bucket = f"arn:aws:s3:::{cloud.outputs['BucketName']}"
    s3 = cloud.client("s3", **session(("s3:GetObject", f"{bucket}/*"), ("s3:ListBucket", bucket)))
    place = {"Bucket": cloud.outputs["BucketName"], "Key": unique}
    assert code_of(lambda: s3.get_object(**place)) == "NoSuchKey"
    assert code_of(lambda: s3.head_object(**place)) == "404"


def schedule(role: str) -> dict[str, Any]:
    return {
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:lambda:us-east-1:111122223333:function:any", "RoleArn": f"{HUB}/{role}"},
    }


def test_a_schedule_gets_no_role_that_its_maker_may_not_pass(cloud: Any, session: Session, unique: str) -> None:
    keys = session(
        ("scheduler:CreateSchedule", "arn:aws:scheduler:us-east-1:111122223333:schedule/default/*"),
        ("iam:PassRole", f"{HUB}/passable"),
    )
    scheduler = cloud.client("scheduler", **keys)
    with pytest.raises(ClientError, match="iam:PassRole"):
        scheduler.create_schedule(Name=unique, **schedule("another"))
    scheduler.create_schedule(Name=unique, **schedule("passable"))
    cloud.client("scheduler").delete_schedule(Name=unique)


def test_who_may_delete_one_alarm_may_delete_no_other(cloud: Any, session: Session, unique: str) -> None:
    arn = f"arn:aws:cloudwatch:us-east-1:111122223333:alarm:{unique}-*"
    cloudwatch = cloud.client("cloudwatch", **session(("cloudwatch:DeleteAlarms", arn)))
    cloudwatch.delete_alarms(AlarmNames=[f"{unique}-mine"])
    with pytest.raises(ClientError, match="DeleteAlarms"):
        cloudwatch.delete_alarms(AlarmNames=["another"])


def test_who_may_ask_what_one_role_may_is_told_of_no_other(cloud: Any, session: Session, unique: str) -> None:
    iam = cloud.client("iam", **session(("iam:SimulatePrincipalPolicy", f"{HUB}/{unique}")))
    asked = {"PolicySourceArn": f"{HUB}/{unique}", "ResourceArns": [f"{HUB}/{unique}"]}
    for action, decision in (("iam:SimulatePrincipalPolicy", "allowed"), ("iam:GetRole", "implicitDeny")):
        (result,) = iam.simulate_principal_policy(**asked, ActionNames=[action])["EvaluationResults"]
        assert result["EvalDecision"] == decision
    with pytest.raises(ClientError, match="SimulatePrincipalPolicy"):
        iam.simulate_principal_policy(PolicySourceArn=f"{HUB}/another", ActionNames=["iam:GetRole"])


@pytest.mark.parametrize(("source_account", "starts"), [("111122223333", True), ("444455556666", False)])
def test_a_trusts_condition_on_the_source_account_counts(
    cloud: Any, unique: str, source_account: str, starts: bool
) -> None:
    iam = cloud.client("iam")
    bound = {"Condition": {"StringEquals": {"aws:SourceAccount": source_account}}}
    states = {"Service": "states.amazonaws.com"}
    iam.create_role(RoleName=unique, AssumeRolePolicyDocument=trust(states, **bound))
    may = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": cloud.outputs["ProbeArn"]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName=unique, PolicyName="Invoke", PolicyDocument=document)
    call = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    call["Arguments"] = {"FunctionName": cloud.outputs["ProbeArn"], "Payload": {}}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Call", "States": {"Call": call}}
    machines = cloud.client("stepfunctions")
    created = machines.create_state_machine(name=unique, definition=json.dumps(definition), roleArn=f"{HUB}/{unique}")
    started = machines.start_execution(stateMachineArn=created["stateMachineArn"])
    assert (cloud.ended(started["executionArn"])["status"] == "SUCCEEDED") is starts
    decided = {one["decision"] for one in recorded(cloud, unique) if one.get("kind") == "trust"}
    assert decided == {"Allow" if starts else "ImplicitDeny"}


def test_every_decision_is_written_down_with_its_call(cloud: Any, session: Session, unique: str) -> None:
    table = f"arn:aws:dynamodb:us-east-1:111122223333:table/{cloud.outputs['TableName']}"
    dynamodb = cloud.client("dynamodb", **session(("dynamodb:PutItem", table)))
    item = {"pk": {"S": unique}, "sk": {"S": "a-secret-of-somebody"}}
    key = {"TableName": cloud.outputs["TableName"], "Key": item}
    dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": key["TableName"], "Item": item}}])
    assert code_of(lambda: dynamodb.get_item(**key)) == "AccessDeniedException"

    decided = [one for one in recorded(cloud, unique) if one.get("kind") != "trust"]
    assert [(one["action"], one["resource"], one["decision"]) for one in decided] == [
        ("dynamodb:PutItem", table, "Allow"),
        ("dynamodb:GetItem", table, "ImplicitDeny"),
    ]
    calls = recorded(cloud, unique, "calls.jsonl")
    assert [one["request"] for one in calls if one["service"] == "dynamodb"] == [one["request"] for one in decided]
    assert calls[-2]["operation"] == "TransactWriteItems"
    assert calls[-2]["parameters"] == {"TransactItems": ["Put"]}
    assert "a-secret-of-somebody" not in json.dumps([*calls, *decided])


def test_an_external_id_is_not_written_down(cloud: Any, unique: str) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "never-to-be-seen"}}
    account = {"AWS": "arn:aws:iam::111122223333:root"}
    cloud.client("iam").create_role(RoleName=unique, AssumeRolePolicyDocument=trust(account, Condition=condition))
    asked = {"RoleArn": f"{HUB}/{unique}", "RoleSessionName": "tests"}
    assert code_of(lambda: cloud.client("sts").assume_role(**asked)) == "AccessDenied"
    cloud.client("sts").assume_role(**asked, ExternalId="never-to-be-seen")
    decided = [one["decision"] for one in recorded(cloud, unique) if one.get("kind") == "trust"]
    assert decided == ["ImplicitDeny", "Allow"]
    for file in ("decisions.jsonl", "calls.jsonl"):
        assert "never-to-be-seen" not in (cloud.running.logs / file).read_text()


def test_another_account_stops_no_execution(cloud: Any) -> None:
    wait = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True}
    wait["Arguments"] = {"FunctionName": cloud.outputs["ProbeArn"], "Payload": {}}
    machines = cloud.client("stepfunctions")
    execution = machines.start_execution(stateMachineArn=cloud.machine({"Wait": wait}))["executionArn"]
    stranger = cloud.client("stepfunctions", "999988887777")
    assert code_of(lambda: stranger.stop_execution(executionArn=execution)) == "ExecutionDoesNotExist"
    assert machines.describe_execution(executionArn=execution)["status"] == "RUNNING"
    machines.stop_execution(executionArn=execution)
    assert cloud.ended(execution)["status"] == "ABORTED"


def test_a_role_puts_metrics_into_the_namespaces_that_it_is_held_to(cloud: Any, unique: str) -> None:
    """AWS's policies for metrics have no resource: the namespace is all there is to hold a role to."""
    iam = cloud.client("iam")
    iam.create_role(RoleName=unique, AssumeRolePolicyDocument=trust({"AWS": "arn:aws:iam::111122223333:root"}))
    held = {"StringLike": {"cloudwatch:namespace": ["*/sagemaker/*", f"{unique}/Drift"]}}
    may = {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": held}
    document = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName=unique, PolicyName="May", PolicyDocument=document)
    granted = cloud.client("sts").assume_role(RoleArn=f"{HUB}/{unique}", RoleSessionName="tests")["Credentials"]
    keys = {
        "aws_access_key_id": granted["AccessKeyId"],
        "aws_secret_access_key": granted["SecretAccessKey"],
        "aws_session_token": granted["SessionToken"],
    }
    cloudwatch = cloud.client("cloudwatch", **keys)
    # More than ten kilobytes travel compressed.
    metrics = [{"MetricName": f"{unique}-{number}", "Value": 1.0} for number in range(300)]
    for some in (metrics[:1], metrics):
        cloudwatch.put_metric_data(Namespace=f"{unique}/Drift", MetricData=some)
        with pytest.raises(ClientError, match="AccessDenied"):
            cloudwatch.put_metric_data(Namespace=f"{unique}/Other", MetricData=some)
