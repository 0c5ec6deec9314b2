"""`lockkeeper approve` and `reject`: a signed request, and what the API says to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from lockkeeper.domain.approval import ApprovalRequest
from lockkeeper.domain.policy import Approver
from typer.testing import CliRunner

from cli.main import app
from cli.stack import Stack
from tests.unit.cli_stage import REGION, WEB_URL, deployed, waiting_release

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})
DECISION = {"approver": "Ada Lindqvist", "answer": "approve", "comment": "fine", "channel": "cli", "at": "2026"}


class Api:
    """In place of the HTTP session: keeps the request that was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.answer(200, {"release_id": "wages-v2-a1", "status": "approved", **DECISION})

    def answer(self, status: int, body: object) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._answer = SimpleNamespace(status_code=status, content=content)

    def __call__(self, **_settings: Any) -> Api:
        return self

    def send(self, request: Any) -> SimpleNamespace:
        self.sent.append(request)
        return self._answer


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr("cli.decisions.URLLib3Session", made)
    return made


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with deployed() as found:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: found)
        yield found


def expected_signature(sent: Any) -> str:
    """The Authorization header that AWS computes from what it receives."""
    received = AWSRequest(sent.method, sent.url, data=sent.body, headers={"Content-Type": sent.headers["Content-Type"]})
    received.headers["Accept"] = sent.headers["Accept"]
    received.headers["X-Amz-Date"] = received.context["timestamp"] = sent.headers["X-Amz-Date"]
    check = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "execute-api", REGION)
    signature = check.signature(check.string_to_sign(received, check.canonical_request(received)), received)
    names = check.signed_headers(check.headers_to_sign(received))
    return f"AWS4-HMAC-SHA256 Credential={check.scope(received)}, SignedHeaders={names}, Signature={signature}"


def test_an_approval_is_posted_to_the_decision_route_of_the_release(stack: Stack, api: Api) -> None:
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "Ada Lindqvist approved wages-v2-a1.\n", "")
    (sent,) = api.sent
    assert (sent.method, sent.url) == ("POST", f"{WEB_URL}/api/releases/wages-v2-a1/decision")
    assert json.loads(sent.body) == {"answer": "approve", "comment": "fine"}


def test_the_request_is_signed_for_the_api_under_the_callers_credentials(stack: Stack, api: Api) -> None:
    runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    (sent,) = api.sent
    signed = sent.headers["Authorization"]
    assert (signed.decode() if isinstance(signed, bytes) else signed) == expected_signature(sent)


def test_a_rejection_says_who_rejected(stack: Stack, api: Api) -> None:
    api.answer(200, {"release_id": "wages-v2-a1", "status": "rejected", **DECISION, "answer": "reject"})
    result = runner.invoke(app, ["reject", "wages-v2-a1", "--comment", "not this one"])
    assert result.stdout == "Ada Lindqvist rejected wages-v2-a1.\n"
    assert json.loads(api.sent[0].body)["answer"] == "reject"


def test_an_approval_below_the_quorum_says_that_more_people_are_needed(stack: Stack, api: Api) -> None:
    api.answer(200, {"release_id": "wages-v2-a1", "status": "pending", **DECISION})
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert "More people must approve" in result.stdout


def test_a_group_and_a_version_are_decided_on_by_their_latest_attempt(stack: Stack, api: Api) -> None:
    assert stack.world.ledger.open(waiting_release())
    runner.invoke(app, ["approve", "wages/2", "--comment", "fine"])
    assert api.sent[0].url.endswith("/api/releases/wages-v2-a1/decision")


def test_a_refusal_is_the_apis_message_and_cure(stack: Stack, api: Api) -> None:
    api.answer(409, {"error": "AlreadyDecided", "message": "Ada has decided already", "cure": "it cannot be changed"})
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: Ada has decided already\ncure: it cannot be changed\n"


