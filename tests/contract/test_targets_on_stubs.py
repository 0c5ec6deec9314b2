"""What SageMaker is asked for serverless and asynchronous endpoints, and how they are known."""

from __future__ import annotations

import pytest
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.targets import Asynchronous, Fleet, Serverless

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
    endpoints.create_config(
        "c", model="m", fleet=Fleet(serverless=Serverless.model_validate(size)), hosting=Hosting(), tags={}
    )


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


def test_an_asynchronous_configuration_says_where_answers_go(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    stub = session.stub("sagemaker")
    answer = {"EndpointConfigArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/c"}
    running = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    variant = {"VariantName": "AllTraffic", "ModelName": "m", **running, "InitialVariantWeight": 1.0}
    asked = {"EndpointConfigName": "c", "ProductionVariants": [variant], "Tags": []}
    topics = {
        "SuccessTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:good",
        "ErrorTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:bad",
    }
    whole = {"S3OutputPath": "s3://team/out", "S3FailurePath": "s3://team/bad", "NotificationConfig": topics}
    everything = {
        "output": "s3://team/out",
        "failures": "s3://team/bad",
        "max_concurrent_per_instance": 4,
        "success_topic": topics["SuccessTopic"],
        "error_topic": topics["ErrorTopic"],
    }
    client = {"MaxConcurrentInvocationsPerInstance": 4}
    for given, config in (
        ({"output": "s3://team/out"}, {"OutputConfig": {"S3OutputPath": "s3://team/out"}}),
        (everything, {"OutputConfig": whole, "ClientConfig": client}),
    ):
        stub.add_response("create_endpoint_config", answer, {**asked, "AsyncInferenceConfig": config})
        queue = Asynchronous.model_validate(given)
        endpoints.create_config(
            "c", model="m", fleet=Fleet("ml.m5.large", 2, asynchronous=queue), hosting=Hosting(), tags={}
        )


def test_a_look_tells_an_asynchronous_endpoint(session: StubbedSession, endpoints: SageMakerEndpoints) -> None:
    described = {"EndpointName": "wages", "EndpointArn": ARN, "EndpointStatus": "InService", "EndpointConfigName": "c"}
    times = {"CreationTime": SINCE, "LastModifiedTime": SINCE}
    queued = {**described, **times, "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://team/out"}}}
    session.stub("sagemaker").add_response("describe_endpoint", queued, {"EndpointName": "wages"})
    found = endpoints.look("wages")
    assert found is not None
    assert found.target == "async"
