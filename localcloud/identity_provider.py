"""An OpenID Connect provider on the laptop: whoever uses its page is whom they say they are, in real tokens signed with RS256.

It listens on 127.0.0.1, and is as strict as a provider has to be: exact redirect URIs, S256, codes that count once and for a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localcloud import listening

PUBLIC_CLIENT = "lockkeeper"
CONFIDENTIAL_CLIENT = "lockkeeper-with-a-secret"
CLIENT_SECRET = "of a client on this laptop"
"""No secret: it exists on this machine only."""
PEOPLE = {
    "ada@example.com": "Ada Lindqvist",
    "grace@example.com": "Grace Okafor",
    "lin@example.com": "Lin Chen",
}
"""Whom the page offers, by address; any other address may be typed."""
CODE_SECONDS = 60
TOKEN_SECONDS = 3600
LARGEST = 100_000

Fields = dict[str, str]
Document = dict[str, Any]
pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)


class Refused(Exception):
    """OAuth's word for what is wrong, and a sentence."""

    def __init__(self, error: str, why: str) -> None:
        super().__init__(why)
        self.error = error


@dataclass
class Provider:
    """Clients, codes and a key. `redirect_uri` is the one that browsers are sent back to. Safe to use by several threads."""

    issuer: str
    redirect_uri: str
    clients: dict[str, str] = field(default_factory=lambda: {PUBLIC_CLIENT: "", CONFIDENTIAL_CLIENT: CLIENT_SECRET})
    _codes: dict[str, tuple[float, Fields, str]] = field(default_factory=dict)
    _access: dict[str, str] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        modulus, exponent = (_base64url(n.to_bytes((n.bit_length() + 7) // 8, "big")) for n in (numbers.n, numbers.e))
        self._kid = hashlib.sha256(modulus.encode()).hexdigest()[:16]
        self.keys = {
            "keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self._kid, "n": modulus, "e": exponent}]
        }

    def discovery(self) -> Document:
        places = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
        return {
            "issuer": self.issuer,
            **{f"{name}_endpoint": f"{self.issuer}/{place}" for name, place in places.items()},
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "email", "profile"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def check_request(self, asked: Fields) -> None:
        """Raise `Refused` for a sign-in that no client of ours begins so."""
        if asked.get("client_id") not in self.clients:
            raise Refused("unauthorized_client", "there is no such client")
        if asked.get("redirect_uri") != self.redirect_uri:
            raise Refused("invalid_request", f"the redirect URI has to be {self.redirect_uri}")
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            raise Refused("invalid_request", "only codes, and only with the scope openid")
        if asked.get("code_challenge_method") != "S256" or len(asked.get("code_challenge", "")) != 43:
            raise Refused("invalid_request", "PKCE with S256 is asked for")
        if not asked.get("state") or not asked.get("nonce"):
            raise Refused("invalid_request", "state and nonce are asked for")

    def choose(self, asked: Fields, email: str) -> str:
        """Sign somebody in; where their browser goes with the code. An empty address means that they do not want to."""
        self.check_request(asked)
        answer = {"state": asked["state"], "iss": self.issuer}
        if email:
            answer["code"] = secrets.token_urlsafe(24)
            with self._changing:
                self._codes[answer["code"]] = (time.time() + CODE_SECONDS, asked, email)
        else:
            answer["error"] = "access_denied"
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def redeem(self, form: Fields, authorization: str) -> Document:
        """What the token endpoint answers; raises `Refused`."""
        client_id = self._client(form, authorization)
        with self._changing:
            until, asked, email = self._codes.pop(form.get("code", ""), (0.0, {}, ""))
        if form.get("grant_type") != "authorization_code" or time.time() >= until:
            raise Refused("invalid_grant", "the code is unknown, used or old")
        challenge = _base64url(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        same = (asked["client_id"], asked["redirect_uri"], asked["code_challenge"])
        if same != (client_id, form.get("redirect_uri"), challenge):
            raise Refused("invalid_grant", "the code is for somebody else")
        access_token = secrets.token_urlsafe(24)
        with self._changing:
            self._access[access_token] = email
        id_token = self.token(email, client_id, nonce=asked["nonce"])
        kind = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS}
        return {"id_token": id_token, "access_token": access_token, **kind}

    def userinfo(self, authorization: str) -> Document:
        """Whom an access token is about; raises `Refused`."""
        email = self._access.get(authorization.removeprefix("Bearer "))
        if email is None:
            raise Refused("invalid_token", "there is no such token")
        return self.about(email)

    def _client(self, form: Fields, authorization: str) -> str:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            client_id, secret = (dict(parse_qsl(f"v={part}")).get("v", "") for part in (pair[0], pair[2]))
        if client_id not in self.clients or not hmac.compare_digest(self.clients[client_id], secret):
            raise Refused("invalid_client", "there is no such client, or its secret is another")
        return client_id

    def token(self, email: str, audience: str, **claims: Any) -> str:
        """A token about a person, signed. Claims that are given take the place of ours; None leaves one out."""
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": audience,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            **self.about(email),
            **claims,
        }
        header = {"alg": "RS256", "typ": "JWT", "kid": self._kid}
        said = {name: value for name, value in said.items() if value is not None}
        signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, said))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64url(signature)}"

    def about(self, email: str) -> Document:
        subject = hashlib.sha256(email.encode()).hexdigest()[:20]
        return {"sub": subject, "name": PEOPLE.get(email, email), "email": email, "email_verified": True}


