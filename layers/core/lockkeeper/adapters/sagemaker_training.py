"""Training and tuning jobs: what SageMaker says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from lockkeeper.domain.training import ENDED, TrainingHint

if TYPE_CHECKING:
    from datetime import datetime

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

    def ended(self, after: datetime, before: datetime) -> list[TrainingHint]:
        changed: Any = {"LastModifiedTimeAfter": after, "LastModifiedTimeBefore": before}
        pages = self._client.get_paginator("list_training_jobs").paginate(**changed, PaginationConfig={"PageSize": 100})
        found = [
            TrainingHint(one["TrainingJobArn"], one["TrainingJobName"], tuning=False)
            for page in pages
            for one in page["TrainingJobSummaries"]
            if one["TrainingJobStatus"] in ENDED
        ]
        searches = self._client.get_paginator("list_hyper_parameter_tuning_jobs").paginate(
            **changed, PaginationConfig={"PageSize": 100}
        )
        found += [
            TrainingHint(one["HyperParameterTuningJobArn"], one["HyperParameterTuningJobName"], tuning=True)
            for search in searches
            for one in search["HyperParameterTuningJobSummaries"]
            if one["HyperParameterTuningJobStatus"] in ENDED
        ]
        return found


def _is_missing(error: ClientError) -> bool:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    said = any(words in message for words in ("not found", "does not exist", "could not find"))
    return code in {"ResourceNotFound", "ResourceNotFoundException"} or (code == "ValidationException" and said)
