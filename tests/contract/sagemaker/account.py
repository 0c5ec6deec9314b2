"""One account's view of a local SageMaker, and small models to put into it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.service import LocalSageMaker
from tests.contract.sagemaker.in_memory_cloud import InMemoryCloud

REGISTRY = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SCIKIT_LEARN = f"{REGISTRY}/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = f"{REGISTRY}/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::111122223333:role/models"

DOUBLING = """
import json

def model_fn(model_dir):
    return 2.0

def predict_fn(rows, factor):
    return rows * factor
"""


def archive(files: Mapping[str, str | bytes]) -> bytes:
    """A model.tar.gz of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class Account:
    """Calls a LocalSageMaker as one principal of one account."""

    service: LocalSageMaker
    cloud: InMemoryCloud
    number: str = "111122223333"
    region: str = "us-east-1"
    caller: str = "arn:aws:iam::111122223333:user/ada"

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.service.handle(self.number, self.region, operation, parameters, self.caller)

    def refusal(self, operation: str, **parameters: Any) -> str:
        """The refusal of a call, as `Code: message`."""
        with pytest.raises(ApiError) as raised:
            self.call(operation, **parameters)
        return str(raised.value)

    def invoke(self, endpoint: str, body: str | bytes, **headers: str) -> tuple[str, Mapping[str, str]]:
        """The body and the headers of an answer; `content_type="text/csv"` and so on become headers."""
        named = {"content-type": "text/csv", **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = body.encode() if isinstance(body, str) else body
        answer = self.service.invoke(self.number, self.region, endpoint, named, data)
        return answer.body.decode(), answer.headers

    def add_config(self, name: str, script: str = DOUBLING, *, instances: int = 1, **files: str | bytes) -> None:
        """A model served by `script` and an endpoint configuration of one variant of it, all of one name."""
        uri = f"s3://models/{name}/model.tar.gz"
        self.cloud.objects[uri] = archive({"code/inference.py": script, **files})
        self.add_model(name, uri, SCIKIT_LEARN)
        self.add_variants(name, instances=instances)

    def add_model(self, name: str, uri: str, image: str, **environment: str) -> None:
        container = {"Image": image, "ModelDataUrl": uri, "Environment": environment}
        self.call("CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def add_variants(self, name: str, *, instances: int = 1, **weights: float) -> None:
        """An endpoint configuration whose variants all use the model of its name."""
        variants = [
            {
                "VariantName": variant,
                "ModelName": name,
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": instances,
                "InitialVariantWeight": weight,
            }
            for variant, weight in (weights or {"AllTraffic": 1.0}).items()
        ]
        self.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=variants)

    def status(self, endpoint: str) -> str:
        return str(self.call("DescribeEndpoint", EndpointName=endpoint)["EndpointStatus"])

    def settle(self, endpoint: str) -> dict[str, Any]:
        """Wait until no change to the endpoint is under way; returns its description."""
        self.cloud.wait_for(lambda: self.status(endpoint) in ("InService", "Failed", "UpdateRollbackFailed"))
        return self.call("DescribeEndpoint", EndpointName=endpoint)

    def serve(self, endpoint: str, config: str) -> dict[str, Any]:
        """Create an endpoint and wait for it."""
        self.call("CreateEndpoint", EndpointName=endpoint, EndpointConfigName=config)
        return self.settle(endpoint)
