"""HTTP APIs: the OpenAPI body that AWS SAM writes, a web address of their own, and failing functions."""

import json
from contextvars import ContextVar
from typing import Any

from ministack import app as gateway
from ministack.core import iam_evaluator
from ministack.core.responses import new_uuid
from ministack.services import apigateway, lambda_svc
from ministack.services.cloudformation import provisioners

from localcloud.conformance.patching import wraps
from localcloud.settings import HUB_ACCOUNT_ID

INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
ANY_METHOD = "x-amazon-apigateway-any-method"

_pinning_an_api_call: ContextVar[bool] = ContextVar("pinning_an_api_call", default=False)


def import_bodies() -> None:
    """CloudFormation's `Body` creates nothing in the emulator; AWS imports routes, integrations and authorizers."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create, update = handler["create"], handler["update"]

    def create_api(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, properties, stack_name)
        import_body(created[0], properties.get("Body"))
        return created

    def update_api(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **keywords: Any) -> Any:
        updated = update(physical_id, old, new, *rest, **keywords)
        import_body(updated[0], new.get("Body"))
        return updated

    handler["create"], handler["update"] = create_api, update_api


def import_body(api_id: str, body: dict[str, Any] | None) -> None:
    """Replace an API's routes, integrations and authorizers by those of an OpenAPI 3 document."""
    if not body:
        return
    authorizers = import_authorizers(api_id, body)
    routes: dict[str, Any] = {}
    integrations: dict[str, Any] = {}
    for path, operations in (body.get("paths") or {}).items():
        for method, operation in operations.items():
            integration = (operation or {}).get(INTEGRATION)
            if integration is None:
                continue
            integration_id, route_id = new_uuid()[:8], new_uuid()[:8]
            integrations[integration_id] = {"integrationId": integration_id, **integration_fields(integration)}
            security = operation.get("security", body.get("security") or [])
            route = {"RouteKey": route_key(path, method), "Target": f"integrations/{integration_id}"}
            route |= authorization(security, authorizers)
            routes[route_id] = {"routeId": route_id, **provisioners._apigw_v2_route_props(route)}
    apigateway._routes[api_id], apigateway._integrations[api_id] = routes, integrations


def route_key(path: str, method: str) -> str:
    """`GET /releases/{release}` for an operation, `$default` for the catch-all path."""
    if path == "/$default":
        return "$default"
    return f"{'ANY' if method == ANY_METHOD else method.upper()} {path}"


def integration_fields(integration: dict[str, Any]) -> dict[str, Any]:
    """An integration record from its OpenAPI extension."""
    fields: dict[str, Any] = provisioners._apigw_v2_integration_props(
        {
            "IntegrationType": str(integration.get("type", "AWS_PROXY")).upper(),
            "IntegrationUri": integration.get("uri", ""),
            "IntegrationMethod": integration.get("httpMethod", "POST"),
            "PayloadFormatVersion": str(integration.get("payloadFormatVersion", "2.0")),
        }
    )
    return fields


def import_authorizers(api_id: str, body: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Create the body's authorizers; returns the route fields that each security scheme stands for."""
    chosen: dict[str, dict[str, str]] = {}
    apigateway._authorizers[api_id] = {}
    schemes = (body.get("components") or {}).get("securitySchemes") or body.get("securityDefinitions") or {}
    for name, scheme in schemes.items():
        authorizer = scheme.get(AUTHORIZER) or {}
        if scheme.get("x-amazon-apigateway-authtype") == "awsSigv4":
            chosen[name] = {"AuthorizationType": "AWS_IAM"}
            continue
        kind = "JWT" if authorizer.get("type") == "jwt" else "CUSTOM"
        authorizer_id = new_uuid()[:8]
        apigateway._authorizers[api_id][authorizer_id] = authorizer_record(authorizer_id, name, authorizer)
        chosen[name] = {"AuthorizationType": kind, "AuthorizerId": authorizer_id}
    return chosen


def authorizer_record(authorizer_id: str, name: str, authorizer: dict[str, Any]) -> dict[str, Any]:
    """An authorizer as the API describes it."""
    source = authorizer.get("identitySource") or "$request.header.Authorization"
    jwt = authorizer.get("jwtConfiguration") or {}
    return {
        "authorizerId": authorizer_id,
        "name": name,
        "authorizerType": "JWT" if authorizer.get("type") == "jwt" else "REQUEST",
        "identitySource": source if isinstance(source, list) else [part.strip() for part in source.split(",")],
        "jwtConfiguration": {"issuer": jwt.get("issuer", ""), "audience": jwt.get("audience", [])},
        "authorizerUri": authorizer.get("authorizerUri", ""),
        "authorizerPayloadFormatVersion": str(authorizer.get("authorizerPayloadFormatVersion", "2.0")),
        "authorizerResultTtlInSeconds": authorizer.get("authorizerResultTtlInSeconds", 300),
        "enableSimpleResponses": authorizer.get("enableSimpleResponses", False),
    }


def authorization(security: list[dict[str, Any]], authorizers: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The authorization fields of a route, from the first security requirement that names a known scheme."""
    for requirement in security:
        for name, scopes in requirement.items():
            if name in authorizers:
                return authorizers[name] | ({"AuthorizationScopes": scopes} if scopes else {})
    return {"AuthorizationType": "NONE"}


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


def install(web_port: int) -> None:
    """Apply every patch of this service."""
    import_bodies()
    check_root_signatures()
    hide_function_errors()
    answer_at(web_port)
