"""The HTTP API: open routes, and routes that ask for an AWS signature."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.patience import PATIENCE


def request(method: str, url: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> tuple[int, Any]:
    """The status and parsed JSON body of an HTTP exchange."""
    prepared = urllib.request.Request(url, data=body, method=method, headers=headers or {})  # noqa: S310 - http, 127.0.0.1
    try:
        with urllib.request.urlopen(prepared, timeout=PATIENCE) as response:  # noqa: S310 - as above
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def signed(url: str, credentials: Credentials, body: bytes = b"{}", region: str = REGION) -> tuple[int, Any]:
    prepared = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(credentials, "execute-api", region).add_auth(prepared)
    return request("POST", url, dict(prepared.headers), body)


def role_credentials(cloud: Any, name: str, statements: list[dict[str, Any]]) -> Credentials:
    """Credentials of a new role with the given permissions."""
    iam, document = cloud.client("iam"), {"Version": "2012-10-17"}
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB_ACCOUNT_ID}:root"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document | {"Statement": [trust]}))
    if statements:
        policy = json.dumps(document | {"Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy)
    assumed = cloud.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="ana")["Credentials"]
    return Credentials(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])


def test_an_open_route_gets_payload_format_two(cloud: Any) -> None:
    status, event = request("GET", f"{cloud.running.web_url}/open/a%20name?colour=red")
    assert status == 200
    assert event["version"] == "2.0"
    assert event["routeKey"] == "GET /open/{name}"
    assert event["rawPath"] == "/open/a name"
    assert event["pathParameters"] == {"name": "a name"}
    assert event["queryStringParameters"] == {"colour": "red"}
    assert event["requestContext"]["stage"] == "$default"
    assert "authorizer" not in event["requestContext"]


def test_cookies_have_a_list_of_their_own(cloud: Any) -> None:
    headers = {"Cookie": "a=1; b=2=2", "X-Other": "kept"}
    _, event = request("GET", f"{cloud.running.web_url}/open/x", headers)
    assert event["cookies"] == ["a=1", "b=2=2"]
    assert "cookie" not in event["headers"]
    assert event["headers"]["x-other"] == "kept"


def test_without_cookies_there_is_no_list_of_them(cloud: Any) -> None:
    assert "cookies" not in request("GET", f"{cloud.running.web_url}/open/x")[1]


def test_the_api_answers_under_its_own_host_name_too(cloud: Any) -> None:
    host = f"{cloud.outputs['ApiId']}.execute-api.localhost"
    status, event = request("GET", f"{cloud.running.endpoint_url}/open/here", {"Host": host})
    assert (status, event["pathParameters"]) == (200, {"name": "here"})


@pytest.mark.parametrize("path", ["/nowhere", "/", "/health", "/login", "/_ministack/health"])
def test_an_unknown_route_is_not_found(cloud: Any, path: str) -> None:
    assert request("GET", f"{cloud.running.web_url}{path}") == (404, {"message": "Not Found"})


def test_an_unsigned_request_to_a_signed_route_is_forbidden(cloud: Any) -> None:
    assert request("POST", f"{cloud.running.web_url}/signed", body=b"{}")[0] == 403


def test_a_wrong_signature_is_forbidden(cloud: Any) -> None:
    assert signed(f"{cloud.running.web_url}/signed", Credentials(HUB_ACCOUNT_ID, "wrong"))[0] == 403


def test_a_signature_over_another_body_is_forbidden(cloud: Any) -> None:
    url = f"{cloud.running.web_url}/signed"
    prepared = AWSRequest("POST", url, data=b'{"decision": "reject"}', headers={})
    SigV4Auth(Credentials(HUB_ACCOUNT_ID, SECRET_ACCESS_KEY), "execute-api", REGION).add_auth(prepared)
    assert request("POST", url, dict(prepared.headers), b'{"decision": "approve"}')[0] == 403


def test_a_signed_request_carries_its_callers_identity(cloud: Any, unique: str) -> None:
    name = unique[:40]
    allowed = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    credentials = role_credentials(cloud, name, [allowed])
    status, event = signed(f"{cloud.running.web_url}/signed", credentials)
    assert status == 200
    identity = event["requestContext"]["authorizer"]["iam"]
    assert identity["accountId"] == HUB_ACCOUNT_ID
    assert identity["accessKey"] == credentials.access_key
    assert identity["userArn"] == f"arn:aws:sts::{HUB_ACCOUNT_ID}:assumed-role/{name}/ana"
    assert identity["userId"].endswith(":ana")
    assert identity["callerId"].endswith(":ana")


def test_a_signature_without_permission_is_forbidden(cloud: Any, unique: str) -> None:
    credentials = role_credentials(cloud, unique[:40], [])
    assert signed(f"{cloud.running.web_url}/signed", credentials)[0] == 403


def test_a_failing_function_is_an_internal_error_without_details(cloud: Any) -> None:
    # A POST to the probe without an action echoes; the proxied event always does, so the failure is a lost function.
    functions = cloud.client("lambda")
    name = cloud.outputs["ProbeArn"]
    functions.update_function_configuration(FunctionName=name, Handler="handler.missing")
    try:
        answer = request("GET", f"{cloud.running.web_url}/open/x")
    finally:
        functions.update_function_configuration(FunctionName=name, Handler="handler.handler")
    assert answer == (500, {"message": "Internal Server Error"})
