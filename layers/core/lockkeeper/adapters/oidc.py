"""An OpenID Connect provider over HTTPS: discovery, the authorization code's exchange, and what it tells of a person."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, urlencode

from lockkeeper.domain.errors import ProviderFailed, SignInRefused
from lockkeeper.domain.sign_in import AGAIN, may_be_called
from lockkeeper.ports import Clock
from lockkeeper.ports_of_web import Tokens

CALL_SECONDS = 8
LARGEST_ANSWER = 1_000_000
DISCOVERY_SECONDS = 3600
"""How long the provider's addresses are good for."""
LATER = "try again in a minute; if it stays so, look at the provider"

Document = dict[str, Any]


def secret_of(client: Callable[[], Any], arn: str) -> Callable[[], str]:
    """Reads the client's secret from Secrets Manager each time it is used, which is once in a sign-in; empty without an ARN."""

    def read() -> str:
        return str(client().get_secret_value(SecretId=arn)["SecretString"]).strip() if arn else ""

    return read


class OpenIdProvider:
    """Implements `ports_of_web.IdentityProvider`. `secret` gives the client's secret, or an empty text for a public client."""

    def __init__(self, issuer: str, client_id: str, secret: Callable[[], str], clock: Clock) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._secret = secret
        self._clock = clock
        self._known: Document = {}
        self._known_until = 0.0

    def address(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        endpoint = self._endpoint("authorization_endpoint")
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        secret = self._secret()
        if secret and "client_secret_basic" in self._methods():
            pair = f"{quote_plus(self.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            form["client_secret"] = secret
        answer = _ask(self._endpoint("token_endpoint"), urlencode(form).encode(), headers)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str):
            raise ProviderFailed("the provider gave no ID token", cure="let it give the scope openid to the client")
        return Tokens(id_token, access_token if isinstance(access_token, str) else "")

    def about(self, access_token: str) -> Document:
        if not access_token or "userinfo_endpoint" not in self._discovered():
            return {}
        return _ask(self._endpoint("userinfo_endpoint"), None, {"Authorization": f"Bearer {access_token}"})

    def _methods(self) -> list[str]:
        methods = self._discovered().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        return methods if isinstance(methods, list) else []

    def _endpoint(self, name: str) -> str:
        url = self._discovered().get(name)
        if not may_be_called(url):
            raise ProviderFailed(
                f"the provider's {name} is not served over https", cure="look at its discovery document"
            )
        return str(url)

    def _discovered(self) -> Document:
        now = self._clock.now().timestamp()
        if now >= self._known_until:
            if not may_be_called(self.issuer):
                raise ProviderFailed("the issuer is not served over https", cure="look at the stack's OidcIssuer")
            document = _ask(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration", None, {})
            if document.get("issuer") != self.issuer:
                raise ProviderFailed(
                    "the provider's discovery document is another issuer's",
                    cure="write OidcIssuer as its discovery document does, up to the last slash",
                )
            self._known, self._known_until = document, now + DISCOVERY_SECONDS
        return self._known


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Codes and secrets go where they were sent to, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _ask(url: str, body: bytes | None, headers: dict[str, str]) -> Document:
    request = urllib.request.Request(url, body, {"Accept": "application/json", **headers})  # noqa: S310 - see may_be_called
    # This machine itself is not reached through a proxy.
    proxies = [urllib.request.ProxyHandler({})] if url.startswith("http://") else []
    opener = urllib.request.build_opener(_NoRedirects, *proxies)
    try:
        with opener.open(request, timeout=CALL_SECONDS) as answer:
            text = answer.read(LARGEST_ANSWER + 1)
    except urllib.error.HTTPError as error:
        with error:
            status, said = error.code, _word_in(error.read(10_000))
        if status in (400, 401, 403) and body is not None:
            raise SignInRefused(f"the provider did not take the sign-in ({status}{said})", cure=AGAIN) from None
        raise ProviderFailed(f"the provider answered {status}{said}", cure=LATER) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        # By its kind alone: what urllib says of a request may have a code in it.
        raise ProviderFailed(f"the provider cannot be reached ({type(error).__name__})", cure=LATER) from None
    return _document(text)


def _document(text: bytes) -> Document:
    try:
        document = json.loads(text) if len(text) <= LARGEST_ANSWER else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ProviderFailed("the provider's answer is no JSON object", cure=LATER)
    return document


def _word_in(text: bytes) -> str:
    """OAuth's word for what is wrong, where there is one: `invalid_grant`, `invalid_client`, ..."""
    try:
        word = json.loads(text).get("error", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return f", {word}" if isinstance(word, str) and word.isidentifier() and len(word) <= 60 else ""
