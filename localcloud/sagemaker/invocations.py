"""InvokeEndpoint: a request's way to a model and back, and the metrics it leaves."""

import http.client
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import uuid4

from localcloud.sagemaker import scope
from localcloud.sagemaker.capture import Captures
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.deployments import Deployments
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.fleet import Answer, FleetStoppedError
from localcloud.sagemaker.serving import Generation
from localcloud.sagemaker.store import Store

CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
FORWARDED = ("x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id")
NOT_THERE = {
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations",
    "x-amzn-sagemaker-inference-component": "InferenceComponentName",
    "x-amzn-sagemaker-prefix-aware-id": "PrefixAwareId",
    "x-amzn-sagemaker-session-id": "SessionId",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname",
    "x-amzn-sagemaker-target-model": "TargetModel",
}
"""Headers that choose what is not there, with the parameters that they carry."""
COPIES = 8
"""Copies that are on their way to shadow variants at once."""
LARGEST_BODY_BYTES = 25 * 1024 * 1024
NOT_OF_A_QUEUE = ("Invocations", "OverheadLatency")
"""Metrics that SageMaker does not publish of asynchronous endpoints."""
SILENT = Answer(
    504,
    "text/plain",
    {},
    b"Your invocation timed out while waiting for a response from container primary. Review the latency metrics for each "
    b"container in Amazon CloudWatch, resolve the issue, and try again.",
    0.0,
)
GONE = Answer(503, "text/plain", {}, b"The container is not running.", 0.0)


@dataclass(frozen=True)
class Invocation:
    """A model's answer as InvokeEndpoint gives it: the body as it is, the rest in headers."""

    body: bytes
    headers: Mapping[str, str]


