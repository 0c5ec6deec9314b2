"""A person brings back what served before, at any time; a rollback that fails freezes the group and calls people."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.errors import DeploymentFailed, LockLost, RequestClosed, TryAgain
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.release import Status
from lockkeeper.ports import Wait
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.notify import notify
from lockkeeper.use_cases.replay_release import replay_release
from lockkeeper.use_cases.watch_production import watch_production

from tests.unit.braking import (
    ADA,
    FIRST,
    SECOND,
    bring_withdrawn,
    champion,
    freeze,
    hold,
    look_around,
    rollback,
    serving_two,
    thaw,
    to_production,
)
from tests.unit.harbour import (
    ALARM,
    ENDPOINT,
    GROUP,
    Harbour,
    alarm_event,
    package_arn,
    policy_document,
    release_id,
)


@pytest.fixture
def harbour() -> Harbour:
    return Harbour()


def test_what_was_promoted_goes_back_to_what_served_before(harbour: Harbour) -> None:
    serving_two(harbour)
    said = rollback(harbour)
    assert f"Production goes back to version 1, configuration {FIRST}." in said["note"]
    release = harbour.release(2)
    assert (release.status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)
    assert release.reason == "rolled back by Ada after it was promoted: customers complain"
    assert champion(harbour) == (1, FIRST)
    assert harbour.world.ledger.lock_of(GROUP) is None
    held = harbour.world.ledger.held(GROUP, 2)
    assert held is not None
    assert "rolled back by Ada" in held.reason
    (told,) = harbour.published("Rollback Requested")
    assert (told["release_id"], told["by"], told["reason"]) == (release_id(2), "Ada", "customers complain")
    assert harbour.world.registry.packages[package_arn(2)]["ModelApprovalStatus"] == "Rejected"


def test_a_bake_ends_as_rolled_back_by_a_person(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    said = rollback(harbour)
    assert f"Production goes back to configuration {FIRST}." in said["note"]
    assert harbour.release(2).status is Status.ROLLED_BACK
    assert harbour.release(2).reason == "rolled back by Ada during its bake: customers complain"
    assert (harbour.serving(), champion(harbour)) == (FIRST, (1, FIRST))
    held = harbour.world.ledger.held(GROUP, 2)
    assert held is not None
    assert (held.by, held.identity) == ("Ada", ADA)


def test_the_bake_of_a_first_release_ends_with_nothing_that_serves(harbour: Harbour) -> None:
    to_production(harbour, 1)
    assert "serving nothing, as before" in rollback(harbour)["note"]
    assert (harbour.release(1).status, harbour.serving(), champion(harbour)) == (Status.ROLLED_BACK, None, None)


def test_who_ends_a_bake_as_soon_as_it_can_be_leaves_no_schedule(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[list[str]] = []
    ledger, schedules = harbour.world.ledger, harbour.world.schedules
    store = ledger.store_wait

    def store_wait(wait: Wait) -> None:
        if wait.state == "WatchProduction":
            planned.append([*schedules.planned])
        store(wait)

    monkeypatch.setattr(ledger, "store_wait", store_wait)
    to_production(harbour, 1)
    assert planned == [[f"lockkeeper-{release_id(1)}-bake"]]
    rollback(harbour)
    assert schedules.planned == {}


def test_a_bake_that_is_begun_after_its_release_was_closed_leaves_nothing(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    rollback(harbour)
    kept = harbour.release(2)
    assert kept.status is Status.ROLLED_BACK
    with pytest.raises(LockLost, match="has ended already"):
        watch_production(release_id(2), "a late try", harbour.world)
    assert harbour.world.schedules.planned == {}
    assert harbour.world.ledger.open_waits(release_id(2)) == []
    assert replace(harbour.release(2), meters=kept.meters) == kept


@pytest.mark.parametrize("slowly", [False, True], ids=["all of it", "but for its closing"])
@pytest.mark.parametrize("call", ["schedules.once", "ledger.store_wait", "ledger.record"])
def test_a_bake_that_is_begun_while_its_release_is_ended_leaves_nothing(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, call: str, slowly: bool
) -> None:
    """The function is under way when its execution is stopped: what ends the release comes before one of its calls."""
    harbour.promote(1)
    harbour.register(2)
    port, method = call.split(".")
    adapter = getattr(harbour.inside, port)
    real, advance = getattr(adapter, method), harbour.world.production.advance

    def overtaken(*arguments: Any, **named: Any) -> Any:
        if harbour.machine.executions[release_id(2)].state == "WatchProduction":
            monkeypatch.undo()
            if slowly:
                harbour.world.production.advance = lambda _name: False  # type: ignore[method-assign]
            harbour.machine.stop(release_id(2))
            harbour.reap(2)
            harbour.settle()
            assert harbour.release(2).is_closing is not slowly
        return real(*arguments, **named)

    monkeypatch.setattr(adapter, method, overtaken)
    harbour.approve()
    harbour.world.production.advance = advance  # type: ignore[method-assign]
    harbour.settle()
    assert (harbour.release(2).status, harbour.serving()) == (Status.FAILED, FIRST)
    assert harbour.world.schedules.planned == {}
    assert harbour.world.ledger.open_waits(release_id(2)) == []
    assert harbour.world.ledger.unfinished() == []


def test_a_deployment_that_is_begun_while_its_release_is_closed_changes_no_production(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function is under way when its execution is stopped, and closing takes its time: the registry throttles."""
    harbour.promote(1)
    harbour.register(2)
    ledger, registry = harbour.world.ledger, harbour.world.registry
    record = ledger.record

    def throttled(*_arguments: Any, **_named: Any) -> None:
        raise TryAgain("the registry throttles")

    def overtaken(release_id_: str, what: str, why: str, **changes: Any) -> bool:
        if what == "updating production":
            monkeypatch.undo()
            harbour.machine.stop(release_id_)
            with monkeypatch.context() as slow:
                slow.setattr(registry, "stamp", throttled)
                harbour.reap(2)
            assert harbour.release(2).ending
        return record(release_id_, what, why, **changes)

    monkeypatch.setattr(ledger, "record", overtaken)
    harbour.approve()
    harbour.reap(2)
    harbour.settle()
    assert (harbour.release(2).status, harbour.serving(), champion(harbour)) == (Status.FAILED, FIRST, (1, FIRST))
    assert (set(harbour.world.production.configs), set(harbour.world.production.models)) == ({FIRST}, {FIRST})


