"""The parameters of one environment that say what a group's jobs are to run: looked at, written and deleted as endpoints are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from lockkeeper.adapters.refusals import is_missing, translated
from lockkeeper.domain.batch import BATCH, champion_document, model_named_in
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.release import MODEL_PACKAGE_TAG, RELEASE_TAG
from lockkeeper.domain.rollout import EndpointState


class ChampionParameters(ABC):
    """The part of `ports.Endpoints` that is about places whose name is a parameter's (`domain.batch`)."""

    @abstractmethod
    def _client(self, service: str) -> Any:
        """A client in the environment, under its deploy role."""

    @abstractmethod
    def _arn(self, service: str, resource: str) -> str:
        """The ARN of something in the environment."""

    def _look_at_parameter(self, name: str) -> EndpointState | None:
        """A parameter that names no model of a release is `Failed`: nobody could go back to what it says."""
        try:
            text = self._client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterNotFound":
                return None
            raise
        model, arn = model_named_in(text), self._arn("ssm", f"parameter{name}")
        if not model:
            why = f"it names no model of a release, but says {text[:100]!r}"
            return EndpointState(name, arn, "Failed", "", why, BATCH)
        return EndpointState(name, arn, "InService", model, target=BATCH)

    def _name_champion(self, name: str, model_name: str, *, instead: bool) -> bool:
        """Write which model is the champion; False where the parameter is there and nothing is written `instead` of it."""
        since = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        tags = self._tags_of_model(model_name, name)
        text = champion_document(model_name, tags[MODEL_PACKAGE_TAG], tags[RELEASE_TAG], since)
        try:
            self._client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=instead)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ParameterAlreadyExists":
                return False
            raise translated(error, f"parameter {name} cannot be written") from error
        return True

    def _delete_parameter(self, name: str) -> None:
        try:
            self._client("ssm").delete_parameter(Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise translated(error, f"parameter {name} cannot be deleted") from error

    def _tags_of_model(self, model_name: str, parameter: str) -> dict[str, str]:
        """What a model was made of and for. Asked for it, SageMaker says whether it is there: no parameter names what is gone."""
        arn = self._arn("sagemaker", f"model/{model_name.lower()}")
        try:
            pages = self._client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
            return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        except ClientError as error:
            what = f"parameter {parameter} cannot name model {model_name}"
            if is_missing(error):
                # A new one may not be seen everywhere yet.
                raise TryAgain(f"{what}: {error.response['Error']['Message']}") from error
            raise translated(error, what) from error
