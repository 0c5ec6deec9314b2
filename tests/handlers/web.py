"""A browser and a program in front of ServeWeb, as API Gateway would call it for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from lockkeeper.adapters.in_memory import InMemoryProvider, InMemoryWorld

from tests.handlers.conftest import handler_of


def request(
    method: str, address: str, body: str | None = None, cookies: dict[str, str] | None = None
) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0, of a browser."""
    parts = urlsplit(address)
    context: dict[str, Any] = {"http": {"method": method, "path": parts.path}, "stage": "$default", "requestId": "1"}
    event = {
        "version": "2.0",
        "routeKey": f"{method} {parts.path}",
        "rawPath": parts.path,
        "rawQueryString": parts.query,
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "requestContext": context,
        "body": body,
        "isBase64Encoded": False,
    }
    if parts.query:
        event["queryStringParameters"] = dict(parse_qsl(parts.query, keep_blank_values=True))
    if cookies:
        event["cookies"] = [f"{name}={value}" for name, value in cookies.items()]
    return event


class Browser:
    """Keeps cookies as browsers do; follows nothing by itself."""

    def __init__(self, world: InMemoryWorld) -> None:
        self.world = world
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []
        """The last answer's Set-Cookie lines."""

    def ask(self, method: str, address: str, **form: str) -> dict[str, Any]:
        event = request(method, address, urlencode(form) if method == "POST" else None, self.cookies)
        answer: dict[str, Any] = handler_of("serve_web")(event, None)
        self.set = answer.get("cookies", [])
        for line in self.set:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value and "Max-Age=0" not in line:
                self.cookies[name] = value
        return answer

    def get(self, address: str) -> dict[str, Any]:
        return self.ask("GET", address)

    def sign_in(self, address: str = "/sign-in") -> dict[str, Any]:
        """To the provider and back; the callback's answer."""
        assert self.get(address)["statusCode"] == 303
        return self.come_back()

    def come_back(self, **answer: str) -> dict[str, Any]:
        provider = provider_of(self.world)
        said = {"state": provider.asked["state"], "code": "a-code", **answer}
        return self.get(f"/sign-in/callback?{urlencode(said)}")


def provider_of(world: InMemoryWorld) -> InMemoryProvider:
    assert world.identity_provider is not None
    return world.identity_provider


def with_sign_in(world: InMemoryWorld) -> Browser:
    """A stack whose WebAccess is sign-in, and a browser in front of it."""
    world.web_access, world.identity_provider = "sign-in", InMemoryProvider(world.clock)
    return Browser(world)
