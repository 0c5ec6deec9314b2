"""The adapter against the laptop's provider, over HTTP; and against providers that answer what no provider may."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import SettableClock
from lockkeeper.adapters.oidc import OpenIdProvider, secret_of
from lockkeeper.domain.errors import ProviderFailed, SignInRefused
from lockkeeper.domain.sign_in import check_claims, claims_in, code_challenge, new_secret, person_in

from localcloud import identity_provider
from localcloud.identity_provider import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from localcloud.listening import listen
from localcloud.settings import STOP_POLL_SECONDS
from tests.patience import PATIENCE

BACK = "http://127.0.0.1:9/sign-in/callback"


@pytest.fixture
def issuer() -> Iterator[str]:
    server = identity_provider.serve(listen(0), BACK)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def adapter(issuer: str, client: str = PUBLIC_CLIENT, secret: str = "") -> OpenIdProvider:
    return OpenIdProvider(issuer, client, lambda: secret, SettableClock())


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def browse(url: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, body and Location, as a browser that does not follow sees them."""
    body = urllib.parse.urlencode(form).encode() if form is not None else None
    opener = urllib.request.build_opener(NoRedirects, urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, body, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode(), answer.headers.get("Location", "")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers.get("Location", "")


def signed_in(one: OpenIdProvider, verifier: str, email: str = "ada@example.com", **asked: str) -> dict[str, str]:
    """The query that a browser comes back with."""
    parts = {"state": "a-state", "nonce": "a-nonce", "challenge": code_challenge(verifier), "redirect_uri": BACK}
    address = one.address(**{**parts, **asked})
    status, page, _ = browse(address)
    assert status == 200, page
    assert "Ada Lindqvist" in page
    form = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))
    status, _, location = browse(f"{one.issuer}/authorize", {**form, "email": email})
    assert (status, location.partition("?")[0]) == (303, BACK)
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))


@pytest.mark.parametrize(("client", "secret"), [(PUBLIC_CLIENT, ""), (CONFIDENTIAL_CLIENT, CLIENT_SECRET)])
def test_a_person_signs_in_and_is_told_of(issuer: str, client: str, secret: str) -> None:
    one, verifier = adapter(issuer, client, secret), new_secret()
    answer = signed_in(one, verifier)
    assert (answer["state"], answer["iss"]) == ("a-state", issuer)
    tokens = one.redeem(answer["code"], verifier=verifier, redirect_uri=BACK)
    claims = claims_in(tokens.id_token)
    subject = check_claims(claims, issuer=issuer, client_id=client, nonce="a-nonce", now=claims["iat"])
    assert person_in(claims, subject).email == "ada@example.com"


def test_any_address_may_be_typed(issuer: str) -> None:
    one, verifier = adapter(issuer), new_secret()
    code = signed_in(one, verifier, email="somebody.else@example.com")["code"]
    claims = claims_in(one.redeem(code, verifier=verifier, redirect_uri=BACK).id_token)
    assert claims["email"] == "somebody.else@example.com"


def test_who_does_not_want_to_comes_back_without_a_code(issuer: str) -> None:
    answer = signed_in(adapter(issuer), new_secret(), email="")
    assert (answer["error"], "code" in answer) == ("access_denied", False)


def test_a_code_counts_once(issuer: str) -> None:
    one, verifier = adapter(issuer), new_secret()
    code = signed_in(one, verifier)["code"]
    one.redeem(code, verifier=verifier, redirect_uri=BACK)
    with pytest.raises(SignInRefused, match="invalid_grant"):
        one.redeem(code, verifier=verifier, redirect_uri=BACK)


def test_a_code_without_its_verifier_is_worth_nothing(issuer: str) -> None:
    one, verifier = adapter(issuer), new_secret()
    code = signed_in(one, verifier)["code"]
    with pytest.raises(SignInRefused, match="invalid_grant"):
        one.redeem(code, verifier=new_secret(), redirect_uri=BACK)


