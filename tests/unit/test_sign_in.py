"""Signing in: what a token has to say, that each answer counts once and in one browser, and where people are sent."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lockkeeper.adapters.in_memory import InMemoryProvider, InMemoryWorld
from lockkeeper.adapters.in_memory.sessions import token_of
from lockkeeper.domain.errors import LinkUnknown, SignInRefused
from lockkeeper.domain.sign_in import (
    Person,
    claims_in,
    code_challenge,
    local_path,
    may_be_called,
    new_secret,
    person_in,
)
from lockkeeper.use_cases.sign_in import SignedIn, begin_sign_in, complete_sign_in, session_of, sign_out

BROWSER = "the secret of this browser"


@pytest.fixture
def world() -> InMemoryWorld:
    made = InMemoryWorld(web_access="sign-in")
    made.identity_provider = InMemoryProvider(made.clock)
    return made


def provider(world: InMemoryWorld) -> InMemoryProvider:
    assert world.identity_provider is not None
    return world.identity_provider


def come_back(world: InMemoryWorld, browser: str = BROWSER, **answer: str) -> SignedIn:
    return complete_sign_in({"state": provider(world).asked["state"], "code": "a-code", **answer}, browser, world)


def sign_in(world: InMemoryWorld) -> SignedIn:
    begin_sign_in(BROWSER, world)
    return come_back(world)


def test_a_browser_is_sent_with_a_state_a_nonce_and_a_challenge(world: InMemoryWorld) -> None:
    address = begin_sign_in(BROWSER, world).address
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert asked["redirect_uri"] == "https://lockkeeper.example.com/sign-in/callback"
    assert len({asked[name] for name in ("state", "nonce", "challenge")}) == 3
    assert all(len(asked[name]) == 43 for name in ("state", "nonce", "challenge"))


def test_the_challenge_is_that_of_the_standard() -> None:
    # RFC 7636, appendix B.
    assert (
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_who_signs_in_has_a_session_of_eight_hours(world: InMemoryWorld) -> None:
    done = sign_in(world)
    assert done.session.person == Person("ada-1", "Ada Lindqvist", "ada@example.com")
    assert session_of(done.secret, world) == done.session
    world.clock.advance(timedelta(hours=7, minutes=59))
    assert session_of(done.secret, world) == done.session
    world.clock.advance(timedelta(minutes=1))
    assert session_of(done.secret, world) is None


def test_only_hashes_of_secrets_are_kept(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    kept = repr(world.ledger._sign_ins)
    state = provider(world).asked["state"]
    assert state not in kept
    assert BROWSER not in kept
    assert hashlib.sha256(state.encode()).hexdigest() in kept
    done = come_back(world)
    assert done.secret not in repr(world.ledger.sessions)


def test_after_sign_out_there_is_no_session(world: InMemoryWorld) -> None:
    done = sign_in(world)
    sign_out(done.secret, world)
    assert session_of(done.secret, world) is None


def test_an_unknown_cookie_is_nobody(world: InMemoryWorld) -> None:
    sign_in(world)
    assert session_of("", world) is None
    assert session_of(new_secret(), world) is None
    assert session_of("\udcff", world) is None


def test_a_session_does_not_outlive_the_provider(world: InMemoryWorld) -> None:
    done = sign_in(world)
    world.identity_provider = None
    assert session_of(done.secret, world) is None
    with pytest.raises(LinkUnknown, match="nobody can sign in here"):
        begin_sign_in(BROWSER, world)


def test_a_state_counts_once(world: InMemoryWorld) -> None:
    sign_in(world)
    with pytest.raises(SignInRefused, match="not known"):
        come_back(world)
    assert len(world.ledger.sessions) == 1


@pytest.mark.parametrize("state", ["", "guessed", "x" * 43])
def test_a_state_that_nobody_was_sent_with_is_refused(world: InMemoryWorld, state: str) -> None:
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match="not known"):
        come_back(world, state=state)


def test_an_answer_in_another_browser_is_refused_and_spends_the_state(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match="another browser"):
        come_back(world, browser="of somebody who was sent a link")
    with pytest.raises(SignInRefused, match="not known"):
        come_back(world)
    assert world.ledger.sessions == {}


def test_ten_minutes_at_the_provider_are_too_long(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    world.clock.advance(timedelta(minutes=10))
    with pytest.raises(SignInRefused, match="ten minutes"):
        come_back(world)


def test_a_refusal_of_the_provider_is_told_by_its_word(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match=r"did not sign you in \(access_denied\)"):
        come_back(world, error="access_denied")
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match="did not sign you in —"):
        come_back(world, error="<b>call 555-1234</b>")


def test_an_answer_that_names_another_issuer_is_refused(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match="another provider"):
        come_back(world, iss="https://evil.example.com")


def test_a_code_that_the_provider_does_not_take_signs_nobody_in(world: InMemoryWorld) -> None:
    begin_sign_in(BROWSER, world)
    with pytest.raises(SignInRefused, match="invalid_grant"):
        come_back(world, code="somebody-else's")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"iss": "https://evil.example.com"}, "another issuer"),
    "no issuer": ({"iss": None}, "another issuer"),
    "another audience": ({"aud": "somebody-else"}, "another client"),
    "no audience": ({"aud": None}, "another client"),
    "an audience that begins alike": ({"aud": "lockkeeper-2"}, "another client"),
    "several audiences and no azp": ({"aud": ["lockkeeper", "x"]}, "given to another client"),
    "another azp": ({"azp": "x"}, "given to another client"),
    "another nonce": ({"nonce": "an older one"}, "another sign-in"),
    "no nonce": ({"nonce": None}, "another sign-in"),
    "a nonce that is no text": ({"nonce": 1}, "another sign-in"),
    "no end": ({"exp": None}, "does not say when"),
    "an end that is true": ({"exp": True}, "does not say when"),
    "no beginning": ({"iat": None}, "does not say when"),
    "no subject": ({"sub": ""}, "names nobody"),
    "no address": ({"email": None}, "did not tell"),
    "an address that is none": ({"email": "ada"}, "did not tell"),
    "an address with a line end": ({"email": "ada@example.com\nBcc: x"}, "did not tell"),
    "an address that nobody verified": ({"email_verified": False}, "has not verified"),
    "an address of which nothing is said": ({"email_verified": None}, "has not verified"),
    "an address that is said to be false": ({"email_verified": "false"}, "has not verified"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_token_that_says_something_else_signs_nobody_in(world: InMemoryWorld, what: str) -> None:
    says, why = WRONG[what]
    provider(world).says = says
    with pytest.raises(SignInRefused, match=why):
        sign_in(world)
    assert world.ledger.sessions == {}


@pytest.mark.parametrize(
    ("claim", "seconds", "why"),
    [("exp", -61, "expired"), ("iat", 61, "not of now"), ("iat", -700, "not of now")],
)
def test_a_token_of_another_time_signs_nobody_in(world: InMemoryWorld, claim: str, seconds: float, why: str) -> None:
    provider(world).says = {claim: world.clock.now().timestamp() + seconds}
    with pytest.raises(SignInRefused, match=why):
        sign_in(world)


@pytest.mark.parametrize(("claim", "seconds"), [("exp", -59), ("iat", 59)])
def test_a_minute_between_two_clocks_does_no_harm(world: InMemoryWorld, claim: str, seconds: float) -> None:
    provider(world).says = {claim: world.clock.now().timestamp() + seconds}
    assert sign_in(world).session.person.subject == "ada-1"


def test_several_audiences_are_fine_where_the_token_was_given_to_us(world: InMemoryWorld) -> None:
    provider(world).says = {"aud": ["lockkeeper", "reports"], "azp": "lockkeeper", "email_verified": "true"}
    assert sign_in(world).session.person.subject == "ada-1"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE"])
def test_a_token_that_nobody_signed_signs_nobody_in(world: InMemoryWorld, algorithm: str) -> None:
    provider(world).algorithm = algorithm
    with pytest.raises(SignInRefused, match="not signed"):
        sign_in(world)


def test_an_address_that_only_userinfo_tells_is_taken_from_there(world: InMemoryWorld) -> None:
    one = provider(world)
    one.says = {"email": None, "email_verified": None}
    one.told = {"sub": "ada-1", "email": "ada@example.com", "email_verified": True}
    assert sign_in(world).session.person.email == "ada@example.com"


def test_userinfo_about_somebody_else_signs_nobody_in(world: InMemoryWorld) -> None:
    one = provider(world)
    one.says = {"email": None, "email_verified": None}
    one.told = {"sub": "mallory", "email": "ada@example.com", "email_verified": True}
    with pytest.raises(SignInRefused, match="somebody else"):
        sign_in(world)


def test_userinfo_does_not_verify_what_the_token_says(world: InMemoryWorld) -> None:
    one = provider(world)
    one.says = {"email_verified": None}
    one.told = {"sub": "ada-1", "email_verified": True}
    with pytest.raises(SignInRefused, match="has not verified"):
        sign_in(world)


def test_a_person_without_a_name_is_called_by_their_address() -> None:
    assert person_in({"email": "Ada@Example.com", "email_verified": True, "name": "  "}, "1").name == "Ada@Example.com"


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "e30.e30", "W10.W10.x", "e30.bnVsbA.x", "\udcff.x.y"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(SignInRefused):
        claims_in(token)


@given(st.text(max_size=200))
def test_no_token_raises_anything_else(token: str) -> None:
    with pytest.raises(SignInRefused):
        claims_in(base64.urlsafe_b64encode(token.encode("utf-8", "replace")).decode() + "." + token)


def test_a_token_is_read() -> None:
    assert claims_in(token_of({"alg": "RS256"}, {"sub": "x"})) == {"sub": "x"}


@pytest.mark.parametrize(
    "path", ["/", "/releases/wages-v1-a1", "/groups/wages?after=x&limit=2", "/approvals/abc-_", "/releases/a%20b"]
)
def test_people_go_on_to_pages_of_this_site(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "wanted",
    [
        "",
        "releases",
        "https://evil.example.com",
        "HTTPS://evil.example.com",
        "//evil.example.com",
        "///evil.example.com",
        "/\\evil.example.com",
        "/\t/evil.example.com",
        "/\n/evil.example.com",
        "\t//evil.example.com",
        " //evil.example.com",
        "\\\\evil.example.com",
        "javascript:alert(1)",
        "/x\r\nSet-Cookie: a=b",
        "/\uff45vil",
        "/sign-in?next=/",
        "/sign-out",
        f"/{'a' * 2000}",
    ],
)
def test_nobody_is_sent_to_another_site(wanted: str) -> None:
    assert local_path(wanted) == "/"


@given(st.text(alphabet="/\\:@.?#% \t\nabhtps", max_size=30))
def test_whatever_was_wanted_a_browser_stays_on_this_site(wanted: str) -> None:
    path = local_path(wanted)
    # As a browser reads it: tabs and line ends dropped, backslashes turned round.
    read = "".join(character for character in path if character not in "\t\r\n").replace("\\", "/").strip()
    assert read.startswith("/")
    assert not read.startswith("//")


@pytest.mark.parametrize("url", ["https://id.example.com/token", "http://127.0.0.1:4567/token", "http://127.0.0.1/x"])
def test_secrets_are_sent_over_https_or_to_this_machine(url: str) -> None:
    assert may_be_called(url)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://id.example.com/token",
        "http://127.0.0.1.evil.example.com/",
        "http://127.0.0.1:80@evil.example.com/",
        "https://user@evil.example.com/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://x/ y",
        "https://x/\ny",
        "http://localhost:8080/",
        "http://127.0.0.2/",
        'https://x/"onclick="',
    ],
)
def test_secrets_are_sent_nowhere_else(url: Any) -> None:
    assert not may_be_called(url)
