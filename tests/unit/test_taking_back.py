"""Rejecting, in the registry, a version that serves: what served before serves again, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_in_registry import Decided
from lockkeeper.use_cases.keep_house import QUIET, keep_house
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.reap_release import reap_release
from lockkeeper.use_cases.take_back import reject_what_serves

from tests.unit.harbour import ENDPOINT, GROUP, Harbour, package_arn, package_event, release_id
from tests.unit.test_decisions_in_registry import ADA, STRANGERS, registry_status, set_status

FIRST, SECOND = "lockkeeper-wages-v1-a1-production", "lockkeeper-wages-v2-a1-production"


@pytest.fixture
def serving() -> Harbour:
    """Version 2 serves; version 1 served before."""
    harbour = Harbour()
    harbour.promote(1)
    harbour.promote(2)
    for version in (1, 2):
        harbour.world.tasks.states[release_id(version)] = "SUCCEEDED"
    return harbour


def withdrawn(harbour: Harbour) -> list[str]:
    """The bus brings what was published to who goes there; twice, as it may."""
    done = []
    for detail in harbour.published("Promotion Withdrawn") * 2:
        event = {"source": "lockkeeper", "detail-type": "Promotion Withdrawn", "account": HUB, "detail": detail}
        done += reap_release(event, harbour.inside)
    harbour.settle()
    return done


def set_once(harbour: Harbour, version: int) -> Any:
    """Ada sets it, and Lockkeeper is told once."""
    now = harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(version)]
    package |= {"ModelApprovalStatus": "Rejected", "LastModifiedBy": ADA, "LastModifiedTime": now}
    event = package_event(version)
    event["detail"] |= {"UpdatedModelPackageFields": ["ModelApprovalStatus"], "LastModifiedTime": now.isoformat()}
    return react_to_registry(event, harbour.inside)


def champion(harbour: Harbour) -> tuple[int, str]:
    crowned = harbour.world.ledger.champion(GROUP)
    assert crowned is not None
    return crowned.version, crowned.config_name


def test_an_approver_takes_back_what_serves(serving: Harbour) -> None:
    reaction = set_status(serving, "Rejected", ADA, version=2)
    assert isinstance(reaction, Decided), reaction
    assert f"production goes back to version 1, configuration {FIRST}" in reaction.what
    lock = serving.world.ledger.lock_of(GROUP)
    assert lock is not None
    assert (lock.owner, lock.production_begun) == (release_id(2), True)
    withdrawn(serving)

    release = serving.release(2)
    assert (release.status, release.unfinished) == (Status.ROLLED_BACK, False)
    assert release.reason == "rejected by Ada in the registry after it was promoted"
    assert serving.serving() == FIRST
    assert champion(serving) == (1, FIRST)
    assert serving.world.ledger.held(GROUP, 2)
    assert serving.world.ledger.lock_of(GROUP) is None
    assert registry_status(serving, 2)[0] == "Rejected"
    assert SECOND not in serving.world.production.configs
    what = [entry.what for entry in release.timeline]
    for word in ("promotion withdrawn", "restoring the champion", "endpoint in service", "rolled-back"):
        assert word in what, what
    assert "its execution is dead" not in what
    assert [one["version"] for one in serving.published("Release Rolled Back")] == [2]
    assert serving.world.ledger.open_waits(release_id(2)) == []


def test_told_again_after_its_end_it_moves_nothing(serving: Harbour) -> None:
    set_status(serving, "Rejected", ADA, version=2)
    withdrawn(serving)
    before = serving.release(2)
    assert withdrawn(serving)[-1] == f"{release_id(2)}: nothing to do, it has ended"
    assert isinstance(set_once(serving, 2), Ignore)
    assert serving.release(2) == before


def test_an_event_that_is_lost_is_found_by_the_house(serving: Harbour) -> None:
    set_status(serving, "Rejected", ADA, version=2)
    serving.pass_time(minutes=5)
    keep_house(QUIET, serving.inside)
    serving.settle()
    assert serving.release(2).status is Status.ROLLED_BACK
    assert champion(serving) == (1, FIRST)


@pytest.mark.parametrize("who", STRANGERS)
def test_who_may_not_finds_the_truth_set_back(serving: Harbour, who: str) -> None:
    set_status(serving, "Rejected", STRANGERS[who], version=2)
    status, why = registry_status(serving, 2)
    assert status == "Approved"
    assert "set it to Rejected" in why
    assert serving.serving() == SECOND
    assert serving.release(2).status is Status.PROMOTED
    assert serving.world.ledger.lock_of(GROUP) is None


def test_while_another_release_has_the_lock_it_is_refused(serving: Harbour) -> None:
    serving.register(3)
    set_status(serving, "Rejected", ADA, version=2)
    status, why = registry_status(serving, 2)
    assert status == "Approved"
    assert f"{release_id(3)} has the lock" in why
    assert serving.release(3).status is Status.AWAITING_APPROVAL
    serving.decide(Answer.REJECT)
    assert isinstance(set_status(serving, "Rejected", ADA, version=2), Decided)
    withdrawn(serving)
    assert serving.serving() == FIRST


def test_a_newer_version_waits_until_the_way_back_is_gone(serving: Harbour) -> None:
    set_status(serving, "Rejected", ADA, version=2)
    serving.register(3)
    assert serving.release(3).status is Status.WAITING_FOR_LOCK
    withdrawn(serving)
    assert serving.release(3).status is Status.AWAITING_APPROVAL
    assert serving.release(2).status is Status.ROLLED_BACK


def test_what_nothing_served_before_stays() -> None:
    harbour = Harbour()
    harbour.promote(1)
    set_status(harbour, "Rejected", ADA)
    assert "no release of this group served before" in registry_status(harbour)[1]
    assert harbour.serving() == FIRST
    assert harbour.release(1).status is Status.PROMOTED


def test_a_version_that_no_longer_serves_is_moved_by_nothing(serving: Harbour) -> None:
    reaction = set_once(serving, 1)
    assert isinstance(reaction, Ignore)
    assert "has ended as promoted" in reaction.reason
    assert serving.serving() == SECOND


def test_what_was_taken_back_can_be_followed_by_taking_back_what_came_before(serving: Harbour) -> None:
    serving.promote(3)
    serving.world.tasks.states[release_id(3)] = "SUCCEEDED"
    for version, back_to in ((3, SECOND), (2, FIRST)):
        assert isinstance(set_status(serving, "Rejected", ADA, version=version), Decided)
        withdrawn(serving)
        assert serving.serving() == back_to
    assert champion(serving)[0] == 1


def test_while_it_is_still_being_closed_it_is_tried_again(serving: Harbour) -> None:
    serving.world.ledger.record(release_id(2), "closing", "", unfinished=True)
    with pytest.raises(TryAgain):
        reject_what_serves(serving.release(2), "Ada", serving.inside)


def test_a_rollback_that_fails_is_said_and_the_champion_stays(serving: Harbour) -> None:
    set_status(serving, "Rejected", ADA, version=2)
    serving.world.production.delete(ENDPOINT)
    serving.settle()
    withdrawn(serving)
    release = serving.release(2)
    assert release.status is Status.FAILED
    assert "the rollback failed" in release.reason
    assert champion(serving)[0] == 2
