"""No change of production begins while a group is frozen, nothing that waited is lost, and going back is always possible."""

from __future__ import annotations

import pytest
from lockkeeper.domain.errors import (
    BrakeRefused,
    NothingToRelease,
    UnknownGroup,
)
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.brake import freeze_group, hold_version
from lockkeeper.use_cases.keep_house import QUIET, keep_house
from lockkeeper.use_cases.replay_release import replay_release

from tests.unit.braking import (
    ADA,
    FIRST,
    freeze,
    hold,
    look_around,
    thaw,
    to_production,
)
from tests.unit.harbour import (
    GROUP,
    Harbour,
    alarm_event,
    release_id,
)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_what_comes_in_while_a_group_is_frozen_waits_and_goes_on_after_it(harbour: Harbour) -> None:
    said = freeze(harbour)
    assert "waits at the lock until `lockkeeper unfreeze wages --reason WHY`" in said["note"]
    for version in (1, 2):
        harbour.register(version)
    assert [harbour.release(version).status for version in (1, 2)] == [Status.WAITING_FOR_LOCK] * 2
    assert "wages is frozen: the audit (by Ada since" in harbour.release(2).timeline[-1].why
    for _ in range(20):
        assert look_around(harbour) == []
    assert len(harbour.release(2).timeline) < 10, "a freeze of days must not fill the release"
    assert "Waiting: wages-v2-a1, wages-v1-a1;" in thaw(harbour)["note"]
    look_around(harbour)
    look_around(harbour)
    assert "wages-v2-a1 is newer" in harbour.release(1).reason
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert [harbour.release(version).status for version in (1, 2)] == [Status.SUPERSEDED, Status.PROMOTED]
    assert thaw_refused(harbour)


def test_a_freeze_is_prolonged_and_not_cut_short_by_another(harbour: Harbour) -> None:
    freeze(harbour, "64h")
    assert freeze(harbour, "1h")["note"].startswith("It is frozen for longer already")
    harbour.pass_time(minutes=120)
    frozen = harbour.world.ledger.frozen(GROUP)
    assert frozen is not None
    assert frozen.until == "2026-11-27T01:00:00.000Z"
    freeze(harbour)
    assert freeze(harbour, "1h")["until"] is None
    assert len(harbour.published("Group Frozen")) == 2


def thaw_refused(harbour: Harbour) -> bool:
    with pytest.raises(NothingToRelease, match="not frozen"):
        thaw(harbour)
    return True


def test_a_release_that_was_under_way_changes_no_production_and_starts_anew_after_the_freeze(harbour: Harbour) -> None:
    harbour.promote(1)
    harbour.register(2)
    freeze(harbour)
    harbour.approve()
    release = harbour.release(2)
    assert (release.status, harbour.serving()) == (Status.FAILED, FIRST)
    assert "wages is frozen: the audit (by Ada since" in release.reason
    assert "its next attempt starts by itself" in release.reason
    assert harbour.world.ledger.held(GROUP, 2) is None
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert look_around(harbour) == []
    thaw(harbour)
    assert look_around(harbour) == ["wages-v2-a1: the freeze has ended, wages-v2-a2 has started"]
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.world.ledger.get("wages-v2-a2").status is Status.PROMOTED
    assert look_around(harbour) == []


def test_of_what_a_freeze_stopped_and_what_came_after_it_the_newest_goes_on(harbour: Harbour) -> None:
    harbour.register(1)
    freeze(harbour)
    harbour.register(2)
    harbour.approve()
    assert (harbour.release(1).status, harbour.release(2).status) == (Status.FAILED, Status.WAITING_FOR_LOCK)
    thaw(harbour)
    look_around(harbour)
    look_around(harbour)
    assert harbour.world.ledger.get("wages-v1-a2").status is Status.SUPERSEDED
    assert harbour.release(2).status is Status.AWAITING_APPROVAL


