"""SageMaker Pipelines in the registry's account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lockkeeper.domain.errors import PipelineRefused
from lockkeeper.ports_of_retraining import Execution, PipelineLook, Step

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

MISSING = frozenset({"ResourceNotFound", "ResourceNotFoundException"})
REFUSED = MISSING | {"ValidationException", "AccessDeniedException"}
RUNNING = frozenset({"Executing", "Stopping"})


class SageMakerPipelines:
    """Implements `ports.Pipelines`."""

    def __init__(self, client: SageMakerClient) -> None:
        self._client = client

    def look(self, pipeline: str) -> PipelineLook:
        try:
            answer = self._client.list_pipeline_executions(
                PipelineName=pipeline, SortBy="CreationTime", SortOrder="Descending", MaxResults=20
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return PipelineLook(exists=False)
            raise
        running = (
            one["PipelineExecutionArn"]
            for one in answer["PipelineExecutionSummaries"]
            if one["PipelineExecutionStatus"] in RUNNING
        )
        return PipelineLook(exists=True, running=next(running, ""))

    def start(self, pipeline: str, token: str, parameters: dict[str, str], description: str) -> str:
        try:
            answer = self._client.start_pipeline_execution(
                PipelineName=pipeline,
                ClientRequestToken=token,
                PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
                PipelineExecutionDescription=description,
            )
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code in REFUSED:
                raise PipelineRefused(f"{code}: {message}") from error
            raise
        return answer["PipelineExecutionArn"]

    def execution(self, arn: str) -> Execution | None:
        try:
            answer = self._client.describe_pipeline_execution(PipelineExecutionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return Execution(answer["PipelineExecutionStatus"], answer.get("FailureReason", ""))

    def steps(self, arn: str) -> tuple[Step, ...]:
        pages = self._client.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
        return tuple(_step(one) for page in pages for one in page["PipelineExecutionSteps"])


def _step(one: Any) -> Step:
    registered = (one.get("Metadata") or {}).get("RegisterModel") or {}
    return Step(one["StepName"], one["StepStatus"], one.get("FailureReason", ""), registered.get("Arn", ""))
