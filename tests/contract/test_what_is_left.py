"""The listings that the ends of test runs are held against see what there is, and are an error when something is left."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore import xform_name

from localcloud.settings import HUB_ACCOUNT_ID
from tests import tidiness
from tests.inventory import inventory, served, unlisted
from tests.removal import remove_named
from tests.tidiness import watched

STEP = {"Name": "No", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}
EMPTY: dict[str, Any] = {key: [] for key in ("Endpoints", "EndpointConfigs", "Models", "Parameters")}


def leave_something(folder: Path) -> None:
    with watched(folder, clock_scale=1.0) as laptop:
        laptop.things = ["endpoint of somebody"]
        tempfile.mkdtemp(prefix="lockkeeper-forgotten-")


def test_what_a_laptops_aws_leaves_is_an_error_that_names_it(tmp_path: Path) -> None:
    left_before = list(tidiness.ENDED)
    with pytest.raises(AssertionError, match="something is left") as raised:
        leave_something(tmp_path)
    assert "['endpoint of somebody']" in str(raised.value)
    assert f"{tmp_path / 'temporary'}': ['lockkeeper-forgotten-" in str(raised.value)
    assert tidiness.ENDED[len(left_before) :] == [(1, 0, 1)]
    assert tidiness.summary(tidiness.ENDED[len(left_before) :]).endswith(
        "1 laptop's AWSs ended, things left 1, processes 0, folders 1 (required: 0, 0, 0)"
    )
    # It was meant to: the run's own figure is about the others.
    tidiness.ENDED[:] = left_before


def say_nothing(folder: Path) -> None:
    with watched(folder, clock_scale=1.0):
        pass


def test_who_does_not_list_what_is_left_is_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nobody has listed what is left"):
        say_nothing(tmp_path)


def test_what_no_listing_is_about_is_an_error(tmp_path: Path) -> None:
    calls = [("CreateModel", "200"), ("CreateApp", "200"), ("CreateImage", "400")]
    said = [json.dumps({"service": "sagemaker", "operation": name, "status": status}) for name, status in calls]
    (tmp_path / "calls.jsonl").write_text("\n".join(said) + '\n{"service": "sagem')
    assert unlisted(tmp_path) == ["whatever sagemaker:CreateApp made: no listing is about it"]


def test_everything_that_is_made_is_listed_until_it_is_removed(cloud: Any, unique: str) -> None:
    client = functools.cache(cloud.client)
    before = set(inventory(client, HUB_ACCOUNT_ID))
    key = make_one_of_each(client, cloud.outputs["RoleArn"], unique)
    listed = set(inventory(client, HUB_ACCOUNT_ID)) - before
    kinds = (
        "ModelPackageGroupName",
        "ModelName",
        "schedule",
        "queue",
        "messages",
        "rule",
        "alarm",
        "bucket",
        "state machine",
        "pipeline",
        "topic",
        "role",
        "table",
        "Parameter",
        "secret",
        "subscription",
        "bus",
        "ScheduleGroup",
        "key",
    )
    for kind in (*kinds, "running execution"):
        found = [
            one for one in listed if one.startswith(f"{HUB_ACCOUNT_ID}: {kind} ") and (unique in one or key in one)
        ]
        assert len(found) == 1, (kind, listed)

    remove_named(client, HUB_ACCOUNT_ID, unique)
    client("s3", HUB_ACCOUNT_ID).delete_bucket(Bucket=unique)
    client("ssm", HUB_ACCOUNT_ID).delete_parameter(Name=unique)
    client("secretsmanager", HUB_ACCOUNT_ID).delete_secret(SecretId=unique, ForceDeleteWithoutRecovery=True)
    client("kms", HUB_ACCOUNT_ID).schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    client("dynamodb", HUB_ACCOUNT_ID).delete_table(TableName=unique)
    sagemaker = client("sagemaker", HUB_ACCOUNT_ID)
    sagemaker.delete_model_package_group(ModelPackageGroupName=unique)
    sagemaker.delete_model(ModelName=unique)
    sagemaker.delete_pipeline(PipelineName=unique, ClientRequestToken="d" * 32)
    assert set(inventory(client, HUB_ACCOUNT_ID)) <= before


def test_jobs_that_run_and_instances_that_are_scaled_are_listed() -> None:
    """Both take minutes to make: what is asked, and what is read of the answer, is all that is looked at."""
    pages = {
        "list_processing_jobs": {"ProcessingJobSummaries": [{"ProcessingJobName": "looks"}]},
        "list_training_jobs": {"TrainingJobSummaries": [{"TrainingJobName": "learns"}]},
        "list_hyper_parameter_tuning_jobs": {
            "HyperParameterTuningJobSummaries": [{"HyperParameterTuningJobName": "tunes"}]
        },
        "list_pipelines": {"PipelineSummaries": [{"PipelineName": "trains"}]},
        "list_pipeline_executions": {
            "PipelineExecutionSummaries": [
                {"PipelineExecutionArn": f"trains/{status}", "PipelineExecutionStatus": status}
                for status in ("Executing", "Stopping", "Stopped", "Failed", "Succeeded")
            ]
        },
        "describe_scalable_targets": {"ScalableTargets": [{"ResourceId": "endpoint/wages/variant/AllTraffic"}]},
    }
    asked: dict[str, Any] = {}

    def answer(service: str, _account: str) -> Any:
        aws = boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")

        def called(params: Any, model: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
            asked[xform_name(model.name)] = json.loads(params["body"])
            return SimpleNamespace(status_code=200), pages.get(xform_name(model.name), EMPTY)

        aws.meta.events.register("before-call", called)
        return aws

    assert list(served(answer, HUB_ACCOUNT_ID)) == [
        "ProcessingJobName looks",
        "TrainingJobName learns",
        "HyperParameterTuningJobName tunes",
        "PipelineExecution trains/Executing",
        "PipelineExecution trains/Stopping",
        "ScalableTarget wages",
    ]
    assert asked["list_training_jobs"] == {"StatusEquals": "InProgress"}
    assert asked["describe_scalable_targets"] == {"ServiceNamespace": "sagemaker"}


def make_one_of_each(client: Any, role_arn: str, name: str) -> str:
    """Something in every service that is listed, all of one name; returns the id of the key, which has none."""
    services = {one: client(one, HUB_ACCOUNT_ID) for one in ("sagemaker", "sqs", "events", "s3", "stepfunctions")}
    services["sagemaker"].create_model_package_group(ModelPackageGroupName=name)
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
    services["sagemaker"].create_model(ModelName=name, PrimaryContainer={"Image": image}, ExecutionRoleArn=role_arn)
    services["sagemaker"].create_pipeline(
        PipelineName=name,
        PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": [STEP]}),
        ClientRequestToken="p" * 32,
        RoleArn=role_arn,
    )
    client("ssm", HUB_ACCOUNT_ID).put_parameter(Name=name, Value="something", Type="String")
    topic = client("sns", HUB_ACCOUNT_ID).create_topic(Name=name)["TopicArn"]
    client("sns", HUB_ACCOUNT_ID).subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.org")
    client("secretsmanager", HUB_ACCOUNT_ID).create_secret(Name=name, SecretString="hush")
    nobody = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [nobody]})
    client("iam", HUB_ACCOUNT_ID).create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    client("dynamodb", HUB_ACCOUNT_ID).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )
    url = services["sqs"].create_queue(QueueName=name)["QueueUrl"]
    services["sqs"].send_message(QueueUrl=url, MessageBody="hello")
    services["events"].put_rule(Name=name, EventPattern='{"source": ["nobody"]}')
    services["s3"].create_bucket(Bucket=name)
    client("cloudwatch", HUB_ACCOUNT_ID).put_metric_alarm(
        AlarmName=name, Namespace="Tests", MetricName=name, Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    services["events"].create_event_bus(Name=name)
    client("scheduler", HUB_ACCOUNT_ID).create_schedule_group(Name=name)
    client("scheduler", HUB_ACCOUNT_ID).create_schedule(
        Name=name,
        ScheduleExpression="rate(10 days)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": f"arn:aws:sqs:us-east-1:{HUB_ACCOUNT_ID}:{name}", "RoleArn": role_arn},
    )
    states = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 86400, "End": True}}}
    arn = services["stepfunctions"].create_state_machine(name=name, definition=json.dumps(states), roleArn=role_arn)
    services["stepfunctions"].start_execution(stateMachineArn=arn["stateMachineArn"])
    return str(client("kms", HUB_ACCOUNT_ID).create_key(Description=name)["KeyMetadata"]["KeyId"])
