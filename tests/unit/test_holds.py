"""No way leads past a hold, and what was lifted is shipped past every gate and person."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.brakes import Did
from lockkeeper.domain.errors import (
    NothingToRelease,
    ReplayRefused,
)
from lockkeeper.domain.registration import Ignore
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.brake import hold_version, lift_hold
from lockkeeper.use_cases.react_to_registry import react_to_registry
from lockkeeper.use_cases.replay_release import replay_release

from tests.unit.braking import (
    ADA,
    FIRST,
    OPERATOR,
    hold,
    look_around,
    to_production,
)
from tests.unit.harbour import (
    GROUP,
    Harbour,
    archive,
    package_arn,
    package_event,
    release_id,
)
from tests.unit.test_decisions_in_registry import ADA as ADA_IN_REGISTRY

FIRST_MODEL = archive(b"weights of 1")


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_a_version_that_is_held_before_its_registration_is_not_shipped_by_it(harbour: Harbour) -> None:
    said = hold(harbour, 1)
    assert (said["by"], said["identity"], said["version"]) == ("Ada", ADA, 1)
    assert "until `lockkeeper lift-hold wages 1 --reason WHY`" in said["note"]
    harbour.register(1)
    release = harbour.release(1)
    assert release.status is Status.FAILED
    assert "held: the data were wrong (by Ada since" in release.reason
    assert "lift-hold wages 1" in release.reason
    assert harbour.serving() is None


def way_by_registration(harbour: Harbour) -> None:
    harbour.tell_registry(1)


def way_by_update(harbour: Harbour) -> None:
    """Somebody changes the package, which is told as a registration is."""
    event = package_event(1)
    event["detail"]["UpdatedModelPackageFields"] = ["CustomerMetadataProperties"]
    react_to_registry(event, harbour.inside)


def way_by_approval_in_the_registry(harbour: Harbour) -> None:
    now = harbour.world.clock.now()
    package = harbour.world.registry.packages[package_arn(1)]
    package |= {"ModelApprovalStatus": "Approved", "LastModifiedBy": ADA_IN_REGISTRY, "LastModifiedTime": now}
    event = package_event(1)
    event["detail"] |= {"UpdatedModelPackageFields": ["ModelApprovalStatus"], "LastModifiedTime": now.isoformat()}
    assert isinstance(react_to_registry(event, harbour.inside), Ignore)


def way_by_replay(harbour: Harbour) -> None:
    with pytest.raises(ReplayRefused, match="is held: the data were wrong"):
        replay_release(release_id(1), harbour.inside)


def way_by_housekeeping(harbour: Harbour) -> None:
    look_around(harbour)


def way_by_the_state_machine(harbour: Harbour) -> None:
    """Somebody starts an execution by hand, under the name of the next attempt."""
    harbour.world.tasks.start(
        "wages-v1-a2", {"release_id": "wages-v1-a2", "model_package_arn": package_arn(1), "attempt": 2}
    )


WAYS = [
    way_by_registration,
    way_by_update,
    way_by_approval_in_the_registry,
    way_by_replay,
    way_by_housekeeping,
    way_by_the_state_machine,
]


@pytest.mark.parametrize("way", WAYS)
def test_no_way_ships_a_version_that_is_held(harbour: Harbour, way: Any) -> None:
    harbour.register(1)
    harbour.decide(Answer.REJECT)
    hold(harbour, 1)
    way(harbour)
    harbour.settle()
    harbour.pass_time(minutes=30)
    assert harbour.serving() is None
    assert {release.status for release in harbour.world.ledger.releases(GROUP)} <= {Status.REJECTED, Status.FAILED}


def test_a_hold_stops_a_release_that_is_under_way_before_production(harbour: Harbour) -> None:
    harbour.register(1)
    assert "wages-v1-a1 is under way and ends before it changes production" in hold(harbour, 1)["note"]
    harbour.approve()
    release = harbour.release(1)
    assert (release.status, harbour.serving()) == (Status.FAILED, None)
    assert "held: the data were wrong" in release.reason
    assert "version held" in [entry.what for entry in release.timeline]


def test_a_version_whose_hold_was_lifted_is_shipped_by_a_replay_past_every_gate_and_person(harbour: Harbour) -> None:
    hold(harbour, 1)
    harbour.register(1)
    harbour.pass_time(minutes=1)
    said = lift_hold(GROUP, 1, OPERATOR, "the data were right", harbour.inside)
    assert said["by"] == OPERATOR, "whom the policy does not know is told by their ARN"
    assert said["note"] == "`lockkeeper replay wages-v1-a1` releases it again."
    assert replay_release(release_id(1), harbour.inside) == "wages-v1-a2"
    harbour.settle()
    assert harbour.world.ledger.get("wages-v1-a2").status is Status.AWAITING_APPROVAL
    harbour.approve()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.world.ledger.get("wages-v1-a2").status is Status.PROMOTED
    assert [one.did for one in harbour.world.ledger.brake_history(GROUP, 9)] == [Did.LIFTED, Did.HELD]


def test_a_version_whose_hold_was_lifted_before_its_registration_is_shipped_by_it(harbour: Harbour) -> None:
    hold(harbour, 1)
    assert "its registration" in lift_hold(GROUP, 1, ADA, "it was another", harbour.inside)["note"]
    harbour.promote(1)
    assert harbour.serving() == FIRST


def test_lifting_the_hold_of_what_is_older_than_what_serves_says_that_nothing_ships_it(harbour: Harbour) -> None:
    hold(harbour, 1)
    harbour.register(1)
    harbour.promote(2)
    assert "is older than version 2" in lift_hold(GROUP, 1, ADA, "fine", harbour.inside)["note"]


def test_whoever_holds_what_serves_is_told_how_to_take_it_back(harbour: Harbour) -> None:
    harbour.promote(1)
    assert "`lockkeeper rollback wages --reason WHY`" in hold(harbour, 1)["note"]
    to_production(harbour, 2)
    assert "`lockkeeper rollback wages --reason WHY`" in hold(harbour, 2)["note"]


def test_a_hold_is_said_once_and_answers_with_the_first(harbour: Harbour) -> None:
    first = hold(harbour, 3)
    harbour.pass_time(minutes=1)
    again = hold_version(GROUP, 3, OPERATOR, "another reason", harbour.inside)
    assert (again["by"], again["since"], again["reason"]) == (first["by"], first["since"], first["reason"])
    assert again["note"].startswith("It was held before.")
    assert len(harbour.published("Version Held")) == 1


def test_a_held_model_is_not_shipped_under_another_number(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.decide(Answer.REJECT)
    hold(harbour, 1)
    for version in (2, 3, 4):
        harbour.register(version, artifact=FIRST_MODEL)
        release = harbour.release(version)
        assert release.status is Status.FAILED
        assert f"version {version} is the model of version 1, which is held: the data were wrong" in release.reason
        assert f"lift-hold wages 1 --reason WHY`, then `lockkeeper replay wages/{version}`" in release.reason
    assert harbour.serving() is None


def test_other_bytes_and_what_was_lifted_are_not_stopped_by_a_hold(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.decide(Answer.REJECT)
    hold(harbour, 1)
    harbour.register(2)
    assert harbour.release(2).status is Status.AWAITING_APPROVAL
    harbour.decide(Answer.REJECT)
    harbour.pass_time(minutes=1)
    lift_hold(GROUP, 1, ADA, "the data were right", harbour.inside)
    harbour.register(3, artifact=FIRST_MODEL)
    assert harbour.release(3).status is Status.AWAITING_APPROVAL


def test_what_is_not_held_cannot_be_lifted(harbour: Harbour) -> None:
    with pytest.raises(NothingToRelease, match="version 3 of wages is not held"):
        lift_hold(GROUP, 3, ADA, "fine", harbour.inside)