@pytest.mark.parametrize(("client", "secret"), [(CONFIDENTIAL_CLIENT, ""), (CONFIDENTIAL_CLIENT, "wrong"), ("x", "")])
def test_a_client_without_its_secret_gets_nothing(issuer: str, client: str, secret: str) -> None:
    verifier = new_secret()
    code = signed_in(adapter(issuer, CONFIDENTIAL_CLIENT), verifier)["code"]
    with pytest.raises(SignInRefused, match="invalid_client"):
        adapter(issuer, client, secret).redeem(code, verifier=verifier, redirect_uri=BACK)


@pytest.mark.parametrize("asked", [{"redirect_uri": "https://evil.example.com"}, {"challenge": "short"}, {"nonce": ""}])
def test_a_sign_in_that_is_not_safe_is_not_begun(issuer: str, asked: dict[str, str]) -> None:
    parts = {"state": "s", "nonce": "n", "challenge": code_challenge("v"), "redirect_uri": BACK, **asked}
    status, text, _ = browse(adapter(issuer).address(**parts))
    assert (status, json.loads(text)["error"]) == (400, "invalid_request")


def test_hostile_values_are_text_on_the_page(issuer: str) -> None:
    parts = {"state": '"><script>', "nonce": "n", "challenge": code_challenge("v"), "redirect_uri": BACK}
    assert "<script" not in browse(adapter(issuer).address(**parts))[1]


def test_a_secret_is_read_when_it_is_used() -> None:
    read: list[str] = []

    class Secrets:
        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:
            read.append(SecretId)
            return {"SecretString": "s3cret\n"}

    secret = secret_of(Secrets, "arn")
    assert read == []
    assert (secret(), read) == ("s3cret", ["arn"])
    assert secret_of(Secrets, "")() == ""


Answers = Callable[[str, str], tuple[int, bytes, dict[str, str]]]


