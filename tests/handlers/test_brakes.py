"""The brakes as API Gateway calls them: answers as the document says, under the caller's identity, told on the board."""

from __future__ import annotations

import pytest
from lockkeeper.domain.release import Status

from tests.handlers.test_json_api import ADA, call, get
from tests.handlers.web import Browser, with_sign_in
from tests.unit.harbour import GROUP, Harbour, release_id
from tests.unit.settled import foreign, serve

WHY = {"reason": "the data were wrong"}
BRAKES = {
    "hold": {**WHY, "version": 3},
    "lift-hold": {**WHY, "version": 3},
    "freeze": WHY,
    "unfreeze": WHY,
    "rollback": WHY,
    "resume-retraining": WHY,
}
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def browser(harbour: Harbour) -> Browser:
    return with_sign_in(harbour.world)


def brake(what: str, caller: str = ADA, **body: object) -> tuple[int, dict[str, object]]:
    return call("post", f"/api/groups/{GROUP}/{what}", {**BRAKES[what], **body}, caller)


@pytest.mark.parametrize("what", BRAKES)
def test_a_caller_whom_nobody_authenticated_is_403(harbour: Harbour, what: str) -> None:
    assert brake(what, caller="")[0] == 403
    assert harbour.world.ledger.brake_history(GROUP, 9) == []


@pytest.mark.parametrize("what", BRAKES)
def test_a_group_without_a_policy_is_404(harbour: Harbour, what: str) -> None:
    status, found = call("post", f"/api/groups/wagse/{what}", BRAKES[what], ADA)
    assert (status, found["error"]) == (404, "UnknownGroup")


@pytest.mark.parametrize("what", BRAKES)
@pytest.mark.parametrize("reason", ["", None, " "])
def test_without_a_reason_it_is_400(harbour: Harbour, what: str, reason: str | None) -> None:
    status, found = brake(what, reason=reason)
    assert (status, found["error"]) == (400, "BrakeRefused")
    assert found["cure"]


@pytest.mark.parametrize("version", [None, "3", True, 0, -1, 10**10, 1.5, [3]])
def test_what_is_no_version_is_400(harbour: Harbour, version: object) -> None:
    assert brake("hold", version=version)[0] == 400
    assert harbour.world.ledger.holds(GROUP) == []


def test_what_is_not_on_cannot_be_taken_off(harbour: Harbour) -> None:
    assert [brake(what)[0] for what in ("lift-hold", "unfreeze", "resume-retraining")] == [409, 409, 409]


def test_a_version_is_held_and_let_go(harbour: Harbour) -> None:
    status, found = brake("hold")
    assert (status, found["by"], found["identity"], found["did"]) == (200, "Ada", ADA, "version held")
    assert brake("hold", "arn:aws:iam::111111111111:user/operator")[1]["by"] == "Ada", "the first hold stands"
    assert brake("lift-hold")[0] == 200
    assert harbour.world.ledger.held(GROUP, 3) is None


def test_a_group_is_frozen_and_let_go(harbour: Harbour) -> None:
    status, found = brake("freeze", until="64h")
    assert (status, found["until"]) == (200, "2026-11-27T01:00:00.000Z")
    assert brake("freeze", until="tomorrow")[0] == 400
    assert brake("unfreeze")[0] == 200
    assert harbour.world.ledger.frozen(GROUP) is None


def test_a_bake_is_rolled_back_and_a_second_time_there_is_nothing(harbour: Harbour) -> None:
    assert brake("rollback")[0] == 410
    harbour.register(1)
    harbour.approve()
    status, found = brake("rollback")
    assert (status, found["release_id"], found["version"]) == (200, release_id(1), 1)
    harbour.settle()
    assert harbour.release(1).status is Status.ROLLED_BACK
    assert brake("rollback")[0] == 410


def test_what_serves_is_adopted_once(harbour: Harbour, browser: Browser) -> None:
    assert call("post", f"/api/groups/{GROUP}/adopt", {}, ADA)[0] == 409
    serve(harbour.world, foreign(GROUP, stack="platform"))
    assert call("post", f"/api/groups/{GROUP}/adopt", {}, "")[0] == 403
    assert call("post", f"/api/groups/{GROUP}/adopt", {"take_over": "yes"}, ADA)[0] == 400
    assert call("post", f"/api/groups/{GROUP}/adopt", {}, ADA)[1]["error"] == "AdoptionRefused"
    status, found = call("post", f"/api/groups/{GROUP}/adopt", {"take_over": True}, ADA)
    assert (status, found["by"], found["config_name"]) == (200, "Ada", "by-hand")
    assert call("post", f"/api/groups/{GROUP}/adopt", {"take_over": True}, ADA)[0] == 409
    assert call("post", "/api/groups/wagse/adopt", {}, ADA)[0] == 404
    assert get(f"/api/groups/{GROUP}")[1]["champion"]["adopted"] is True
    assert get("/api/groups")[1]["groups"][0]["champion"]["release_id"] is None
    browser.sign_in()
    page = browser.get(f"/groups/{GROUP}")["body"]
    assert "What was adopted: configuration <code>by-hand</code>" in page
    assert "Endpoint adopted" in page
    assert "adopted" in browser.get("/")["body"]


def test_a_body_that_is_none_is_400(harbour: Harbour) -> None:
    for body in ([], "x", 7):
        assert call("post", f"/api/groups/{GROUP}/freeze", body, ADA)[0] == 400


def test_the_api_and_the_page_of_a_group_tell_who_braked_why_and_since_when(harbour: Harbour, browser: Browser) -> None:
    brake("hold", reason=MARKUP)
    harbour.pass_time(minutes=1)
    brake("freeze", "arn:aws:iam::111111111111:user/operator", until="64h")
    _status, found = get(f"/api/groups/{GROUP}")
    assert [(one["version"], one["by"], one["since"]) for one in found["holds"]] == [
        (3, "Ada", "2026-11-24T09:00:00.000Z")
    ]
    assert (found["frozen"]["by"], found["frozen"]["until"]) == (
        "arn:aws:iam::111111111111:user/operator",
        "2026-11-27T01:01:00.000Z",
    )
    assert [one["did"] for one in found["braked"]] == ["group frozen", "version held"]
    browser.sign_in()
    page = browser.get(f"/groups/{GROUP}")["body"]
    assert "Frozen: the data were wrong (by arn:aws:iam::111111111111:user/operator since 2026-11-24 09:01 UTC" in page
    assert "Version 3 is held: &lt;script&gt;" in page
    assert "<script" not in page
    harbour.pass_time(hours=65)
    assert get(f"/api/groups/{GROUP}")[1]["frozen"] is None
    assert "Frozen:" not in browser.get(f"/groups/{GROUP}")["body"]
