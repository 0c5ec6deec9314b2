"""InvokeEndpointAsync: a request is read from S3 and answered there, once, whatever becomes of the fleet meanwhile."""

import json
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from localcloud.sagemaker import scope
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.containers import containers_of
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.invocations import CUSTOM_ATTRIBUTES, Invocation, Invocations
from localcloud.sagemaker.store import Store

WORKERS = 8
"""Requests of all endpoints that are under way at once; the others wait in the queue."""
INPUT, INFERENCE_ID = "x-amzn-sagemaker-inputlocation", "x-amzn-sagemaker-inference-id"
TO_CONTAINER = {"content-type": "x-amzn-sagemaker-content-type", "accept": "x-amzn-sagemaker-accept"}
"""Headers of the container's request, with those of the caller that become them."""
NOT_THERE = {"x-amzn-sagemaker-s3outputpathextension": "S3OutputPathExtension", "x-amzn-sagemaker-filename": "Filename"}


@dataclass(frozen=True)
class Queued:
    """A request that was accepted: where it is read, and where its answer or its failure goes."""

    place: Place
    endpoint_name: str
    variant: str
    headers: Mapping[str, str]
    role_arn: str
    input: str
    output: str
    failure: str


class AsyncInvocations:
    """The queue of asynchronous endpoints."""

    def __init__(self, store: Store, cloud: Cloud, invocations: Invocations) -> None:
        self._store = store
        self._cloud = cloud
        self._invocations = invocations
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="async")

    def close(self) -> None:
        """Answer no further requests."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def accept(self, place: Place, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Invocation:
        """Queue a request and say where its answer will be. Header names are in lower case.

        Raises ApiError: ValidationError for an endpoint that is not asynchronous or a missing input, UnsupportedOperationException
        for what chooses what is not there.
        """
        given: JsonObject = {member: headers[name] for name, member in NOT_THERE.items() if name in headers}
        scope.check("InvokeEndpointAsync", given | ({"Body": True} if body else {}))
        endpoint = self._store.world(place).endpoints.get(endpoint_name.lower(), {})
        config = endpoint.get("AsyncInferenceConfig")
        if endpoint.get("EndpointName") != endpoint_name or endpoint["EndpointStatus"] in ("Creating", "Failed"):
            raise ApiError("ValidationError", f"Endpoint {endpoint_name} of account {place.account} not found.")
        if config is None:
            raise ApiError("ValidationError", f"Endpoint {endpoint_name} is not asynchronous: use InvokeEndpoint.")
        if not headers.get(INPUT, "").startswith("s3://"):
            raise ApiError("ValidationError", "InputLocation has to be an object in S3.")
        queued = self._queue(place, endpoint, config["OutputConfig"], headers)
        self._workers.submit(self._answer, queued)
        inference_id = headers.get(INFERENCE_ID) or str(uuid4())
        told = {"X-Amzn-SageMaker-OutputLocation": queued.output, "X-Amzn-SageMaker-FailureLocation": queued.failure}
        return Invocation(
            json.dumps({"InferenceId": inference_id}).encode(), {"Content-Type": "application/json", **told}
        )

    def _queue(self, place: Place, endpoint: JsonObject, output: JsonObject, headers: Mapping[str, str]) -> Queued:
        config = self._store.world(place).configs[endpoint["EndpointConfigName"]]
        variant = config["ProductionVariants"][0]
        number = uuid4()
        failures = output.get("S3FailurePath")
        sent = {name: headers[given] for name, given in TO_CONTAINER.items() if given in headers}
        sent |= {name: headers[name] for name in (CUSTOM_ATTRIBUTES, INFERENCE_ID) if name in headers}
        return Queued(
            place,
            endpoint["EndpointName"],
            variant["VariantName"],
            sent,
            containers_of(self._store, place, variant["ModelName"])[0].role_arn,
            headers[INPUT],
            f"{output['S3OutputPath'].rstrip('/')}/{number}.out",
            f"{failures.rstrip('/')}/{number}-error.out" if failures else "",
        )

    def _answer(self, queued: Queued) -> None:
        try:
            answer = self._ask(queued)
        except (ApiError, OSError) as error:
            self._count(queued, "InvocationFailures")
            if queued.failure:
                self._write(queued, queued.failure, str(error).encode())
            return
        self._count(queued, "InvocationsProcessed")
        self._write(queued, queued.output, answer)

    def _count(self, queued: Queued, metric: str) -> None:
        dimensions = {"EndpointName": queued.endpoint_name, "VariantName": queued.variant}
        self._cloud.put_metric(queued.place, metric, 1.0, "Count", dimensions)

    def _ask(self, queued: Queued) -> bytes:
        if not self._cloud.may(queued.place, queued.role_arn, "s3:GetObject", queued.input):
            raise ApiError("ValidationError", f"{queued.role_arn} may not read {queued.input}.")
        body = self._cloud.read(queued.place, queued.input)
        return self._invocations.ask(queued.place, queued.endpoint_name, queued.headers, body).body

    def _write(self, queued: Queued, uri: str, content: bytes) -> None:
        if not self._cloud.may(queued.place, queued.role_arn, "s3:PutObject", uri):
            return  # On AWS nothing is written either, and nobody is told.
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self._cloud.upload(queued.place, Path(file.name), uri)
