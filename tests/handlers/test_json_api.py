"""The JSON API: the command's documents, problems with a cure, and every answer as its OpenAPI document says."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.braked import brakes_on
from lockkeeper.use_cases.read_dossiers import read_dossiers, to_json

from functions.serve_web.api import DOCUMENT
from tests.handlers.conftest import handler_of
from tests.handlers.web import request, with_sign_in
from tests.template.project import resources
from tests.unit.harbour import GROUP, Harbour, policy_document, release_id
from tests.unit.web_suite import opened

ADA = "arn:aws:sts::111111111111:assumed-role/Ada/session"


@cache
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return found


def operation(method: str, path: str) -> dict[str, Any]:
    """What the document says about a route; `{names}` stand for one part of a path."""
    for template, operations in document()["paths"].items():
        # `/api/groups` is no release: what is written out goes before what has a name in it.
        if method in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] = operations[method]
            return found
    raise AssertionError(f"{method} {path} is not in the document")


def call(method: str, address: str, body: Any = None, caller: str = "") -> tuple[int, Any]:
    """Status and document of an answer, which has to be one that the OpenAPI document promises."""
    event = request(method.upper(), address, json.dumps(body) if body is not None else None)
    if caller:
        event["requestContext"]["authorizer"] = {"iam": {"userArn": caller, "accountId": "111111111111"}}
    answer = handler_of("serve_web")(event, None)
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Cache-Control"] == "no-store"
    found = json.loads(answer["body"])
    promised = operation(method, urlsplit(address).path)["responses"][str(answer["statusCode"])]
    schema = {**promised["content"]["application/json"]["schema"], "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(found)
    return answer["statusCode"], found


def get(address: str) -> tuple[int, Any]:
    return call("get", address)


@pytest.fixture
def waiting(harbour: Harbour) -> Harbour:
    with_sign_in(harbour.world)
    harbour.register(1)
    return harbour


def test_releases_are_those_of_the_command(waiting: Harbour) -> None:
    status, found = get("/api/releases")
    assert status == 200
    assert found == {"releases": [waiting.release(1).to_json()], "next": None}


def test_a_release_is_what_the_command_shows(waiting: Harbour) -> None:
    waiting.decide(Answer.APPROVE)
    waiting.settle()
    status, found = get(f"/api/releases/{release_id(1)}")
    release = waiting.release(1)
    assert status == 200
    world = waiting.world
    shown = to_json(release, read_dossiers(release, world), brakes_on(release, world))
    assert found == json.loads(json.dumps(shown))
    assert found["brakes"] == {"held": None, "frozen": None}
    assert {one["seal_holds"] for one in found["dossiers"].values()} == {True}


def test_pages_follow_each_other(waiting: Harbour) -> None:
    opened(waiting.world.ledger, 5, "prices", hour=10)
    seen, address = [], "/api/releases?group=prices&limit=2"
    while address:
        _, found = get(address)
        seen += [one["release_id"] for one in found["releases"]]
        address = f"/api/releases?group=prices&limit=2&after={found['next']}" if found["next"] else ""
    assert seen == [f"prices-v{version}-a1" for version in (5, 4, 3, 2, 1)]


def test_releases_of_one_status(waiting: Harbour) -> None:
    opened(waiting.world.ledger, 2, "prices", hour=10)
    assert [one["release_id"] for one in get("/api/releases?status=awaiting-approval")[1]["releases"]] == [
        release_id(1)
    ]
    assert get("/api/releases?status=promoted")[1]["releases"] == []
    assert {one["status"] for one in get("/api/releases?status=open")[1]["releases"]} == {Status.OPEN}


@pytest.mark.parametrize(
    "query",
    [
        *("status=fine", "after=nobody", "group=a%20b", "group=..%2F", f"group={'a' * 64}", "group=wages,prices"),
        *(f"limit={limit}" for limit in ("0", "101", "x", "-1", "1.5", "%C2%B2", "10,20")),
    ],
)
def test_a_question_that_cannot_be_answered_is_400_with_a_cure(waiting: Harbour, query: str) -> None:
    status, found = get(f"/api/releases?{query}")
    assert (status, found["error"]) == (400, "QueryRefused")
    assert found["message"]
    assert found["cure"]


def test_what_is_not_there_is_404(waiting: Harbour) -> None:
    for address, error in (("/api/releases/nobody", "UnknownRelease"), ("/api/groups/nobody", "UnknownGroup")):
        status, found = get(address)
        assert (status, found["error"]) == (404, error)


def test_groups_have_their_champions(waiting: Harbour) -> None:
    assert get("/api/groups")[1] == {"groups": [{"model_package_group": GROUP, "champion": None}], "next": None}
    waiting.promote(2)
    (found,) = get("/api/groups")[1]["groups"]
    assert (found["champion"]["version"], found["champion"]["release_id"]) == (2, release_id(2))


def test_a_group_tells_what_served_and_what_is_held(waiting: Harbour) -> None:
    waiting.promote(2)
    waiting.world.ledger.hold(GROUP, Brake(Did.HELD, "an alarm", version=7))
    status, found = get(f"/api/groups/{GROUP}")
    assert status == 200
    assert found["served"] == [found["champion"]]
    assert [(one["version"], one["reason"], one["by"]) for one in found["holds"]] == [(7, "an alarm", "lockkeeper")]


def test_many_groups_come_in_pages(waiting: Harbour) -> None:
    for number in range(230):
        waiting.world.policies.save(f"group-{number:03}", "a policy", "somebody")
    names: list[str] = []
    address = "/api/groups"
    while address:
        _, found = get(address)
        names += [one["model_package_group"] for one in found["groups"]]
        assert len(found["groups"]) <= 100
        address = f"/api/groups?after={found['next']}" if found["next"] else ""
    assert names == sorted({GROUP, *(f"group-{number:03}" for number in range(230))})


def test_dossiers_that_are_too_large_to_send_are_left_in_the_bucket(waiting: Harbour) -> None:
    key = f"dossiers/{release_id(1)}/judged.json"
    waiting.world.objects.write(key, json.dumps({"evidence": {"report": "x" * 4_000_001}}).encode(), "application/json")
    status, found = get(f"/api/releases/{release_id(1)}")
    judged = found["dossiers"]["judged"]
    assert (status, judged["document"], judged["left_out"]) == (200, None, waiting.world.objects.address_of(key))


def test_decisions_answer_as_the_document_says(waiting: Harbour) -> None:
    address = f"/api/releases/{release_id(1)}/decision"
    assert call("post", address, {"answer": "maybe"}, ADA)[0] == 400
    assert call("post", address, {"answer": "approve"}, ADA.replace("Ada", "Mallory"))[0] == 403
    assert call("post", address, {"answer": "approve"})[0] == 403
    assert call("post", "/api/releases/nobody/decision", {"answer": "approve"}, ADA)[0] == 404
    assert call("post", address, {"answer": "approve", "comment": "fine"}, ADA)[0] == 200
    assert call("post", address, {"answer": "approve"}, ADA)[0] == 409


def test_a_decision_about_another_question_than_the_open_one_is_not_taken(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"]["before"] = ["staging", "production"]
    harbour.apply(document)
    harbour.register(1)
    address = f"/api/releases/{release_id(1)}/decision"
    judged = harbour.release(1).pins.seals["judged"]
    about = {"answer": "approve", "before": "staging", "seal": judged}
    status, refused = call("post", address, {**about, "seal": "0" * 64}, ADA)
    assert (status, refused["error"]) == (409, "OtherQuestion")
    assert judged in refused["message"]
    assert "0" * 64 in refused["message"]
    assert call("post", address, about, ADA)[0] == 200
    assert call("post", address, about, ADA)[1]["error"] == "AlreadyDecided", "asked again, and nobody asks anew yet"
    harbour.settle()
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    for late in (about, {"answer": "reject", "before": "staging"}):
        status, refused = call("post", address, late, ADA)
        assert (status, refused["error"]) == (409, "OtherQuestion")
        assert "before staging" in refused["message"]
        assert "before production" in refused["message"]
        assert "--before production" in refused["cure"]
    assert harbour.release(1).status is Status.AWAITING_APPROVAL, "Ada said nothing about production"
    assert call("post", address, {"answer": "approve", "before": "production", "seal": None}, ADA)[0] == 200


def test_revocations_answer_as_the_document_says(waiting: Harbour) -> None:
    address = f"/api/releases/{release_id(1)}/revoke"
    assert call("post", address, {"approver": "Nobody"}, ADA)[0] == 403
    assert call("post", address, {})[0] == 403
    assert call("post", "/api/releases/nobody/revoke", {}, ADA)[0] == 404
    assert call("post", address, {"approver": "Grace"}, ADA)[1]["revoked"] == ["Grace"]
    waiting.pass_time(minutes=1)
    assert call("post", address, {}, ADA)[1]["revoked"] == ["Ada", "Grace"]
    waiting.pass_time(hours=73)
    assert call("post", address, {}, ADA)[0] == 410


def test_a_decision_that_nobody_asks_for_answers_as_the_document_says(harbour: Harbour) -> None:
    harbour.register(1, accuracy=0.1)
    assert call("post", f"/api/releases/{release_id(1)}/decision", {"answer": "approve"}, ADA)[0] == 410


def test_the_document_is_served_as_it_is_written(waiting: Harbour) -> None:
    assert get("/api/openapi.json") == (200, document())


def test_every_route_of_the_api_is_in_the_document_and_the_other_way_round() -> None:
    routes = {one["RouteKey"]: one for one in resources("AWS::ApiGatewayV2::Route").values()}
    served = {key for key in routes if key.split(" ")[1].startswith("/api/")}
    written = {
        f"{method.upper()} {path}": one.get("security", document()["security"])
        for path, operations in document()["paths"].items()
        for method, one in operations.items()
    }
    assert set(written) == served
    schemes = {"JWT": [{"token": []}], "AWS_IAM": [{"aws": []}]}
    assert {key: schemes[routes[key]["AuthorizationType"]] for key in served} == written


def test_every_parameter_of_a_path_is_described() -> None:
    for path, operations in document()["paths"].items():
        for one in operations.values():
            named = {parameter["name"] for parameter in one.get("parameters", []) if parameter["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), path


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', DOCUMENT.read_text()))
    assert referred == set(document()["components"]["schemas"])
    for schema in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_status_is_in_the_document() -> None:
    listed = document()["components"]["schemas"]["Release"]["properties"]["status"]["enum"]
    (parameter,) = (one for one in operation("get", "/api/releases")["parameters"] if one["name"] == "status")
    assert set(listed) == set(parameter["schema"]["enum"]) == set(Status)


def test_the_fields_of_a_release_are_those_of_the_document(waiting: Harbour) -> None:
    assert set(document()["components"]["schemas"]["Release"]["required"]) == set(waiting.release(1).to_json())
