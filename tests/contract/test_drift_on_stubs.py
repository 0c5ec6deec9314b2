"""What is asked of CloudWatch and SageMaker about drift and pipelines, and what their answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.production_look import AwsProductionLook
from lockkeeper.adapters.sagemaker_pipelines import SageMakerPipelines
from lockkeeper.domain.drift import AlarmSeen, JobSeen
from lockkeeper.domain.errors import PipelineRefused
from lockkeeper.ports_of_retraining import Execution, PipelineLook, Step

from tests.contract.test_adapters_on_stubs import ACCOUNT, REGION, StubbedSession, refuse

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ALARM = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:wages-drift"
ASKED = {"AlarmNames": ["wages-drift"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
STATE = {
    "AlarmName": "wages-drift",
    "AlarmArn": ALARM,
    "StateValue": "ALARM",
    "StateReason": "above",
    "StateUpdatedTimestamp": AT,
}
JOB = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/lockkeeper-monitor-1"
PIPELINE = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/wages-train"
EXECUTION = f"{PIPELINE}/execution/4a4a4a4a4a4a"
TOKEN = "t" * 64


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def look(session: StubbedSession) -> AwsProductionLook:
    return AwsProductionLook(lambda: session)  # type: ignore[arg-type, return-value]


@pytest.fixture
def pipelines(session: StubbedSession) -> SageMakerPipelines:
    return SageMakerPipelines(session.client("sagemaker"))  # type: ignore[arg-type]


def test_a_metric_alarm_is_told_with_its_threshold_and_dimensions(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    alarm = {
        **STATE,
        "StateTransitionedTimestamp": datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
        "StateReasonData": "{}",
        "MetricName": "ExpDrift",
        "Threshold": 0.1,
        "Dimensions": [{"Name": "Endpoint", "Value": "wages"}],
    }
    session.stub("cloudwatch").add_response("describe_alarms", {"MetricAlarms": [alarm]}, ASKED)
    assert look.alarm("wages-drift") == AlarmSeen(
        "wages-drift", ALARM, "ALARM", "2026-11-24T08:00:00.000Z", "above", "{}", "ExpDrift", 0.1, {"Endpoint": "wages"}
    )


@pytest.mark.parametrize(
    ("data", "children"),
    [
        ('{"triggeringAlarms": [{"arn": "arn:aws:cloudwatch:r:1:alarm:wages-exp", "state": {}}]}', ("wages-exp",)),
        ("{}", ("wages-drift",)),
        ("no JSON", ("wages-drift",)),
        ("[]", ("wages-drift",)),
        ('{"triggeringAlarms": [7]}', ("wages-drift",)),
    ],
)
def test_a_composite_alarm_is_told_with_what_it_is_on_for(
    session: StubbedSession, look: AwsProductionLook, data: str, children: tuple[str, ...]
) -> None:
    alarm = {**STATE, "AlarmRule": "ALARM(wages-exp)", "StateReasonData": data}
    session.stub("cloudwatch").add_response("describe_alarms", {"CompositeAlarms": [alarm]}, ASKED)
    seen = look.alarm("wages-drift")
    assert seen is not None
    assert (seen.children, seen.suppressed_by, seen.since) == (children, "", "2026-11-24T09:00:00.000Z")


def test_a_composite_alarm_whose_actions_are_suppressed_says_by_what(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    alarm = {**STATE, "AlarmRule": "ALARM(a)", "ActionsSuppressedBy": "Alarm", "ActionsSuppressor": "maintenance"}
    session.stub("cloudwatch").add_response("describe_alarms", {"CompositeAlarms": [alarm]}, ASKED)
    seen = look.alarm("wages-drift")
    assert seen is not None
    assert seen.suppressed_by == "maintenance"


def test_an_alarm_that_is_gone_is_none(session: StubbedSession, look: AwsProductionLook) -> None:
    session.stub("cloudwatch").add_response("describe_alarms", {"MetricAlarms": [], "CompositeAlarms": []}, ASKED)
    assert look.alarm("wages-drift") is None


def test_a_monitors_job_is_told_with_message_environment_and_outputs(
    session: StubbedSession, look: AwsProductionLook
) -> None:
    output = {
        "S3Uri": "s3://b/monitoring/wages/1",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    answer: dict[str, Any] = {
        "ProcessingJobName": "Lockkeeper-Monitor-1",
        "ProcessingJobArn": JOB,
        "ProcessingJobStatus": "Completed",
        "ExitMessage": "CompletedWithViolations: 1",
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
        },
        "Environment": {"LOCKKEEPER_GROUP": "wages"},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o", "S3Output": output}]},
        "MonitoringScheduleArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:monitoring-schedule/hourly",
        "ProcessingEndTime": AT,
        "CreationTime": AT,
    }
    asked = {"ProcessingJobName": "Lockkeeper-Monitor-1"}
    session.stub("sagemaker").add_response("describe_processing_job", answer, asked)
    assert look.processing_job("Lockkeeper-Monitor-1") == JobSeen(
        "Lockkeeper-Monitor-1",
        JOB,
        "Completed",
        "CompletedWithViolations: 1",
        {"LOCKKEEPER_GROUP": "wages"},
        ("s3://b/monitoring/wages/1",),
        "hourly",
        "2026-11-24T09:00:00.000Z",
    )


def test_a_job_and_a_schedule_that_are_gone_are_nothing(session: StubbedSession, look: AwsProductionLook) -> None:
    refuse(
        session,
        "describe_processing_job",
        "ValidationException",
        "Could not find requested job with name: x",
    )
    assert look.processing_job("x") is None
    refuse(session, "describe_monitoring_schedule", "ResourceNotFound", "Monitoring schedule x not found")
    assert look.last_monitored("x") == ""
    refuse(session, "describe_monitoring_schedule", "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        look.last_monitored("x")


@pytest.mark.parametrize(
    ("statuses", "running"),
    [((), ""), (("Succeeded",), ""), (("Succeeded", "Executing"), EXECUTION), (("Stopping",), EXECUTION)],
)
def test_a_pipeline_is_there_and_runs_or_not(
    session: StubbedSession, pipelines: SageMakerPipelines, statuses: tuple[str, ...], running: str
) -> None:
    found = [{"PipelineExecutionArn": EXECUTION, "PipelineExecutionStatus": status} for status in statuses]
    asked = {"PipelineName": "wages-train", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 20}
    session.stub("sagemaker").add_response("list_pipeline_executions", {"PipelineExecutionSummaries": found}, asked)
    assert pipelines.look("wages-train") == PipelineLook(exists=True, running=running)


def test_a_pipeline_that_is_not_there_is_told(session: StubbedSession, pipelines: SageMakerPipelines) -> None:
    refuse(session, "list_pipeline_executions", "ResourceNotFound", "Pipeline 'wages-train' does not exist.")
    assert pipelines.look("wages-train") == PipelineLook(exists=False)


def test_an_execution_is_started_with_token_and_parameters(
    session: StubbedSession, pipelines: SageMakerPipelines
) -> None:
    asked = {
        "PipelineName": "wages-train",
        "ClientRequestToken": TOKEN,
        "PipelineParameters": [{"Name": "Reason", "Value": "it drifts"}],
        "PipelineExecutionDescription": "wages-r1",
    }
    session.stub("sagemaker").add_response("start_pipeline_execution", {"PipelineExecutionArn": EXECUTION}, asked)
    assert pipelines.start("wages-train", TOKEN, {"Reason": "it drifts"}, "wages-r1") == EXECUTION


def test_what_sagemaker_refuses_is_said_and_what_passes_is_raised(
    session: StubbedSession, pipelines: SageMakerPipelines
) -> None:
    refuse(session, "start_pipeline_execution", "ValidationException", "Unknown pipeline parameters: [Reason]")
    with pytest.raises(PipelineRefused, match="ValidationException: Unknown pipeline parameters"):
        pipelines.start("wages-train", TOKEN, {"Reason": "it drifts"}, "wages-r1")
    refuse(session, "start_pipeline_execution", "ThrottlingException", "Rate exceeded")
    with pytest.raises(ClientError, match="Rate exceeded"):
        pipelines.start("wages-train", TOKEN, {}, "wages-r1")


def test_an_execution_and_its_steps_are_read(session: StubbedSession, pipelines: SageMakerPipelines) -> None:
    stub = session.stub("sagemaker")
    answer = {"PipelineExecutionStatus": "Failed", "FailureReason": "Step failure"}
    stub.add_response("describe_pipeline_execution", answer, {"PipelineExecutionArn": EXECUTION})
    assert pipelines.execution(EXECUTION) == Execution("Failed", "Step failure")
    refuse(session, "describe_pipeline_execution", "ResourceNotFound", "gone")
    assert pipelines.execution(EXECUTION) is None
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:model-package/wages/4"
    steps = [
        {"StepName": "Register", "StepStatus": "Succeeded", "Metadata": {"RegisterModel": {"Arn": arn}}},
        {"StepName": "Tell", "StepStatus": "Failed", "FailureReason": "no topic"},
    ]
    asked = {"PipelineExecutionArn": EXECUTION, "SortOrder": "Ascending"}
    stub.add_response("list_pipeline_execution_steps", {"PipelineExecutionSteps": steps}, asked)
    assert pipelines.steps(EXECUTION) == (Step("Register", "Succeeded", "", arn), Step("Tell", "Failed", "no topic"))