def test_a_caller_whom_the_gateway_lets_not_in_is_named(stack: Stack, api: Api) -> None:
    api.answer(403, {"message": "Forbidden"})
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert result.exit_code == 1
    assert stack.caller() in result.stderr
    assert "execute-api:Invoke" in result.stderr


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"message": "Internal Server Error"}])
def test_an_answer_of_another_kind_says_where_to_look(stack: Stack, api: Api, body: object) -> None:
    api.answer(500, body)
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert result.exit_code == 1
    assert f"the API at {WEB_URL} answered 500" in result.stderr


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", {"ok": True}])
@pytest.mark.parametrize("command", [["approve", "wages-v2-a1", "--comment"], ["hold", "wages", "3", "--reason"]])
def test_an_answer_that_is_not_of_the_api_is_no_success(
    stack: Stack, api: Api, command: list[str], body: object
) -> None:
    api.answer(200, body)
    result = runner.invoke(app, [*command, "fine"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"what answers at {WEB_URL} is not Lockkeeper's API" in result.stderr
    assert "WebUrl" in result.stderr


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_a_decision_without_a_comment_is_a_usage_error(stack: Stack, api: Api, command: str) -> None:
    assert runner.invoke(app, [command, "wages-v2-a1"]).exit_code == 2
    assert api.sent == []


def test_a_stack_without_a_web_api_says_how_else_to_decide(stack: Stack, api: Api) -> None:
    del stack.outputs["WebUrl"]
    result = runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert (result.exit_code, api.sent) == (1, [])
    assert "without a web API" in result.stderr
    assert "aws sagemaker update-model-package" in result.stderr.replace("\n", " ")


def test_a_name_that_is_no_release_cannot_reach_another_route(stack: Stack, api: Api) -> None:
    runner.invoke(app, ["approve", "..%2f?x#y", "--comment", "fine"])
    assert api.sent[0].url == f"{WEB_URL}/api/releases/..%252f%3Fx%23y/decision"


REVOKED = {"release_id": "wages-v2-a1", "before": "staging", "revoked": ["Ada", "Grace"], "by": "Ada", "at": "2026"}


def test_links_are_revoked_at_the_route_of_the_release(stack: Stack, api: Api) -> None:
    api.answer(200, {**REVOKED, "next_reminder": "2026-11-27T10:00:00.000Z"})
    result = runner.invoke(app, ["revoke", "wages-v2-a1"])
    assert result.stdout == (
        "The links of Ada, Grace to wages-v2-a1 are void.\nThe next reminder, at 2026-11-27 10:00 UTC, has new ones.\n"
    )
    (sent,) = api.sent
    assert sent.url == f"{WEB_URL}/api/releases/wages-v2-a1/revoke"
    assert json.loads(sent.body) == {"approver": ""}


def test_the_links_of_one_person_are_revoked_by_name(stack: Stack, api: Api) -> None:
    api.answer(200, {**REVOKED, "revoked": ["Grace"], "next_reminder": ""})
    result = runner.invoke(app, ["revoke", "wages-v2-a1", "--approver", "Grace"])
    assert "No reminder comes any more" in result.stdout
    assert json.loads(api.sent[0].body) == {"approver": "Grace"}


def ask(stack: Stack, before: str, seal: str) -> None:
    """Ada is asked about the release."""
    ada = Approver(name="Ada Lindqvist", email="ada@example.com")
    request = ApprovalRequest("wages-v2-a1", before, seal, 1, (ada,), "grace@example.com", "2026", "2027")
    assert stack.world.ledger.ask(request, [])


@pytest.mark.parametrize("name", ["wages-v2-a1", "wages/2"])
def test_a_decision_names_the_question_that_was_open_when_it_was_made(stack: Stack, api: Api, name: str) -> None:
    assert stack.world.ledger.open(waiting_release())
    ask(stack, "staging", "5" * 64)
    runner.invoke(app, ["reject", name, "--comment", "no"])
    assert json.loads(api.sent[0].body) == {"answer": "reject", "comment": "no", "before": "staging", "seal": "5" * 64}


def test_a_decision_names_the_question_that_its_maker_named(stack: Stack, api: Api) -> None:
    ask(stack, "production", "5" * 64)
    runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine", "--before", "staging"])
    assert json.loads(api.sent[0].body) == {"answer": "approve", "comment": "fine", "before": "staging"}


@pytest.mark.parametrize(("code", "sent"), [("AccessDeniedException", 1), ("InternalServerError", 0)])
def test_who_may_not_read_the_ledger_may_decide(
    stack: Stack, api: Api, monkeypatch: pytest.MonkeyPatch, code: str, sent: int
) -> None:
    def refuse(*_what: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetItem")

    monkeypatch.setattr("cli.decisions.newest_question", refuse)
    runner.invoke(app, ["approve", "wages-v2-a1", "--comment", "fine"])
    assert [json.loads(one.body) for one in api.sent] == [{"answer": "approve", "comment": "fine"}] * sent
