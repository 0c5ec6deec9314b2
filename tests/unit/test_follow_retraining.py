"""A pipeline's end, its version and that version's release close the retraining that made them, whoever dies when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.retraining import Answer, Stage
from lockkeeper.ports_of_retraining import Step
from lockkeeper.use_cases import follow_retraining, react_to_registry
from lockkeeper.use_cases.follow_retraining import follow_execution, follow_release, link_version

from tests.unit.drifting import PIPELINE, Drifting, drifting
from tests.unit.harbour import GROUP, package_arn

__all__ = ["drifting"]


@contextmanager
def dying_at(monkeypatch: pytest.MonkeyPatch, where: Any, step: str) -> Iterator[None]:
    """Meanwhile who comes to a step of this module or object dies there."""

    def dies(*_given: Any, **_named: Any) -> None:
        raise OSError("the sandbox is gone")

    with monkeypatch.context() as patch:
        patch.setattr(where, step, dies)
        with pytest.raises(OSError, match="gone"):
            yield


def test_the_loop_closes_and_tells_what_came_of_it(drifting: Drifting) -> None:
    drifting.drift()
    drifting.succeed(2)
    ended = drifting.newest()
    assert (ended.stage, ended.version, ended.release_id) == (Stage.HELPED, 2, "wages-v2-a1")
    assert ended.outcome == "version 2 was promoted and serves"
    assert drifting.world.ledger.retraining_of(GROUP, 2) == ended
    (told,) = drifting.harbour.published("Retraining Ended")
    assert told["reason"] == ended.words
    assert "exp 0.136 (threshold 0.1) drifted on 600 rows" in ended.words
    assert "it made version 2; version 2 was promoted and serves" in ended.words


def test_the_version_is_known_as_the_retrainings_before_its_pipeline_ends(drifting: Drifting) -> None:
    drifting.drift()
    arn = drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.harbour.register(2)
    made = drifting.world.ledger.retraining_of(GROUP, 2)
    assert made is not None
    assert (made.retraining_id, made.stage) == ("wages-r1", Stage.RUNNING)


@pytest.mark.parametrize("pipeline_ends", [False, True])
def test_a_registration_that_dies_after_it_has_started_a_release_tells_it_of_the_retraining_when_it_is_tried_again(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch, pipeline_ends: bool
) -> None:
    """It dies before it links the version, and again before it tells the release; the pipeline's end may come before its next try."""
    drifting.drift()
    harbour, ledger, arn = drifting.harbour, drifting.world.ledger, drifting.running().execution_arn
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    harbour.register(2, told=False)
    for where, step in ((react_to_registry, "link_version"), (follow_retraining, "_tell_release")):
        with dying_at(monkeypatch, where, step):
            harbour.tell_registry(2)
        harbour.settle()
    assert not ledger.get("wages-v2-a1").made_by
    if pipeline_ends:
        drifting.world.pipelines.end(arn, "Succeeded")
        follow_execution(arn, harbour.inside)
    else:
        assert isinstance(harbour.tell_registry(2), Ignore)
    assert isinstance(harbour.tell_registry(2), Ignore)
    made = ledger.retraining_of(GROUP, 2)
    assert made is not None
    assert ledger.get("wages-v2-a1").made_by == made.cause
    assert [entry.what for entry in ledger.get("wages-v2-a1").timeline].count("made by a retraining") == 1


@pytest.mark.parametrize("release_ends", [False, True])
def test_a_pipelines_end_that_dies_before_the_release_knows_why_it_was_made_is_made_good(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch, release_ends: bool
) -> None:
    """Its own next try tells the release, or the release's end does, whichever comes first, and nothing is told twice."""
    drifting.drift()
    harbour, ledger, arn = drifting.harbour, drifting.world.ledger, drifting.running().execution_arn
    harbour.register(2)  # Its step is not told yet, so that its release does not know whose version it is.
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.world.pipelines.end(arn)
    with dying_at(monkeypatch, ledger, "record"):
        follow_execution(arn, harbour.inside)
    assert drifting.newest().stage is Stage.REGISTERED
    assert not ledger.get("wages-v2-a1").made_by
    if release_ends:
        harbour.traffic()
        harbour.pass_time(minutes=11)
        follow_release(GROUP, 2, harbour.inside)
        assert drifting.newest().stage is Stage.HELPED
    follow_execution(arn, harbour.inside)
    assert ledger.get("wages-v2-a1").made_by.startswith("wages-r1: event says")
    assert [entry.what for entry in ledger.get("wages-v2-a1").timeline].count("made by a retraining") == 1


