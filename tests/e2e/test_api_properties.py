"""Whatever a program sends to the API, the answer is one that its OpenAPI document promises."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from functions.serve_web.api import DOCUMENT
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.conftest import Figure
from tests.e2e.harness import Cloud
from tests.e2e.test_the_web import token
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

EXAMPLES = 20
"""Requests of each kind to each operation; a request takes some 20 ms."""
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Signed(requests.auth.AuthBase):
    """The signature of the hub's root, who is no approver of anything."""

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        kept = {name: value for name, value in prepared.headers.items() if name.lower() == "content-type"}
        request = AWSRequest(str(prepared.method), str(prepared.url), data=prepared.body or b"", headers=kept)
        SigV4Auth(Credentials(HUB_ACCOUNT_ID, SECRET_ACCESS_KEY), "execute-api", REGION).add_auth(request)
        prepared.headers.update(dict(request.headers.items()))
        return prepared


def operations() -> Iterator[Any]:
    """Every operation of the document."""
    for found in schemathesis.openapi.from_path(DOCUMENT).get_all_operations():
        yield found.ok()


BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def statuses_of(operation: Any, cloud: Cloud, bearer: str) -> list[int]:
    """What made-up requests to an operation were answered with; each answer is held against the document."""
    by_aws = any("aws" in requirement for requirement in operation.definition.raw.get("security", []))
    how: dict[str, Any] = {"auth": Signed()} if by_aws else {"headers": {"Authorization": f"Bearer {bearer}"}}
    statuses: list[int] = []

    def ask(case: Any) -> None:
        response = case.call(base_url=cloud.running.web_url, timeout=PATIENCE, **how)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    kinds = [GenerationMode.POSITIVE]
    if operation.definition.raw.get("parameters") or operation.definition.raw.get("requestBody"):
        # What the document forbids is answered as well.
        kinds.append(GenerationMode.NEGATIVE)
    for kind in kinds:
        BOUNDED(given(case=operation.as_strategy(generation_mode=kind))(ask))()
    return statuses


def test_no_request_makes_the_api_fail_or_answer_what_its_document_does_not_say(cloud: Cloud, figure: Figure) -> None:
    began, bearer = time.monotonic(), token(cloud)
    seen = {operation.label: statuses_of(operation, cloud, bearer) for operation in operations()}
    told = "; ".join(f"{label}: {sorted(set(statuses))}" for label, statuses in sorted(seen.items()))
    count, took = sum(map(len, seen.values())), time.monotonic() - began
    figure(
        f"made-up requests to the API in {took:.0f} s", f"{count}, 0 failed or were answered otherwise ({told})", "0"
    )
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    assert set(seen) == {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}, told
    assert all(status < 500 for statuses in seen.values() for status in statuses), told
    # Not only refusals: the routes that read without a name of something were answered.
    assert all(200 in seen[f"GET /api/{what}"] for what in ("releases", "groups", "openapi.json")), told
