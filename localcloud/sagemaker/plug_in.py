"""Puts the local SageMaker into the emulator: one endpoint for the AWS CLI, boto3, Lambdas and state machines."""

import asyncio
import contextvars
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import stepfunctions

from localcloud.sagemaker import authorization, scaling, validation
from localcloud.sagemaker.cloud import JsonObject, Place
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.ministack_cloud import MinistackCloud
from localcloud.sagemaker.service import LocalSageMaker

Headers = dict[str, str]
Response = tuple[int, Headers, bytes]

CONTROL, RUNTIME = "sagemaker", "sagemaker-runtime"
JSON_TYPE = "application/x-amz-json-1.1"
THREADS = 64
"""Calls that can wait at once, most of them for models."""

logger = logging.getLogger(__name__)


def install(run_folder: Path, clock_scale: float) -> Callable[[], None]:
    """Plug SageMaker into ministack; returns what ends it again, with everything it started.

    `run_folder` gets the work of containers, and their logs below `logs/sagemaker`. `clock_scale` shortens waits.
    """
    cloud = MinistackCloud(run_folder)
    service = LocalSageMaker(cloud, run_folder, clock_scale)
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sagemaker")
    # The service model takes a second to read; the first caller should not wait for it.
    pool.submit(validation.service_model)
    handlers = _Handlers(service, pool)
    app.SERVICE_HANDLERS[CONTROL] = handlers.control
    app.SERVICE_HANDLERS[RUNTIME] = handlers.runtime
    app.SERVICE_HANDLERS[scaling.SERVICE] = handlers.scaling
    _route()
    _authorize()
    stepfunctions._AWS_SDK_SERVICE_MAP["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["sagemaker"] = "SageMaker"

    def close() -> None:
        service.close()
        pool.shutdown(wait=False, cancel_futures=True)
        cloud.close()

    return close


class _Handlers:
    """The emulator's way to the service: HTTP in, HTTP out."""

    def __init__(self, service: LocalSageMaker, pool: ThreadPoolExecutor) -> None:
        self._service = service
        self._pool = pool

    async def control(
        self, _method: str, _path: str, headers: Headers, body: bytes, _query: dict[str, Any]
    ) -> Response:
        """Answer an operation of the control plane (JSON 1.1)."""
        return await self._answer(JSON_TYPE, lambda: self._handle(headers, body))

    async def runtime(self, method: str, path: str, headers: Headers, body: bytes, _query: dict[str, Any]) -> Response:
        """Answer InvokeEndpoint and InvokeEndpointAsync (REST-JSON)."""
        return await self._answer("application/json", lambda: self._invoke(method, path, headers, body))

    async def scaling(
        self, _method: str, _path: str, headers: Headers, body: bytes, _query: dict[str, Any]
    ) -> Response:
        """Answer an operation of Application Auto Scaling (JSON 1.1)."""
        return await self._answer(JSON_TYPE, lambda: self._scale(headers, body))

    async def _answer(self, error_type: str, work: Callable[[], Response]) -> Response:
        """Do the work on a thread, with the request's account and region, and put refusals into documents."""
        context = contextvars.copy_context()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, work)
        except ApiError as error:
            document = {"__type": error.code, "message": error.message, "Message": error.message, **error.details}
            headers = {"Content-Type": error_type, "x-amzn-errortype": error.code}
            return error.status, headers, json.dumps(document).encode()
        except Exception:
            logger.exception("SageMaker failed")
            document = {"__type": "InternalFailure", "message": "The laptop's SageMaker failed; its log says why."}
            return (
                500,
                {"Content-Type": error_type, "x-amzn-errortype": "InternalFailure"},
                json.dumps(document).encode(),
            )

    def _handle(self, headers: Headers, body: bytes) -> Response:
        operation, parameters, place = _asked(headers, body)
        denied = _denied(_checks_beyond(operation, parameters, place), parameters, CONTROL, headers)
        if denied is not None:
            return denied
        caller = iam_evaluator.request_caller_arn(headers)
        answer = self._service.handle(place.account, place.region, operation, parameters, caller)
        return 200, {"Content-Type": JSON_TYPE}, json.dumps(answer).encode()

    def _scale(self, headers: Headers, body: bytes) -> Response:
        operation, parameters, place = _asked(headers, body)
        checks = self._service.scaling.further_checks(operation, parameters, place)
        denied = _denied(checks, parameters, scaling.SERVICE, headers)
        if denied is not None:
            return denied
        caller = iam_evaluator.request_caller_arn(headers)
        answer = self._service.scaling.handle(place, operation, parameters, caller)
        return 200, {"Content-Type": JSON_TYPE}, json.dumps(answer).encode()

    def _invoke(self, method: str, path: str, headers: Headers, body: bytes) -> Response:
        if method != "POST" or not path.endswith(("/invocations", "/async-invocations")):
            raise ApiError("UnsupportedOperationException", f"The laptop's AWS does not have {method} {path}.", 501)
        name = authorization.endpoint_of(path)
        queued = path.endswith("/async-invocations")
        ask = self._service.invoke_async if queued else self._service.invoke
        answer = ask(get_account_id(), get_region(), name, headers, body)
        return 202 if queued else 200, dict(answer.headers), answer.body


