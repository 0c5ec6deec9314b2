"""Training and tuning jobs: what SageMaker says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient


class SageMakerTraining:
    """Implements `ports_of_training.Training`."""

    def __init__(self, client: SageMakerClient) -> None:
        self._client = client

    def training_job(self, name: str) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any]", self._client.describe_training_job(TrainingJobName=name))
        except ClientError as error:
            if _is_missing(error):
                return None
            raise

    def tuning_job(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return cast("dict[str, Any]", answer)

    def tags(self, arn: str) -> dict[str, str]:
        pages = self._client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {one["Key"]: one["Value"] for page in pages for one in page["Tags"]}


def _is_missing(error: ClientError) -> bool:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    said = any(words in message for words in ("not found", "does not exist", "could not find"))
    return code in {"ResourceNotFound", "ResourceNotFoundException"} or (code == "ValidationException" and said)
