"""Serverless endpoints of the local SageMaker: they serve, move at once, and have nothing of what AWS leaves out of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.sagemaker.account import ROLE, Account
from tests.contract.sagemaker.test_sagemaker_endpoints import TRIPLING
from tests.contract.sagemaker.test_sagemaker_rollouts import routing, update

pytestmark = pytest.mark.full

SIZE = {"MemorySizeInMB": 2048, "MaxConcurrency": 20}
VPC = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


def add(account: Account, name: str, model: str, **more: Any) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": SIZE}
    account.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], **more)


@pytest.fixture
def serving(account: Account) -> Account:
    account.add_config("double")
    account.add_config("triple", TRIPLING)
    add(account, "double-on-demand", "double")
    add(account, "triple-on-demand", "triple")
    account.serve("endpoint", "double-on-demand")
    return account


def test_a_serverless_endpoint_serves_shows_its_size_and_is_updated(serving: Account) -> None:
    described = serving.settle("endpoint")
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"] == SIZE
    assert "CurrentInstanceCount" not in described["ProductionVariants"][0]
    assert serving.invoke("endpoint", "1", accept="text/csv")[0].strip() == "2.0"
    update(serving, config="triple-on-demand")
    assert serving.settle("endpoint")["EndpointConfigName"] == "triple-on-demand"
    assert serving.invoke("endpoint", "1", accept="text/csv")[0].strip() == "3.0"


def test_its_updates_are_not_guarded(serving: Account) -> None:
    told = serving.refusal(
        "UpdateEndpoint",
        EndpointName="endpoint",
        EndpointConfigName="triple-on-demand",
        DeploymentConfig=routing("CANARY"),
    )
    assert "A DeploymentConfig is not supported for serverless endpoints" in told


def test_instances_do_not_become_serverless(serving: Account) -> None:
    serving.serve("fixed", "double")
    told = serving.refusal("UpdateEndpoint", EndpointName="fixed", EndpointConfigName="triple-on-demand")
    assert "has instances; it cannot become serverless" in told


@pytest.mark.parametrize(
    ("variant", "config", "said"),
    [
        ({"InstanceType": "ml.m5.large"}, {}, "it cannot have instances"),
        ({"InitialInstanceCount": 1}, {}, "it cannot have instances"),
        ({}, {"VpcConfig": VPC}, "it cannot have a VPC"),
        ({}, {"EnableNetworkIsolation": True}, "it cannot have network isolation"),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://b/o"}}}, "an asynchronous configuration"),
        ({"ServerlessConfig": {**SIZE, "ProvisionedConcurrency": 21}}, {}, "must not exceed MaxConcurrency"),
        ({"ServerlessConfig": {**SIZE, "MemorySizeInMB": 512}}, {}, "greater than or equal to 1024"),
    ],
)
def test_what_a_serverless_variant_cannot_have_is_refused(
    serving: Account, variant: dict[str, Any], config: dict[str, Any], said: str
) -> None:
    wanted = {"VariantName": "AllTraffic", "ModelName": "double", "ServerlessConfig": SIZE, **variant}
    told = serving.refusal("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[wanted], **config)
    assert said in told


def test_a_second_variant_and_data_capture_are_refused(serving: Account) -> None:
    variants = [{"VariantName": name, "ModelName": "double", "ServerlessConfig": SIZE} for name in ("one", "two")]
    told = serving.refusal("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=variants)
    assert "it cannot have other variants beside it" in told
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://b/c",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    told = serving.refusal(
        "CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=variants[:1], DataCaptureConfig=capture
    )
    assert "it cannot have data capture" in told


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"VpcConfig": VPC}, "it cannot have a VPC"),
        ({"EnableNetworkIsolation": True}, "it cannot have network isolation"),
        ({"Containers": 2}, "it cannot have containers in series"),
    ],
)
def test_a_model_that_serverless_cannot_host_is_refused(serving: Account, model: dict[str, Any], said: str) -> None:
    container = serving.call("DescribeModel", ModelName="double")["PrimaryContainer"]
    what = {"Containers": [container] * 2} if "Containers" in model else {"PrimaryContainer": container, **model}
    serving.call("CreateModel", ModelName="odd", ExecutionRoleArn=ROLE, **what)
    wanted = {"VariantName": "AllTraffic", "ModelName": "odd", "ServerlessConfig": SIZE}
    assert said in serving.refusal("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[wanted])
