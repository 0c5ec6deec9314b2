"""One server and one stack for all contract tests of a test process."""

import functools
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from localcloud import supervisor
from localcloud.deploy import deploy
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.inventory import accounts, inventory
from tests.patience import PATIENCE
from tests.removal import remove_named
from tests.tidiness import watched

SCALE = 60.0
UNIQUE = "unique-"
"""What all names have that tests give."""
PROBE_TEMPLATE = Path(__file__).parent / "probe" / "template.yaml"


@dataclass(frozen=True)
class Cloud:
    """A running server with the probe stack, and what tests do with it."""

    running: supervisor.Running
    outputs: dict[str, str]
    letters: list[dict[str, Any]] = field(default_factory=list)

    def client(self, service: str, account_id: str = HUB_ACCOUNT_ID, **keys: str) -> Any:
        """A boto3 client, as the account's root user unless `keys` say otherwise."""
        chosen = keys or {"aws_access_key_id": account_id, "aws_secret_access_key": SECRET_ACCESS_KEY}
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, inject_host_prefix=False)
        return boto3.client(
            service, endpoint_url=self.running.endpoint_url, region_name=REGION, config=config, **chosen
        )

    def invoke(self, payload: Any, **parameters: Any) -> dict[str, Any]:
        """Invoke the probe function; returns boto3's answer with `Payload` read and parsed."""
        answer: dict[str, Any] = self.client("lambda").invoke(
            **{"FunctionName": self.outputs["ProbeArn"], "Payload": json.dumps(payload), **parameters}
        )
        text = answer["Payload"].read()
        return answer | {"Payload": json.loads(text) if text else None}

    def remembered(self, key: str) -> list[dict[str, Any]]:
        """The events that the probe function wrote under `key`."""
        query = {":key": {"S": key}}
        found = self.client("dynamodb").query(
            TableName=self.outputs["TableName"], KeyConditionExpression="pk = :key", ExpressionAttributeValues=query
        )
        return [json.loads(item["event"]["S"]) for item in found["Items"]]

    def machine(self, states: dict[str, Any], **fields: Any) -> str:
        """Create a JSONata state machine that starts with the first state; returns its ARN."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        created = self.client("stepfunctions").create_state_machine(
            name=f"{UNIQUE}{uuid.uuid4().hex}", definition=json.dumps(definition), roleArn=self.outputs["RoleArn"]
        )
        return str(created["stateMachineArn"])

    def run(self, states: dict[str, Any], payload: Any = None, **fields: Any) -> dict[str, Any]:
        """Run a new state machine to its end; returns the described execution."""
        functions = self.client("stepfunctions")
        started = functions.start_execution(
            stateMachineArn=self.machine(states, **fields), input=json.dumps(payload or {})
        )
        return self.ended(started["executionArn"])

    def ended(self, execution_arn: str) -> dict[str, Any]:
        """Wait for an execution's end and describe it."""
        functions = self.client("stepfunctions")

        def described() -> dict[str, Any] | None:
            execution = functions.describe_execution(executionArn=execution_arn)
            return execution if execution["status"] != "RUNNING" else None

        return eventually(described)

    def dead_letters(self, contains: str) -> dict[str, Any]:
        """Wait for a dead letter with `contains` in its body; returns the message."""
        queue, url = self.client("sqs"), self.outputs["QueueUrl"]

        def found() -> dict[str, Any] | None:
            answer = queue.receive_message(QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                self.letters.append(message)
            return next((message for message in self.letters if contains in message["Body"]), None)

        return eventually(found)


def eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Wait until the condition gives something, and return it."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)
    return result


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., Any]:
    return eventually


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with watched(tmp_path_factory.mktemp("state"), SCALE) as laptop:
        cloud = Cloud(laptop.running, deploy(laptop.running.endpoint_url, "probe", template=PROBE_TEMPLATE))
        furniture = set(inventory(cloud.client, HUB_ACCOUNT_ID))
        yield cloud
        client, left = functools.cache(cloud.client), set()
        for account in accounts(laptop.running.logs):
            remove_named(client, account, UNIQUE)
            left.update(inventory(client, account))
        laptop.things = sorted(left - furniture)


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return f"{UNIQUE}{uuid.uuid4().hex}"


@pytest.fixture
def stack(cloud: Cloud, unique: str) -> Iterator[str]:
    """The name of a stack that is gone after the test."""
    stacks, name = cloud.client("cloudformation"), unique[:40]
    yield name
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
