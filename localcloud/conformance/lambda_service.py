"""Lambda: asynchronous invocations and payload limits."""

import json
import logging
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc

from localcloud.clock import CLOCK
from localcloud.conformance import service_roles
from localcloud.conformance.events import send_to_queue
from localcloud.conformance.patching import replaces, wraps
from localcloud.settings import PAYLOAD_LIMIT_BYTES

ASYNCHRONOUS_RETRY_PAUSE_SECONDS = 60
SYNCHRONOUS_LIMIT_BYTES = 6_291_456

logger = logging.getLogger(__name__)


def scale_retry_pauses() -> None:
    """The emulator repeats an asynchronous invocation after 1 and 2 s; AWS after 1 and 2 min, here scaled."""
    pause = CLOCK.shorten(ASYNCHRONOUS_RETRY_PAUSE_SECONDS)
    replaces(lambda_svc, "_LAMBDA_ASYNC_RETRY_BASE_SECONDS", pause)
    replaces(lambda_svc, "_LAMBDA_ASYNC_RETRY_MAX_SECONDS", 2 * pause)


def send_dead_letters_as_they_came() -> None:
    """A function's DeadLetterConfig queue gets the event itself with three attributes, where the function's role may write.

    The emulator writes the envelope of an on-failure destination, which AWS writes for destinations only, and asks nobody.
    """

    @wraps(lambda_svc, "_route_async_failure")
    def route(original: Any, target_arn: str, function_name: str, event: Any, result: dict[str, Any]) -> None:
        config = (lambda_svc._functions.get(function_name) or {}).get("config") or {}
        dead_letter_arn = (config.get("DeadLetterConfig") or {}).get("TargetArn")
        if target_arn != dead_letter_arn or ":sqs:" not in target_arn:
            original(target_arn, function_name, event, result)
            return
        role = str(config.get("Role", ""))
        why = service_roles.refusal(role, "lambda.amazonaws.com", "sqs:SendMessage", target_arn)
        if why:
            logger.error("The event is lost: %s", why)
            return
        body = result.get("body")
        message = body.get("errorMessage") if isinstance(body, dict) else str(body)
        attributes = {
            "RequestID": lambda_svc.new_uuid(),
            "ErrorCode": "200",
            # AWS cuts the message at one kilobyte.
            "ErrorMessage": str(message)[:1024],
        }
        send_to_queue(target_arn, json.dumps(event), attributes)


def refuse_oversized_invocations() -> None:
    """The emulator accepts any payload; AWS 262,144 bytes for an asynchronous and 6 MiB for a synchronous call."""

    @wraps(lambda_svc, "_invoke")
    async def invoke(original: Any, name: str, event: Any, headers: dict[str, str], *rest: Any, **keywords: Any) -> Any:
        kind = headers.get("x-amz-invocation-type", "RequestResponse")
        limit = PAYLOAD_LIMIT_BYTES if kind == "Event" else SYNCHRONOUS_LIMIT_BYTES
        size = len(json.dumps(event, separators=(",", ":")).encode())
        if size > limit:
            message = f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"
            return error_response_json("RequestTooLargeException", message, 413)
        return await original(name, event, headers, *rest, **keywords)


def install() -> None:
    """Apply every patch of this service."""
    scale_retry_pauses()
    send_dead_letters_as_they_came()
    refuse_oversized_invocations()
