"""HTTP APIs: a web address of their own, root users' signatures, cookies, and failing functions."""

import json
from contextvars import ContextVar
from typing import Any

from ministack import app as gateway
from ministack.core import iam_evaluator
from ministack.services import apigateway, lambda_svc

from localcloud.conformance.patching import wraps
from localcloud.settings import HUB_ACCOUNT_ID

_pinning_an_api_call: ContextVar[bool] = ContextVar("pinning_an_api_call", default=False)


def answer_at(web_port: int) -> None:
    """Serve the hub account's HTTP API at the root of a port of its own.

    On AWS an API has a host name; on a laptop names below `execute-api.localhost` do not resolve everywhere, and a
    path prefix would break links that begin with a slash.
    """

    def for_the_web(host: str) -> bool:
        return host.rpartition(":")[2] == str(web_port)

    @wraps(gateway, "_handle_pre_body_request")
    async def before_body(original: Any, method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        # Paths such as /health or /login belong to the emulator on its own port only.
        return None if for_the_web(headers.get("host", "")) else await original(method, path, headers, *rest)

    @wraps(gateway, "_handle_post_body_shortcuts")
    async def after_body(original: Any, method: str, path: str, headers: dict[str, str], *rest: Any) -> Any:
        return None if for_the_web(headers.get("host", "")) else await original(method, path, headers, *rest)

    @wraps(gateway, "_parse_execute_api_url")
    def parse(original: Any, host: str, path: str) -> tuple[str, str, str] | None:
        if not for_the_web(host):
            return original(host, path)
        api_id = newest_api()
        if api_id is None:
            return None
        stage, _, rest = path.lstrip("/").partition("/")
        return api_id, stage or "$default", f"/{rest}" if rest or path.endswith("/") else "/"


def newest_api() -> str | None:
    """The id of the HTTP API that was created last in the hub account."""
    apis = [
        api
        for (account_id, *_), api in apigateway._apis._data.items()
        if account_id == HUB_ACCOUNT_ID and api.get("protocolType") == "HTTP"
    ]
    return apis[-1]["apiId"] if apis else None


def check_root_signatures() -> None:
    """The emulator takes a root user's key at its word; a route with AWS_IAM checks every signature on AWS.

    Other services keep trusting root keys: the laptop's owner is root of all its accounts anyway.
    """

    @wraps(iam_evaluator, "_is_root_key")
    def is_root(original: Any, access_key_id: str) -> bool:
        return bool(original(access_key_id)) and not (access_key_id and _pinning_an_api_call.get())

    @wraps(gateway, "pin_signed_request")
    def pin(original: Any, method: str, path: str, query: Any, headers: list[tuple[bytes, bytes]], **rest: Any) -> None:
        to_an_api = any(name.lower() == b"authorization" and b"/execute-api/" in value for name, value in headers)
        token = _pinning_an_api_call.set(to_an_api)
        try:
            original(method, path, query, headers, **rest)
        finally:
            _pinning_an_api_call.reset(token)


def hide_function_errors() -> None:
    """The emulator answers 502 with the function's exception; an HTTP API answers 500 and says nothing."""

    @wraps(lambda_svc, "lambda_execute_result_to_api_proxy_response")
    def respond(original: Any, result: dict[str, Any]) -> Any:
        if result.get("error") and not result.get("throttle"):
            body = json.dumps({"message": "Internal Server Error"})
            return {"statusCode": 500, "headers": {"Content-Type": "application/json"}, "body": body}, None
        return original(result)


def hand_on_cookies() -> None:
    """The emulator leaves cookies among the headers; payload format 2.0 has them in a list of their own, and there alone."""

    @wraps(lambda_svc, "_execute_function_with_config_scope")
    def execute(original: Any, function: Any, event: Any, *rest: Any, **keywords: Any) -> Any:
        if isinstance(event, dict) and event.get("version") == "2.0" and "cookie" in (event.get("headers") or {}):
            headers = dict(event["headers"])
            cookies = [one.strip() for one in headers.pop("cookie").split(";") if one.strip()]
            event = {**event, "headers": headers, "cookies": cookies}
        return original(function, event, *rest, **keywords)


def install(web_port: int) -> None:
    """Apply every patch of this service."""
    check_root_signatures()
    hide_function_errors()
    hand_on_cookies()
    answer_at(web_port)
