"""What SageMaker is asked for a serverless endpoint, and how one is known."""

from __future__ import annotations

import pytest
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.targets import Fleet, Serverless

from tests.contract.test_adapters_on_stubs import ACCOUNT, ARN, REGION, SINCE, StubbedSession, endpoints_on


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.fixture
def endpoints(session: StubbedSession) -> SageMakerEndpoints:
    return endpoints_on(session)


@pytest.mark.parametrize(
    ("size", "config"),
    [
        ({"memory_mb": 2048, "max_concurrency": 20}, {"MemorySizeInMB": 2048, "MaxConcurrency": 20}),
        (
            {"memory_mb": 1024, "max_concurrency": 9, "provisioned_concurrency": 2},
            {"MemorySizeInMB": 1024, "MaxConcurrency": 9, "ProvisionedConcurrency": 2},
        ),
    ],
)
def test_a_serverless_variant_has_a_size_and_no_instances(
    session: StubbedSession, endpoints: SageMakerEndpoints, size: dict[str, int], config: dict[str, int]
) -> None:
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "ServerlessConfig": config, "InitialVariantWeight": 1.0}
    session.stub("sagemaker").add_response(
        "create_endpoint_config",
        {"EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/c"},
        {"EndpointConfigName": "c", "ProductionVariants": [variant], "Tags": []},
    )
    endpoints.create_config("c", model="m", fleet=Fleet(serverless=Serverless.model_validate(size)), tags={})


def test_a_look_tells_a_serverless_endpoint_from_one_with_instances(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    known = {"EndpointName": "wages", "EndpointArn": ARN, "EndpointStatus": "InService", "EndpointConfigName": "c"}
    size = {"MemorySizeInMB": 2048, "MaxConcurrency": 20}
    for variant, target in (
        ({"CurrentServerlessConfig": size}, "serverless"),
        ({"CurrentInstanceCount": 2, "DesiredInstanceCount": 2}, "real-time"),
    ):
        answer = {**known, "ProductionVariants": [{"VariantName": "AllTraffic", **variant}]}
        session.stub("sagemaker").add_response(
            "describe_endpoint", {**answer, "CreationTime": SINCE, "LastModifiedTime": SINCE}, {"EndpointName": "wages"}
        )
        found = endpoints.look("wages")
        assert found is not None
        assert found.target == target
