"""What nobody came back to is found by the next look around, and nothing else is read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.release import Pins, Status
from lockkeeper.domain.targets import Fleet
from lockkeeper.use_cases.decide_approval import decide_by_link
from lockkeeper.use_cases.keep_house import LATE, QUIET, Found, Kind, keep_house
from lockkeeper.use_cases.unseen_registrations import RECENT

from tests.unit.breaking import BreakingWorld, Broken
from tests.unit.harbour import ALARM, GROUP, Harbour, package_arn, policy_document, release_id

STAGING = "lockkeeper-wages-v1-a1-staging"
PERIOD = timedelta(minutes=5)


def look_around(harbour: Harbour) -> list[Found]:
    """The next look, five minutes later, and what comes of it."""
    harbour.world.clock.advance(PERIOD)
    found = keep_house(QUIET, harbour.inside)
    harbour.settle()
    return found


def kinds(found: list[Found]) -> list[Kind]:
    return [one.kind for one in found]


def decide(harbour: Harbour) -> None:
    decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.inside)
    harbour.machine.run()


def test_a_lost_event_of_the_staging_endpoint_is_made_up_for_by_the_next_look() -> None:
    harbour = Harbour()
    harbour.register(1)
    decide(harbour)
    harbour.world.staging.advance(STAGING)  # And nobody is told.
    assert harbour.release(1).status is Status.DEPLOYING
    assert kinds(look_around(harbour)) == [Kind.OVERDUE]
    assert harbour.release(1).status is Status.BAKING


def test_a_lost_event_of_the_production_endpoint_is_made_up_for_by_the_next_look() -> None:
    harbour = Harbour()
    harbour.register(1)
    decide(harbour)
    harbour.world.staging.advance(STAGING)
    harbour.tell_of_endpoint(harbour.world.staging.arn_of(STAGING))
    harbour.machine.run()
    harbour.world.production.advance("wages")
    assert harbour.release(1).status is Status.PROMOTING
    assert kinds(look_around(harbour)) == [Kind.OVERDUE]
    assert harbour.release(1).status is Status.BAKING


def test_a_lost_deadline_is_made_up_for() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.traffic()
    harbour.world.schedules.planned.clear()
    assert look_around(harbour) == []
    harbour.world.clock.advance(PERIOD)
    assert keep_house(QUIET, harbour.world) == [], "a deadline may come a little late"
    harbour.world.clock.advance(LATE)
    assert kinds(keep_house(QUIET, harbour.world)) == [Kind.OVERDUE]
    harbour.settle()
    assert harbour.release(1).status is Status.PROMOTED


def test_a_lost_alarm_is_made_up_for_long_before_the_bake_ends() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.world.production.change_alarm(ALARM, "ALARM")  # And nobody is told.
    assert kinds(look_around(harbour)) == [Kind.OVERDUE]
    assert harbour.release(1).status is Status.ROLLED_BACK


def test_a_lost_registration_is_released_by_the_next_look_and_no_other() -> None:
    harbour = Harbour()
    harbour.register(1, told=False)
    assert harbour.world.ledger.releases() == []
    assert keep_house(QUIET, harbour.world) == [], "its event may still be under way"
    assert kinds(look_around(harbour)) == [Kind.UNSEEN]
    harbour.approve()
    harbour.tell_registry(1)
    assert [one.release_id for one in harbour.world.ledger.releases()] == [release_id(1)]
    assert Kind.UNSEEN not in kinds(look_around(harbour))


@pytest.mark.parametrize("told", [True, False])
def test_a_version_with_the_metadata_of_an_earlier_one_is_released_whether_or_not_its_event_is_lost(told: bool) -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2, told=False)
    copied = dict(harbour.world.registry.packages[package_arn(1)]["CustomerMetadataProperties"])
    assert copied["lockkeeper:release"] == release_id(1)
    harbour.world.registry.packages[package_arn(2)]["CustomerMetadataProperties"] = copied
    if told:
        harbour.tell_registry(2)
        harbour.settle()
    else:
        harbour.world.clock.advance(QUIET)
        assert Kind.UNSEEN in kinds(look_around(harbour))
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_an_execution_that_has_not_opened_its_release_yet_is_no_lost_registration() -> None:
    harbour = Harbour()
    harbour.register(1, told=False)
    harbour.world.tasks.start(release_id(1), {})
    harbour.world.clock.advance(PERIOD)
    assert keep_house(QUIET, harbour.world) == []


@pytest.mark.parametrize("case", ["before its policy", "of yesterday", "without a policy", "rejected", "not completed"])
def test_what_was_registered_for_nobody_is_left_alone(case: str) -> None:
    harbour = Harbour()
    harbour.register(1, told=False)
    package = harbour.world.registry.packages[package_arn(1)]
    if case == "before its policy":
        harbour.world.clock.advance(timedelta(seconds=2))
        harbour.apply(policy_document())
    elif case == "of yesterday":
        harbour.world.clock.advance(RECENT)
    elif case == "without a policy":
        other = package["ModelPackageArn"].replace(f"/{GROUP}/", "/others/")
        harbour.world.registry.packages = {other: {**package, "ModelPackageArn": other}}
    elif case == "rejected":
        package["ModelApprovalStatus"] = "Rejected"
    else:
        package["ModelPackageStatus"] = "Pending"
    assert look_around(harbour) == []
    assert harbour.world.ledger.releases() == []


def test_looks_at_a_bake_that_goes_well_leave_no_trace() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    before = harbour.release(1)
    assert look_around(harbour) == []
    assert harbour.release(1) == before
    assert before.status is Status.BAKING


def test_a_decision_whose_writer_died_before_telling_is_delivered() -> None:
    harbour = Harbour()
    harbour.register(1)
    broken = BreakingWorld(harbour.world)
    broken.begin()
    decided = [call for call in played(broken, harbour) if call == "tasks.succeed"]
    assert decided == ["tasks.succeed"]
    assert harbour.release(1).status is Status.AWAITING_APPROVAL
    assert kinds(look_around(harbour)) == [Kind.UNDELIVERED]
    assert harbour.release(1).status is Status.BAKING
    assert [one["answer"] for one in harbour.release(1).approvals] == ["approve"]


def played(broken: BreakingWorld, harbour: Harbour) -> list[str]:
    """The decision breaks where the state machine would be told."""
    harbour.world.tasks.succeed, kept = _breaks, harbour.world.tasks.succeed  # type: ignore[method-assign]
    with pytest.raises(Broken):
        decide_by_link(harbour.link(), Answer.APPROVE, "", broken)  # type: ignore[arg-type]
    harbour.world.tasks.succeed = kept  # type: ignore[method-assign]
    return broken.calls


def _breaks(*_: Any) -> bool:
    raise Broken("before the state machine was told")


def test_a_dead_execution_whose_event_was_lost_is_reaped() -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    harbour.machine.stop(release_id(2))
    found = look_around(harbour)
    assert kinds(found) == [Kind.DEAD]
    assert "production is on its way back" in found[0].what
    assert harbour.release(2).status is Status.FAILED
    assert harbour.serving() == "lockkeeper-wages-v1-a1-production"


def test_an_execution_that_is_not_there_any_more_is_dead() -> None:
    harbour = Harbour()
    harbour.register(1)
    del harbour.world.tasks.states[release_id(1)]
    assert kinds(look_around(harbour)) == [Kind.DEAD]
    assert harbour.release(1).reason == "its execution was deleted in RequestStagingApproval"


def test_a_release_whose_lock_is_free_goes_on() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    harbour.world.ledger.pass_lock(GROUP, release_id(1), None)
    assert Kind.LOCK in kinds(look_around(harbour))
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_a_release_that_begins_to_wait_for_its_lock_during_the_look_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    ledger = harbour.world.ledger
    ledger.pass_lock(GROUP, release_id(1), None)
    read, waiting = ledger.get, release_id(2)
    before = iter([replace(read(waiting), pins=Pins())])
    monkeypatch.setattr(ledger, "get", lambda one: next(before, read(one)) if one == waiting else read(one))
    assert kinds(look_around(harbour)) == [Kind.LOCK]
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_a_lock_that_an_ended_release_still_has_is_handed_on() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    harbour.register(2)
    harbour.world.ledger.record(release_id(1), "failed", "", status=Status.FAILED)
    harbour.world.ledger.finish(release_id(1))
    harbour.machine.stop(release_id(1))
    assert Kind.LOCK in kinds(look_around(harbour))
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_a_superseded_release_that_nobody_told_ends() -> None:
    harbour = Harbour()
    harbour.register(1)
    lock = harbour.world.ledger.lock_of(GROUP)
    assert lock is not None
    harbour.world.ledger.supersede(lock, "wages-v2-a1")
    assert kinds(look_around(harbour)) == [Kind.LOCK]
    assert harbour.release(1).status is Status.SUPERSEDED


def test_a_staging_endpoint_whose_release_has_ended_is_deleted() -> None:
    harbour = Harbour()
    harbour.promote(1)
    world = harbour.world
    world.staging.models[STAGING] = {}
    world.staging.configs[STAGING] = {"fleet": Fleet("ml.m5.large", 1)}
    world.staging.create(STAGING, STAGING, {"lockkeeper:release": release_id(1)})
    world.staging.create("lockkeeper-other-v1-a1-staging", STAGING, {"lockkeeper:release": "other-v1-a1"})
    world.staging.advance(STAGING)
    assert kinds(look_around(harbour)) == [Kind.STAGING]
    assert set(world.staging.endpoints) == {"lockkeeper-other-v1-a1-staging"}
    assert world.staging.models == {}


def test_a_staging_endpoint_that_cannot_be_deleted_keeps_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    harbour.promote(1)
    world, names = harbour.world, ["lockkeeper-wages-v0-a1-staging", STAGING]
    for name in names:
        world.staging.configs[name] = {"fleet": Fleet("ml.m5.large", 1)}
        world.staging.create(name, name, {"lockkeeper:release": release_id(1)})
        world.staging.advance(name)
    delete = world.staging.delete

    def refused(name: str) -> None:
        if name == names[0]:
            raise DeploymentFailed("it may not")
        delete(name)

    monkeypatch.setattr(world.staging, "delete", refused)
    found = look_around(harbour)
    assert sorted(kinds(found)) == [Kind.STAGING, Kind.PROBLEM]
    assert set(world.staging.endpoints) == {names[0]}


def test_what_is_under_way_is_left_alone_and_not_even_read() -> None:
    harbour = Harbour()
    harbour.register(1)
    watching = BreakingWorld(harbour.world)
    watching.begin()
    harbour.world.clock.advance(QUIET - timedelta(seconds=1))
    assert keep_house(QUIET, watching) == []  # type: ignore[arg-type]
    looks = ["ledger.unfinished", "ledger.get", "staging.staging_endpoints", "registry.registered", "ledger.heads"]
    assert watching.calls == looks


def test_a_release_that_waits_for_people_is_looked_at_and_left_alone() -> None:
    harbour = Harbour()
    harbour.register(1)
    before = harbour.release(1)
    assert look_around(harbour) == []
    assert harbour.release(1) == before


def test_looking_around_twice_finds_everything_once() -> None:
    harbour = Harbour()
    harbour.register(1)
    decide(harbour)
    harbour.world.staging.advance(STAGING)
    assert kinds(look_around(harbour)) == [Kind.OVERDUE]
    assert look_around(harbour) == []


def test_one_release_that_cannot_be_helped_stops_no_other() -> None:
    harbour = Harbour()
    harbour.register(1)
    decide(harbour)
    harbour.world.staging.advance(STAGING)
    harbour.world.ledger.open(harbour.release(1).with_changes(release_id="broken", version=7, opened_at="no time"))
    found = look_around(harbour)
    assert sorted(kinds(found)) == [Kind.OVERDUE, Kind.PROBLEM]
    assert harbour.release(1).status is Status.BAKING


def reminders(harbour: Harbour) -> list[str]:
    """Who was reminded, in order."""
    return [mail.approver for mail in harbour.world.mail.letters if mail.subject.startswith("Reminder: ")]


def test_whoever_has_not_decided_is_reminded_when_it_is_time_and_once_each_time() -> None:
    harbour = Harbour()
    harbour.register(1)
    assert look_around(harbour) == []
    for day in (1, 2):
        harbour.world.clock.advance(timedelta(days=1))
        assert kinds(look_around(harbour)) == [Kind.REMINDED]
        assert look_around(harbour) == []
        assert reminders(harbour) == ["Ada", "Grace"] * day
    assert len({mail.text for mail in harbour.world.mail.letters}) == 6, "each mail has a link of its own"
    harbour.world.clock.advance(timedelta(days=1))
    assert look_around(harbour) == [], "nobody is reminded of what has expired"


def test_a_link_of_a_reminder_decides_like_the_first() -> None:
    harbour = Harbour()
    harbour.register(1)
    first = harbour.link()
    harbour.world.clock.advance(timedelta(days=1))
    look_around(harbour)
    assert harbour.link() != first
    decide(harbour)
    assert harbour.release(1).status is Status.DEPLOYING
    harbour.world.clock.advance(timedelta(days=1))
    assert Kind.REMINDED not in kinds(look_around(harbour))


def test_an_older_version_that_nobody_told_gives_way_to_the_newer_one_with_the_lock() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve()
    for version in (2, 3):
        harbour.register(version)
    harbour.world.ledger.pass_lock(
        GROUP, release_id(1), release_id(3), 3
    )  # And whoever did it died before telling version 2.
    look_around(harbour)
    assert harbour.release(2).status is Status.SUPERSEDED
    assert harbour.release(3).status is Status.AWAITING_APPROVAL