def test_what_a_freeze_stopped_may_be_tried_again_by_a_person_and_is_not_started_twice(harbour: Harbour) -> None:
    harbour.register(1)
    freeze(harbour)
    harbour.approve()
    assert replay_release(release_id(1), harbour.inside) == "wages-v1-a2"
    harbour.settle()
    thaw(harbour)
    found = look_around(harbour)
    assert any("was tried again already" in one for one in found), found
    assert len(harbour.world.ledger.releases(GROUP)) == 2
    assert not harbour.release(1).unfinished


def test_what_a_freeze_stopped_is_not_started_where_it_is_held_meanwhile(harbour: Harbour) -> None:
    harbour.register(1)
    freeze(harbour)
    harbour.approve()
    hold(harbour, 1)
    thaw(harbour)
    assert any("is held" in one for one in look_around(harbour))
    assert len(harbour.world.ledger.releases(GROUP)) == 1


def test_a_change_that_had_begun_goes_on_to_its_end_and_the_freeze_says_so(harbour: Harbour) -> None:
    to_production(harbour, 1)
    assert "wages-v1-a1 had begun its change of production" in freeze(harbour)["note"]
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(1).status is Status.PROMOTED


def test_the_lock_is_not_handed_on_while_the_group_is_frozen(harbour: Harbour) -> None:
    to_production(harbour, 1)
    harbour.register(2)
    freeze(harbour)
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(2).status is Status.WAITING_FOR_LOCK
    assert harbour.world.ledger.lock_of(GROUP) is None


def test_an_alarm_takes_a_version_back_while_the_group_is_frozen(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    freeze(harbour)
    harbour.world.production.change_alarm("wages-errors", "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn("wages-errors")))
    harbour.settle()
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)


@pytest.mark.parametrize("until", ["2h", "2026-11-24T13:00+02:00"])
def test_a_freeze_with_an_end_ends_by_itself(harbour: Harbour, until: str) -> None:
    assert harbour.world.clock.now().isoformat() == "2026-11-24T09:00:00+00:00"
    said = freeze(harbour, until)
    assert said["until"] == "2026-11-24T11:00:00.000Z"
    harbour.register(1)
    harbour.pass_time(minutes=119)
    keep_house(QUIET, harbour.inside)
    assert harbour.release(1).status is Status.WAITING_FOR_LOCK
    look_around(harbour)
    assert harbour.release(1).status is Status.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("until", "problem"),
    [
        ("2026-11-24T13:00", "in which time zone"),
        ("soon", "is no time"),
        ("2026-11-24T08:00Z", "not within a year"),
        ("0s", "not within a year"),
        ("400d", "not within a year"),
        (f"{10**30}d", "is no time"),
    ],
)
def test_an_end_that_is_none_is_refused(harbour: Harbour, until: str, problem: str) -> None:
    with pytest.raises(BrakeRefused, match=problem):
        freeze(harbour, until)
    assert harbour.world.ledger.frozen(GROUP) is None


@pytest.mark.parametrize("reason", ["", "  ", "\x00\n"])
def test_a_brake_without_a_reason_is_refused(harbour: Harbour, reason: str) -> None:
    for brake in (
        lambda: hold_version(GROUP, 1, ADA, reason, harbour.inside),
        lambda: freeze_group(GROUP, ADA, reason, "", harbour.inside),
        lambda: ask_for_rollback(GROUP, ADA, reason, harbour.inside),
    ):
        with pytest.raises(BrakeRefused, match="no reason"):
            brake()


@pytest.mark.parametrize("group", ["wagse", "../wages", "", "a" * 64])
def test_a_brake_on_a_group_that_is_none_is_refused(harbour: Harbour, group: str) -> None:
    with pytest.raises(UnknownGroup):
        freeze_group(group, ADA, "the audit", "", harbour.inside)


def test_a_policy_that_cannot_be_read_keeps_nobody_from_braking(harbour: Harbour) -> None:
    harbour.apply({"model_package_group": GROUP, "of_tomorrow": True})
    assert freeze(harbour)["by"] == ADA
