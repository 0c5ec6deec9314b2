"""What Application Auto Scaling answers, and what the adapter makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.scaling import Scaled

from tests.contract.test_adapters_on_stubs import ARN, SINCE, StubbedSession, endpoints_on, refuse

SERVICE = "application-autoscaling"
TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/wages/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}
TRACKING = {
    "TargetValue": 200.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def endpoints(session: StubbedSession) -> SageMakerEndpoints:
    return endpoints_on(session)


def answer_targets(session: StubbedSession, *bounds: tuple[int, int]) -> None:
    found = [
        {**TARGET, "MinCapacity": least, "MaxCapacity": most, "RoleARN": "arn:aws:iam::1:role/r", "CreationTime": SINCE}
        for least, most in bounds
    ]
    asked = {
        **{key: value for key, value in TARGET.items() if key != "ResourceId"},
        "ResourceIds": [TARGET["ResourceId"]],
    }
    session.stub(SERVICE).add_response("describe_scalable_targets", {"ScalableTargets": found}, asked)


def answer_policies(session: StubbedSession, *names: str) -> None:
    policies: list[dict[str, Any]] = [
        {
            **TARGET,
            "PolicyARN": f"arn:aws:autoscaling:{name}",
            "PolicyName": name,
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": TRACKING,
            "CreationTime": SINCE,
        }
        for name in names
    ]
    session.stub(SERVICE).add_response("describe_scaling_policies", {"ScalingPolicies": policies}, TARGET)


def test_an_endpoint_that_nobody_scales_is_told(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    answer_targets(session)
    assert endpoints.scaling("wages") is None


@pytest.mark.parametrize(
    ("names", "own", "others"),
    [
        (("lockkeeper-invocations",), 200.0, ()),
        (("nights", "lockkeeper-invocations", "evenings"), 200.0, ("evenings", "nights")),
        ((), None, ()),
    ],
)
def test_lockkeepers_scaling_policy_is_told_from_those_of_others(
    session: StubbedSession, endpoints: SageMakerEndpoints, names: tuple[str, ...], own: float | None, others: Any
) -> None:
    answer_targets(session, (2, 4))
    answer_policies(session, *names)
    assert endpoints.scaling("wages") == Scaled(2, 4, own, others)


def test_scaling_registers_the_variant_and_tracks_its_requests(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    stub = session.stub(SERVICE)
    stub.add_response("register_scalable_target", {}, {**TARGET, "MinCapacity": 2, "MaxCapacity": 4})
    policy = {
        **TARGET,
        "PolicyName": "lockkeeper-invocations",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": TRACKING,
    }
    stub.add_response("put_scaling_policy", {"PolicyARN": "arn:aws:autoscaling:p"}, policy)
    endpoints.scale("wages", Scaled(2, 4, 200))
    stub.add_response("register_scalable_target", {}, {**TARGET, "MinCapacity": 1, "MaxCapacity": 3})
    endpoints.scale("wages", Scaled(1, 3))
    stub.assert_no_pending_responses()


def test_what_is_not_registered_is_deregistered(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    session.stub(SERVICE).add_response("deregister_scalable_target", {}, TARGET)
    endpoints.stop_scaling("wages")
    refuse(session, "deregister_scalable_target", "ObjectNotFoundException", "No scalable target registered", SERVICE)
    endpoints.stop_scaling("wages")


def test_a_refusal_fails_the_deployment(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    refuse(session, "register_scalable_target", "ValidationException", "The instance type cannot be scaled", SERVICE)
    with pytest.raises(DeploymentFailed, match="endpoint wages cannot be scaled"):
        endpoints.scale("wages", Scaled(2, 4, 200))
    refuse(session, "deregister_scalable_target", "AccessDeniedException", "not authorized", SERVICE)
    with pytest.raises(DeploymentFailed, match="cannot be deregistered from autoscaling"):
        endpoints.stop_scaling("wages")


def test_an_update_keeps_the_instances_only_where_it_is_told_to(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    stub, plain = session.stub("sagemaker"), {"EndpointName": "wages", "EndpointConfigName": "c"}
    stub.add_response("update_endpoint", {"EndpointArn": ARN}, plain)
    stub.add_response("update_endpoint", {"EndpointArn": ARN}, {**plain, "RetainAllVariantProperties": True})
    endpoints.update("wages", "c")
    endpoints.update("wages", "c", keep_capacity=True)
    stub.assert_no_pending_responses()


def test_the_instance_type_of_a_configuration_that_is_gone_is_empty(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    answer = {
        "EndpointConfigName": "c",
        "EndpointConfigArn": ARN.replace("endpoint/", "endpoint-config/"),
        "ProductionVariants": [{"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large"}],
        "CreationTime": SINCE,
    }
    session.stub("sagemaker").add_response("describe_endpoint_config", answer, {"EndpointConfigName": "c"})
    assert endpoints.instance_type_of("c") == "ml.m5.large"
    refuse(session, "describe_endpoint_config", "ValidationException", 'Could not find endpoint configuration "c".')
    assert endpoints.instance_type_of("c") == ""
