"""Task tokens, conditional writes and roles with an external id, as any client may ask of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.contract.aws.target import Target, document, refusal

TOKEN_GONE = {"TaskTimedOut", "TaskDoesNotExist"}


@pytest.fixture(scope="module")
def functions(target: Target) -> Any:
    return target.client("stepfunctions")


@pytest.fixture(scope="module")
def machine(target: Target, functions: Any) -> tuple[str, str]:
    """ARN of a machine that writes its task token to a queue and waits; URL of the queue."""
    url, _ = target.queue()
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {
            "QueueUrl": url,
            "MessageBody": {
                "token": "{% $states.context.Task.Token %}",
                "name": "{% $states.context.Execution.Name %}",
            },
        },
        "TimeoutSeconds": 3600,
        "End": True,
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": ask}}
    created = functions.create_state_machine(
        name=target.unique(), definition=json.dumps(definition), roleArn=target.role_arn
    )
    return str(created["stateMachineArn"]), url


def start(target: Target, functions: Any, machine: tuple[str, str], payload: str = "{}") -> tuple[str, str]:
    """Start an execution; returns its ARN and the token that it waits with."""
    name = target.unique()
    arn = functions.start_execution(stateMachineArn=machine[0], name=name, input=payload)["executionArn"]
    found = target.eventually(lambda: [one["token"] for one in target.messages(machine[1]) if one["name"] == name])
    return str(arn), str(found[0])


def status(target: Target, functions: Any, arn: str) -> str:
    def ended() -> str:
        found = str(functions.describe_execution(executionArn=arn)["status"])
        return found if found != "RUNNING" else ""

    return str(target.eventually(ended))


def test_a_token_is_good_once(target: Target, functions: Any, machine: tuple[str, str]) -> None:
    arn, token = start(target, functions, machine)

    functions.send_task_success(taskToken=token, output='{"done": true}')

    assert status(target, functions, arn) == "SUCCEEDED"
    assert json.loads(functions.describe_execution(executionArn=arn)["output"]) == {"done": True}
    assert refusal(lambda: functions.send_task_success(taskToken=token, output="{}"))[0] in TOKEN_GONE
    assert refusal(lambda: functions.send_task_failure(taskToken=token))[0] in TOKEN_GONE


def test_a_failure_carries_its_error(target: Target, functions: Any, machine: tuple[str, str]) -> None:
    arn, token = start(target, functions, machine)

    functions.send_task_failure(taskToken=token, error="GateFailed", cause="too few rows")

    assert status(target, functions, arn) == "FAILED"
    described = functions.describe_execution(executionArn=arn)
    assert (described["error"], described["cause"]) == ("GateFailed", "too few rows")


def test_a_stopped_execution_takes_no_answer(target: Target, functions: Any, machine: tuple[str, str]) -> None:
    arn, token = start(target, functions, machine)

    functions.stop_execution(executionArn=arn, error="Stopped", cause="by hand")

    assert status(target, functions, arn) == "ABORTED"
    assert refusal(lambda: functions.send_task_success(taskToken=token, output="{}"))[0] in TOKEN_GONE


def test_what_is_no_token_or_no_output_is_refused(target: Target, functions: Any, machine: tuple[str, str]) -> None:
    arn, token = start(target, functions, machine)

    assert refusal(lambda: functions.send_task_success(taskToken="AAAA", output="{}"))[0] == "InvalidToken"
    assert refusal(lambda: functions.send_task_success(taskToken=token, output="no JSON"))[0] == "InvalidOutput"
    functions.stop_execution(executionArn=arn)


def test_a_name_starts_one_execution(target: Target, functions: Any, machine: tuple[str, str]) -> None:
    name = target.unique()
    request = {"stateMachineArn": machine[0], "name": name, "input": '{"a": 1}'}
    arn = functions.start_execution(**request)["executionArn"]

    assert functions.start_execution(**request)["executionArn"] == arn
    assert refusal(lambda: functions.start_execution(**{**request, "input": '{"a": 2}'}))[0] == "ExecutionAlreadyExists"
    functions.stop_execution(executionArn=arn)
    assert status(target, functions, arn) == "ABORTED"
    assert refusal(lambda: functions.start_execution(**request))[0] == "ExecutionAlreadyExists"


def test_an_execution_that_is_not_there_does_not_exist(functions: Any, machine: tuple[str, str]) -> None:
    arn = f"{machine[0].replace(':stateMachine:', ':execution:')}:nobody"

    assert refusal(lambda: functions.describe_execution(executionArn=arn))[0] == "ExecutionDoesNotExist"


@pytest.fixture(scope="module")
def table(target: Target) -> str:
    dynamodb, name = target.client("dynamodb"), target.unique()
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk", "by")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_somebody",
                "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1 if target.endpoint_url else 10})
    return name


def item(pk: str, sk: str = "x", **more: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}, **{name: {"S": value} for name, value in more.items()}}


def test_a_conditional_write_is_refused_with_what_is_there(target: Target, table: str) -> None:
    dynamodb = target.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item("lock", owner="first"))
    request = {
        "TableName": table,
        "Item": item("lock", owner="second"),
        "ConditionExpression": "attribute_not_exists(pk)",
    }

    with pytest.raises(ClientError) as raised:
        dynamodb.put_item(**request, ReturnValuesOnConditionCheckFailure="ALL_OLD")

    assert raised.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert raised.value.response["Item"]["owner"] == {"S": "first"}  # type: ignore[typeddict-item]
    kept = dynamodb.get_item(TableName=table, Key=item("lock"), ConsistentRead=True)["Item"]
    assert kept["owner"] == {"S": "first"}


def test_a_transaction_is_all_or_nothing_and_says_why(target: Target, table: str) -> None:
    dynamodb = target.client("dynamodb")
    dynamodb.put_item(TableName=table, Item=item("decided", by="ada"))
    put: Callable[..., dict[str, Any]] = lambda name, **more: {"Put": {"TableName": table, "Item": item(name), **more}}  # noqa: E731

    with pytest.raises(ClientError) as raised:
        dynamodb.transact_write_items(
            TransactItems=[put("new"), put("decided", ConditionExpression="attribute_not_exists(pk)")]
        )

    assert raised.value.response["Error"]["Code"] == "TransactionCanceledException"
    reasons = raised.value.response["CancellationReasons"]  # type: ignore[typeddict-item]
    assert [one["Code"] for one in reasons] == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName=table, Key=item("new"), ConsistentRead=True)


@pytest.mark.parametrize(
    "bad",
    [
        item(""),
        item("a" * 2049),
        item("a", "b" * 1025),
        {"pk": {"S": "a"}},
        {"pk": {"N": "1"}, "sk": {"S": "x"}},
        item("big", text="x" * 410_000),
    ],
)
def test_a_key_and_an_item_have_their_bounds(target: Target, table: str, bad: dict[str, Any]) -> None:
    assert refusal(lambda: target.client("dynamodb").put_item(TableName=table, Item=bad))[0] == "ValidationException"


def test_an_index_is_not_read_consistently(target: Target, table: str) -> None:
    query = {
        "TableName": table,
        "IndexName": "by_somebody",
        "KeyConditionExpression": "#by = :by",
        "ExpressionAttributeNames": {"#by": "by"},
        "ExpressionAttributeValues": {":by": {"S": "ada"}},
    }
    code, _ = refusal(lambda: target.client("dynamodb").query(**query, ConsistentRead=True))
    assert code == "ValidationException"


def test_an_object_is_written_once(target: Target) -> None:
    s3, where = target.client("s3"), {"Bucket": target.bucket, "Key": "once"}
    first = s3.put_object(**where, Body=b"first", IfNoneMatch="*")

    assert refusal(lambda: s3.put_object(**where, Body=b"second", IfNoneMatch="*"))[0] == "PreconditionFailed"
    assert s3.get_object(**where)["Body"].read() == b"first"
    second = s3.put_object(**where, Body=b"second", IfMatch=first["ETag"])
    assert refusal(lambda: s3.put_object(**where, Body=b"third", IfMatch=first["ETag"]))[0] == "PreconditionFailed"
    assert s3.get_object(**where, VersionId=first["VersionId"])["Body"].read() == b"first"
    assert second["VersionId"] != first["VersionId"]


def test_an_upload_in_parts_is_written_once(target: Target) -> None:
    s3, where = target.client("s3"), {"Bucket": target.bucket, "Key": "parts"}

    def upload(body: bytes) -> Any:
        begun = s3.create_multipart_upload(**where)["UploadId"]
        tag = s3.upload_part(**where, UploadId=begun, PartNumber=1, Body=body)["ETag"]
        parts = {"Parts": [{"ETag": tag, "PartNumber": 1}]}
        return s3.complete_multipart_upload(**where, UploadId=begun, MultipartUpload=parts, IfNoneMatch="*")

    upload(b"first")
    assert refusal(lambda: upload(b"second"))[0] == "PreconditionFailed"
    assert s3.get_object(**where)["Body"].read() == b"first"


def test_a_copy_is_written_once(target: Target) -> None:
    s3 = target.client("s3")
    s3.put_object(Bucket=target.bucket, Key="source", Body=b"copied")
    copy = {"Bucket": target.bucket, "Key": "copy", "CopySource": {"Bucket": target.bucket, "Key": "source"}}
    s3.copy_object(**copy, IfNoneMatch="*")

    assert refusal(lambda: s3.copy_object(**copy, IfNoneMatch="*"))[0] == "PreconditionFailed"


def test_an_object_that_is_not_there_has_no_key(target: Target) -> None:
    assert refusal(lambda: target.client("s3").get_object(Bucket=target.bucket, Key="nothing"))[0] == "NoSuchKey"


def test_a_role_wants_its_external_id(target: Target) -> None:
    iam, name = target.client("iam"), target.unique()
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": target.account},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "the-right-one"}},
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    sts = target.client("sts")

    def assumed(**more: str) -> bool:
        try:
            return bool(sts.assume_role(RoleArn=arn, RoleSessionName="contract", **more)["Credentials"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                return False
            raise

    # A new role is not known everywhere at once.
    assert target.eventually(lambda: assumed(ExternalId="the-right-one"))
    assert not assumed(ExternalId="a-wrong-one")
    assert not assumed()
