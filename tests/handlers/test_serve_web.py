"""Approval pages and the decision route, as API Gateway calls them."""

from __future__ import annotations

import base64
import io
import json
import re
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.domain.approval import Answer, link_digest
from lockkeeper.domain.form_token import form_token
from lockkeeper.domain.release import Status
from lockkeeper.ports import Champion

from tests.handlers.conftest import Logged, handler_of
from tests.unit.harbour import GROUP, Harbour, package_arn, policy_document, release_id

ADA = "arn:aws:sts::111111111111:assumed-role/Ada/session"
MARKUP = "<script>alert('x')</script>"


def request(
    method: str, path: str, body: str | None = None, *, encoded: bool = False, caller: str = ""
) -> dict[str, Any]:
    """An HTTP API event, payload format 2.0."""
    if body is not None and encoded:
        body = base64.b64encode(body.encode()).decode()
    context: dict[str, Any] = {"http": {"method": method, "path": path}, "stage": "$default", "requestId": "1"}
    if caller:
        context["authorizer"] = {"iam": {"userArn": caller, "accountId": caller.split(":")[4]}}
    return {
        "version": "2.0",
        "routeKey": f"{method} /approvals/{{link}}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/x-www-form-urlencoded"},
        "requestContext": context,
        "body": body,
        "isBase64Encoded": encoded,
    }


def serve(*parts: Any, **named: Any) -> dict[str, Any]:
    return handler_of("serve_web")(request(*parts, **named), None)  # type: ignore[no-any-return]


def token_of(link: str) -> str:
    """What the page's form has in it; nothing where it has no form."""
    found = re.search(r'name="token" value="([0-9a-f]{64})"', serve("GET", f"/approvals/{link}")["body"])
    return found[1] if found else ""


def post(harbour: Harbour, body: str = "answer=approve", approver: str = "Ada", **named: Any) -> dict[str, Any]:
    """Open the page as a browser does, and send its form; a page without one has had one once."""
    link = harbour.link(approver)
    token = token_of(link) or form_token(link, link_digest(link), harbour.release(1).pins.seals["judged"])
    return serve("POST", f"/approvals/{link}", f"{body}&token={token}", **named)


def decide(body: Any, caller: str = ADA) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return serve("POST", f"/api/releases/{release_id(1)}/decision", text, caller=caller)


@pytest.fixture
def asked(harbour: Harbour) -> Harbour:
    harbour.register(1)
    return harbour


def test_the_page_shows_the_evidence_and_asks(asked: Harbour) -> None:
    answer = serve("GET", f"/approvals/{asked.link()}")
    assert answer["statusCode"] == 200
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    release = asked.release(1)
    for part in (
        "wages version 1",
        "0.8 meets &gt;= 0.7",
        release.pins.artifacts[0].sha256,
        release.pins.seals["judged"],
    ):
        assert part in answer["body"]
    assert '<form method="post">' in answer["body"]


def test_the_page_holds_the_candidate_against_the_champion_and_names_the_way_back(harbour: Harbour) -> None:
    harbour.promote(1, accuracy=0.75)
    harbour.register(2, accuracy=0.8, told=False)
    package = harbour.world.registry.packages[package_arn(2)]
    package["CustomerMetadataProperties"]["reason"] = "drift of exp"
    card = {"intended_uses": {"intended_uses": "Research on wages"}}
    package["ModelCard"] = {"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"}
    harbour.tell_registry(2)
    harbour.settle()
    body = serve("GET", f"/approvals/{harbour.link()}")["body"]
    row = re.search(r'<th scope="row">accuracy</th>(.*)</tr>', body)
    assert row
    assert re.findall("<td[^>]*>(.*?)</td>", row[1]) == ["0.8", "0.75", "&gt;= 0.7; &gt;= 0.74"]
    champion = harbour.world.ledger.champion(GROUP)
    assert champion
    for part in (
        champion.config_name,
        champion.since,
        "version 1",
        "Research on wages",
        "drift of exp",
        "1 x ml.m5.large",
    ):
        assert part in body, part
    headings = [int(level) for level in re.findall(r"<h(\d)", body)]
    assert headings == [1, *[2] * (len(headings) - 1)]
    assert set(re.findall(r'aria-labelledby="(\w+)"', body)) <= set(re.findall(r' id="(\w+)"', body))


def test_a_champion_that_was_never_released_here_is_named_without_its_measures(harbour: Harbour) -> None:
    harbour.register(2)
    harbour.world.ledger.crown(Champion(GROUP, 1, "adopted", "wages", "by-hand", "2026-11-01T00:00:00.000Z"))
    body = serve("GET", f"/approvals/{harbour.link()}")["body"]
    assert "by-hand" in body


def test_reading_a_hundred_times_changes_nothing(asked: Harbour) -> None:
    before = deepcopy(asked.world.ledger.__dict__ | {"writing": None})
    for method in ("GET", "HEAD"):
        for _ in range(50):
            serve(method, f"/approvals/{asked.link()}")
    after = deepcopy(asked.world.ledger.__dict__ | {"writing": None})
    for kept in (before, after):
        del kept["clock"]
    assert after == before
    assert asked.world.tasks.results.keys() & {asked.machine.executions[release_id(1)].token} == set()


