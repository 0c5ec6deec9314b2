"""Application Auto Scaling of one environment: the scalable targets of its endpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from botocore.exceptions import ClientError

from lockkeeper.adapters.refusals import is_missing, translated
from lockkeeper.domain.hosting import VARIANT
from lockkeeper.domain.scaling import Scaled

POLICY_NAME = "lockkeeper-invocations"
"""The scaling policy that Lockkeeper makes; every other one is somebody else's."""
METRIC = "SageMakerVariantInvocationsPerInstance"
SERVICE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
NOT_REGISTERED = "ObjectNotFoundException"


class ApplicationAutoScaling(ABC):
    """The part of `ports.Endpoints` that is about autoscaling."""

    @abstractmethod
    def _client(self, service: str) -> Any:
        """A client in the environment, under its deploy role."""

    def scaling(self, endpoint_name: str, variant: str = VARIANT) -> Scaled | None:
        client = self._client("application-autoscaling")
        target = _target(endpoint_name, variant)
        found = client.describe_scalable_targets(
            ServiceNamespace=SERVICE, ResourceIds=[target["ResourceId"]], ScalableDimension=DIMENSION
        )["ScalableTargets"]
        if not found:
            return None
        pages = client.get_paginator("describe_scaling_policies").paginate(**target)
        policies = {one["PolicyName"]: one for page in pages for one in page["ScalingPolicies"]}
        own = policies.pop(POLICY_NAME, {}).get("TargetTrackingScalingPolicyConfiguration", {})
        return Scaled(found[0]["MinCapacity"], found[0]["MaxCapacity"], own.get("TargetValue"), tuple(sorted(policies)))

    def scale(self, endpoint_name: str, wanted: Scaled, variant: str = VARIANT) -> None:
        client, target = self._client("application-autoscaling"), _target(endpoint_name, variant)
        try:
            client.register_scalable_target(**target, MinCapacity=wanted.min, MaxCapacity=wanted.max)
            if wanted.invocations_per_instance is not None:
                client.put_scaling_policy(
                    **target,
                    PolicyName=POLICY_NAME,
                    PolicyType="TargetTrackingScaling",
                    TargetTrackingScalingPolicyConfiguration={
                        "TargetValue": float(wanted.invocations_per_instance),
                        "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
                    },
                )
        except ClientError as error:
            raise translated(error, f"endpoint {endpoint_name} cannot be scaled") from error

    def stop_scaling(self, endpoint_name: str, variant: str = VARIANT) -> None:
        try:
            self._client("application-autoscaling").deregister_scalable_target(**_target(endpoint_name, variant))
        except ClientError as error:
            if error.response["Error"]["Code"] != NOT_REGISTERED:
                raise translated(error, f"endpoint {endpoint_name} cannot be deregistered from autoscaling") from error

    def instance_type_of(self, config_name: str) -> str:
        try:
            config = self._client("sagemaker").describe_endpoint_config(EndpointConfigName=config_name)
        except ClientError as error:
            if is_missing(error):
                return ""
            raise
        return str(config["ProductionVariants"][0].get("InstanceType", ""))


def _target(endpoint_name: str, variant: str) -> dict[str, str]:
    return {
        "ServiceNamespace": SERVICE,
        "ResourceId": f"endpoint/{endpoint_name}/variant/{variant}",
        "ScalableDimension": DIMENSION,
    }