@pytest.mark.parametrize("tries", [1, 2])
def test_a_pipeline_that_fails_after_it_has_registered_a_version_says_why_there_is_that_version(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Also where whoever hears of its end dies before the release was told."""
    drifting.drift()
    harbour, ledger, arn = drifting.harbour, drifting.world.ledger, drifting.running().execution_arn
    harbour.register(2)  # Its step is not told yet.
    drifting.world.pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    drifting.world.pipelines.step(arn, Step("Mail", "Failed", reason="nobody is there"))
    drifting.world.pipelines.end(arn, "Failed")
    for _ in range(1, tries):
        with dying_at(monkeypatch, ledger, "record"):
            follow_execution(arn, harbour.inside)
    follow_execution(arn, harbour.inside)
    ended = drifting.newest()
    assert (ended.stage, ended.version) == (Stage.DID_NOT_HELP, 2)
    assert "failed at step Mail: nobody is there" in ended.outcome
    assert ledger.get("wages-v2-a1").made_by == ended.cause
    assert [entry.what for entry in ledger.get("wages-v2-a1").timeline].count("made by a retraining") == 1


@pytest.mark.parametrize(("status", "stage"), [("Succeeded", Stage.REGISTERED), ("Failed", Stage.DID_NOT_HELP)])
def test_the_end_of_a_pipeline_and_the_event_of_its_version_lose_neither(
    drifting: Drifting, status: str, stage: Stage
) -> None:
    drifting.drift()
    pipelines, arn = drifting.world.pipelines, drifting.running().execution_arn
    pipelines.step(arn, Step("Register", "Succeeded", package_arn=package_arn(2)))
    pipelines.end(arn, status)
    look = pipelines.steps

    def look_while_the_version_is_linked(asked: str) -> tuple[Step, ...]:
        pipelines.steps = look  # type: ignore[method-assign]
        assert link_version(package_arn(2), drifting.harbour.inside) is not None
        return look(asked)

    pipelines.steps = look_while_the_version_is_linked  # type: ignore[method-assign]
    follow_execution(arn, drifting.harbour.inside)
    ended = drifting.newest()
    assert (ended.stage, ended.version) == (stage, 2)


def test_a_version_that_somebody_else_made_is_not_the_retrainings(drifting: Drifting) -> None:
    drifting.drift()
    drifting.harbour.register(2)
    assert drifting.world.ledger.retraining_of(GROUP, 2) is None


def test_a_pipeline_that_fails_is_told_with_the_failing_steps_reason(drifting: Drifting) -> None:
    drifting.drift()
    drifting.fail("AlgorithmError: no rows in the window")
    ended = drifting.newest()
    assert ended.stage is Stage.DID_NOT_HELP
    assert ended.outcome == "wages-train failed at step Train: AlgorithmError: no rows in the window"


def test_a_pipeline_that_has_failed_before_anybody_knows_whose_it_is_closes_its_retraining(
    drifting: Drifting, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, told = drifting.world.pipelines.run, []

    def fails_at_once(*given: Any) -> str:
        arn = run(*given)
        drifting.world.pipelines.end(arn, "Failed", "no quota")
        told.append(follow_execution(arn, drifting.harbour.inside))
        return arn

    monkeypatch.setattr(drifting.world.pipelines, "run", fails_at_once)
    assert drifting.drift().answer is Answer.STARTED
    assert told == [""]
    ended = drifting.newest()
    assert (ended.stage, ended.outcome) == (Stage.DID_NOT_HELP, "wages-train failed: no quota")
    (started,) = drifting.harbour.published("Retraining Started")
    (over,) = drifting.harbour.published("Retraining Ended")
    assert started["retraining_id"] == over["retraining_id"] == "wages-r1"


@pytest.mark.parametrize(
    ("steps", "status", "said"),
    [
        ([], "Stopped", "wages-train was stopped: no reason is given"),
        ([], "Failed", "wages-train failed: no reason is given"),
        ([Step("Train", "Succeeded")], "Succeeded", "wages-train succeeded and registered no version"),
        (
            [Step("Register", "Succeeded", package_arn=package_arn(2).replace("/wages/", "/prices/"))],
            "Succeeded",
            "wages-train succeeded and registered a version of prices",
        ),
    ],
)
def test_a_pipeline_that_leaves_no_version_did_not_help(
    drifting: Drifting, steps: list[Step], status: str, said: str
) -> None:
    drifting.drift()
    arn = drifting.running().execution_arn
    for step in steps:
        drifting.world.pipelines.step(arn, step)
    drifting.world.pipelines.end(arn, status)
    assert follow_execution(arn, drifting.harbour.inside) == f"wages-r1: {said}"
    assert drifting.newest().stage is Stage.DID_NOT_HELP


def test_an_execution_that_nobody_here_started_is_left_alone(drifting: Drifting) -> None:
    drifting.drift()
    assert follow_execution(drifting.world.pipelines.run(PIPELINE), drifting.harbour.inside) == ""
    assert drifting.running().stage is Stage.RUNNING
