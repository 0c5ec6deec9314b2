"""`hold`, `lift-hold`, `freeze`, `unfreeze`, `rollback` and `resume-retraining`: a signed request, and what becomes of it in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.ports import Champion

from cli.main import app
from cli.stack import Stack
from tests.unit.cli_stage import WEB_URL, waiting_release
from tests.unit.test_cli_decisions import Api, api, expected_signature, runner, stack

__all__ = ["api", "stack"]

WORDS: dict[str, list[str]] = {
    "hold": ["wages", "3"],
    "lift-hold": ["wages", "3"],
    "freeze": ["wages"],
    "unfreeze": ["wages"],
    "rollback": ["wages"],
    "resume-retraining": ["wages"],
}
DONE = {
    "model_package_group": "wages",
    "did": "group frozen",
    "by": "Ada",
    "identity": "arn",
    "since": "2026-11-26T10:00:00.000Z",
    "reason": "the audit",
    "until": None,
    "note": "What comes in waits.",
}


def run(what: str, *more: str) -> Any:
    return runner.invoke(app, [what, *WORDS[what], "--reason", "the audit", *more])


@pytest.mark.parametrize("what", WORDS)
def test_a_brake_is_posted_to_its_route_and_signed(stack: Stack, api: Api, what: str) -> None:
    api.answer(200, DONE)
    result = run(what)
    assert (result.exit_code, result.stdout) == (0, "wages: group frozen by Ada.\nWhat comes in waits.\n")
    (sent,) = api.sent
    assert (sent.method, sent.url) == ("POST", f"{WEB_URL}/api/groups/wages/{what}")
    body = json.loads(sent.body)
    assert body["reason"] == "the audit"
    assert body.get("version") == (3 if len(WORDS[what]) == 2 else None)
    signed = sent.headers["Authorization"]
    assert (signed.decode() if isinstance(signed, bytes) else signed) == expected_signature(sent)


def test_the_version_and_the_end_are_said(stack: Stack, api: Api) -> None:
    api.answer(200, {**DONE, "version": 3, "until": "2026-12-01T08:00:00.000Z"})
    result = run("freeze", "--until", "64h")
    assert result.stdout.startswith("wages, version 3: group frozen by Ada, until 2026-12-01 08:00 UTC.")
    assert json.loads(api.sent[0].body)["until"] == "64h"


@pytest.mark.parametrize("what", WORDS)
def test_a_brake_without_a_reason_is_a_usage_error(stack: Stack, api: Api, what: str) -> None:
    assert runner.invoke(app, [what, *WORDS[what]]).exit_code == 2
    assert api.sent == []


@pytest.mark.parametrize("what", WORDS)
def test_a_stack_without_a_web_api_says_what_else_to_do(stack: Stack, api: Api, what: str) -> None:
    del stack.outputs["WebUrl"]
    result = run(what)
    assert (result.exit_code, api.sent) == (1, [])
    assert "without a web API" in result.stderr
    assert "cure: " in result.stderr
    assert ("Rejected" in result.stderr) == (what in ("hold", "rollback"))


def test_what_else_to_do_does_what_was_asked(stack: Stack, api: Api) -> None:
    del stack.outputs["WebUrl"]
    said = {what: " ".join(run(what).stderr.split()) for what in ("hold", "lift-hold")}
    assert api.sent == []
    assert all("deploy the stack with WebAccess=links" in text for text in said.values())
    assert "before its release begins, and while an approver whom the policy knows is asked" in said["hold"]
    # The hold is on the content: neither a status nor a new version of the same model lifts it.
    assert "ModelApprovalStatus" not in said["lift-hold"]
    assert "another model" in said["lift-hold"]


def test_a_refusal_is_the_apis_message_and_cure(stack: Stack, api: Api) -> None:
    api.answer(409, {"error": "NothingToRelease", "message": "wages is not frozen by anybody", "cure": "look again"})
    result = run("unfreeze")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: wages is not frozen by anybody\ncure: look again\n"


def test_a_name_that_is_no_group_cannot_reach_another_route(stack: Stack, api: Api) -> None:
    api.answer(200, DONE)
    runner.invoke(app, ["freeze", "../x?y#z", "--reason", "the audit"])
    assert api.sent[0].url == f"{WEB_URL}/api/groups/..%2Fx%3Fy%23z/freeze"


def test_a_version_that_is_none_is_a_usage_error(stack: Stack, api: Api) -> None:
    assert runner.invoke(app, ["hold", "wages", "0", "--reason", "x"]).exit_code == 2
    assert api.sent == []


def test_the_list_of_a_group_without_a_release_tells_that_it_is_frozen_and_what_was_adopted(stack: Stack) -> None:
    since = "2026-11-26T10:00:00.000Z"
    stack.world.ledger.freeze("wages", Brake(Did.FROZE, "the audit", "Grace", "arn:grace", since))
    stack.world.ledger.crown(Champion("wages", 0, "", "wages", "by-hand", since))
    listed = runner.invoke(app, ["releases", "--group", "wages"])
    assert "No release yet" in listed.stderr
    said = " ".join(listed.stdout.split())
    assert "wages serves what was adopted, configuration by-hand, since 2026-11-26" in said
    assert "the audit (by Grace since 2026-11-26 10:00 UTC)" in said
    assert json.loads(runner.invoke(app, ["releases", "--group", "wages", "--json"]).stdout) == []


def test_a_release_and_the_list_tell_what_is_held_and_frozen(stack: Stack) -> None:
    ledger = stack.world.ledger
    assert ledger.open(waiting_release())
    shown = json.loads(runner.invoke(app, ["show", "wages-v2-a1", "--json"]).stdout)
    assert shown["brakes"] == {"held": None, "frozen": None}
    assert "held" not in runner.invoke(app, ["releases"]).stdout
    since = "2026-11-26T10:00:00.000Z"
    ledger.hold("wages", Brake(Did.HELD, "the data were wrong", "Ada", "arn:ada", since, 2))
    ledger.freeze("wages", Brake(Did.FROZE, "the audit", "Grace", "arn:grace", since))
    shown = json.loads(runner.invoke(app, ["show", "wages-v2-a1", "--json"]).stdout)
    assert shown["brakes"]["held"] == {
        "by": "Ada",
        "identity": "arn:ada",
        "since": since,
        "reason": "the data were wrong",
        "until": None,
    }
    assert shown["brakes"]["frozen"]["by"] == "Grace"
    for command in (["show", "wages-v2-a1"], ["releases"]):
        said = " ".join(runner.invoke(app, command).stdout.split())
        assert "the data were wrong (by Ada since 2026-11-26 10:00 UTC)" in said
        assert "the audit (by Grace since 2026-11-26 10:00 UTC)" in said
    assert isinstance(json.loads(runner.invoke(app, ["releases", "--json"]).stdout), list)
