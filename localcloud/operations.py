"""Which operation of AWS's API a request is, and the parameters that tell what it is about.

Read from the request as the SDK writes it, not from the emulator's table of IAM actions: the two are held against each other.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from botocore.session import get_session

NAMES = frozenset(
    {
        "AlarmName", "EndpointConfigName", "EndpointName", "ExecutionRoleArn", "GroupName", "IndexName",
        "ModelName", "ModelPackageArn", "ModelPackageName", "Name", "ResourceArn", "ResourceId", "RoleArn", "TableName", "TopicArn",
        "executionArn", "name", "stateMachineArn",
    }
)  # fmt: skip
"""Parameters that name something. Everything else may be a secret or a person's data, and is not kept."""

RPC_PATH = re.compile(r"/service/[^/]+/operation/(\w+)")
REST_SERVICES = {"scheduler": "scheduler", "sagemaker-runtime": "sagemaker-runtime", "lambda": "lambda"}

S3_SUBRESOURCES = (
    # Method, the parameter that tells it from its siblings, operation.
    ("POST", "uploads", "CreateMultipartUpload"),
    ("GET", "uploads", "ListMultipartUploads"),
    ("PUT", "partNumber", "UploadPart"),
    ("POST", "uploadId", "CompleteMultipartUpload"),
    ("DELETE", "uploadId", "AbortMultipartUpload"),
)
S3_OPERATIONS = {
    ("GET", True): "GetObject",
    ("HEAD", True): "HeadObject",
    ("PUT", True): "PutObject",
    ("DELETE", True): "DeleteObject",
    ("GET", False): "ListObjects",
    ("HEAD", False): "HeadBucket",
}


def operation_of(service: str, method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> str:
    """The operation's name as boto3 documents it, or an empty string. `query` includes the fields of a form."""
    target = headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if "Action" in query:
        return _first(query["Action"])
    if found := RPC_PATH.fullmatch(path):
        return found.group(1)
    if service == "s3":
        return _s3_operation(method, path, headers, query)
    for operation, verb, pattern in _routes(REST_SERVICES.get(service, "")):
        if verb == method and pattern.fullmatch(path):
            return operation
    return ""


def _s3_operation(method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> str:
    has_key = len(path.strip("/").split("/")) > 1
    for verb, parameter, operation in S3_SUBRESOURCES:
        if verb == method and parameter in query:
            return operation
    if method == "PUT" and has_key and "x-amz-copy-source" in headers:
        return "CopyObject"
    return S3_OPERATIONS.get((method, has_key), "")


@lru_cache
def _routes(service: str) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """The operations of a REST service with their methods and paths, the most literal paths first."""
    if not service:
        return ()
    model = get_session().get_service_model(service)
    traits = [(name, model.operation_model(name).http) for name in model.operation_names]
    ordered = sorted(traits, key=lambda one: len(re.sub(r"\{[^}]*\}", "", one[1]["requestUri"])), reverse=True)
    return tuple((name, http["method"], _pattern(http["requestUri"])) for name, http in ordered)


def _pattern(uri: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]*\})", urlsplit(uri).path)
    return re.compile(
        "".join(".+" if part.endswith("+}") else "[^/]+" if part.startswith("{") else re.escape(part) for part in parts)
    )


def telling_parameters(headers: dict[str, str], body: bytes, query: dict[str, Any]) -> dict[str, Any]:
    """The names in a request, the kinds of a transaction's items, and whether a version, a role or tags are in it."""
    document = _document(headers, body)
    told: dict[str, Any] = {name: document[name] for name in NAMES & set(document) if isinstance(document[name], str)}
    told |= {name: _first(query[name]) for name in NAMES & set(query)}
    if "versionId" in query:
        told["VersionId"] = _first(query["versionId"])
    source = headers.get("x-amz-copy-source")
    if source:
        told["CopySource"] = source
    if document.get("Tags"):
        told["Tags"] = True
    items = document.get("TransactItems")
    if isinstance(items, list):
        told["TransactItems"] = sorted({kind for item in items if isinstance(item, dict) for kind in item})
    if isinstance(target := document.get("Target"), dict) and "RoleArn" in target:
        told["RoleArn"] = target["RoleArn"]
    return told


def _document(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    # A model's input and an object's content may be JSON too; what names something is in the path there.
    if "json" not in headers.get("content-type", "json") or not body.startswith(b"{"):
        return {}
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _first(value: Any) -> str:
    return str(value[0] if isinstance(value, list) and value else value)
