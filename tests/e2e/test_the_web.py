"""The board and the JSON API, for people who sign in at the laptop's provider and for programs with its tokens."""

from __future__ import annotations

import base64
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
import urllib3

from localcloud.identity_provider import CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from tests.e2e.harness import Cloud
from tests.e2e.test_a_promotion import prepare, register
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

ASKS_ADA = "{before: [staging], approvers: [{name: Ada, email: ada.of.the.web@example.com}]}"


class Browser:
    """Follows redirects as a person's browser does, and keeps the cookies of one site."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, address: str, form: dict[str, str] | None = None) -> urllib3.BaseHTTPResponse:
        url = urljoin(self.cloud.running.web_url, address)
        ours = url.startswith(self.cloud.running.web_url)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())} if ours and self.cookies else {}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = urlencode(form) if form is not None else None
        answer = urllib3.request(method, url, body=body, headers=headers, redirect=False, timeout=PATIENCE)
        for line in answer.headers.getlist("Set-Cookie") if ours else []:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value and "Max-Age=0" not in line:
                self.cookies[name] = value
        return answer

    def follow(self, answer: urllib3.BaseHTTPResponse) -> urllib3.BaseHTTPResponse:
        while answer.status == 303:
            answer = self.ask("GET", answer.headers["Location"])
        return answer

    def sign_in(self, address: str, email: str) -> urllib3.BaseHTTPResponse:
        """Go to a page of the board, say who one is, and come back to it."""
        to_provider = self.ask("GET", address)
        while not to_provider.headers["Location"].startswith(self.cloud.running.sign_in_url):
            to_provider = self.ask("GET", to_provider.headers["Location"])
        asked = dict(parse_qsl(urlsplit(to_provider.headers["Location"]).query))
        assert self.ask("GET", to_provider.headers["Location"]).status == 200
        chosen = self.ask("POST", f"{self.cloud.running.sign_in_url}/authorize", {**asked, "email": email})
        return self.follow(chosen)


def text_of(answer: urllib3.BaseHTTPResponse) -> str:
    assert answer.status == 200, answer.data
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.data.decode()))


def token(cloud: Cloud, audience: str = CONFIDENTIAL_CLIENT, **claims: Any) -> str:
    """A token that the provider has signed, about Ada."""
    wanted = json.dumps({"email": "ada@example.com", "audience": audience, "claims": claims})
    answer = urllib3.request("POST", f"{cloud.running.sign_in_url}/tokens", body=wanted.encode(), timeout=PATIENCE)
    return str(answer.json()["token"])


def get(cloud: Cloud, address: str, bearer: str | None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
    answer = urllib3.request("GET", f"{cloud.running.web_url}{address}", headers=headers, timeout=PATIENCE)
    return answer.status, answer.json()


def asked(cloud: Cloud, group: str, folder: Path) -> str:
    """A release that waits for Ada."""
    prepare(cloud, group, folder, approval=ASKS_ADA)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "awaiting-approval")
    return f"{group}-v1-a1"


def test_a_person_signs_in_reads_the_board_and_signs_out(cloud: Cloud, tmp_path: Path) -> None:
    release_id = asked(cloud, "on-the-board", tmp_path)
    browser = Browser(cloud)
    assert browser.ask("GET", f"/releases/{release_id}").status == 303
    page = browser.sign_in(f"/releases/{release_id}", "ada@example.com")
    assert "Waits for Ada before staging" in text_of(page)
    assert "regression_metrics" in text_of(page)
    front = browser.ask("GET", "/")
    assert "Ada Lindqvist" in text_of(front)
    assert f"{release_id} awaiting-approval" in text_of(front)
    group = text_of(browser.ask("GET", "/groups/on-the-board"))
    assert "regression_metrics.mae.value by version" in group

    form = re.search(r'name="token" value="([0-9a-f]+)"', front.data.decode())
    assert form
    assert browser.ask("POST", "/sign-out", {"token": "guessed"}).status == 400
    cookies = dict(browser.cookies)
    assert "You are signed out" in text_of(browser.ask("POST", "/sign-out", {"token": form[1]}))
    browser.cookies = cookies
    assert browser.ask("GET", "/").status == 303


def test_an_authenticated_link_decides_for_its_owner_alone(cloud: Cloud, tmp_path: Path) -> None:
    address = "ada.who.signs.in@example.com"
    approval = f"{{before: [staging], links: authenticated, approvers: [{{name: Ada, email: {address}}}]}}"
    prepare(cloud, "signed-links", tmp_path, approval=approval)
    register(cloud, "signed-links", 1.0)
    cloud.wait_for("signed-links-v1-a1", "awaiting-approval")
    page = urlsplit(re.search(r"https?://\S+/approvals/\S+", cloud.mailed(address, "/approvals/"))[0]).path  # type: ignore[index]

    def form_on(browser: Browser) -> dict[str, str]:
        token = re.search(r'name="token" value="([0-9a-f]+)"', browser.ask("GET", page).data.decode())
        return {"answer": "reject", "token": token[1]} if token else {}

    owner, stranger = Browser(cloud), Browser(cloud)
    assert form_on(owner) == form_on(stranger) == {}
    assert "Sign in to decide" in text_of(owner.ask("GET", page))
    assert "this link is Ada" in text_of(stranger.sign_in(f"/sign-in?next={page}", "grace@example.com"))
    assert form_on(stranger) == {}
    text_of(owner.sign_in(f"/sign-in?next={page}", address))
    form = form_on(owner)
    assert Browser(cloud).ask("POST", page, form).status == 401
    assert stranger.ask("POST", page, form).status == 403
    assert cloud.release("signed-links-v1-a1")["approvals"] == []
    assert "You rejected it" in text_of(owner.ask("POST", page, form))
    assert cloud.wait_for("signed-links-v1-a1", "rejected")["approvals"][0]["approver"] == "Ada"


def test_programs_read_what_the_command_shows(cloud: Cloud, tmp_path: Path) -> None:
    release_id = asked(cloud, "read-by-programs", tmp_path)
    bearer = token(cloud)
    assert get(cloud, f"/api/releases/{release_id}", bearer) == (200, cloud.release(release_id))
    status, found = get(cloud, "/api/releases?group=read-by-programs", bearer)
    assert (status, [one["release_id"] for one in found["releases"]], found["next"]) == (200, [release_id], None)
    status, found = get(cloud, "/api/groups", bearer)
    assert "read-by-programs" in [one["model_package_group"] for one in found["groups"]]
    assert get(cloud, "/api/groups/read-by-programs", bearer)[1]["champion"] is None
    status, problem = get(cloud, "/api/releases/nobody", bearer)
    assert (status, set(problem)) == (404, {"error", "message", "cure"})
    assert get(cloud, "/api/openapi.json", bearer)[1]["openapi"] == "3.1.0"


def forged(cloud: Cloud) -> dict[str, str | None]:
    """What is no token of this client, by what is wrong with it."""
    good, now = token(cloud), int(time.time())
    header, claims, signature = good.split(".")

    def encoded(document: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    kid = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    return {
        "nothing": None,
        "no token": "x",
        "another audience": token(cloud, "somebody-else"),
        "the public client's audience": token(cloud, PUBLIC_CLIENT),
        "expired": token(cloud, iat=now - 7200, exp=now - 3600),
        "not yet good": token(cloud, nbf=now + 3600),
        "another issuer": token(cloud, iss="https://id.example.com"),
        "unsigned": f"{encoded({'alg': 'none', 'kid': kid})}.{claims}.",
        "unsigned with the signature of another": f"{encoded({'alg': 'none', 'kid': kid})}.{claims}.{signature}",
        "other claims under the same signature": f"{header}.{encoded({**said, 'email': 'x@example.com'})}.{signature}",
        "an unknown key": f"{encoded({'alg': 'RS256', 'kid': 'x'})}.{claims}.{signature}",
    }


def test_what_is_no_token_of_this_client_reads_nothing(cloud: Cloud) -> None:
    answers = {
        (what, address): get(cloud, address, bearer)
        for what, bearer in forged(cloud).items()
        for address in ("/api/releases", "/api/groups", "/api/openapi.json")
    }
    assert {place: status for place, (status, _) in answers.items() if status != 401} == {}
    assert {json.dumps(body) for _, body in answers.values()} == {'{"message": "Unauthorized"}'}


def test_a_session_opens_no_api_and_a_token_no_page(cloud: Cloud) -> None:
    browser = Browser(cloud)
    assert browser.sign_in("/", "grace@example.com").status == 200
    assert browser.ask("GET", "/api/releases").status == 401
    answer = urllib3.request(
        "GET", f"{cloud.running.web_url}/", headers={"Authorization": f"Bearer {token(cloud)}"}, redirect=False
    )
    assert answer.status == 303
