"""Scalable targets of the local SageMaker: kept, kept to, and in the way of what AWS does not do under them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.sagemaker.cloud import Place
from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import Account
from tests.contract.sagemaker.test_sagemaker_endpoints import TRIPLING
from tests.contract.sagemaker.test_sagemaker_rollouts import routing, update

pytestmark = pytest.mark.full

TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/endpoint/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TRACKING = {
    "TargetValue": 200.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}


def ask(account: Account, operation: str, **parameters: Any) -> dict[str, Any]:
    place = Place(account.number, account.region)
    return account.service.scaling.handle(place, operation, parameters, account.caller)


def refusal(account: Account, operation: str, **parameters: Any) -> str:
    with pytest.raises(ApiError) as raised:
        ask(account, operation, **parameters)
    return str(raised.value)


def targets(account: Account) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(account, "DescribeScalableTargets", ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    return found


def instances(account: Account) -> int:
    return int(account.settle("endpoint")["ProductionVariants"][0]["CurrentInstanceCount"])


def resize(account: Account, count: int) -> None:
    desired = [{"VariantName": "AllTraffic", "DesiredInstanceCount": count}]
    account.call("UpdateEndpointWeightsAndCapacities", EndpointName="endpoint", DesiredWeightsAndCapacities=desired)
    account.settle("endpoint")


@pytest.fixture
def scaled(account: Account) -> Account:
    account.add_config("double", instances=2)
    account.add_config("triple", TRIPLING, instances=2)
    account.serve("endpoint", "double")
    ask(account, "RegisterScalableTarget", **TARGET, MinCapacity=2, MaxCapacity=4)
    return account


def test_a_target_and_its_policies_are_kept_until_they_are_deregistered(scaled: Account) -> None:
    named = {**TARGET, "PolicyName": "mine"}
    made = ask(
        scaled,
        "PutScalingPolicy",
        **named,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    (target,) = targets(scaled)
    (policy,) = ask(scaled, "DescribeScalingPolicies", **TARGET)["ScalingPolicies"]

    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert target["ScalableTargetARN"].startswith(
        "arn:aws:application-autoscaling:us-east-1:111122223333:scalable-target/"
    )
    assert (policy["PolicyARN"], policy["PolicyName"]) == (made["PolicyARN"], "mine")
    assert policy["TargetTrackingScalingPolicyConfiguration"] == TRACKING
    ask(scaled, "DeleteScalingPolicy", **named)
    assert ask(scaled, "DescribeScalingPolicies", ServiceNamespace="sagemaker")["ScalingPolicies"] == []
    ask(scaled, "DeregisterScalableTarget", **TARGET)
    assert targets(scaled) == []
    for operation, more in (("DeregisterScalableTarget", {}), ("DeleteScalingPolicy", {"PolicyName": "mine"})):
        assert refusal(scaled, operation, **TARGET, **more).startswith("ObjectNotFoundException")


def test_bounds_that_a_variant_is_outside_of_bring_it_inside(scaled: Account) -> None:
    assert instances(scaled) == 2
    ask(scaled, "RegisterScalableTarget", **TARGET, MinCapacity=3)
    assert instances(scaled) == 3
    assert targets(scaled)[0]["MaxCapacity"] == 4
    resize(scaled, 7)
    ask(scaled, "RegisterScalableTarget", **TARGET, MinCapacity=1, MaxCapacity=5)
    assert instances(scaled) == 5


def test_an_update_keeps_the_instances_when_it_is_asked_to(scaled: Account) -> None:
    resize(scaled, 3)
    update(scaled, RetainAllVariantProperties=True)
    assert (instances(scaled), scaled.settle("endpoint")["EndpointConfigName"]) == (3, "triple")
    update(scaled, config="double")
    assert instances(scaled) == 2


def test_a_canary_is_a_part_of_the_instances_that_are_kept(scaled: Account) -> None:
    resize(scaled, 1)
    canary = {"DeploymentConfig": routing("CANARY")}
    one = scaled.refusal(
        "UpdateEndpoint",
        EndpointName="endpoint",
        EndpointConfigName="triple",
        RetainAllVariantProperties=True,
        **canary,
    )
    assert "needs a variant of at least 2 instances; this one has 1" in one
    update(scaled, routing("CANARY"))
    assert scaled.settle("endpoint")["EndpointConfigName"] == "triple"


def test_the_instance_type_of_a_scaled_variant_stays(scaled: Account) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": "triple", "InitialInstanceCount": 2}
    other = [{**variant, "InstanceType": "ml.c5.large"}]
    scaled.call("CreateEndpointConfig", EndpointConfigName="other", ProductionVariants=other)
    told = scaled.refusal("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="other")
    assert "Deregister it as a scalable target first" in told
    ask(scaled, "DeregisterScalableTarget", **TARGET)
    update(scaled, config="other")
    assert scaled.settle("endpoint")["EndpointConfigName"] == "other"


def test_a_target_goes_with_its_endpoint(scaled: Account) -> None:
    scaled.call("DeleteEndpoint", EndpointName="endpoint")
    scaled.cloud.wait_for(lambda: not targets(scaled))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ResourceId": "endpoint/missing/variant/AllTraffic"}, "ValidationException: SageMaker endpoint missing does not exist"),
        ({"ResourceId": "endpoint/endpoint/variant/other"}, "Variant other cannot be scaled: its instance type is none"),
        ({"ResourceId": "table/wages"}, "ValidationException: Unsupported service namespace"),
        ({"MaxCapacity": 1}, "Minimum capacity cannot be greater than maximum capacity"),
        ({"ServiceNamespace": "dynamodb"}, "UnsupportedOperationException: The laptop's AWS scales variants of endpoints alone"),
        ({"ServiceNamespace": "nobody"}, "failed to satisfy constraint: Member must satisfy enum value set"),
    ],
)  # fmt: skip
def test_what_cannot_be_registered_is_refused(scaled: Account, change: dict[str, Any], said: str) -> None:
    wanted = {**TARGET, "MinCapacity": 2, "MaxCapacity": 4, **change}
    assert said in refusal(scaled, "RegisterScalableTarget", **wanted)


def test_a_burstable_variant_and_a_target_without_bounds_are_refused(scaled: Account) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": "double", "InitialInstanceCount": 1}
    burstable = [{**variant, "InstanceType": "ml.t2.medium"}]
    scaled.call("CreateEndpointConfig", EndpointConfigName="small", ProductionVariants=burstable)
    scaled.serve("small", "small")
    small = {**TARGET, "ResourceId": "endpoint/small/variant/AllTraffic"}
    assert "instance type is ml.t2.medium" in refusal(
        scaled, "RegisterScalableTarget", **small, MinCapacity=1, MaxCapacity=2
    )
    assert "are required for a new scalable target" in refusal(scaled, "RegisterScalableTarget", **small)


def test_policies_that_are_not_kept_are_refused(scaled: Account) -> None:
    named = {**TARGET, "PolicyName": "mine"}
    assert "keeps target tracking policies alone" in refusal(
        scaled, "PutScalingPolicy", **named, PolicyType="StepScaling"
    )
    assert "TargetTrackingScalingPolicyConfiguration is required" in refusal(
        scaled, "PutScalingPolicy", **named, PolicyType="TargetTrackingScaling"
    )
    assert "scales variants of endpoints alone" in refusal(
        scaled, "DescribeScalingActivities", ServiceNamespace="sagemaker"
    )
