"""Who is nobody to Lockkeeper gets nothing: other accounts, wrong external IDs, roles of other names, borrowed tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.settings import REGION, SECRET_ACCESS_KEY
from tests.conftest import Figure
from tests.e2e.harness import Cloud, allowing, trusting
from tests.e2e.test_a_promotion import prepare, register

pytestmark = pytest.mark.full

HUB, STRANGE_ACCOUNT = "111122223333", "999988887777"
EXTERNAL_ID = "an-external-id-of-the-tests"
ASKS_ADA = "{before: [staging], approvers: [{name: Ada, email: ada@example.com}]}"

HARMLESS = ("read a policy", "list the bucket", "read the table", "empty the queue", "write to everybody", "keep house")
"""Attempts that change nothing for the tests that come after."""

Session = boto3.Session


def session_of(cloud: Cloud, account_id: str, role: str) -> Session:
    """A session of a new role that may do everything its own account lets it do."""
    owner = Session(aws_access_key_id=account_id, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION)
    arn = cloud.role(role, trusting(AWS=f"arn:aws:iam::{account_id}:root"), allowing("*"), account_id)
    granted = client(cloud, owner, "sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
    return Session(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"], REGION)


def client(cloud: Cloud, session: Session, service: str) -> Any:
    config = boto3.session.Config(inject_host_prefix=False, retries={"total_max_attempts": 1})
    return session.client(service, endpoint_url=cloud.running.endpoint_url, config=config)


def refused(attempt: Callable[[], Any]) -> bool:
    """Whether AWS says no, and says it because of who asks or because there is nothing to see for them."""
    try:
        answer = attempt()
    except ClientError as error:
        return error.response["Error"]["Code"] in {
            "AccessDenied", "AccessDeniedException", "AuthorizationError", "ResourceNotFoundException", "TaskDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "StateMachineDoesNotExist",
            "ExecutionDoesNotExist", "NotFound", "NotFoundException",
        }  # fmt: skip
    return bool(answer.get("FailedEntryCount"))


def target_roles(cloud: Cloud) -> dict[str, str]:
    """The roles that the hub's functions take, by their stack's account."""
    return {
        "registry": f"arn:aws:iam::{cloud.account('registry')}:role/lockkeeper-registry",
        "staging": f"arn:aws:iam::{cloud.account('staging')}:role/lockkeeper-staging-deploy",
        "production": f"arn:aws:iam::{cloud.account('production')}:role/lockkeeper-production-deploy",
    }


def test_roles_are_lent_to_lockkeeper_alone(joined_cloud: Cloud, figure: Figure) -> None:
    cloud = joined_cloud
    ours = session_of(cloud, HUB, "lockkeeper-a-function")
    others = {
        "another account": session_of(cloud, STRANGE_ACCOUNT, "lockkeeper-impostor"),
        "another role of the hub": session_of(cloud, HUB, "somebody-else"),
        "the staging account": session_of(cloud, cloud.account("staging"), "lockkeeper-neighbour"),
    }
    tried = let_in = 0
    for arn in target_roles(cloud).values():
        request = {"RoleArn": arn, "RoleSessionName": "somebody"}
        right = {**request, "ExternalId": EXTERNAL_ID}
        # What proves that the attempts below fail for the reason that they are about.
        assert client(cloud, ours, "sts").assume_role(**right)["Credentials"]
        attempts = [(ours, request), (ours, {**request, "ExternalId": "an-external-id-of-somebody"})]
        attempts += [(session, right) for session in others.values()]
        for session, asked in attempts:
            tried += 1
            let_in += not refused(
                lambda session=session, asked=asked: client(cloud, session, "sts").assume_role(**asked)
            )
    figure("confused deputy: roles taken by others", f"{let_in} of {tried} attempts", "0 assumed")
    assert let_in == 0


def test_another_account_gets_nothing(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    prepare(cloud, "private", tmp_path, approval=ASKS_ADA)
    register(cloud, "private", 1.0)
    cloud.wait_for("private-v1-a1", "awaiting-approval")
    stranger = session_of(cloud, STRANGE_ACCOUNT, "stranger")
    attempts = attempts_of(cloud, stranger)
    let_in = [what for what, attempt in attempts if not refused(attempt)]
    # What proves that it is who asks that is refused: whom the hub trusts may, by the same names.
    ours = dict(attempts_of(cloud, session_of(cloud, HUB, "trusted")))
    assert [what for what in HARMLESS if refused(ours[what])] == []
    figure("what another account may do", f"{len(let_in)} of {len(attempts)} attempts let in", "0")
    assert let_in == []
    assert cloud.release_status("private-v1-a1") == "awaiting-approval"


def attempts_of(cloud: Cloud, stranger: Session) -> list[tuple[str, Callable[[], Any]]]:
    """What somebody of another account may try who knows every name and has even a task's token."""
    table = f"arn:aws:dynamodb:{REGION}:{HUB}:table/{cloud.outputs['TableName']}"
    bucket, bus = cloud.outputs["BucketName"], f"arn:aws:events:{REGION}:{HUB}:event-bus/{cloud.outputs['BusName']}"
    key = {"pk": {"S": "RELEASE#private-v1-a1"}, "sk": {"S": "WAIT#RequestStagingApproval"}}
    wait = cloud.client("dynamodb").get_item(TableName=cloud.outputs["TableName"], Key=key)["Item"]
    token = wait["token"]["S"]
    machine = cloud.outputs["StateMachineArn"]
    execution = cloud.execution_arn("private-v1-a1")
    entry = {"Source": "lockkeeper", "DetailType": "Release Promoted", "Detail": "{}", "EventBusName": bus}
    s3, sqs, states, dynamodb, sns, events, functions = (
        client(cloud, stranger, name) for name in ("s3", "sqs", "stepfunctions", "dynamodb", "sns", "events", "lambda")
    )
    called = {
        "close a release": "CloseRelease",
        "reap a release": "ReapRelease",
        "serve a page": "ServeWeb",
        "keep house": "KeepHouse",
        "roll back": "RollBack",
    }
    arns = {what: f"arn:aws:lambda:{REGION}:{HUB}:function:{cloud.physical_name(one)}" for what, one in called.items()}
    invocations = [(what, lambda arn=arn: functions.invoke(FunctionName=arn)) for what, arn in arns.items()]
    url, policy_key = cloud.outputs["DeadLettersUrl"], "policies/private.yaml"
    return [
        *invocations,
        ("put onto the bus", lambda: events.put_events(Entries=[entry])),
        ("read a policy", lambda: s3.get_object(Bucket=bucket, Key=policy_key)),
        ("write a policy", lambda: s3.put_object(Bucket=bucket, Key=policy_key, Body=b"model_package_group: private")),
        ("list the bucket", lambda: s3.list_objects_v2(Bucket=bucket)),
        ("delete a policy", lambda: s3.delete_object(Bucket=bucket, Key=policy_key)),
        ("read the table", lambda: dynamodb.get_item(TableName=table, Key=key)),
        ("write to the table", lambda: dynamodb.put_item(TableName=table, Item=key)),
        ("succeed a task", lambda: states.send_task_success(taskToken=token, output="{}")),
        ("fail a task", lambda: states.send_task_failure(taskToken=token)),
        ("start a release", lambda: states.start_execution(stateMachineArn=machine, input="{}")),
        ("stop a release", lambda: states.stop_execution(executionArn=execution)),
        ("fill the queue", lambda: sqs.send_message(QueueUrl=url, MessageBody="{}")),
        ("empty the queue", lambda: sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)),
        ("write to everybody", lambda: sns.publish(TopicArn=cloud.outputs["BroadcastTopicArn"], Message="hello")),
    ]