def test_a_staging_endpoint_that_is_begun_while_its_release_is_closed_leaves_nothing(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = harbour.world.staging
    create_model = staging.create_model

    def overtaken(*arguments: Any, **named: Any) -> None:
        monkeypatch.undo()
        harbour.machine.stop(release_id(1))
        harbour.reap(1)
        assert harbour.release(1).status is Status.FAILED
        create_model(*arguments, **named)

    monkeypatch.setattr(staging, "create_model", overtaken)
    harbour.register(1)
    harbour.approve()
    assert (staging.endpoints, staging.configs, staging.models) == ({}, {}, {})


def deploying(harbour: Harbour) -> None:
    """Version 2 is being deployed to production, which takes its time."""
    harbour.promote(1)
    harbour.register(2)
    slow = harbour.world.production.advance
    harbour.world.production.advance = lambda _name: False  # type: ignore[method-assign]
    harbour.approve()
    harbour.world.production.advance = slow  # type: ignore[method-assign]
    assert harbour.release(2).status is Status.PROMOTING


def test_a_deployment_is_turned_round_as_soon_as_it_can_be(harbour: Harbour) -> None:
    deploying(harbour)
    rollback(harbour)
    release = harbour.release(2)
    assert (release.status, harbour.serving(), champion(harbour)) == (Status.FAILED, FIRST, (1, FIRST))
    assert release.reason == "rolled back by Ada while it was deployed: customers complain"
    held = harbour.world.ledger.held(GROUP, 2)
    assert held is not None
    assert held.by == "Ada"


def test_between_two_states_a_rollback_is_asked_for_again(harbour: Harbour) -> None:
    to_production(harbour, 1)
    wait = harbour.world.ledger.wait_of(release_id(1), "WatchProduction")
    assert wait is not None
    harbour.world.ledger.settle_wait(wait, {"output": {}})
    with pytest.raises(TryAgain, match="between two states"):
        ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)


def test_a_release_that_has_the_lock_and_no_production_gives_way_to_a_rollback(harbour: Harbour) -> None:
    serving_two(harbour)
    harbour.register(3)
    assert harbour.release(3).status is Status.AWAITING_APPROVAL
    rollback(harbour)
    assert (harbour.release(2).status, harbour.serving()) == (Status.ROLLED_BACK, FIRST)
    assert harbour.release(3).status is Status.SUPERSEDED
    assert "superseded by the rollback of wages-v2-a1" in harbour.release(3).reason
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert replay_release(release_id(3), harbour.inside) == "wages-v3-a2"


