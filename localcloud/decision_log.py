"""Every decision of IAM on the laptop's AWS, one JSON object per line: who asked to do what to what, and what was said.

`checks/roles` holds the roles of the stacks against it. Beside the calls of clients and functions it has what services ask on their
own account: a state machine, a rule or a schedule under its role, SageMaker under an execution role, and who assumes which role.
Root users are asked nothing and are not in it, nor is any secret.
"""

from __future__ import annotations

import json
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator

from localcloud.conformance.patching import wraps

REQUEST: ContextVar[str] = ContextVar("request_of_this_call", default="")
"""The id of the call that is being answered, which `call_log` has too."""

SECRET_KEYS = frozenset({"sts:externalid"})

_asked: ContextVar[list[tuple[Any, Any]] | None] = ContextVar("asked_of_iam", default=None)
_recorder: list[Recorder] = []


class Recorder:
    """Appends decisions to a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def write(self, entry: dict[str, Any]) -> None:
        line = json.dumps({"at": time.time(), "request": REQUEST.get(), **entry}, default=str) + "\n"
        with self._lock, self._path.open("a", encoding="utf-8") as lines:
            lines.write(line)


def install(path: Path) -> None:
    """Write a line to `path` for every decision from now on."""
    _recorder[:] = [Recorder(path)]
    _record_enforcement()
    _record_trust()


def note(context: Any, identity: str, decision: str) -> None:
    """Record what was decided about an `EvalContext`: by the principal's own policies, and with the resource's policy."""
    if _recorder:
        _recorder[0].write({**_question(context), "identity": identity, "decision": decision})


def note_trust(context: Any, allowed: bool) -> None:
    """Record whether a role's trust policy lets a principal take the role, which is the context's resource."""
    if _recorder:
        _recorder[0].write({**_question(context), "kind": "trust", "decision": "Allow" if allowed else "ImplicitDeny"})


def _question(context: Any) -> dict[str, Any]:
    conditions = {
        key: "(not kept)" if key.lower() in SECRET_KEYS else value
        for key, value in context.service_context.items()
        if value is not None
    }
    return {
        "principal": context.principal_arn,
        "principal_type": context.principal_type,
        "account": context.principal_account,
        "action": context.action,
        "resource": context.resource_arn,
        "region": context.region,
        "context": conditions,
        "principal_keys": context.principal_keys,
    }


def _record_enforcement() -> None:
    @wraps(iam_evaluator, "evaluate")
    def evaluate(original: Any, context: Any, *policies: Any) -> Any:
        result, asked = original(context, *policies), _asked.get()
        if asked is not None:
            asked.append((context, result))
        return result

    @wraps(iam_evaluator, "enforce")
    def enforce(original: Any, *arguments: Any, **keywords: Any) -> Any:
        asked: list[tuple[Any, Any]] = []
        token = _asked.set(asked)
        try:
            refused = original(*arguments, **keywords)
        finally:
            _asked.reset(token)
        if asked:
            # The first look is at the principal's policies; the ones after it at the resource's.
            context, identity = asked[0]
            note(context, identity.decision, "Allow" if refused is None else refused.decision)
        return refused


def _record_trust() -> None:
    @wraps(iam_evaluator, "evaluate_trust_policy")
    def trusted(original: Any, document: Any, caller_arn: str, context: Any = None) -> bool:
        allowed = bool(original(document, caller_arn, context))
        if context is not None:
            note_trust(context, allowed)
        return allowed