class Invocations:
    """The runtime side of endpoints."""

    def __init__(self, store: Store, cloud: Cloud, deployments: Deployments, captures: Captures) -> None:
        self._store = store
        self._cloud = cloud
        self._deployments = deployments
        self._captures = captures
        # Copies for shadow variants: whoever asked has their answer already.
        self._copies = ThreadPoolExecutor(COPIES, thread_name_prefix="shadow")

    def close(self) -> None:
        """Send no further copies to shadow variants."""
        self._copies.shutdown(wait=False, cancel_futures=True)

    def invoke(self, place: Place, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Invocation:
        """Answer InvokeEndpoint; an asynchronous endpoint is asked through its queue alone (ValidationError). Raises as `ask`."""
        endpoint: JsonObject = self._store.world(place).endpoints.get(endpoint_name.lower(), {})
        if endpoint.get("AsyncInferenceConfig"):
            raise ApiError("ValidationError", f"Endpoint {endpoint_name} is asynchronous: use InvokeEndpointAsync.")
        return self.ask(place, endpoint_name, headers, body)

    def ask(self, place: Place, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Invocation:
        """Send a request to a variant of an endpoint. Header names are in lower case.

        Raises ApiError: UnsupportedOperationException for a header that chooses what is not there, ValidationError for
        an unknown endpoint or variant, ModelError (424) for an answer of the
        container that is not a success.
        """
        began = time.perf_counter()
        scope.check("InvokeEndpoint", {member: headers[name] for name, member in NOT_THERE.items() if name in headers})
        if len(body) > LARGEST_BODY_BYTES:
            raise ApiError("ValidationError", f"The request body exceeds {LARGEST_BODY_BYTES} bytes.", 413)
        while True:
            generation, variant = self._route(place, endpoint_name, headers.get(TARGET_VARIANT))
            try:
                answer = generation.fleets[variant].invoke(body, _to_container(headers))
                break
            except FleetStoppedError:
                # The traffic moved on between the choice and the request; its successor serves already.
                continue
            except TimeoutError:
                answer = SILENT
                break
            except (OSError, http.client.HTTPException):
                answer = GONE
                break
        self._measure(place, endpoint_name, generation, variant, answer, time.perf_counter() - began)
        self._keep_and_copy(place, endpoint_name, generation, variant, headers, body, answer)
        if answer.status >= 400:
            raise _model_error(place, endpoint_name, answer)
        returned = {"Content-Type": answer.content_type, "x-Amzn-Invoked-Production-Variant": variant}
        if CUSTOM_ATTRIBUTES in answer.headers:
            returned["X-Amzn-SageMaker-Custom-Attributes"] = answer.headers[CUSTOM_ATTRIBUTES]
        return Invocation(answer.body, returned)

    def _keep_and_copy(
        self,
        place: Place,
        name: str,
        generation: Generation,
        variant: str,
        headers: Mapping[str, str],
        body: bytes,
        answer: Answer,
    ) -> None:
        """Capture a request and its answer, and send a copy of the request to the shadow variants whose share it falls into."""
        event_id = str(uuid4())
        if variant in generation.captured:
            self._captures.take(generation.captured[variant], event_id, headers, body, answer)
        for shadow, share in generation.shadows.items():
            if random.random() < share:  # noqa: S311 - a share, not a secret
                self._copies.submit(self._copy, place, name, generation, shadow, event_id, headers, body)

    def _copy(
        self,
        place: Place,
        name: str,
        generation: Generation,
        shadow: str,
        event_id: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> None:
        began = time.perf_counter()
        try:
            answer = generation.fleets[shadow].invoke(body, _to_container(headers))
        except FleetStoppedError:
            return
        except (OSError, http.client.HTTPException):
            answer = GONE
        self._measure(place, name, generation, shadow, answer, time.perf_counter() - began)
        if shadow in generation.captured:
            self._captures.take(generation.captured[shadow], event_id, headers, body, answer)

    def _route(self, place: Place, name: str, target: str | None) -> tuple[Generation, str]:
        endpoint: JsonObject = self._store.world(place).endpoints.get(name.lower(), {})
        traffic = self._deployments.traffic.get((place, name.lower()))
        # The control plane does not mind the case of a name, the runtime does.
        if endpoint.get("EndpointName") != name or traffic is None or endpoint["EndpointStatus"] == "Deleting":
            raise ApiError("ValidationError", f"Endpoint {name} of account {place.account} not found.")
        generation = traffic.choose()
        if target is not None:
            if target not in generation.fleets or target in generation.shadows:
                raise ApiError("ValidationError", f"Variant {target} not found for endpoint {name}.")
            return generation, target
        weights = {one["VariantName"]: one["CurrentWeight"] for one in endpoint.get("ProductionVariants", [])}
        names = [one for one in generation.fleets if one not in generation.shadows]
        shares = [weights.get(variant, 1.0) for variant in names]
        if not any(shares):
            raise ApiError("ValidationError", f"No variant of endpoint {name} has a weight.")
        return generation, random.choices(names, shares)[0]  # noqa: S311 - a share, not a secret

    def _measure(
        self, place: Place, name: str, generation: Generation, variant: str, answer: Answer, seconds: float
    ) -> None:
        values = (
            ("Invocations", 1.0, "Count"),
            ("Invocation4XXErrors", float(400 <= answer.status < 500), "Count"),
            ("Invocation5XXErrors", float(answer.status >= 500), "Count"),
            ("ModelLatency", answer.seconds * 1e6, "Microseconds"),
            ("OverheadLatency", max(0.0, seconds - answer.seconds) * 1e6, "Microseconds"),
        )
        queued = bool(self._store.world(place).endpoints.get(name.lower(), {}).get("AsyncInferenceConfig"))
        dimensions = {"EndpointName": name, "VariantName": variant}
        for metric, value, unit in values:
            if queued and metric in NOT_OF_A_QUEUE:
                continue
            self._cloud.put_metric(place, metric, value, unit, dimensions)
            with_config = {**dimensions, "EndpointConfigName": generation.config_name}
            self._cloud.put_metric(place, metric, value, unit, with_config)


def _to_container(headers: Mapping[str, str]) -> dict[str, str]:
    sent = {"Content-Type": headers.get("content-type") or "application/json", "Accept": headers.get("accept") or "*/*"}
    return sent | {name: headers[name] for name in FORWARDED if name in headers}


def _model_error(place: Place, endpoint_name: str, answer: Answer) -> ApiError:
    text = answer.body.decode("utf-8", errors="replace")
    side = "client" if answer.status < 500 else "server"
    # Of a container that said nothing there is no status of its own.
    status = 0 if answer is SILENT else answer.status
    group = f"/aws/sagemaker/Endpoints/{endpoint_name}"
    message = (
        f'Received {side} error ({status}) from {answer.container} with message "{text}". See '
        f"https://{place.region}.console.aws.amazon.com/cloudwatch/home?region={place.region}#logEventViewer:group={group} "
        f"in account {place.account} for more information."
    )
    details: dict[str, object] = {
        "OriginalStatusCode": status,
        "OriginalMessage": text,
        "LogStreamArn": f"arn:aws:logs:{place.region}:{place.account}:log-group:{group}",
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if answer.status < 500 else "INTERNAL_SERVER_ERROR_FROM_MODEL",
    }
    return ApiError("ModelError", message, 424, details)
