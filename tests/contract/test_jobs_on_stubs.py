"""What SageMaker is asked about a job of Lockkeeper's, and what its answers mean."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.sagemaker_jobs import SageMakerJobs
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.job import JobState, WantedJob

from tests.contract.test_adapters_on_stubs import REGION, StubbedSession, refuse

NAME = "lockkeeper-wages-v1-a1-replay"
ROLE = "arn:aws:iam::222233334444:role/lockkeeper-staging-replay"
ARN = f"arn:aws:sagemaker:{REGION}:222233334444:processing-job/{NAME}"
WANTED = WantedJob(
    NAME,
    folder="s3://bucket/tests/wages-v1-a1",
    archive="replay.zip",
    results="answers",
    image="image:1",
    instance_type="ml.m5.large",
    seconds=600,
    tags={"lockkeeper:release": "wages-v1-a1"},
    options={"endpoint": "lockkeeper-wages-v1-a1-staging"},
)
REQUEST = {
    "ProcessingJobName": NAME,
    "RoleArn": ROLE,
    "AppSpecification": {
        "ImageUri": "image:1",
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/job/replay.zip"],
        "ContainerArguments": [
            "--given", "/opt/ml/processing/input/job",
            "--left", "/opt/ml/processing/output",
            "--message", "/opt/ml/output/message",
            "--endpoint", "lockkeeper-wages-v1-a1-staging",
        ],
    },
    "Environment": {"AWS_DEFAULT_REGION": REGION},
    "NetworkConfig": {"EnableNetworkIsolation": False},
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
def jobs(session: StubbedSession) -> SageMakerJobs:
    return SageMakerJobs(lambda: session.client("sagemaker"), REGION, lambda: ROLE)


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


def test_a_job_is_asked_for_with_all_that_it_needs(session: StubbedSession, jobs: SageMakerJobs) -> None:
    session.stub("sagemaker").add_response("create_processing_job", {"ProcessingJobArn": ARN}, REQUEST)
    assert jobs.start(WANTED)
    assert jobs.arn_of(NAME) == ARN


def test_a_job_may_be_kept_from_every_network_and_have_a_larger_disk(
    session: StubbedSession, jobs: SageMakerJobs
) -> None:
    cluster = {**REQUEST["ProcessingResources"]["ClusterConfig"], "VolumeSizeInGB": 15}  # type: ignore[call-overload]
    alone = {
        **REQUEST,
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "ProcessingResources": {"ClusterConfig": cluster},
    }
    session.stub("sagemaker").add_response("create_processing_job", {"ProcessingJobArn": ARN}, alone)
    assert jobs.start(replace(WANTED, isolated=True, volume_gb=15))


def test_a_job_of_that_name_is_the_same_job(session: StubbedSession, jobs: SageMakerJobs) -> None:
    said = f"Job name must be unique within an AWS account and region, and a processing job with this name already exists ({ARN})"
    refuse(session, "create_processing_job", "ResourceInUse", said)
    assert not jobs.start(WANTED)


@pytest.mark.parametrize(
    ("code", "error"), [("ResourceLimitExceeded", TryAgain), ("ValidationException", DeploymentFailed)]
)
def test_a_job_that_is_refused_says_why(
    session: StubbedSession, jobs: SageMakerJobs, code: str, error: type[Exception]
) -> None:
    refuse(session, "create_processing_job", code, "no")
    with pytest.raises(error, match="create_processing_job was refused"):
        jobs.start(WANTED)


def test_a_job_is_looked_at(session: StubbedSession, jobs: SageMakerJobs) -> None:
    described(session, "InProgress")
    described(session, "Completed", ExitMessage="abc")
    described(session, "Failed", FailureReason="exit code: 1")
    refuse(session, "describe_processing_job", "ValidationException", f"Could not find requested job with name: {NAME}")
    refuse(session, "describe_processing_job", "ThrottlingException", "slow down")
    looks = [jobs.look(NAME) for _ in range(4)]
    assert looks == [JobState("InProgress"), JobState("Completed", "", "abc"), JobState("Failed", "exit code: 1"), None]
    assert [look and look.ended for look in looks] == [False, True, True, None]
    with pytest.raises(ClientError):
        jobs.look(NAME)


@pytest.mark.parametrize("status", ["Completed", "Failed", "Stopped", "Stopping"])
def test_a_job_that_has_ended_is_not_stopped(session: StubbedSession, jobs: SageMakerJobs, status: str) -> None:
    described(session, status)
    jobs.stop(NAME)


def test_a_job_that_was_never_started_is_not_stopped(session: StubbedSession, jobs: SageMakerJobs) -> None:
    refuse(session, "describe_processing_job", "ValidationException", f"Could not find requested job with name: {NAME}")
    jobs.stop(NAME)


def test_a_job_that_runs_is_stopped(session: StubbedSession, jobs: SageMakerJobs) -> None:
    described(session, "InProgress")
    session.stub("sagemaker").add_response("stop_processing_job", {}, {"ProcessingJobName": NAME})
    jobs.stop(NAME)


def test_a_job_that_ends_while_it_is_stopped_is_fine(session: StubbedSession, jobs: SageMakerJobs) -> None:
    described(session, "InProgress")
    refuse(session, "stop_processing_job", "ValidationException", "the processing job is in status Completed")
    described(session, "Completed")
    jobs.stop(NAME)
    described(session, "InProgress")
    refuse(session, "stop_processing_job", "ValidationException", "no")
    described(session, "InProgress")
    with pytest.raises(DeploymentFailed, match="cannot be stopped"):
        jobs.stop(NAME)


def test_further_folders_and_variables_reach_the_job_and_its_output_may_be_its_folder(
    session: StubbedSession, jobs: SageMakerJobs
) -> None:
    place = {"LocalPath": "/opt/ml/processing/input/baseline", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    request: Any = copy.deepcopy(REQUEST)
    words = request["AppSpecification"]["ContainerArguments"]
    words[6:6] = ["--baseline", "/opt/ml/processing/input/baseline"]
    request["Environment"]["LOCKKEEPER_GROUP"] = "wages"
    request["ProcessingInputs"].append(
        {"InputName": "baseline", "S3Input": {"S3Uri": "s3://bucket/baselines/b/", **place}}
    )
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    output["OutputName"] = "results"
    output["S3Output"]["S3Uri"] = "s3://bucket/tests/wages-v1-a1"
    session.stub("sagemaker").add_response("create_processing_job", {"ProcessingJobArn": ARN}, request)
    more = {"inputs": {"baseline": "s3://bucket/baselines/b"}, "environment": {"LOCKKEEPER_GROUP": "wages"}}
    assert jobs.start(replace(WANTED, results="", **more))  # type: ignore[arg-type]
