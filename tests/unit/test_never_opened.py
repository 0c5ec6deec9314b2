"""A version whose execution died before OpenRelease had written its release: told as failed, and replayed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.domain.errors import ReplayRefused
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.replay_release import replay_release, replay_unopened

from tests.unit.harbour import GROUP, Harbour, package_arn, release_id

DIED = "its execution was FAILED in OpenRelease"


def away(*_: Any) -> Any:
    raise ConnectionError("the table is away")


def harbour_without_a_table(monkeypatch: pytest.MonkeyPatch) -> Harbour:
    """A version is registered while no release can be written; then it can again."""
    harbour = Harbour()
    with monkeypatch.context() as broken:
        broken.setattr(harbour.world.ledger, "open", away)
        harbour.register(1)
    execution = harbour.machine.executions[release_id(1)]
    assert execution.visited == ["OpenRelease", "CloseRelease"]
    assert (harbour.world.tasks.state_of(release_id(1)), execution.tries) == ("FAILED", 0), "it was tried for nothing"
    assert harbour.world.ledger.releases() == []
    return harbour


def assert_failed_and_replayed(harbour: Harbour) -> None:
    release = harbour.release(1)
    assert (release.status, release.reason, release.unfinished) == (Status.FAILED, DIED, False)
    assert [told["reason"] for told in harbour.published("Release Failed")] == [DIED]
    again = harbour.tell_registry(1)
    assert again == Ignore(f"a repeated registration: version 1 already has release {release_id(1)}")
    assert replay_release(release_id(1), harbour.world) == "wages-v1-a2"
    harbour.settle()
    assert harbour.world.ledger.get("wages-v1-a2").status is Status.AWAITING_APPROVAL


def test_it_is_told_as_failed_and_can_be_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = harbour_without_a_table(monkeypatch)
    assert harbour.reap(1) == [f"{release_id(1)}: failed: {DIED}"]
    assert_failed_and_replayed(harbour)


def test_where_its_event_was_lost_too_the_next_look_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = harbour_without_a_table(monkeypatch)
    harbour.world.clock.advance(timedelta(minutes=5))
    (found,) = keep_house(QUIET, harbour.world)
    assert (found.kind, found.what) == (Kind.UNSEEN, f"{release_id(1)}: failed: {DIED}")
    assert keep_house(QUIET, harbour.world) == []
    assert_failed_and_replayed(harbour)


def test_one_that_was_stopped_at_once_is_told_as_well() -> None:
    harbour = Harbour()
    harbour.machine.stop_at(release_id(1), "OpenRelease", called=False)
    harbour.register(1)
    assert harbour.reap(1) == [f"{release_id(1)}: failed: its execution was ABORTED in OpenRelease"]


def test_what_nobody_was_told_of_is_replayed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer ago than anybody looks back; and the next attempt dies as the first did."""
    harbour = harbour_without_a_table(monkeypatch)
    with monkeypatch.context() as broken:
        broken.setattr(harbour.world.ledger, "open", away)
        assert replay_unopened(GROUP, 1, harbour.world) == "wages-v1-a2"
        harbour.settle()
    assert replay_unopened(GROUP, 1, harbour.world) == "wages-v1-a3"
    harbour.settle()
    assert harbour.world.ledger.release_of(GROUP, 1) == "wages-v1-a3"
    assert harbour.reap(1) == [f"{release_id(1)}: nothing to do, it was never opened"], "a later attempt has begun"
    with pytest.raises(ReplayRefused, match="wages-v1-a3 was started before"):
        replay_unopened(GROUP, 1, harbour.world)


def test_a_later_attempt_that_died_so_is_no_end_of_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = harbour_without_a_table(monkeypatch)
    harbour.reap(1)
    with monkeypatch.context() as broken:
        broken.setattr(harbour.world.ledger, "open", away)
        replay_release(release_id(1), harbour.world)
        harbour.settle()
    assert replay_release(release_id(1), harbour.world) == "wages-v1-a3"


def test_what_was_never_started_is_not_replayed() -> None:
    harbour = Harbour()
    with pytest.raises(ReplayRefused, match="version 7 of wages was never released"):
        replay_unopened(GROUP, 7, harbour.world)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"model_package_arn": 1, "attempt": 1},
        {"model_package_arn": package_arn(1), "attempt": "1"},
        {"model_package_arn": package_arn(2), "attempt": 1},
        {"model_package_arn": "arn:aws:s3:::nothing", "attempt": 1},
    ],
)
def test_an_execution_that_somebody_started_by_hand_opens_nothing(payload: dict[str, Any]) -> None:
    harbour = Harbour()
    harbour.world.tasks.start(release_id(1), payload)
    harbour.world.tasks.states[release_id(1)] = "FAILED"
    assert harbour.reap(1) == [f"{release_id(1)}: nothing to do, it was never opened"]
    assert harbour.world.ledger.releases() == []
