"""What SageMaker is asked about training, what its answers mean, and how a version is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.sagemaker_registry import SageMakerRegistry
from lockkeeper.adapters.sagemaker_training import SageMakerTraining
from lockkeeper.domain.errors import RegistrationRefused
from lockkeeper.domain.training import Register, Trained, TrainingHint, decide_on_training

from tests.contract.test_adapters_on_stubs import PACKAGE, StubbedSession, refuse
from tests.unit.trained import NAME, TAGS, described, job_arn

SINCE = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WANTED = decide_on_training(Trained(False, described(), {**TAGS, "lockkeeper:reason": "z\u00fcrich <b>, 5%"}))


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def training(session: StubbedSession) -> SageMakerTraining:
    return SageMakerTraining(session.client("sagemaker"))


@pytest.fixture
def registry(session: StubbedSession) -> SageMakerRegistry:
    return SageMakerRegistry(session.client("sagemaker"))


def wanted() -> Register:
    assert isinstance(WANTED, Register)
    return WANTED


def request(report: str = "") -> dict[str, Any]:
    """CreateModelPackage as botocore's model of SageMaker takes it."""
    metrics = {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}}}
    return {
        "ModelPackageGroupName": "wages",
        "ModelPackageDescription": f"Registered by Lockkeeper from training job {job_arn()}",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": wanted().containers,
            "SupportedContentTypes": ["text/csv", "application/json"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        "MetadataProperties": {"GeneratedBy": job_arn()},
        "CustomerMetadataProperties": {"training_job": job_arn(), "author": "lin", "reason": "z\u00fcrich _b__ 5_"},
        "ClientToken": wanted().token,
        **({"ModelMetrics": metrics} if report else {}),
    }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "Requested resource not found."),
        ("ResourceNotFound", "Amazon SageMaker can't find a tuning job with the name x"),
        ("ValidationException", "Could not find training job x"),
    ],
)
def test_a_job_that_is_not_there_is_none(
    session: StubbedSession, training: SageMakerTraining, code: str, message: str
) -> None:
    refuse(session, "describe_training_job", code, message)
    refuse(session, "describe_hyper_parameter_tuning_job", code, message)
    assert training.training_job(NAME) is None
    assert training.tuning_job(NAME) is None


def test_any_other_trouble_is_raised(session: StubbedSession, training: SageMakerTraining) -> None:
    refuse(session, "describe_training_job", "ThrottlingException", "Rate exceeded")
    refuse(session, "describe_hyper_parameter_tuning_job", "AccessDeniedException", "not authorized")
    with pytest.raises(ClientError):
        training.training_job(NAME)
    with pytest.raises(ClientError):
        training.tuning_job(NAME)


def test_tags_are_read_to_the_last_page(session: StubbedSession, training: SageMakerTraining) -> None:
    pages = ({"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "more"}, {"Tags": [{"Key": "b", "Value": "2"}]})
    session.stub("sagemaker").add_response("list_tags", pages[0], {"ResourceArn": job_arn()})
    session.stub("sagemaker").add_response("list_tags", pages[1], {"ResourceArn": job_arn(), "NextToken": "more"})
    assert training.tags(job_arn()) == {"a": "1", "b": "2"}


def test_ended_jobs_of_both_kinds_are_listed(session: StubbedSession, training: SageMakerTraining) -> None:
    until, asked = SINCE.replace(hour=9), {"LastModifiedTimeAfter": SINCE, "MaxResults": 100}
    jobs = [
        {"TrainingJobName": name, "TrainingJobArn": job_arn(name), "TrainingJobStatus": status, "CreationTime": SINCE}
        for name, status in (("done", "Completed"), ("busy", "InProgress"), ("broken", "Failed"))
    ]
    arn = job_arn("search", "hyper-parameter-tuning-job")
    search = {
        "HyperParameterTuningJobName": "search",
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobStatus": "Stopped",
        "Strategy": "Grid",
        "CreationTime": SINCE,
        "TrainingJobStatusCounters": {},
        "ObjectiveStatusCounters": {},
    }
    given = {**asked, "LastModifiedTimeBefore": until}
    session.stub("sagemaker").add_response("list_training_jobs", {"TrainingJobSummaries": jobs}, given)
    session.stub("sagemaker").add_response(
        "list_hyper_parameter_tuning_jobs", {"HyperParameterTuningJobSummaries": [search]}, given
    )
    assert training.ended(SINCE, until) == [
        TrainingHint(job_arn("done"), "done", tuning=False),
        TrainingHint(job_arn("broken"), "broken", tuning=False),
        TrainingHint(arn, "search", tuning=True),
    ]


@pytest.mark.parametrize("report", ["", "s3://lockkeeper-bucket/training/wages/x/statistics.json"])
def test_a_version_is_asked_for_with_the_jobs_own_token(
    session: StubbedSession, registry: SageMakerRegistry, report: str
) -> None:
    session.stub("sagemaker").add_response("create_model_package", {"ModelPackageArn": PACKAGE}, request(report))
    assert registry.register(wanted(), report) == PACKAGE
    assert 1 <= len(wanted().token) <= 36


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_what_the_registry_does_not_take_is_refused_in_its_words(
    session: StubbedSession, registry: SageMakerRegistry, code: str
) -> None:
    refuse(session, "create_model_package", code, "Model package group wages does not exist.")
    with pytest.raises(RegistrationRefused, match="wages does not exist"):
        registry.register(wanted(), "")


def test_two_registrations_at_the_same_time_are_tried_again(
    session: StubbedSession, registry: SageMakerRegistry
) -> None:
    refuse(session, "create_model_package", "ConflictException", "Another version is being created.")
    with pytest.raises(ClientError):
        registry.register(wanted(), "")


def test_a_version_is_found_by_its_description_on_any_page(
    session: StubbedSession, registry: SageMakerRegistry
) -> None:
    asked = {"ModelPackageGroupName": "wages", "CreationTimeAfter": SINCE, "MaxResults": 100}
    session.stub("sagemaker").add_response(
        "list_model_packages", {"ModelPackageSummaryList": [summary("another")], "NextToken": "more"}, asked
    )
    session.stub("sagemaker").add_response(
        "list_model_packages",
        {"ModelPackageSummaryList": [summary(wanted().description)]},
        {**asked, "NextToken": "more"},
    )
    assert registry.registered_as("wages", wanted().description, SINCE) == PACKAGE


def test_of_a_group_that_is_not_there_nothing_is_found(session: StubbedSession, registry: SageMakerRegistry) -> None:
    refuse(session, "list_model_packages", "ValidationException", "Model Package Group wages does not exist.")
    assert registry.registered_as("wages", wanted().description, SINCE) is None


def summary(description: str) -> dict[str, Any]:
    return {
        "ModelPackageArn": PACKAGE,
        "ModelPackageName": "wages",
        "ModelPackageDescription": description,
        "ModelPackageStatus": "Completed",
        "CreationTime": SINCE,
    }
