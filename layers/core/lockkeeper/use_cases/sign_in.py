"""People sign in at the organisation's provider; what is left of it here is a session of some hours."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.errors import LinkUnknown, SignInRefused
from lockkeeper.domain.sign_in import (
    AGAIN,
    ATTEMPT_LASTS,
    SESSION_LASTS,
    Person,
    Session,
    SignInAttempt,
    check_claims,
    claims_in,
    code_challenge,
    digest_of,
    new_secret,
    person_in,
)
from lockkeeper.ports import World
from lockkeeper.ports_of_web import IdentityProvider
from lockkeeper.use_cases.pinned import iso

CALLBACK = "/sign-in/callback"
PERSONAL = ("email", "email_verified", "name")


@dataclass(frozen=True)
class Begun:
    """A sign-in under way: where to send the browser, and a name of it that its cookies may have."""

    address: str
    name: str


@dataclass(frozen=True)
class SignedIn:
    """A new session: `secret` is for the browser's cookie alone."""

    secret: str
    session: Session


def begin_sign_in(browser: str, world: World) -> Begun:
    """Somebody wants to sign in, at a browser that keeps the secret `browser` meanwhile."""
    provider = _provider(world)
    state, nonce, verifier = new_secret(), new_secret(), new_secret()
    address = provider.address(
        state=state, nonce=nonce, challenge=code_challenge(verifier), redirect_uri=_redirect_uri(world)
    )
    until = iso(world.clock.now() + ATTEMPT_LASTS)
    attempt = SignInAttempt(digest_of(state), digest_of(browser), nonce, verifier, expires_at=until)
    world.ledger.begin_sign_in(attempt)
    return Begun(address, name_of_sign_in(state))


def name_of_sign_in(state: str) -> str:
    """Tells the sign-ins of one browser apart, and nothing about their state."""
    return digest_of(state)[:12]


def complete_sign_in(answer: dict[str, str], browser: str, world: World) -> SignedIn:
    """What the provider sent the browser back with becomes a session; `SignInRefused` says why not.

    `answer` is the callback's query: `state` and `code`, or `error`; `iss` where the provider says it.
    """
    provider = _provider(world)
    attempt = world.ledger.take_sign_in(digest_of(answer.get("state", "")))
    if attempt is None:
        raise SignInRefused("this sign-in is not known, is over, or took longer than ten minutes", cure=AGAIN)
    if not hmac.compare_digest(attempt.browser_sha256, digest_of(browser)):
        raise SignInRefused("this sign-in was begun in another browser", cure=f"{AGAIN} in this one")
    if answer.get("iss", provider.issuer) != provider.issuer:
        raise SignInRefused("the answer is another provider's", cure=AGAIN)
    if "error" in answer or "code" not in answer:
        said = answer.get("error", "")
        word = f" ({said})" if said.isidentifier() and len(said) <= 60 else ""
        raise SignInRefused(f"the provider did not sign you in{word}", cure=f"{AGAIN}, or ask for access there")
    person = _person(answer["code"], attempt, provider, world)
    now, secret = world.clock.now(), new_secret()
    session = Session(digest_of(secret), person, iso(now), iso(now + SESSION_LASTS))
    world.ledger.open_session(session)
    return SignedIn(secret, session)


def _person(code: str, attempt: SignInAttempt, provider: IdentityProvider, world: World) -> Person:
    tokens = provider.redeem(code, verifier=attempt.verifier, redirect_uri=_redirect_uri(world))
    claims = claims_in(tokens.id_token)
    subject = check_claims(
        claims,
        issuer=provider.issuer,
        client_id=provider.client_id,
        nonce=attempt.nonce,
        now=world.clock.now().timestamp(),
    )
    known: dict[str, Any] = {name: claims[name] for name in PERSONAL if name in claims}
    if "email" not in known:
        # Many providers tell addresses at their UserInfo endpoint only. It has to speak of the same person.
        told = provider.about(tokens.access_token)
        if told and told.get("sub") != subject:
            raise SignInRefused("the provider spoke of somebody else", cure=AGAIN)
        known = {**told, **known}
    return person_in(known, subject)


def session_of(secret: str, world: World) -> Session | None:
    """Who is behind a browser's cookie; None where nobody is, or not any more."""
    return world.ledger.session(digest_of(secret)) if secret and world.identity_provider else None


def sign_out(secret: str, world: World) -> None:
    """End the session behind a cookie."""
    world.ledger.end_session(digest_of(secret))


def _provider(world: World) -> IdentityProvider:
    provider = world.identity_provider
    if provider is None:
        raise LinkUnknown("nobody can sign in here", cure="deploy with WebAccess=sign-in, see docs/board.md")
    return provider


def _redirect_uri(world: World) -> str:
    return f"{world.web_url}{CALLBACK}"
