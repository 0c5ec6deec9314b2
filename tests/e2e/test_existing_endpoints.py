"""Endpoints that were there before Lockkeeper."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud
from tests.e2e.somebodys_role import somebodys_role
from tests.e2e.test_a_promotion import constant_model, register
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

GROUP = "settled"


@contextmanager
def somebody_serves(cloud: Cloud, name: str, value: float, role: str) -> Iterator[None]:
    """Meanwhile there is an endpoint that somebody made without Lockkeeper."""
    sagemaker = cloud.client("sagemaker", "production")
    artifact = cloud.put(f"{name}-models", f"by-hand/{value}/model.tar.gz", constant_model(value))
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": artifact}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.c5.large", "InitialInstanceCount": 2}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    patience = {"Delay": 1, "MaxAttempts": PATIENCE}
    try:
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=patience)
        yield
    finally:
        sagemaker.delete_endpoint(EndpointName=name)
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=patience)
        sagemaker.delete_endpoint_config(EndpointConfigName=name)
        sagemaker.delete_model(ModelName=name)


def test_a_policy_is_written_from_what_serves_and_judges_without_deploying(cloud: Cloud, tmp_path: Path) -> None:
    cloud.bucket(f"{GROUP}-models")
    cloud.group(GROUP)
    with somebodys_role(cloud) as role, somebody_serves(cloud, GROUP, 3.0, role):
        register(cloud, GROUP, 4.0)
        file = tmp_path / "policy.yaml"

        cloud.lockkeeper("init", GROUP, "--endpoint", GROUP, "--out", str(file))
        assert "metric: regression_metrics.mae.value" in file.read_text()
        assert "is there already" in cloud.lockkeeper("init", GROUP, "--endpoint", GROUP, "--out", str(file), expect=1)
        assert "there is no endpoint nowhere" in cloud.lockkeeper("init", GROUP, "--endpoint", "nowhere", expect=1)

        cloud.lockkeeper("policy", "apply", str(file))
        register(cloud, GROUP, 5.0)
        cloud.wait_for(f"{GROUP}-v2-a1", "observed")
        serving = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=GROUP)
        assert serving["EndpointConfigName"] == GROUP
