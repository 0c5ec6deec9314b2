"""Autoscaling under releases: registered when a version serves, kept across updates and ways back under live requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_shifts import traffic_on

pytestmark = pytest.mark.full

SCALED = "  autoscaling: {min: 2, max: 4, invocations_per_instance: 200}\n"
CANARY = "canary: {percent: 50, wait: 1m}, "


def scale(
    cloud: Cloud, group: str, folder: Path, more: str = SCALED, strategy: str = "", kind: str = "", bake: str = "1m"
) -> None:
    """A policy of two instances with an alarm that nothing but a test raises."""
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5")
    text = text.replace("strategy: {bake: 1m}", f"initial_instances: 2\n  strategy: {{{strategy}bake: {bake}}}")
    text = text.replace("ml.m5.large", kind or "ml.m5.large")
    cloud.apply(f"{text}  alarms: [{{errors_5xx: 1000}}]\n{more}", folder)


def bounds(cloud: Cloud, endpoint: str) -> tuple[int, int] | None:
    """Fewest and most instances of an endpoint's scalable target, with Lockkeeper's scaling policy on it; None where there is none."""
    scaling = cloud.client("application-autoscaling", "production")
    resource = f"endpoint/{endpoint}/variant/AllTraffic"
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingPolicies"]
    assert [one["PolicyName"] for one in policies] == ["lockkeeper-invocations"] * len(found)
    return (found[0]["MinCapacity"], found[0]["MaxCapacity"]) if found else None


def endpoint_of(cloud: Cloud, endpoint: str) -> dict[str, Any]:
    described: dict[str, Any] = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=endpoint)
    return described


def instances(cloud: Cloud, endpoint: str) -> int:
    return int(endpoint_of(cloud, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"])


def grow(cloud: Cloud, endpoint: str, count: int) -> None:
    """What the scaling service does when requests come."""
    cloud.client("sagemaker", "production").update_endpoint_weights_and_capacities(
        EndpointName=endpoint,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": count}],
    )
    eventually(
        lambda: instances(cloud, endpoint) == count and endpoint_of(cloud, endpoint)["EndpointStatus"] == "InService"
    )


def test_instances_are_kept_across_an_update_and_across_the_way_back(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group = "elastic"
    prepare(cloud, group, tmp_path)
    scale(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    assert (bounds(cloud, group), instances(cloud, group)) == ((2, 4), 2)
    grow(cloud, group, 3)

    with traffic_on(cloud, group) as traffic:
        scale(cloud, group, tmp_path, strategy=CANARY)
        register(cloud, group, 2.0)
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert (bounds(cloud, group), instances(cloud, group)) == ((2, 4), 3)
        scale(cloud, group, tmp_path, more=SCALED.replace("max: 4", "max: 6"), bake="7d")
        register(cloud, group, 3.0)
        cloud.wait_for(f"{group}-v3-a1", "baking")
        eventually(lambda: bounds(cloud, group) == (2, 6))
        cloud.lockkeeper("rollback", group, "--reason", "a test wants it back")
        cloud.wait_for(f"{group}-v3-a1", "rolled-back")
        eventually(lambda: traffic.counted()["2.0"] > 0)

    assert cloud.cost(f"{group}-v2-a1")["transitions"] == 10
    assert (bounds(cloud, group), instances(cloud, group)) == ((2, 4), 3)
    assert endpoint_of(cloud, group)["EndpointConfigName"] == f"lockkeeper-{group}-v2-a1-production"
    answers = traffic.counted()
    lost = answers.total() - sum(answers[one] for one in ("1.0", "2.0", "3.0"))
    figure(
        "autoscaling: instances after an update and a way back, of 3 that load had brought up",
        instances(cloud, group),
        "3",
    )
    figure("autoscaling: requests lost across both", lost, f"0 of {answers.total()}")
    assert lost == 0


def test_a_scalable_target_goes_only_where_it_must(cloud: Cloud, tmp_path: Path) -> None:
    group = "stretch"
    prepare(cloud, group, tmp_path)
    scale(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    grow(cloud, group, 3)
    scale(cloud, group, tmp_path, kind="ml.c5.large")
    register(cloud, group, 2.0)
    cloud.wait_for(f"{group}-v2-a1", "promoted")
    assert (bounds(cloud, group), instances(cloud, group)) == ((2, 4), 2)
    assert deregistrations(cloud, group) == 1

    scale(cloud, group, tmp_path, more="", kind="ml.c5.large")
    register(cloud, group, 3.0)
    cloud.wait_for(f"{group}-v3-a1", "promoted")
    assert bounds(cloud, group) is None


def deregistrations(cloud: Cloud, endpoint: str) -> int:
    """How often the target of an endpoint was taken off; it is told by what is called for nothing else."""
    named = [call for call in cloud.calls() if call["operation"] == "DeregisterScalableTarget"]
    return sum(call["parameters"].get("ResourceId") == f"endpoint/{endpoint}/variant/AllTraffic" for call in named)


def test_an_endpoint_of_another_account_is_scaled_there(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud, group = joined_cloud, "flexible"
    prepare(cloud, group, tmp_path)
    scale(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    assert bounds(cloud, group) == (2, 4)
    scale(cloud, group, tmp_path, kind="ml.c5.large")
    register(cloud, group, 2.0)
    cloud.wait_for(f"{group}-v2-a1", "promoted")
    assert bounds(cloud, group) == (2, 4)
    assert endpoint_of(cloud, group)["EndpointConfigName"] == f"lockkeeper-{group}-v2-a1-production"
