"""The local SageMaker inside the emulator: boto3 over HTTP, IAM, events, metrics, other accounts."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud import supervisor
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.contract.sagemaker.account import DOUBLING, SCIKIT_LEARN, archive
from tests.inventory import accounts
from tests.patience import PATIENCE
from tests.removal import emptied
from tests.tidiness import watched

TRUST = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
HUB_TRUST = {"Effect": "Allow", "Principal": {"AWS": HUB_ACCOUNT_ID}, "Action": "sts:AssumeRole"}

PULL = {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"}


class Laptop:
    """A running server and boto3 clients for it."""

    def __init__(self, running: supervisor.Running) -> None:
        self.running = running
        reads = [_allow("s3:GetObject", "arn:aws:s3:::models/*"), _allow("cloudwatch:DescribeAlarms", "*")]
        self.role_arn = self.role("models", [*reads, PULL], TRUST)

    def client(self, service: str, account: str = HUB_ACCOUNT_ID, **keys: str) -> Any:
        chosen = keys or {"aws_access_key_id": account, "aws_secret_access_key": SECRET_ACCESS_KEY}
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, inject_host_prefix=False)
        return boto3.client(
            service, endpoint_url=self.running.endpoint_url, region_name=REGION, config=config, **chosen
        )

    def emptied(self) -> list[str]:
        """Empty every account that was called; returns what is there after it."""
        client = functools.cache(self.client)
        return [one for account in accounts(self.running.logs) for one in emptied(client, account)]

    def role(self, name: str, statements: list[dict[str, Any]], trust: dict[str, Any] = HUB_TRUST) -> str:
        iam = self.client("iam")
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
        return str(arn)

    def client_as(self, service: str, role_arn: str, session: str = "test") -> Any:
        """A client under a role's temporary credentials."""
        keys = self.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=session)["Credentials"]
        return self.client(
            service,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def add_config(self, name: str) -> None:
        """A model that doubles, and an endpoint configuration, both of this name."""
        s3, sagemaker = self.client("s3"), self.client("sagemaker")
        s3.create_bucket(Bucket="models")
        s3.put_object(Bucket="models", Key=f"{name}.tar.gz", Body=archive({"code/inference.py": DOUBLING}))
        container = {"Image": SCIKIT_LEARN, "ModelDataUrl": f"s3://models/{name}.tar.gz"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.role_arn)
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[_variant(name)])


def _variant(model: str) -> dict[str, Any]:
    return {"VariantName": "V", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}


def _allow(action: str, resource: str, **condition: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **condition}


def _eventually(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return found


def _code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with watched(tmp_path_factory.mktemp("state"), clock_scale=1.0) as watch:
        laptop = Laptop(watch.running)
        yield laptop
        watch.things = laptop.emptied()


@pytest.fixture(scope="module")
def endpoint(laptop: Laptop) -> str:
    laptop.add_config("doubling")
    sagemaker = laptop.client("sagemaker")
    events, sqs = laptop.client("events"), laptop.client("sqs")
    queue = sqs.create_queue(QueueName="sagemaker-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    speaks = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [speaks]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "queue", "Arn": arn}])
    sagemaker.create_endpoint(EndpointName="doubling", EndpointConfigName="doubling")
    sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="doubling", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    return "doubling"


def test_boto3_invokes_an_endpoint(laptop: Laptop, endpoint: str) -> None:
    answer = laptop.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body=b"1,2\n3,4\n"
    )

    assert answer["Body"].read() == b"2.0,4.0\n6.0,8.0\n"
    assert answer["InvokedProductionVariant"] == "V"
    assert answer["ContentType"] == "text/csv"


def test_boto3_reads_a_model_error(laptop: Laptop, endpoint: str) -> None:
    with pytest.raises(ClientError) as raised:
        laptop.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, ContentType="text/xml", Body=b"1")

    assert raised.value.response["Error"]["Code"] == "ModelError"
    assert raised.value.response["OriginalStatusCode"] == 415
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424


def test_events_arrive_on_the_default_bus(laptop: Laptop, endpoint: str) -> None:
    sqs = laptop.client("sqs")
    queue = sqs.get_queue_url(QueueName="sagemaker-events")["QueueUrl"]
    messages = _eventually(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))

    event = json.loads(messages[0]["Body"])
    assert event["source"] == "aws.sagemaker"
    assert event["detail-type"] == "SageMaker Endpoint State Change"
    assert event["account"] == HUB_ACCOUNT_ID
    assert event["resources"] == [f"arn:aws:sagemaker:{REGION}:{HUB_ACCOUNT_ID}:endpoint/doubling"]


def test_invocations_are_measured_in_cloudwatch(laptop: Laptop, endpoint: str) -> None:
    laptop.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1")
    now = time.time()

    found = laptop.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="ModelLatency",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "V"}],
        StartTime=now - 600,
        EndTime=now + 60,
        Period=60,
        Statistics=["Average", "SampleCount"],
    )["Datapoints"]

    assert found[0]["Average"] > 100
    assert found[0]["Unit"] == "Microseconds"


