"""Who signs in and who is signed in, and what the board reads, in memory; and a provider that vouches for whom it is told to."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock
from typing import Any
from urllib.parse import urlencode

from lockkeeper.adapters.in_memory.copies import copied
from lockkeeper.domain.errors import QueryRefused, SignInRefused
from lockkeeper.domain.release import Release
from lockkeeper.domain.sign_in import Session, SignInAttempt, code_challenge
from lockkeeper.ports import Clock
from lockkeeper.ports_of_web import Champion, Page, Tokens


class Sessions:
    writing: RLock
    clock: Clock

    def __init__(self) -> None:
        self._sign_ins: dict[str, SignInAttempt] = {}
        self.sessions: dict[str, Session] = {}

    def begin_sign_in(self, attempt: SignInAttempt) -> None:
        with self.writing:
            self._sign_ins[attempt.state_sha256] = attempt

    def take_sign_in(self, state_sha256: str) -> SignInAttempt | None:
        with self.writing:
            attempt = self._sign_ins.pop(state_sha256, None)
        return attempt if attempt and not self._is_over(attempt.expires_at) else None

    def open_session(self, session: Session) -> None:
        with self.writing:
            self.sessions[session.sha256] = session

    def session(self, sha256: str) -> Session | None:
        with self.writing:
            session = self.sessions.get(sha256)
        return session if session and not self._is_over(session.expires_at) else None

    def end_session(self, sha256: str) -> None:
        with self.writing:
            self.sessions.pop(sha256, None)

    def _is_over(self, expires_at: str) -> bool:
        return self.clock.now() >= datetime.fromisoformat(expires_at)


class Board:
    writing: RLock
    by_id: dict[str, Release]
    crowned: list[Champion]

    def page(self, *, group: str = "", status: str = "", limit: int = 50, after: str = "") -> Page:
        with self.writing:
            if after and after not in self.by_id:
                raise QueryRefused(
                    f"there is no release {after!r} to go on after", cure="take `next` of the page before"
                )
            listed = sorted(self.by_id.values(), key=_place, reverse=True)
            if after:
                listed = [one for one in listed if _place(one) < _place(self.by_id[after])]
            found = [one for one in listed if one.model_package_group == (group or one.model_package_group)]
            found = [copied(one) for one in found if one.status == (status or one.status)]
        return Page(tuple(found[:limit]), found[limit - 1].release_id if len(found) > limit else "")

    def served(self, group: str, limit: int) -> list[Champion]:
        with self.writing:
            mine = [one for one in self.crowned if one.group == group]
        return sorted(mine, key=lambda one: one.since, reverse=True)[:limit]


def _place(release: Release) -> tuple[str, str]:
    return release.opened_at, release.release_id


@dataclass
class InMemoryProvider:
    """Implements `ports_of_web.IdentityProvider`: whoever comes is `claims`, and what a token says may be changed by `says`."""

    clock: Clock
    issuer: str = "https://id.example.com"
    client_id: str = "lockkeeper"
    claims: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "ada-1",
            "name": "Ada Lindqvist",
            "email": "Ada@Example.com",
            "email_verified": True,
        }
    )
    says: dict[str, Any] = field(default_factory=dict)
    """What the token says otherwise; None leaves a claim out."""
    told: dict[str, Any] = field(default_factory=dict)
    """What its UserInfo endpoint tells."""
    algorithm: str = "RS256"
    asked: dict[str, str] = field(default_factory=dict)
    """The last request that a browser was sent with."""

    def address(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        self.asked = {"state": state, "nonce": nonce, "challenge": challenge, "redirect_uri": redirect_uri}
        return f"{self.issuer}/authorize?{urlencode(self.asked)}"

    def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        expected = (self.asked["challenge"], self.asked["redirect_uri"])
        if code != "a-code" or (code_challenge(verifier), redirect_uri) != expected:
            raise SignInRefused("the provider did not take the sign-in (400, invalid_grant)")
        now = self.clock.now().timestamp()
        times = {"iat": now, "exp": now + 300}
        audience = {"iss": self.issuer, "aud": self.client_id, "nonce": self.asked["nonce"]}
        said = {**times, **audience, **self.claims, **self.says}
        return Tokens(token_of({"alg": self.algorithm}, {k: v for k, v in said.items() if v is not None}), "access")

    def about(self, access_token: str) -> dict[str, Any]:
        return copied(self.told) if access_token else {}


def token_of(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JSON Web Token whose signature nobody can check."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    return ".".join((*parts, "c2lnbmVk"))
