"""The model registry: SageMaker model packages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError, ParamValidationError

from lockkeeper.domain.errors import RegistrationRefused, StampRefused
from lockkeeper.domain.training import Register

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

NOT_ALLOWED = re.compile(r"[^A-Za-z0-9 _.:/=+\-@]")


REFUSALS = frozenset({"ValidationException", "AccessDeniedException", "ResourceNotFound", "ResourceNotFoundException"})
"""What says that a version is not created as it was asked for, however often."""


class SageMakerRegistry:
    """Implements `ports.Registry`."""

    def __init__(self, client: SageMakerClient) -> None:
        self._client = client

    def describe(self, arn: str) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any]", self._client.describe_model_package(ModelPackageName=arn))
        except ClientError as error:
            if _is_missing(error):
                return None
            raise

    def registered(self, after: datetime, before: datetime) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("list_model_packages").paginate(
            ModelPackageType="Versioned",
            CreationTimeAfter=after,
            CreationTimeBefore=before,
            PaginationConfig={"PageSize": 100},
        )
        return [cast("dict[str, Any]", one) for page in pages for one in page["ModelPackageSummaryList"]]

    def registered_as(self, group: str, description: str, after: datetime) -> str | None:
        pages = self._client.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, CreationTimeAfter=after, PaginationConfig={"PageSize": 100}
        )
        try:
            for page in pages:
                for one in page["ModelPackageSummaryList"]:
                    if one.get("ModelPackageDescription") == description:
                        return one["ModelPackageArn"]
        except ClientError as error:
            # Of a group that is not there `register` says what is wrong.
            if not _is_missing(error):
                raise
        return None

    def register(self, wanted: Register, report_uri: str) -> str:
        request: dict[str, Any] = {
            "ModelPackageGroupName": wanted.group,
            "ModelPackageDescription": wanted.description,
            "ModelApprovalStatus": "PendingManualApproval",
            "InferenceSpecification": {
                "Containers": wanted.containers,
                "SupportedContentTypes": wanted.content_types,
                "SupportedResponseMIMETypes": wanted.response_types,
            },
            "MetadataProperties": {"GeneratedBy": wanted.generated_by},
            "CustomerMetadataProperties": wanted.metadata,
            "ClientToken": wanted.token,
        }
        if report_uri:
            statistics = {"ContentType": "application/json", "S3Uri": report_uri}
            request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
        try:
            return self._client.create_model_package(**request)["ModelPackageArn"]
        except (ClientError, ParamValidationError) as error:
            if isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in REFUSALS:
                raise RegistrationRefused(
                    f"the registry refused it: {error}",
                    cure="mend what it names and register the version yourself, or train again",
                ) from error
            raise

    def stamp(
        self, arn: str, *, status: str | None, description: str, metadata: dict[str, str], life_cycle: str
    ) -> None:
        request: dict[str, Any] = {
            "ModelPackageArn": arn,
            # One line: the registry refuses line breaks here.
            "ApprovalDescription": " ".join(description.split())[:1024],
        }
        if metadata:
            request["CustomerMetadataProperties"] = {
                name: NOT_ALLOWED.sub("_", value)[:256] for name, value in metadata.items()
            }
        if status:
            request["ModelApprovalStatus"] = status
        if life_cycle:
            request["ModelLifeCycle"] = {"Stage": life_cycle, "StageStatus": "Promoted"}
        try:
            self._client.update_model_package(**request)
        except ClientError as error:
            if _is_missing(error):
                return
            if error.response["Error"]["Code"] in {"ValidationException", "AccessDeniedException"}:
                raise StampRefused(f"the registry refused the stamp: {error}") from error
            raise


def _is_missing(error: ClientError) -> bool:
    """A version that is not there is a ValidationException in SageMaker's manner of speaking."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    return code in {"ResourceNotFound", "ResourceNotFoundException"} or (
        code == "ValidationException" and ("does not exist" in message or "could not find" in message)
    )