def test_one_accounts_endpoints_are_invisible_to_another(laptop: Laptop, endpoint: str) -> None:
    other = laptop.client("sagemaker", account="444455556666")

    assert other.list_endpoints()["Endpoints"] == []
    assert _code(lambda: other.describe_endpoint(EndpointName=endpoint)) == "ValidationException"


def test_a_caller_needs_the_action_on_the_resource(laptop: Laptop, endpoint: str) -> None:
    arn = f"arn:aws:sagemaker:{REGION}:{HUB_ACCOUNT_ID}:endpoint"
    role = laptop.role("caller", [_allow("sagemaker:InvokeEndpoint", f"{arn}/doub*")])
    runtime = laptop.client_as("sagemaker-runtime", role)

    assert runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=b"1")["Body"].read()
    denied = _code(lambda: runtime.invoke_endpoint(EndpointName="other", ContentType="text/csv", Body=b"1"))
    assert denied == "AccessDeniedException"
    sagemaker = laptop.client_as("sagemaker", role)
    assert _code(lambda: sagemaker.describe_endpoint(EndpointName=endpoint)) == "AccessDeniedException"


def test_creating_a_model_needs_pass_role(laptop: Laptop, endpoint: str) -> None:
    everything = _allow("sagemaker:*", "*")
    passing = _allow(
        "iam:PassRole",
        laptop.role_arn,
        Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://models/doubling.tar.gz"}

    def create(role_name: str, statements: list[dict[str, Any]]) -> Any:
        client = laptop.client_as("sagemaker", laptop.role(role_name, statements))
        return client.create_model(ModelName=role_name, PrimaryContainer=container, ExecutionRoleArn=laptop.role_arn)

    assert _code(lambda: create("not-passing", [everything])) == "AccessDeniedException"
    assert create("passing", [everything, passing])["ModelArn"].endswith(":model/passing")


def test_a_policy_may_restrict_who_approves(laptop: Laptop) -> None:
    sagemaker = laptop.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="approvals")
    arn = sagemaker.create_model_package(ModelPackageGroupName="approvals")["ModelPackageArn"]
    condition = {"StringNotEquals": {"sagemaker:ModelApprovalStatus": "Approved"}}
    role = laptop.role("stamper", [_allow("sagemaker:UpdateModelPackage", "*", Condition=condition)])
    stamper = laptop.client_as("sagemaker", role, session="studio-ada")

    stamper.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")

    assert _code(lambda: stamper.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")) == (
        "AccessDeniedException"
    )
    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["LastModifiedBy"]["UserProfileName"] == "ada"
    assert described["LastModifiedBy"]["IamIdentity"]["Arn"].endswith(":assumed-role/stamper/studio-ada")


def test_a_role_without_access_to_the_artifact_fails_the_endpoint(laptop: Laptop, endpoint: str) -> None:
    sagemaker = laptop.client("sagemaker")
    blind = laptop.role("blind", [_allow("s3:GetObject", "arn:aws:s3:::elsewhere/*"), PULL], TRUST)
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://models/doubling.tar.gz"}
    sagemaker.create_model(ModelName="blind", PrimaryContainer=container, ExecutionRoleArn=blind)
    sagemaker.create_endpoint_config(EndpointConfigName="blind", ProductionVariants=[_variant("blind")])
    sagemaker.create_endpoint(EndpointName="blind", EndpointConfigName="blind")

    described = _eventually(
        lambda: (
            found
            if (found := sagemaker.describe_endpoint(EndpointName="blind"))["EndpointStatus"] == "Failed"
            else None
        )
    )

    assert "Could not access model data" in described["FailureReason"]


def test_a_state_machine_calls_sagemaker(laptop: Laptop, endpoint: str) -> None:
    states = {
        "Look": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sagemaker:describeEndpoint",
            "Parameters": {"EndpointName": endpoint},
            "End": True,
        }
    }
    machines = laptop.client("stepfunctions")
    definition = json.dumps({"StartAt": "Look", "States": states})
    arn = machines.create_state_machine(name="look", definition=definition, roleArn=laptop.role_arn)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=arn)["executionArn"]

    def ended() -> Any:
        found = machines.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    assert json.loads(_eventually(ended)["output"])["EndpointStatus"] == "InService"


def test_the_processes_of_endpoints_end_with_a_killed_server(tmp_path: Path) -> None:
    running = supervisor.start(port=0, state_folder=tmp_path)
    laptop = Laptop(running)
    laptop.add_config("orphan")
    laptop.client("sagemaker").create_endpoint(EndpointName="orphan", EndpointConfigName="orphan")
    pids = _eventually(lambda: _serving_below(running.run_folder))

    os.kill(running.pid, 9)

    _eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    supervisor.stop(running)


def _serving_below(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if b"model_server.py" in command and str(folder).encode() in command:
            found.append(entry.name)
    return found
