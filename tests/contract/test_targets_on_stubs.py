"""What SageMaker is asked for serverless and asynchronous endpoints, and how they are known."""

from __future__ import annotations

import io

import pytest
from botocore.response import StreamingBody
from lockkeeper.adapters.cloudwatch_alarms import alarm_request
from lockkeeper.adapters.sagemaker_endpoints import SageMakerEndpoints
from lockkeeper.domain.alarms import Metric
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.targets import Asynchronous, Fleet, Queued, Serverless

from tests.contract.test_adapters_on_stubs import ACCOUNT, ARN, FLEET, REGION, SINCE, StubbedSession, endpoints_on


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


@pytest.mark.parametrize(
    ("metric", "dimensions"),
    [
        ("ApproximateBacklogSize", {"EndpointName"}),
        ("InvocationFailures", {"EndpointName", "VariantName"}),
        ("Invocation5XXErrors", {"EndpointName", "VariantName", "EndpointConfigName"}),
    ],
)
def test_an_alarm_has_the_dimensions_that_its_metric_is_published_with(metric: str, dimensions: set[str]) -> None:
    made = Metric(namespace="AWS/SageMaker", name=metric, above=0).alarm(60, 1)
    asked = alarm_request("an-alarm", made, FLEET)
    assert {one["Name"] for one in asked["Dimensions"]} == dimensions


def test_requests_of_a_queue_are_counted_as_processed_or_failed(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    stub = session.stub("cloudwatch")
    known = [{"Name": "EndpointName", "Value": "wages"}, {"Name": "VariantName", "Value": "primary"}]
    for name, values in (("InvocationsProcessed", [3.0, 4.0]), ("InvocationFailures", [9.0])):
        asked = {
            "Namespace": "AWS/SageMaker",
            "MetricName": name,
            "Dimensions": known,
            "StartTime": SINCE,
            "EndTime": SINCE,
            "Period": 60,
            "Statistics": ["Sum", "SampleCount"],
        }
        points = [{"Sum": value, "SampleCount": value} for value in values]
        stub.add_response("get_metric_statistics", {"Datapoints": points}, asked)
    assert endpoints.invocations("wages", "primary", SINCE, SINCE, queued=True) == 9


def test_a_queue_is_asked_and_what_it_writes_is_looked_for(
    session: StubbedSession, endpoints: SageMakerEndpoints
) -> None:
    runtime, s3 = session.stub("sagemaker-runtime"), session.stub("s3")
    asked = {
        "EndpointName": "wages",
        "InputLocation": "s3://ours/artifacts/requests/1",
        "ContentType": "text/csv",
        "Accept": "text/csv",
        "InferenceId": "lockkeeper-wages-v2-a1-asks",
        "RequestTTLSeconds": 60,
    }
    runtime.add_response("invoke_endpoint_async", {"InferenceId": "1", "OutputLocation": "s3://team/out/1"}, asked)
    queued = endpoints.enqueue(
        "wages", "s3://ours/artifacts/requests/1", "text/csv", "text/csv", "lockkeeper-wages-v2-a1-asks"
    )
    assert queued == Queued("s3://team/out/1", "")
    where = {"Bucket": "team", "Key": "out/1"}
    for code in ("NoSuchKey", "AccessDenied", "KMS.DisabledException"):
        s3.add_client_error("get_object", code, expected_params=where)
        assert endpoints.written(queued.answer) is None
    s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(b"7.0"), 3)}, where)
    assert endpoints.written(queued.answer) == "7.0"
    runtime.add_client_error("invoke_endpoint_async", "AccessDeniedException", "not authorized", expected_params=asked)
    with pytest.raises(DeploymentFailed, match="takes no requests: AccessDeniedException: not authorized"):
        endpoints.enqueue(
            "wages", "s3://ours/artifacts/requests/1", "text/csv", "text/csv", "lockkeeper-wages-v2-a1-asks"
        )