class Handler(BaseHTTPRequestHandler):
    """The endpoints of discovery, `/authorize` for people, and `/tokens`, which gives any token to whoever is on this machine."""

    provider: Provider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self._json(200, self.provider.discovery())
        elif parts.path == "/keys":
            self._json(200, self.provider.keys)
        elif parts.path == "/userinfo":
            self._checked(lambda: self._json(200, self.provider.userinfo(self.headers.get("Authorization", ""))))
        elif parts.path == "/authorize":
            asked = dict(parse_qsl(parts.query))
            self._checked(lambda: self._page(asked))
        else:
            self._json(404, {"error": "not_found"})

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            self._json(413, {"error": "too_large"})
            return
        body = self.rfile.read(int(length)).decode(errors="replace")
        form = dict(parse_qsl(body, keep_blank_values=True))
        if self.path == "/token":
            authorization = self.headers.get("Authorization", "")
            self._checked(lambda: self._json(200, self.provider.redeem(form, authorization)))
        elif self.path == "/authorize":
            email = form.pop("email", "").strip().lower() or form.pop("other", "").strip().lower()
            asked = {name: value for name, value in form.items() if name not in ("email", "other")}
            self._checked(lambda: self._send(303, b"", "text/plain", Location=self.provider.choose(asked, email)))
        elif self.path == "/tokens":
            wanted = json.loads(body)
            token = self.provider.token(wanted["email"], wanted["audience"], **wanted.get("claims", {}))
            self._json(200, {"token": token})
        else:
            self._json(404, {"error": "not_found"})

    def _page(self, asked: Fields) -> None:
        self.provider.check_request(asked)
        page = pages.get_template("identity_page.html.j2").render(asked=asked, people=PEOPLE)
        self._send(200, page.encode(), "text/html; charset=utf-8")

    def _checked(self, answer: Any) -> None:
        try:
            answer()
        except Refused as refused:
            status = 401 if refused.error in ("invalid_client", "invalid_token") else 400
            self._json(status, {"error": refused.error, "error_description": str(refused)})

    def _json(self, status: int, document: Document) -> None:
        self._send(status, json.dumps(document).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        sent = {"Content-Type": kind, "Content-Length": str(len(content)), "Cache-Control": "no-store", **headers}
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Codes and tokens stand in no log."""


def serve(place: socket.socket, redirect_uri: str) -> ThreadingHTTPServer:
    """Listen on 127.0.0.1 in threads of this process; `shutdown` and `server_close` end it."""
    provider = Provider(f"http://127.0.0.1:{listening.port_of(place)}", redirect_uri)
    return listening.serve(place, type("Bound", (Handler,), {"provider": provider}), "identity-provider")


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