def test_a_post_approves_and_the_release_goes_on(asked: Harbour) -> None:
    answer = post(asked, "answer=approve&comment=good+work")
    assert answer["statusCode"] == 200
    assert "You approved it" in answer["body"]
    asked.settle()
    release = asked.release(1)
    assert release.status is Status.BAKING
    assert [(one["approver"], one["comment"], one["channel"]) for one in release.approvals] == [
        ("Ada", "good work", "link")
    ]


def test_a_post_rejects(asked: Harbour) -> None:
    assert "It will not be released" in post(asked, "answer=reject")["body"]
    asked.settle()
    assert asked.release(1).status is Status.REJECTED


def test_a_base64_body_is_read(asked: Harbour) -> None:
    assert post(asked, "answer=approve&comment=gr%C3%BC%C3%9Fe", encoded=True)["statusCode"] == 200
    assert asked.release(1).approvals[0]["comment"] == "grüße"


@pytest.mark.parametrize(
    "body", ["", "answer=maybe", "comment=x", "answer=APPROVE", "&".join(["a=1"] * 50), "\udcff%ff"]
)
def test_a_form_that_is_not_ours_is_400_and_changes_nothing(asked: Harbour, body: str) -> None:
    event = request("POST", f"/approvals/{asked.link()}", f"{body}&token={token_of(asked.link())}")
    assert handler_of("serve_web")(event, None)["statusCode"] == 400
    assert asked.release(1).approvals == ()


@pytest.mark.parametrize(
    "token", ["", "&token=", "&token=0", f"&token={'0' * 64}", "&token=%ff%00", "&token=caf%C3%A9"]
)
def test_a_form_of_another_page_is_400_and_changes_nothing(asked: Harbour, token: str) -> None:
    answer = serve("POST", f"/approvals/{asked.link()}", f"answer=approve{token}")
    assert answer["statusCode"] == 400
    assert "does not come from the page behind this link" in answer["body"]
    assert asked.release(1).approvals == ()


def test_the_form_of_somebody_elses_page_is_refused(asked: Harbour) -> None:
    answer = serve("POST", f"/approvals/{asked.link()}", f"answer=approve&token={token_of(asked.link('Grace'))}")
    assert answer["statusCode"] == 400
    assert asked.release(1).approvals == ()


def test_a_body_that_is_no_text_is_400(asked: Harbour) -> None:
    event = request("POST", f"/approvals/{asked.link()}") | {
        "body": base64.b64encode(b"\xff\xfe\x00").decode(),
        "isBase64Encoded": True,
    }
    assert handler_of("serve_web")(event, None)["statusCode"] == 400


def test_an_unknown_link_is_404(asked: Harbour) -> None:
    for method in ("GET", "POST"):
        assert serve(method, "/approvals/nobody-was-sent-this", "answer=approve")["statusCode"] == 404


def test_a_link_about_earlier_evidence_is_404_and_decides_nothing(asked: Harbour) -> None:
    ledger = asked.world.ledger
    request = ledger.request_of(release_id(1), "staging")
    assert request is not None
    assert ledger.ask(replace(request, seal="of other evidence"), [])
    for method in ("GET", "POST"):
        answer = serve(method, f"/approvals/{asked.link()}", "answer=approve")
        assert answer["statusCode"] == 404
        assert "earlier evidence" in answer["body"]
    assert asked.release(1).approvals == ()


def test_a_second_decision_is_409(asked: Harbour) -> None:
    assert post(asked)["statusCode"] == 200
    assert post(asked)["statusCode"] == 409
    assert post(asked, "answer=reject", "Grace")["statusCode"] == 409
    assert len(asked.release(1).approvals) == 1


def test_a_closed_question_is_410(asked: Harbour) -> None:
    asked.pass_time(hours=73)
    answer = post(asked)
    assert answer["statusCode"] == 410
    assert "Nothing was changed" in answer["body"]


def test_an_expired_link_shows_that_nothing_is_asked_any_more(asked: Harbour) -> None:
    asked.pass_time(hours=73)
    page = serve("GET", f"/approvals/{asked.link()}")
    assert page["statusCode"] == 200
    assert "<form" not in page["body"]


def test_a_question_whose_time_is_over_is_not_put_before_anybody_notices(asked: Harbour) -> None:
    """Who opens the link in the minutes before `keep_house` looks finds no button that would be refused."""
    asked.world.clock.advance(timedelta(hours=73))
    page = serve("GET", f"/approvals/{asked.link()}")["body"]
    assert "This question expired" in page
    assert "lockkeeper replay" in page
    assert "<form" not in page


