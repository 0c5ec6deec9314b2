"""Transport: the loopback counts as encrypted."""

from typing import Any

from ministack import app as gateway

from localcloud.conformance.patching import wraps


def count_loopback_as_encrypted() -> None:
    """The server speaks plain HTTP on 127.0.0.1, so every policy that asks for aws:SecureTransport would refuse.

    On AWS clients come over TLS; here nothing leaves the machine, and the policies can be enforced with the rest.
    """

    @wraps(gateway, "pin_request_origin")
    def pin(original: Any, source_ip: str, _secure: bool) -> None:
        original(source_ip, True)


def install() -> None:
    """Apply every patch of this concern."""
    count_loopback_as_encrypted()
