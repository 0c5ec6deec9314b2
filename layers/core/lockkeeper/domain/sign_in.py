"""Signing in by OpenID Connect: what an ID token has to say, whom it names, and where people may be sent afterwards.

Sources: OpenID Connect Core 1.0 (3.1.3.7), RFC 7636 (PKCE), RFC 9207 (the issuer in the answer).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockkeeper.domain.errors import SignInRefused

ATTEMPT_LASTS = timedelta(minutes=10)
"""How long somebody may take at the provider."""
SESSION_LASTS = timedelta(hours=8)
"""A working day: whoever leaves the organisation is out of Lockkeeper after it."""
LEEWAY = 60
"""Seconds that the provider's clock may be off."""
LONGEST_PATH = 2000
AGAIN = "sign in again"


@dataclass(frozen=True)
class SignInAttempt:
    """Somebody is at the provider. Of `state` and of the browser's secret only the SHA-256 is kept. Times are ISO 8601."""

    state_sha256: str
    browser_sha256: str
    nonce: str
    verifier: str
    expires_at: str


@dataclass(frozen=True)
class Person:
    """Whom a provider vouches for: `subject` is who they are for ever, `email` is verified and in lower case."""

    subject: str
    name: str
    email: str


@dataclass(frozen=True)
class Session:
    """A person at a browser, known by the SHA-256 of the cookie's secret. Times are ISO 8601."""

    sha256: str
    person: Person
    signed_in_at: str
    expires_at: str


def new_secret() -> str:
    """A random 256-bit text, URL-safe (43 characters)."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """SHA-256 (hex): all that is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def code_challenge(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def local_path(wanted: str) -> str:
    """`wanted` where it is a page of this site, else the board: nobody is sent to another site by a link to ours.

    Browsers take `//host`, `/\\host` and either of them behind dropped tabs and line ends for other sites.
    """
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and " " not in wanted
    local = wanted.startswith("/") and not wanted.startswith(("//", "/sign-"))
    return wanted if plain and local and len(wanted) <= LONGEST_PATH else "/"


def claims_in(id_token: str) -> dict[str, Any]:
    """The claims of a token that came from the token endpoint itself: TLS has said whose it is, so its signature need not."""
    parts = id_token.split(".")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, RecursionError) as error:
        raise SignInRefused("the provider's ID token cannot be read", cure=AGAIN) from error
    if len(parts) != 3 or not isinstance(header, dict) or not isinstance(claims, dict):
        raise SignInRefused("the provider's ID token is no JSON Web Token", cure=AGAIN)
    if str(header.get("alg", "none")).lower() == "none":
        raise SignInRefused("the provider's ID token is not signed", cure="let the provider sign with RS256")
    return claims


def check_claims(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now: float) -> str:
    """The subject of an ID token that is about this very sign-in; `now` in seconds since 1970. Raises `SignInRefused`."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer:
        raise SignInRefused("the ID token is another issuer's", cure="look at the stack's OidcIssuer")
    if client_id not in audiences:
        raise SignInRefused("the ID token is for another client", cure="look at the stack's OidcClientId")
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise SignInRefused("the ID token was given to another client", cure="look at the stack's OidcClientId")
    expires, issued = _seconds(claims.get("exp")), _seconds(claims.get("iat"))
    if expires is None or issued is None:
        raise SignInRefused("the ID token does not say when it ends and began", cure=AGAIN)
    if now >= expires + LEEWAY:
        raise SignInRefused("the ID token has expired", cure=AGAIN)
    if not now - ATTEMPT_LASTS.total_seconds() - LEEWAY <= issued <= now + LEEWAY:
        raise SignInRefused("the ID token is not of now", cure="compare the provider's clock with Lockkeeper's")
    given = claims.get("nonce")
    if not isinstance(given, str) or not secrets.compare_digest(given.encode(), nonce.encode()):
        raise SignInRefused("the ID token is of another sign-in", cure=AGAIN)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise SignInRefused("the ID token names nobody", cure=AGAIN)
    return subject


def person_in(claims: Mapping[str, Any], subject: str) -> Person:
    """Whom the claims are about; `SignInRefused` where their address is missing, or the provider does not vouch for it."""
    email = claims.get("email")
    if not isinstance(email, str) or "@" not in email or not email.isprintable():
        raise SignInRefused(
            "the provider did not tell your e-mail address", cure="let it give the claim email to Lockkeeper's client"
        )
    # Some providers write booleans as text.
    if claims.get("email_verified") not in (True, "true"):
        raise SignInRefused(
            "the provider has not verified your e-mail address", cure="confirm the address there, or let somebody do it"
        )
    name = claims.get("name")
    shown = name.strip()[:200] if isinstance(name, str) and name.strip() else email
    return Person(subject[:255], shown, email.strip().lower()[:320])


def may_be_called(url: Any) -> bool:
    """Whether a provider's address is one that codes and secrets may be sent to: https, or http on this very machine."""
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or any(c in url for c in ' \\@"<>'):
        return False
    return url.startswith("https://") or url.startswith(("http://127.0.0.1:", "http://127.0.0.1/"))


def _seconds(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