def test_pages_and_refusals_load_frame_cache_and_refer_nothing(asked: Harbour) -> None:
    answers = [
        serve("GET", f"/approvals/{asked.link()}"),
        serve("GET", "/approvals/unknown"),
        post(asked, "answer=maybe"),
        post(asked),
        decide({"answer": "approve"}),
    ]
    for answer in answers:
        headers = answer["headers"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy


def test_hostile_names_and_comments_are_shown_as_text(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"]["quorum"] = 2
    document["approval"]["approvers"][0]["name"] = MARKUP
    harbour.apply(document)
    harbour.register(1, author="<SCRIPT>lin</SCRIPT>")
    harbour.decide(Answer.APPROVE, MARKUP, comment=MARKUP)
    page = serve("GET", f"/approvals/{harbour.link('Grace')}")["body"]
    assert "<script" not in page.lower()


def test_a_hostile_comment_is_shown_as_text(asked: Harbour) -> None:
    body = "answer=reject&comment=%3Cscript%3Ealert%281%29%3C%2Fscript%3E%00"
    assert "<script" not in post(asked, body)["body"]
    page = serve("GET", f"/approvals/{asked.link('Grace')}")["body"]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert asked.release(1).approvals[0]["comment"] == "<script>alert(1)</script>"


def test_links_are_never_logged(asked: Harbour, log: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    link = asked.link()
    serve("GET", f"/approvals/{link}")
    post(asked, "answer=maybe")
    post(asked)
    post(asked)
    serve("GET", f"/approvals/{link}x")
    written = capsys.readouterr()
    assert release_id(1) in log.getvalue()
    assert link not in log.getvalue() + written.out + written.err


def test_every_log_line_of_a_decision_names_the_release(asked: Harbour, logged: Logged) -> None:
    post(asked)
    assert {line["release_id"] for line in logged()} == {release_id(1)}


def test_a_caller_decides_under_their_own_identity(asked: Harbour) -> None:
    answer = decide({"answer": "approve", "comment": "from the command line"})
    assert answer["statusCode"] == 200
    document = json.loads(answer["body"])
    assert (document["status"], document["approver"], document["channel"]) == ("approved", "Ada", "cli")
    asked.settle()
    assert asked.release(1).status is Status.BAKING


def test_a_caller_who_is_no_approver_is_403(asked: Harbour) -> None:
    for stranger in ("arn:aws:iam::111111111111:user/mallory", "arn:aws:sts::999999999999:assumed-role/Ada/x"):
        answer = decide({"answer": "approve"}, caller=stranger)
        assert answer["statusCode"] == 403
        assert json.loads(answer["body"])["error"] == "NotPermitted"
    assert asked.release(1).approvals == ()


def test_a_caller_whom_nobody_authenticated_is_403(asked: Harbour) -> None:
    assert decide({"answer": "approve"}, caller="")["statusCode"] == 403


@pytest.mark.parametrize("body", ["no json", "[1]", '"approve"', "null", "{}", '{"answer": ["approve"]}'])
def test_a_body_that_is_no_decision_is_400(asked: Harbour, body: str) -> None:
    assert decide(body)["statusCode"] == 400
    assert asked.release(1).approvals == ()


def test_a_decision_on_an_unknown_release_is_404(harbour: Harbour) -> None:
    assert decide({"answer": "approve"})["statusCode"] == 404


def test_a_decision_where_nobody_asks_is_410(harbour: Harbour) -> None:
    harbour.register(1, accuracy=0.1)
    assert harbour.world.ledger.releases(GROUP)
    assert decide({"answer": "approve"})["statusCode"] == 410


def test_the_author_may_not_decide_through_their_role(harbour: Harbour) -> None:
    document = policy_document()
    del document["approval"]["author_from"]
    harbour.apply(document)
    harbour.tell_registry = lambda version: None  # type: ignore[method-assign, assignment]
    harbour.register(1)
    for package in harbour.world.registry.packages.values():
        package["CreatedBy"] = {"IamIdentity": {"Arn": ADA}}
    del harbour.tell_registry
    harbour.tell_registry(1)
    harbour.settle()
    assert [letter.approver for letter in harbour.world.mail.letters] == ["Grace"]
    assert decide({"answer": "approve"})["statusCode"] == 403


def test_the_page_says_what_the_endpoint_costs_and_what_that_changes(harbour: Harbour) -> None:
    harbour.promote(1)
    document = policy_document()
    document["production"]["initial_instances"] = 2
    harbour.apply(document)
    harbour.register(2)
    page = serve("GET", f"/approvals/{harbour.link()}")["body"]
    assert "<dt>Costs</dt><dd>$167.90 a month, +$83.95 a month</dd>" in page
    assert "$167.90 a month: 2 x ml.m5.large at $0.115 an hour" in page
    assert "the champion $83.95 a month: 1 x ml.m5.large" in page
    document["production"]["instance_type"] = "ml.p9.large"
    harbour.apply(document)
    harbour.register(3)
    assert "<dt>Costs</dt><dd>not known</dd>" in serve("GET", f"/approvals/{harbour.link()}")["body"]
