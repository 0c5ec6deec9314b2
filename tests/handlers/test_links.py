"""Personal links: what is not one decides nothing, and one that was revoked says so."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.keep_house import QUIET, keep_house

from tests.conftest import Figure
from tests.handlers.test_serve_web import ADA, post, serve, token_of
from tests.unit.harbour import Harbour, policy_document, release_id

GRACE = "arn:aws:sts::111111111111:assumed-role/Grace/session"


@pytest.fixture
def asked(harbour: Harbour) -> Harbour:
    """Both approvers have an AWS identity; reminders come daily."""
    document = policy_document()
    document["approval"]["approvers"][1]["aws_principal"] = "arn:aws:iam::111111111111:role/Grace"
    document["approval"]["remind_every"] = "24h"
    harbour.apply(document)
    harbour.register(1)
    return harbour


def kept(harbour: Harbour) -> dict[str, Any]:
    """All that the ledger has; meters and timeline of the release too."""
    state = {name: value for name, value in harbour.world.ledger.__dict__.items() if name not in ("writing", "clock")}
    return deepcopy(state)


def revoke(body: dict[str, Any] | None = None, caller: str = ADA) -> dict[str, Any]:
    return serve("POST", f"/api/releases/{release_id(1)}/revoke", json.dumps(body or {}), caller=caller)


def test_a_hundred_readings_change_nothing(asked: Harbour, figure: Figure) -> None:
    before = kept(asked)
    for method in ("GET", "HEAD"):
        for _ in range(100):
            serve(method, f"/approvals/{asked.link()}")
    changed = sum(before[name] != value for name, value in kept(asked).items())
    figure("GET x 100 and HEAD x 100 of an approval link", f"{changed} changes", "0 changes")
    assert changed == 0


def test_a_link_with_any_byte_flipped_is_unknown(asked: Harbour, figure: Figure) -> None:
    link, before = asked.link(), kept(asked)
    token = token_of(link)
    flipped = {
        f"{link[:place]}{chr(ord(link[place]) ^ 1 << bit)}{link[place + 1 :]}"
        for place in range(len(link))
        for bit in range(7)
    }
    answers = [serve("POST", f"/approvals/{one}", f"answer=approve&token={token}") for one in sorted(flipped)]
    accepted = sum(answer["statusCode"] != 404 for answer in answers)
    figure("approval links with one bit flipped, of every byte", f"{accepted} of {len(flipped)} accepted", "0 accepted")
    assert accepted == 0
    assert len(flipped) == 7 * 43
    assert kept(asked) == before


@pytest.mark.parametrize(
    "link", ["", " ", "..", "%2e%2e", "x" * 5000, "%00", "LINK", "a/b", "%F0%9F%98%80", "<script>"]
)
def test_what_is_no_link_is_unknown(asked: Harbour, link: str) -> None:
    before = kept(asked)
    for method in ("GET", "POST"):
        assert serve(method, f"/approvals/{link}", "answer=approve")["statusCode"] == 404
    assert kept(asked) == before


def test_every_refusal_has_its_status_and_a_page_and_changes_nothing(asked: Harbour, figure: Figure) -> None:
    link, token = asked.link(), token_of(asked.link())
    assert post(asked)["statusCode"] == 200
    asked.settle()
    refused = {}
    before = kept(asked)
    form = f"answer=reject&token={token}"
    refused["reused"] = serve("POST", f"/approvals/{link}", form)
    refused["somebody else's, once it is decided"] = post(asked, "answer=reject", "Grace")
    refused["somebody else's form"] = serve("POST", f"/approvals/{asked.link('Grace')}", form)
    refused["altered"] = serve("POST", f"/approvals/{link[:-1]}", form)
    refused["malformed"] = serve("POST", f"/approvals/{link}", "answer=%ff&&=")
    assert {name: answer["statusCode"] for name, answer in refused.items()} == {
        "reused": 409,
        "somebody else's, once it is decided": 409,
        "somebody else's form": 400,
        "altered": 404,
        "malformed": 400,
    }
    assert all("Nothing was changed" in answer["body"] for answer in refused.values())
    changed = sum(before[name] != value for name, value in kept(asked).items())
    figure(
        "links that are reused, altered, malformed or somebody else's",
        f"{changed} changes by {len(refused)}",
        "0 changes",
    )
    assert changed == 0
    assert asked.release(1).status is Status.BAKING


def test_a_revoked_link_says_so_and_decides_nothing(asked: Harbour) -> None:
    token = token_of(asked.link())
    answer = revoke()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["revoked"] == ["Ada", "Grace"]
    for page in (
        serve("GET", f"/approvals/{asked.link()}"),
        serve("POST", f"/approvals/{asked.link()}", f"answer=approve&token={token}"),
        serve("GET", f"/approvals/{asked.link('Grace')}"),
    ):
        assert page["statusCode"] == 410
        for part in ("This link was revoked", "Ada revoked this link", "next reminder"):
            assert part in page["body"]
    release = asked.release(1)
    assert (release.approvals, release.status) == ((), Status.AWAITING_APPROVAL)
    assert ("links revoked", "all, by Ada") in [(entry.what, entry.why) for entry in release.timeline]


def test_who_revokes_one_persons_links_leaves_the_others(asked: Harbour) -> None:
    assert json.loads(revoke({"approver": "Grace"}, ADA)["body"])["revoked"] == ["Grace"]
    assert serve("GET", f"/approvals/{asked.link('Grace')}")["statusCode"] == 410
    assert post(asked)["statusCode"] == 200


def test_the_next_reminder_has_a_link_that_is_good(asked: Harbour) -> None:
    revoke()
    void = asked.link()
    asked.pass_time(hours=25)
    keep_house(QUIET, asked.inside)
    assert asked.link() != void
    assert serve("GET", f"/approvals/{void}")["statusCode"] == 410
    assert post(asked)["statusCode"] == 200


def test_without_reminders_the_page_does_not_promise_one(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"]["remind_every"] = "90d"
    harbour.apply(document)
    harbour.register(1)
    assert json.loads(revoke()["body"])["next_reminder"] == ""
    page = serve("GET", f"/approvals/{harbour.link()}")["body"]
    assert "reminder" not in page
    assert f"lockkeeper approve {release_id(1)}" in page


@pytest.mark.parametrize(
    ("caller", "body", "status"),
    [
        ("arn:aws:iam::111111111111:user/mallory", {}, 403),
        ("", {}, 403),
        (ADA, {"approver": "Mallory"}, 403),
        (ADA, {"approver": "<script>"}, 403),
    ],
)
def test_who_may_not_revoke_changes_nothing(asked: Harbour, caller: str, body: dict[str, Any], status: int) -> None:
    before = kept(asked)
    assert revoke(body, caller)["statusCode"] == status
    assert kept(asked) == before


def test_who_made_the_version_revokes_nobodys_link(harbour: Harbour) -> None:
    harbour.register(1, author="Ada")
    assert revoke()["statusCode"] == 403
    assert serve("GET", f"/approvals/{harbour.link('Grace')}")["statusCode"] == 200


def test_where_nobody_is_asked_there_is_nothing_to_revoke(asked: Harbour) -> None:
    asked.decide(Answer.APPROVE)
    answer = revoke()
    assert answer["statusCode"] == 410
    assert "so are its links" in json.loads(answer["body"])["message"]
    assert revoke(caller=GRACE)["statusCode"] == 410


def test_a_comment_that_is_too_long_is_cut_and_says_so(asked: Harbour) -> None:
    post(asked, f"answer=approve&comment={'x' * 2000}")
    comment = asked.release(1).approvals[0]["comment"]
    assert (len(comment), comment[-2:]) == (1024, "x…")
