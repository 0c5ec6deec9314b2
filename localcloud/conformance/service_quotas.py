"""Service Quotas: how many instances endpoints may have."""

import json
from typing import Any

from ministack import app
from ministack.core import iam_actions, router

SERVICE = "service-quotas"
JSON_TYPE = "application/x-amz-json-1.1"
ALLOWED = 40.0
"""Of every type; AWS begins with less of most, and gives more when it is asked."""
TYPES = tuple(f"ml.{family}.{size}" for family in ("m5", "c5", "m6i", "c6i") for size in ("large", "xlarge", "2xlarge"))


def install() -> None:
    """Answer ListServiceQuotas for SageMaker's endpoints; nothing here counts instances, so no quota is ever enforced.

    The emulator has no such service. AWS lists some hundred quotas of SageMaker, one for each instance type and use.
    """
    app.SERVICE_HANDLERS[SERVICE] = _answer
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": ["ServiceQuotas"], "host_patterns": [r"servicequotas\."]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[SERVICE] = "servicequotas"
    iam_actions._BOTOCORE_SERVICE_MAP[SERVICE] = [SERVICE]


async def _answer(
    _method: str, _path: str, headers: dict[str, str], body: bytes, _query: dict[str, Any]
) -> tuple[int, dict[str, str], bytes]:
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    asked = json.loads(body or b"{}").get("ServiceCode")
    if operation != "ListServiceQuotas":
        return _refusal(501, "UnsupportedOperationException", f"The laptop's AWS does not have {operation}.")
    if asked != "sagemaker":
        return _refusal(400, "NoSuchResourceException", f"The laptop's AWS has no quotas of {asked}.")
    quotas = [
        {"ServiceCode": "sagemaker", "QuotaName": f"{kind} for endpoint usage", "Value": ALLOWED, "Adjustable": True}
        for kind in TYPES
    ]
    return 200, {"Content-Type": JSON_TYPE}, json.dumps({"Quotas": quotas}).encode()


def _refusal(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    document = {"__type": code, "message": message}
    return status, {"Content-Type": JSON_TYPE, "x-amzn-errortype": code}, json.dumps(document).encode()