def test_a_rollback_goes_on_while_the_group_is_frozen(harbour: Harbour) -> None:
    serving_two(harbour)
    freeze(harbour)
    rollback(harbour)
    assert harbour.serving() == FIRST


def test_asked_twice_it_goes_back_once(harbour: Harbour) -> None:
    serving_two(harbour)
    ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    again = ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    assert "wages-v2-a1 is on its way back already" in again["note"]
    bring_withdrawn(harbour)
    assert (harbour.serving(), champion(harbour)) == (FIRST, (1, FIRST))


def test_where_nothing_served_before_it_is_refused_and_nothing_is_held(harbour: Harbour) -> None:
    with pytest.raises(RequestClosed, match="nothing of wages was promoted"):
        rollback(harbour)
    harbour.promote(1)
    with pytest.raises(RequestClosed, match="no release of this group served before"):
        rollback(harbour)
    assert (harbour.serving(), harbour.world.ledger.held(GROUP, 1)) == (FIRST, None)
    assert harbour.world.ledger.lock_of(GROUP) is None
    assert harbour.world.production.look(ENDPOINT) is not None


def test_what_asks_nobody_before_production_is_braked_all_the_same(harbour: Harbour) -> None:
    document = policy_document()
    document["approval"] = {"before": []}
    harbour.apply(document)
    freeze(harbour)
    harbour.register(1)
    assert harbour.release(1).status is Status.WAITING_FOR_LOCK


def fail_the_way_back(harbour: Harbour) -> None:
    """Version 2 is taken back, and its endpoint is gone."""
    serving_two(harbour)
    harbour.world.production.delete(ENDPOINT)
    harbour.settle()
    rollback(harbour)
    assert harbour.release(2).status is Status.FAILED


def test_a_rollback_that_fails_freezes_the_group_and_calls_people(harbour: Harbour) -> None:
    fail_the_way_back(harbour)
    frozen = harbour.world.ledger.frozen(GROUP)
    assert frozen is not None
    assert (frozen.by, frozen.identity, frozen.until) == ("lockkeeper", "", "")
    assert "wages-v2-a1: the rollback failed, look at production now" in frozen.reason
    (told,) = harbour.published("Group Frozen")
    assert (told["urgent"], told["release_id"]) == (True, release_id(2))
    event = {"source": "lockkeeper", "detail-type": "Group Frozen", "account": HUB, "detail": told}
    notify(event, harbour.inside)
    letter = harbour.world.mail.letters[-1]
    assert (letter.approver, letter.subject, letter.urgent) == ("", "URGENT: wages: Group Frozen", True)
    assert "look at production now" in letter.text


def test_after_a_rollback_that_failed_nothing_ships_until_a_person_has_looked(harbour: Harbour) -> None:
    fail_the_way_back(harbour)
    harbour.register(3)
    look_around(harbour)
    assert harbour.release(3).status is Status.WAITING_FOR_LOCK
    thaw(harbour)
    look_around(harbour)
    assert harbour.release(3).status is Status.AWAITING_APPROVAL


def test_who_waits_for_the_lock_does_not_get_it_from_a_rollback_that_failed(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)
    harbour.register(3)
    harbour.world.production.delete(ENDPOINT)
    harbour.settle()
    ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    harbour.settle()
    assert harbour.release(2).status is Status.FAILED
    assert harbour.release(3).status is Status.WAITING_FOR_LOCK
    assert harbour.world.ledger.lock_of(GROUP) is None


def test_a_brake_that_a_person_uses_is_told_to_everybody_and_is_not_urgent(harbour: Harbour) -> None:
    hold(harbour, 3)
    (told,) = harbour.published("Version Held")
    notify({"source": "lockkeeper", "detail-type": "Version Held", "account": HUB, "detail": told}, harbour.inside)
    letter = harbour.world.mail.letters[-1]
    assert (letter.subject, letter.urgent) == ("wages: Version Held", False)
    assert "by: Ada" in letter.text


