"""Asynchronous endpoints of the local SageMaker: an input in S3 is answered in S3, once, also while the fleet is replaced."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import ROLE, Account
from tests.contract.sagemaker.test_sagemaker_endpoints import TRIPLING
from tests.contract.sagemaker.test_sagemaker_rollouts import routing, update

pytestmark = pytest.mark.full

QUEUE = {"OutputConfig": {"S3OutputPath": "s3://answers/out", "S3FailurePath": "s3://answers/failed/"}}
BROKEN = """
def model_fn(model_dir):
    return None

def predict_fn(rows, model):
    raise RuntimeError("broken")
"""


def queued_config(account: Account, name: str, model: str, queue: dict[str, Any] = QUEUE) -> None:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
    }
    account.call(
        "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], AsyncInferenceConfig=queue
    )


@pytest.fixture
def serving(account: Account) -> Account:
    for name, script in (("double", None), ("triple", TRIPLING), ("broken", BROKEN)):
        account.add_config(name, *([script] if script else []))
        queued_config(account, f"{name}-queued", name)
    account.serve("endpoint", "double-queued")
    return account


def ask(account: Account, body: str = "1", **headers: str) -> Mapping[str, str]:
    """Put an input into S3 and ask for its answer; returns the headers that say where it will be."""
    uri = f"s3://inputs/{len(account.cloud.objects)}"
    account.cloud.objects[uri] = body.encode()
    given = {
        "X-Amzn-SageMaker-InputLocation": uri,
        "X-Amzn-SageMaker-Content-Type": "text/csv",
        "X-Amzn-SageMaker-Accept": "text/csv",
        **headers,
    }
    answer = account.service.invoke_async(account.number, account.region, "endpoint", given, b"")
    return {**answer.headers, "id": json.loads(answer.body)["InferenceId"]}


def answered(account: Account, told: Mapping[str, str], kind: str = "Output") -> str:
    uri = told[f"X-Amzn-SageMaker-{kind}Location"]
    account.cloud.wait_for(lambda: uri in account.cloud.objects)
    return account.cloud.objects[uri].decode().strip()


def outputs(account: Account) -> list[str]:
    return [body.decode().strip() for uri, body in account.cloud.objects.items() if uri.startswith("s3://answers/out/")]


def test_an_input_in_s3_is_answered_in_s3(serving: Account) -> None:
    told = ask(serving)
    assert answered(serving, told) == "2.0"
    assert told["X-Amzn-SageMaker-OutputLocation"].startswith("s3://answers/out/")
    assert told["X-Amzn-SageMaker-FailureLocation"].endswith("-error.out")
    assert ask(serving, **{"X-Amzn-SageMaker-Inference-Id": "mine"})["id"] == "mine"
    assert serving.settle("endpoint")["AsyncInferenceConfig"] == QUEUE


def test_what_cannot_be_answered_says_why_where_failures_go(serving: Account) -> None:
    update(serving, config="broken-queued")
    serving.settle("endpoint")
    assert "ModelError" in answered(serving, ask(serving), "Failure")
    told = ask(serving, **{"X-Amzn-SageMaker-InputLocation": "s3://inputs/missing"})
    assert "s3://inputs/missing" in answered(serving, told, "Failure")
    serving.cloud.denied.add((ROLE, "s3:GetObject"))
    assert "may not read" in answered(serving, ask(serving), "Failure")
    assert outputs(serving) == []


def test_metrics_of_a_queue_are_those_that_sagemaker_publishes(serving: Account) -> None:
    answered(serving, ask(serving))
    told = ask(serving, **{"X-Amzn-SageMaker-InputLocation": "s3://inputs/missing"})
    answered(serving, told, "Failure")
    variant = {"EndpointName": "endpoint", "VariantName": "AllTraffic"}
    of_the_fleet = {**variant, "EndpointConfigName": "double-queued"}
    published = {(name, len(dimensions)) for name, _, dimensions in serving.cloud.metrics}
    assert published == {
        *((name, many) for name in ("Invocation4XXErrors", "Invocation5XXErrors", "ModelLatency") for many in (2, 3)),
        ("InvocationsProcessed", 2),
        ("InvocationFailures", 2),
    }
    assert ("InvocationFailures", 1.0, variant) in serving.cloud.metrics
    assert ("Invocation5XXErrors", 0.0, of_the_fleet) in serving.cloud.metrics


def test_every_input_is_answered_once_while_the_fleet_is_replaced(serving: Account) -> None:
    told = [ask(serving) for _ in range(20)]
    update(serving, routing("CANARY"), config="triple-queued")
    while serving.status("endpoint") == "Updating":
        told.append(ask(serving))
    told += [ask(serving) for _ in range(5)]
    answers = [answered(serving, one) for one in told]
    assert set(answers) <= {"2.0", "3.0"}
    assert answers[-5:] == ["3.0"] * 5
    assert len(outputs(serving)) == len(told)


def refused(account: Account, endpoint: str = "endpoint", body: bytes = b"", **headers: str) -> str:
    given = {"X-Amzn-SageMaker-InputLocation": "s3://inputs/1", **headers}
    with pytest.raises(ApiError) as raised:
        account.service.invoke_async(account.number, account.region, endpoint, given, body)
    return str(raised.value)


def test_each_kind_of_endpoint_is_asked_in_its_own_way(serving: Account) -> None:
    serving.serve("at-once", "double")
    assert "is not asynchronous: use InvokeEndpoint" in refused(serving, "at-once")
    with pytest.raises(ApiError, match="is asynchronous: use InvokeEndpointAsync"):
        serving.invoke("endpoint", "1")
    for name, config in (("at-once", "double-queued"), ("endpoint", "double")):
        told = serving.refusal("UpdateEndpoint", EndpointName=name, EndpointConfigName=config)
        assert "cannot change whether it is asynchronous" in told


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"endpoint": "missing"}, "ValidationError: Endpoint missing of account 111122223333 not found"),
        ({"X-Amzn-SageMaker-InputLocation": "https://example.com/1"}, "InputLocation has to be an object in S3"),
        ({"X-Amzn-SageMaker-Filename": "a.csv"}, "UnsupportedOperationException"),
        ({"X-Amzn-SageMaker-S3OutputPathExtension": "a"}, "UnsupportedOperationException"),
        ({"body": b"1"}, "UnsupportedOperationException"),
    ],
)
def test_what_cannot_be_queued_is_refused(serving: Account, request_: dict[str, Any], said: str) -> None:
    assert said in refused(serving, **request_)
