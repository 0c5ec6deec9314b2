"""Every AWS call that reaches the laptop's AWS, one JSON object per line: when, which operation, by whom, answered how.

Tests read from it what a promotion called; people read from it why something was denied; `decision_log` has what IAM was asked
for each call. Of the parameters only those that name something are kept: the others may hold secrets.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id

from localcloud import decision_log
from localcloud.operations import operation_of, telling_parameters


def install(path: Path) -> None:
    """Append a line to `path` for every call, in the order in which the calls arrived."""
    dispatch = app._dispatch_service_request
    lock = threading.Lock()

    async def logged(
        method: str, request_path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], request_id: str
    ) -> Any:
        began, token = time.time(), decision_log.REQUEST.set(request_id)
        # Metrics of more than ten kilobytes travel compressed, and are unpacked further inside.
        said = app._decompress_request_body(body, dict(headers))
        try:
            answer = await dispatch(method, request_path, headers, body, query, request_id)
        finally:
            decision_log.REQUEST.reset(token)
        entry = _entry(method, request_path, headers, said, query)
        entry |= {
            "at": began,
            "request": request_id,
            "milliseconds": round((time.time() - began) * 1000, 1),
            "status": answer[0],
        }
        with lock, path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(entry) + "\n")
        return answer

    app._dispatch_service_request = logged


def _entry(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> dict[str, Any]:
    parameters = app._routing_params(method, path, headers, body, query)
    service = app.detect_service(method, path, headers, parameters)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters)
    return {
        "action": action or f"{service}:{method}",
        "resource": iam_actions.extract_resource_arn(
            service, method, path, headers, body, parameters, app.extract_region(headers), get_account_id()
        ),
        "service": service,
        "operation": operation_of(service, method, path, headers, parameters),
        "parameters": telling_parameters(headers, body, parameters),
        "caller": iam_evaluator.request_caller_arn(headers, query),
        "account": get_account_id(),
    }
