"""What the pages and the API say of drift: what was said, why a retraining was started or not, and what came of it."""

from __future__ import annotations

import pytest
from lockkeeper.domain.brakes import Did
from lockkeeper.ports_of_retraining import Step

from tests.handlers.test_board import text_of
from tests.handlers.test_brakes import brake
from tests.handlers.test_json_api import ADA, get
from tests.handlers.web import with_sign_in
from tests.unit.drifting import Drifting, drift_policy
from tests.unit.harbour import GROUP, Harbour, package_arn, policy_document

MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def drifting(harbour: Harbour) -> Drifting:
    """A retraining that failed, a signal that came too soon, and a retraining that made version 2."""
    drifting = Drifting(harbour)
    drifting.drift(drifted=[{"name": MARKUP, "measured": 0.2}])
    drifting.fail(f"AlgorithmError: {MARKUP}")
    drifting.drift(id="too soon")
    drifting.pass_time(hours=2)
    drifting.drift()
    drifting.succeed(2)
    return drifting


def test_the_groups_page_explains_every_retraining_and_every_signal(drifting: Drifting) -> None:
    browser = with_sign_in(drifting.world)
    browser.sign_in()
    answer = browser.get(f"/groups/{GROUP}")
    text = text_of(answer)
    assert "wages-r2, by wages-train" in text
    assert "helped: version 2 was promoted and serves" in text
    assert "did not help: wages-train failed at step Train: AlgorithmError:" in text
    assert "Cooling down" in text
    assert "none starts before" in text
    assert MARKUP not in answer["body"]


def test_the_releases_page_says_why_there_is_the_version(drifting: Drifting) -> None:
    browser = with_sign_in(drifting.world)
    browser.sign_in()
    assert "Trained anew wages-r2: event says that exp 0.136" in text_of(browser.get("/releases/wages-v2-a1"))
    assert "Trained anew" not in text_of(browser.get("/releases/wages-v1-a1"))


def test_the_api_says_the_same_in_the_form_of_its_document(drifting: Drifting) -> None:
    status, document = get(f"/api/groups/{GROUP}")
    assert status == 200
    assert [one["stage"] for one in document["retrainings"]] == ["helped", "did not help"]
    answers = [one["answer"] for one in document["signals"]]
    assert sorted(answers) == ["cooling down", "retraining started", "retraining started"]


def test_who_is_asked_reads_why_there_is_the_version(harbour: Harbour) -> None:
    drifting = Drifting(harbour)
    harbour.apply({**policy_document(), "drift": drift_policy()["drift"]})
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Executing", package_arn=package_arn(2)))
    harbour.register(2)
    browser = with_sign_in(drifting.world)
    page = text_of(browser.get(f"/approvals/{harbour.link()}"))
    assert "Retraining wages-r1: event says that exp 0.136 (threshold 0.1) drifted on 600 rows" in page


def test_a_caller_lets_retrainings_go_on(harbour: Harbour) -> None:
    drifting = Drifting(harbour)
    for _ in range(2):
        drifting.drift()
        drifting.fail()
        drifting.pass_time(hours=2)
    status, found = brake("resume-retraining")
    assert (status, found["did"], found["identity"]) == (200, "retraining resumed", ADA)
    assert harbour.world.ledger.brake_history(GROUP, 1)[0].did is Did.RESUMED
    drifting.pass_time(minutes=11)
    assert brake("resume-retraining")[0] == 409
