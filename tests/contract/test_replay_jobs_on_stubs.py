"""What SageMaker is asked about a replay's job, and what its answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.rollout import JobState

from tests.contract.test_adapters_on_stubs import ACCOUNT, REGION, StubbedSession, endpoints_on, refuse

NAME = "lockkeeper-wages-v1-a1-replay"
ROLE = "arn:aws:iam::222233334444:role/lockkeeper-staging-replay"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/{NAME}"
WANTED = {
    "endpoint_name": "lockkeeper-wages-v1-a1-staging",
    "folder": "s3://bucket/tests/wages-v1-a1",
    "image": "image:1",
    "instance_type": "ml.m5.large",
    "seconds": 600,
    "tags": {"lockkeeper:release": "wages-v1-a1"},
}
REQUEST = {
    "ProcessingJobName": NAME,
    "RoleArn": ROLE,
    "AppSpecification": {
        "ImageUri": "image:1",
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/job/replay.zip"],
        "ContainerArguments": [
            "--endpoint", "lockkeeper-wages-v1-a1-staging",
            "--suite", "/opt/ml/processing/input/job/suite.csv",
            "--answers", "/opt/ml/processing/output/answers.json",
            "--message", "/opt/ml/output/message",
        ],
    },
    "Environment": {"AWS_DEFAULT_REGION": REGION},
    "ProcessingInputs": [
        {
            "InputName": "job",
            "S3Input": {
                "S3Uri": "s3://bucket/tests/wages-v1-a1/job/",
                "LocalPath": "/opt/ml/processing/input/job",
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
            },
        }
    ],
    "ProcessingOutputConfig": {
        "Outputs": [
            {
                "OutputName": "answers",
                "S3Output": {
                    "S3Uri": "s3://bucket/tests/wages-v1-a1/answers",
                    "LocalPath": "/opt/ml/processing/output",
                    "S3UploadMode": "EndOfJob",
                },
            }
        ]
    },
    "ProcessingResources": {
        "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
    },
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    "Tags": [{"Key": "lockkeeper:release", "Value": "wages-v1-a1"}],
}  # fmt: skip


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def endpoints(session: StubbedSession) -> SageMakerEndpoints:
    return endpoints_on(session, ROLE)


def described(session: StubbedSession, status: str, **more: Any) -> None:
    answer = {
        "ProcessingJobName": NAME,
        "ProcessingJobArn": ARN,
        "ProcessingJobStatus": status,
        "ProcessingResources": REQUEST["ProcessingResources"],
        "AppSpecification": REQUEST["AppSpecification"],
        "CreationTime": datetime(2026, 11, 25, tzinfo=UTC),
        **more,
    }
    session.stub("sagemaker").add_response("describe_processing_job", answer, {"ProcessingJobName": NAME})


def test_a_job_is_asked_for_with_all_that_it_needs(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    session.stub("sagemaker").add_response("create_processing_job", {"ProcessingJobArn": ARN}, REQUEST)
    assert endpoints.start_replay(NAME, **WANTED)  # type: ignore[arg-type]
    assert endpoints.job_arn(NAME) == ARN


def test_a_job_of_that_name_is_the_same_job(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    said = f"Job name must be unique within an AWS account and region, and a processing job with this name already exists ({ARN})"
    refuse(session, "create_processing_job", "ResourceInUse", said)
    assert not endpoints.start_replay(NAME, **WANTED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "error"), [("ResourceLimitExceeded", TryAgain), ("ValidationException", DeploymentFailed)]
)
def test_a_job_that_is_refused_says_why(
    session: StubbedSession, endpoints: SageMakerEndpoints, code: str, error: type[Exception]
) -> None:
    refuse(session, "create_processing_job", code, "no")
    with pytest.raises(error, match="create_processing_job was refused"):
        endpoints.start_replay(NAME, **WANTED)  # type: ignore[arg-type]


def test_a_job_is_looked_at(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    described(session, "InProgress")
    described(session, "Completed", ExitMessage="abc")
    described(session, "Failed", FailureReason="exit code: 1")
    refuse(session, "describe_processing_job", "ValidationException", f"Could not find requested job with name: {NAME}")
    refuse(session, "describe_processing_job", "ThrottlingException", "slow down")
    looks = [endpoints.look_at_job(NAME) for _ in range(4)]
    assert looks == [JobState("InProgress"), JobState("Completed", "", "abc"), JobState("Failed", "exit code: 1"), None]
    assert [look and look.ended for look in looks] == [False, True, True, None]
    with pytest.raises(ClientError):
        endpoints.look_at_job(NAME)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "Stopping"])
def test_a_job_that_has_ended_is_not_stopped(
    session: StubbedSession, endpoints: SageMakerEndpoints, status: str
) -> None:
    described(session, status)
    endpoints.stop_job(NAME)


def test_a_job_that_was_never_started_is_not_stopped(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    refuse(session, "describe_processing_job", "ValidationException", f"Could not find requested job with name: {NAME}")
    endpoints.stop_job(NAME)


def test_a_job_that_runs_is_stopped(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    described(session, "InProgress")
    session.stub("sagemaker").add_response("stop_processing_job", {}, {"ProcessingJobName": NAME})
    endpoints.stop_job(NAME)


def test_a_job_that_ends_while_it_is_stopped_is_fine(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    described(session, "InProgress")
    refuse(session, "stop_processing_job", "ValidationException", "the processing job is in status Completed")
    described(session, "Completed")
    endpoints.stop_job(NAME)
    described(session, "InProgress")
    refuse(session, "stop_processing_job", "ValidationException", "no")
    described(session, "InProgress")
    with pytest.raises(DeploymentFailed, match="cannot be stopped"):
        endpoints.stop_job(NAME)