@pytest.fixture
def stranger() -> Iterator[Callable[..., str]]:
    """A server that answers as it is told, and notes authorization and body; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answers: Answers, received: list[tuple[str, str]] | None = None) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = f"http://127.0.0.1:{self.server.server_address[1]}"
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if received is not None:
                    received.append((self.headers.get("Authorization", ""), body))
                status, answer, headers = answers(self.path, address)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(STOP_POLL_SECONDS,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_address[1]}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def discovery(address: str, **changes: Any) -> bytes:
    places = {f"{name}_endpoint": f"{address}/{name}" for name in ("authorization", "token", "userinfo")}
    return json.dumps({"issuer": address, **places, **changes}).encode()


PARTS = {"state": "s", "nonce": "n", "challenge": "c", "redirect_uri": BACK}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"no json"),
        (200, b"[]"),
        (200, b"x" * 1_000_001),
        (200, b"[" * 100_000),
        (500, b""),
        (404, b'{"error": 1}'),
    ],
)
def test_what_is_no_discovery_document_ends_the_sign_in(stranger: Any, status: int, body: bytes) -> None:
    issuer = stranger(lambda _path, _address: (status, body, {}))
    with pytest.raises(ProviderFailed):
        adapter(issuer).address(**PARTS)


def test_a_discovery_document_of_another_issuer_is_refused(stranger: Any) -> None:
    issuer = stranger(lambda _path, address: (200, discovery(address, issuer="https://id.example.com"), {}))
    with pytest.raises(ProviderFailed, match="another issuer"):
        adapter(issuer).address(**PARTS)


@pytest.mark.parametrize("place", ["http://id.example.com/token", "javascript:alert(1)", None, 7])
def test_nothing_is_sent_to_a_place_without_encryption(stranger: Any, place: Any) -> None:
    changes = {"authorization_endpoint": place, "token_endpoint": place}
    one = adapter(stranger(lambda _path, address: (200, discovery(address, **changes), {})))
    with pytest.raises(ProviderFailed, match="https"):
        one.address(**PARTS)
    with pytest.raises(ProviderFailed, match="https"):
        one.redeem("code", verifier="v", redirect_uri=BACK)


def test_an_issuer_without_encryption_is_not_asked() -> None:
    with pytest.raises(ProviderFailed, match="https"):
        adapter("http://id.example.com").address(**PARTS)


def test_a_redirect_is_not_followed_with_a_code(stranger: Any) -> None:
    visited: list[str] = []

    def answers(path: str, address: str) -> tuple[int, bytes, dict[str, str]]:
        visited.append(path)
        if path == "/token":
            return 307, b"", {"Location": f"{address}/elsewhere"}
        return 200, discovery(address), {}

    with pytest.raises(ProviderFailed, match="307"):
        adapter(stranger(answers)).redeem("code", verifier="v", redirect_uri=BACK)
    assert "/elsewhere" not in visited


def test_a_provider_that_is_down_is_said_by_kind_and_without_the_code() -> None:
    with pytest.raises(ProviderFailed, match="cannot be reached") as failed:
        adapter("http://127.0.0.1:1").redeem("the-code", verifier="v", redirect_uri=BACK)
    assert "the-code" not in str(failed.value)


def test_an_answer_without_an_id_token_is_refused(stranger: Any) -> None:
    def answers(path: str, address: str) -> tuple[int, bytes, dict[str, str]]:
        return 200, b"{}" if path == "/token" else discovery(address), {}

    with pytest.raises(ProviderFailed, match="no ID token"):
        adapter(stranger(answers)).redeem("code", verifier="v", redirect_uri=BACK)


def test_a_hostile_word_of_the_provider_is_not_repeated(stranger: Any) -> None:
    def answers(path: str, address: str) -> tuple[int, bytes, dict[str, str]]:
        if path == "/token":
            return 400, b'{"error": "<script>"}', {}
        return 200, discovery(address), {}

    with pytest.raises(SignInRefused, match=r"\(400\)"):
        adapter(stranger(answers)).redeem("code", verifier="v", redirect_uri=BACK)


@pytest.mark.parametrize(("methods", "in_form"), [(["client_secret_post"], True), (["client_secret_basic"], False)])
def test_the_secret_goes_where_the_provider_wants_it(stranger: Any, methods: list[str], in_form: bool) -> None:
    received: list[tuple[str, str]] = []

    def answers(path: str, address: str) -> tuple[int, bytes, dict[str, str]]:
        if path != "/token":
            return 200, discovery(address, token_endpoint_auth_methods_supported=methods), {}
        return 200, json.dumps({"id_token": "t", "access_token": 1}).encode(), {}

    tokens = adapter(stranger(answers, received), secret="s&").redeem("code", verifier="v", redirect_uri=BACK)
    assert (tokens.id_token, tokens.access_token) == ("t", "")
    authorization, body = received[-1]
    assert ("client_secret=s%26" in body) is in_form
    assert (authorization == "Basic bG9ja2tlZXBlcjpzJTI2") is not in_form


def test_userinfo_is_asked_with_the_token_and_tells_of_its_owner(issuer: str) -> None:
    one, verifier = adapter(issuer), new_secret()
    tokens = one.redeem(signed_in(one, verifier)["code"], verifier=verifier, redirect_uri=BACK)
    told = one.about(tokens.access_token)
    assert (told["email"], told["sub"]) == ("ada@example.com", claims_in(tokens.id_token)["sub"])
    with pytest.raises(ProviderFailed, match="401"):
        one.about("guessed")


def test_without_userinfo_nothing_more_is_told(stranger: Any) -> None:
    def answers(_path: str, address: str) -> tuple[int, bytes, dict[str, str]]:
        return 200, json.dumps({"issuer": address}).encode(), {}

    assert adapter(stranger(answers)).about("a-token") == {}
