"""The production account as it is, read under a role that can change nothing there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lockkeeper.adapters.cloudwatch_alarms import alarm_states
from lockkeeper.adapters.drift_look import AwsDriftLook
from lockkeeper.adapters.refusals import is_missing
from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.deployed import Deployed

if TYPE_CHECKING:
    from collections.abc import Callable

    from boto3 import Session


class AwsProductionLook(AwsDriftLook):
    """Implements `ports.ProductionLook`. `session` gives a session under the look role; it is made at first use."""

    def __init__(self, session: Callable[[], Session]) -> None:
        self._session = session
        self._clients: dict[str, Any] = {}

    def deployed(self, endpoint_name: str) -> Deployed | None:
        if is_parameter(endpoint_name):
            return None
        sagemaker = self._client("sagemaker")
        try:
            endpoint = sagemaker.describe_endpoint(EndpointName=endpoint_name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        names = {one.get("ModelName", "") for one in config["ProductionVariants"]}
        (name, *others) = sorted(names)
        model = sagemaker.describe_model(ModelName=name) if name and not others else {}
        tags = self._tags(endpoint["EndpointArn"])
        return Deployed(endpoint, config, model, tags, self._tags(config["EndpointConfigArn"]))

    def alarm_states(self, names: tuple[str, ...]) -> dict[str, str]:
        return alarm_states(self._client("cloudwatch"), names)

    def role_trust(self, role_arn: str) -> str | None:
        try:
            role = self._client("iam").get_role(RoleName=role_arn.rpartition("/")[2])["Role"]
        except ClientError as error:
            return _absent(error, "NoSuchEntity")
        trust = role["AssumeRolePolicyDocument"]
        return trust if isinstance(trust, str) else json.dumps(trust)

    def may(self, role_arn: str, action: str, resource: str) -> bool | None:
        asked = {"PolicySourceArn": role_arn, "ActionNames": [action], "ResourceArns": [resource]}
        try:
            (result,) = self._client("iam").simulate_principal_policy(**asked)["EvaluationResults"]
        except ClientError as error:
            # An alarm may have a name that IAM takes for no resource: then nobody can tell.
            if error.response["Error"]["Code"] != "InvalidInput":
                _absent(error, "NoSuchEntity")
            return None
        return bool(result["EvalDecision"] == "allowed")

    def key_state(self, key: str) -> str | None:
        try:
            return str(self._client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
        except ClientError as error:
            return _absent(error, "NotFoundException")

    def quotas(self) -> dict[str, float] | None:
        pages = self._client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
        try:
            return {quota["QuotaName"]: float(quota["Value"]) for page in pages for quota in page["Quotas"]}
        except (ClientError, BotoCoreError):
            # Whatever keeps it from answering: what it would say is only known early by it, and SageMaker refuses in time.
            return None

    def _tags(self, arn: str) -> dict[str, str]:
        pages = self._client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session().client(service)  # type: ignore[call-overload]
        return self._clients[service]


def _absent(error: ClientError, missing: str) -> str | None:
    """Empty where there is no such thing, None where nobody may look at it."""
    code = error.response["Error"]["Code"]
    if code == missing:
        return ""
    if code in {"AccessDenied", "AccessDeniedException"}:
        return None
    raise error