def _route() -> None:
    """Send SageMaker's requests to SageMaker; the control plane and the runtime sign with the same name."""
    router.SERVICE_PATTERNS[CONTROL] = {"target_prefixes": ["SageMaker."], "host_patterns": [r"api\.sagemaker\."]}
    router.SERVICE_PATTERNS[scaling.SERVICE] = {"target_prefixes": ["AnyScaleFrontendService."]}
    router.SERVICE_PATTERNS[RUNTIME] = {"host_patterns": [r"runtime\.sagemaker\."]}
    detect = router.detect_service

    def detect_with_runtime(method: str, path: str, headers: Headers, query: dict[str, Any]) -> str:
        signed = "/sagemaker/aws4_request" in headers.get("authorization", "")
        if path.startswith("/endpoints/") and (signed or path.endswith("invocations")):
            return RUNTIME
        return str(detect(method, path, headers, query))

    router.detect_service = app.detect_service = detect_with_runtime


def _authorize() -> None:
    """Teach the emulator's IAM the actions, the resources and the condition keys of SageMaker."""
    iam_actions.SERVICE_TO_IAM_NAMESPACE |= {
        CONTROL: "sagemaker",
        RUNTIME: "sagemaker",
        scaling.SERVICE: scaling.SERVICE,
    }
    iam_actions._BOTOCORE_SERVICE_MAP[RUNTIME] = [RUNTIME]
    iam_actions._BOTOCORE_SERVICE_MAP[CONTROL] = [CONTROL]
    extract, tag_context = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def extract_with_sagemaker(
        service: str,
        method: str,
        path: str,
        headers: Headers,
        body: bytes,
        query: dict[str, Any],
        region: str,
        account: str,
    ) -> str:
        place = Place(account, region)
        if service == RUNTIME:
            return place.arn(f"endpoint/{authorization.endpoint_of(path).lower()}")
        if service == CONTROL:
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            return authorization.resource_arn(operation, authorization.parameters_of(body), place)
        if service == scaling.SERVICE:
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            return scaling.resource_arn(operation, authorization.parameters_of(body), place)
        return str(extract(service, method, path, headers, body, query, region, account))

    def context_with_sagemaker(service: str, action: str, body: bytes, query: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = tag_context(service, action, body, query)
        if service == CONTROL:
            found |= authorization.conditions(authorization.parameters_of(body))
        if service == scaling.SERVICE:
            found |= scaling.conditions(authorization.parameters_of(body))
        return found

    iam_actions.extract_resource_arn = extract_with_sagemaker
    iam_actions.request_tag_context = context_with_sagemaker


def _asked(headers: Headers, body: bytes) -> tuple[str, Any, Place]:
    """The operation of a JSON 1.1 request, its parameters, and where it is asked."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        raise ApiError("SerializationException", "The request body is not JSON.") from None
    return headers.get("x-amz-target", "").rpartition(".")[2], parameters, Place(get_account_id(), get_region())


def _checks_beyond(operation: str, parameters: object, place: Place) -> list[scaling.Check]:
    """What a call of SageMaker needs beside its own action: the second resource, tagging, and passing its roles."""
    if not isinstance(parameters, dict):
        return []
    checks: list[scaling.Check]
    checks = [(action, arn, {}) for action, arn in authorization.further_checks(operation, parameters, place)]
    passed_to = {"iam:PassedToService": authorization.SERVICE_PRINCIPAL}
    return checks + [("iam:PassRole", role, passed_to) for role in authorization.passed_roles(parameters)]


def _denied(
    checks: Sequence[scaling.Check], parameters: object, service: str, headers: Mapping[str, str]
) -> Response | None:
    """Hold further actions against the caller's policies; the emulator has checked the operation's own.

    Calls that come from inside the emulator carry no signature and are not checked.
    """
    access_key = router.extract_access_key_id(dict(headers))
    if not app.AUTH or not access_key:
        return None
    for action, arn, context in checks:
        tags: JsonObject = iam_actions.request_tag_context(CONTROL, action, json.dumps(parameters).encode(), {})
        denied = iam_evaluator.enforce(
            access_key, action, service, get_region(), resource_arn=arn, service_context={**tags, **context}
        )
        if denied is not None:
            status, answer_headers, body = iam_actions.access_denied_response(
                service,
                action,
                getattr(denied, "principal_arn", ""),
                new_uuid(),
                headers=dict(headers),
                resource_arn=arn,
                explicit_deny=getattr(denied, "decision", "") == "Deny",
            )
            return status, answer_headers, body
    return None
