"""Task tokens: what SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat answer, and how a task waits for them."""

import base64
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, json_response
from ministack.services import stepfunctions

from localcloud.conformance.patching import replaces
from localcloud.settings import PAYLOAD_LIMIT_BYTES

Response = tuple[int, dict[str, str], bytes]

_TOKEN = re.compile(r"AQ[A-Za-z0-9+/]{200,}={0,2}")


@dataclass
class OpenTask:
    """A task that waits for its token to come back. `beat` is the monotonic time of its last sign of life."""

    account_id: str
    execution_arn: str
    settled: threading.Event = field(default_factory=threading.Event)
    beat: float = field(default_factory=time.monotonic)
    output: Any = None
    error: tuple[str, str] | None = None


class TokenOffice:
    """Hands out task tokens and settles each of them exactly once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, OpenTask] = {}
        self._closed: dict[str, str] = {}

    def issue(self, execution_arn: str) -> str:
        """A new token. Every attempt of a task gets its own, as on AWS."""
        token = "AQ" + base64.b64encode(secrets.token_bytes(192)).decode()
        with self._lock:
            self._open[token] = OpenTask(get_account_id(), execution_arn)
        return token

    def task(self, token: str) -> OpenTask:
        return self._open[token]

    def settle(self, token: str, *, output: Any = None, error: tuple[str, str] | None = None) -> bool:
        """Close a task with a result. False when it was closed before; the first caller wins."""
        with self._lock:
            task = self._open.pop(token, None)
            if task is None:
                return False
            self._closed[token] = task.account_id
            task.output, task.error = output, error
            task.settled.set()
            return True

    def beat(self, token: str) -> None:
        task = self._open.get(token)
        if task is not None:
            task.beat = time.monotonic()

    def close_execution(self, execution_arn: str) -> None:
        """Close every open task of an execution that ended otherwise."""
        with self._lock:
            tokens = [token for token, task in self._open.items() if task.execution_arn == execution_arn]
        for token in tokens:
            self.settle(token, error=("States.Timeout", "The execution ended."))

    def refusal(self, token: Any) -> Response | None:
        """Why AWS would refuse this token, or None when its task is open."""
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            return error_response_json("InvalidToken", "Invalid Token: 'Invalid token'", 400)
        account_id = get_account_id()
        with self._lock:
            task = self._open.get(token)
            if task is not None and task.account_id == account_id:
                return None
            if self._closed.get(token) == account_id:
                return error_response_json(
                    "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'", 400
                )
        # A token of another account is as unknown here as one that never was.
        return error_response_json("TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'", 400)


OFFICE = TokenOffice()


def send_task_success(request: dict[str, Any]) -> Response:
    """The emulator accepts any output, and a second answer while the task has not noticed the first."""
    token, output = request.get("taskToken"), request.get("output")
    if not isinstance(output, str) or len(output.encode()) > PAYLOAD_LIMIT_BYTES:
        return error_response_json(
            "ValidationException",
            "1 validation error detected: Value at 'output' failed to satisfy constraint: "
            f"Member must have length less than or equal to {PAYLOAD_LIMIT_BYTES}",
            400,
        )
    try:
        parsed = json.loads(output)
    except ValueError:
        return error_response_json("InvalidOutput", "Invalid Output: 'Invalid output'", 400)
    return _answer(token, lambda: OFFICE.settle(str(token), output=parsed))


def send_task_failure(request: dict[str, Any]) -> Response:
    """As for success: unknown, used and malformed tokens are three different refusals."""
    token = request.get("taskToken")
    error = (request.get("error") or "States.TaskFailed", request.get("cause") or "")
    return _answer(token, lambda: OFFICE.settle(str(token), error=error))


def send_task_heartbeat(request: dict[str, Any]) -> Response:
    """The emulator notes heartbeats in whole seconds and never looks at them."""
    token = request.get("taskToken")

    def beat() -> bool:
        OFFICE.beat(str(token))
        return True

    return _answer(token, beat)


def _answer(token: Any, settle: Callable[[], bool]) -> Response:
    refusal = OFFICE.refusal(token)
    if refusal is not None:
        return refusal
    if settle():
        return json_response({})
    # Another caller settled the task between the two looks.
    return OFFICE.refusal(token) or json_response({})


def install() -> None:
    """Route the three operations through the office."""
    replaces(stepfunctions, "_send_task_success", send_task_success)
    replaces(stepfunctions, "_send_task_failure", send_task_failure)
    replaces(stepfunctions, "_send_task_heartbeat", send_task_heartbeat)
