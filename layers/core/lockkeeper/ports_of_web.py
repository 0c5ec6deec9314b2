"""The protocols of what people see and do over the web: signing in, and the board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.release import Release
from lockkeeper.domain.sign_in import Session, SignInAttempt


@dataclass(frozen=True)
class Champion:
    """What serves a group in production, and since when (ISO 8601).

    What was adopted was brought there by no release: its version is 0 and its release's id empty. What only jobs run has no endpoint:
    `endpoint_name` is the parameter that they read, and `config_name` the model.
    """

    group: str
    version: int
    release_id: str
    endpoint_name: str
    config_name: str
    since: str

    @property
    def adopted(self) -> bool:
        return not self.release_id

    @property
    def for_jobs(self) -> bool:
        return is_parameter(self.endpoint_name)

    @property
    def words(self) -> str:
        """Which one it is, as people are told."""
        return f"what was adopted, configuration {self.config_name}" if self.adopted else f"version {self.version}"


@dataclass(frozen=True)
class Page:
    """Releases, newest first, and after which one to go on: empty at the end. A page that is not full may have a next one."""

    releases: tuple[Release, ...]
    after: str = ""


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave for a code. They are used at once and kept nowhere."""

    id_token: str
    access_token: str


class IdentityProvider(Protocol):
    """An OpenID Connect provider. `ProviderFailed` where it cannot be reached, or says what no provider may say."""

    @property
    def issuer(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    def address(self, *, state: str, nonce: str, challenge: str, redirect_uri: str) -> str:
        """Where a browser is sent to sign in."""
        ...

    def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """Give a code for tokens; `SignInRefused` where the provider does not take it."""
        ...

    def about(self, access_token: str) -> dict[str, Any]:
        """What the provider tells of the token's owner beside the ID token; empty where it has no such endpoint."""
        ...


class Sessions(Protocol):
    """The part of the ledger that knows who is signed in. All of it is forgotten by itself."""

    def begin_sign_in(self, attempt: SignInAttempt) -> None: ...

    def take_sign_in(self, state_sha256: str) -> SignInAttempt | None:
        """An attempt that has not expired, and that nobody can take again."""
        ...

    def open_session(self, session: Session) -> None: ...

    def session(self, sha256: str) -> Session | None:
        """A session that has neither ended nor expired."""
        ...

    def end_session(self, sha256: str) -> None: ...


class BoardReads(Protocol):
    """What the board reads of the ledger, in pieces of bounded size. Nothing is decided by it."""

    def page(self, *, group: str = "", status: str = "", limit: int = 50, after: str = "") -> Page:
        """At most `limit` releases (of a group, of a status) that were opened before the release `after`."""
        ...

    def served(self, group: str, limit: int) -> list[Champion]:
        """What served the group, newest first."""
        ...


class OverTheWeb(Protocol):
    """The part of the world that people reach by a browser."""

    @property
    def web_url(self) -> str:
        """Where the web API is, without a slash at its end; empty without one."""
        ...

    @property
    def web_access(self) -> str:
        """`none`, `links` or `sign-in`."""
        ...

    @property
    def identity_provider(self) -> IdentityProvider | None:
        """None where nobody can sign in."""
        ...
