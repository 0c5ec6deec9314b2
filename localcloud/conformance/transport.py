"""Transport: the loopback counts as encrypted."""

from contextvars import ContextVar
from typing import Any

from ministack import app as gateway
from ministack.core import iam_evaluator

from localcloud.conformance.patching import replaces, wraps


def count_loopback_as_encrypted() -> None:
    """The server speaks plain HTTP on 127.0.0.1, so every policy that asks for aws:SecureTransport would refuse.

    On AWS clients come over TLS; here nothing leaves the machine, and the policies can be enforced with the rest. The
    calls that services make for themselves come from no request at all, and count as encrypted too.
    """
    origin: ContextVar[tuple[str, bool]] = ContextVar("request_origin", default=("127.0.0.1", True))
    replaces(iam_evaluator, "_request_origin", origin)

    @wraps(gateway, "pin_request_origin")
    def pin(original: Any, source_ip: str, _secure: bool) -> None:
        original(source_ip, True)


def install() -> None:
    """Apply every patch of this concern."""
    count_loopback_as_encrypted()