@pytest.mark.parametrize(
    "forged",
    [
        {"account": "999999999999"},
        {"source": "somebody"},
        {"detail": None},
        {"detail": {"model_package_group": "a/b"}},
        {"detail": {"model_package_group": 7}},
    ],
)
def test_nobody_else_speaks_of_brakes(harbour: Harbour, forged: dict[str, Any]) -> None:
    said = {"model_package_group": GROUP, "by": "lockkeeper", "reason": "look now", "urgent": True}
    event = {"source": "lockkeeper", "detail-type": "Group Frozen", "account": HUB, "detail": said}
    assert isinstance(notify(event | forged, harbour.inside), Unusable)
    assert harbour.world.mail.letters == []


def test_a_way_back_that_is_refused_is_not_cured_by_another_try_of_the_release(harbour: Harbour) -> None:
    serving_two(harbour)

    def refuse(_endpoint: str, _config: str, **_how: object) -> None:
        raise DeploymentFailed(
            "AccessDeniedException: no", cure="mend what the message names, then `lockkeeper replay` the release"
        )

    harbour.world.production.update = refuse  # type: ignore[method-assign]
    rollback(harbour)
    reason = harbour.release(2).reason
    assert reason == (
        f"the rollback failed, look at production now: AccessDeniedException: no — bring {FIRST} back by hand, "
        "as the runbook says, then `lockkeeper unfreeze` the group"
    )


def test_a_way_back_without_capacity_is_gone_by_hand_too(harbour: Harbour) -> None:
    serving_two(harbour)
    why = "Unable to provision requested ML compute capacity"
    advance = harbour.world.production.advance

    def fail_the_update(name: str) -> bool:
        if harbour.world.production.endpoints[name].state.status == "Updating":
            harbour.world.production.fail(name, why)
            return True
        return advance(name)

    harbour.world.production.advance = fail_the_update  # type: ignore[method-assign]
    rollback(harbour)
    harbour.settle()
    reason = harbour.release(2).reason
    assert reason.startswith("the rollback failed, look at production now:")
    assert why in reason
    assert reason.endswith(f"bring {FIRST} back by hand, as the runbook says, then `lockkeeper unfreeze` the group")


def test_an_endpoint_that_may_not_be_removed_is_removed_by_hand(harbour: Harbour) -> None:
    harbour.register(1)
    harbour.approve()

    def refuse(_endpoint: str) -> None:
        raise DeploymentFailed(
            "AccessDeniedException: no", cure="mend what the message names, then `lockkeeper replay` the release"
        )

    harbour.world.production.delete = refuse  # type: ignore[method-assign]
    harbour.world.production.change_alarm(ALARM, "ALARM")
    harbour.tell(alarm_event(harbour.world.production.alarm_arn(ALARM)))
    harbour.settle()
    reason = harbour.release(1).reason
    assert reason.endswith(f"remove {ENDPOINT} by hand, as the runbook says, then `lockkeeper unfreeze` the group")


def test_a_configuration_that_is_gone_is_told_after_two_hours_of_trying(harbour: Harbour) -> None:
    serving_two(harbour)
    del harbour.world.production.configs[FIRST]
    busy = TryAgain("could not find endpoint configuration")

    def refuse(_endpoint: str, _config: str, **_how: object) -> None:
        raise busy

    harbour.world.production.update = refuse  # type: ignore[method-assign]
    rollback(harbour)
    for _ in range(23):
        look_around(harbour)
    assert harbour.release(2).unfinished
    for _ in range(3):
        look_around(harbour)
    release = harbour.release(2)
    assert (release.status, release.unfinished) == (Status.FAILED, False)
    assert "the rollback failed, look at production now: could not find endpoint configuration" in release.reason
    assert [one["urgent"] for one in harbour.published("Group Frozen")] == [True]
    assert (harbour.serving(), champion(harbour)) == (SECOND, (2, SECOND))
    with pytest.raises(RequestClosed, match="by hand"):
        rollback(harbour)


def test_the_state_machine_gives_up_and_freezes_too(harbour: Harbour) -> None:
    harbour.promote(1)
    to_production(harbour, 2)

    def refuse(_endpoint: str, _config: str, **_how: object) -> None:
        raise TryAgain("could not find endpoint configuration")

    harbour.world.production.update = refuse  # type: ignore[method-assign]
    ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    harbour.settle()
    assert "the rollback failed" in harbour.release(2).reason
    assert [one["urgent"] for one in harbour.published("Group Frozen")] == [True]
