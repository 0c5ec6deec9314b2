"""Events come twice, late, shuffled or in the middle of what they are about; people decide at the same moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import AlreadyDecided, DecisionRefused
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide_by_link, decide_by_principal

from tests.unit.breaking import Broken, WatchedWorld
from tests.unit.harbour import ENDPOINT, GROUP, Harbour, alarm_event, endpoint_event, release_id
from tests.unit.test_crashes import outcome


class EagerWorld(WatchedWorld):
    """Endpoints are ready, and their events delivered, before the call that started them returns."""

    harbour: Harbour

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        if name in {"staging.create", "production.create", "production.update"}:
            endpoints = getattr(self._world, name.split(".")[0])
            for endpoint in list(endpoints.endpoints):
                if endpoints.advance(endpoint):
                    self.harbour.tell(endpoint_event(endpoints.arn_of(endpoint)))
        return answer


class LateWorld(EagerWorld):
    """An old event of the endpoint comes once more, just before the call that starts its next change."""

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        if name in {"staging.create", "production.create", "production.update"}:
            endpoints = getattr(self._world, name.split(".")[0])
            purpose = name.split(".")[0]
            stale = ENDPOINT if purpose == "production" else f"lockkeeper-{release_id(1)}-staging"
            self.harbour.tell(endpoint_event(endpoints.arn_of(stale)))
        return call()


def assert_two_promotions_as_usual(kind: type[EagerWorld]) -> None:
    """Two versions are promoted in a disturbed world; everything ends as in an undisturbed one."""
    world = InMemoryWorld()
    disturbed = kind(world)
    harbour = Harbour(inside=disturbed, world=world)  # type: ignore[arg-type]
    disturbed.harbour = harbour
    usual = Harbour()
    for played in (harbour, usual):
        played.promote(1)
        played.promote(2)
    assert outcome(harbour) == outcome(usual)


def test_an_old_event_between_the_wait_and_its_action_ends_nothing() -> None:
    assert_two_promotions_as_usual(LateWorld)


def test_an_event_before_the_function_has_returned_ends_its_wait() -> None:
    assert_two_promotions_as_usual(EagerWorld)


@pytest.mark.parametrize("seed", range(5))
def test_every_event_again_in_any_order_changes_nothing(seed: int) -> None:
    harbour = Harbour()
    harbour.promote(1)
    harbour.register(2)
    harbour.approve()
    alarm = harbour.world.production.alarm_arn("wages-errors")
    again = [
        *harbour.told,
        *harbour.told,
        alarm_event(alarm, "OK"),
        endpoint_event(harbour.world.production.arn_of("x")),
    ]
    random.Random(seed).shuffle(again)
    before = outcome(harbour)
    for event in again:
        if "deadline" not in event or event["deadline"]["release_id"] != release_id(2):
            harbour.tell(event)
            harbour.settle()
    for version in (2, 1, 2, 1):
        harbour.tell_registry(version)
        harbour.settle()
    assert outcome(harbour) == before


def test_an_event_while_the_endpoint_still_changes_keeps_the_wait() -> None:
    harbour = Harbour()
    document_arn = harbour.world.staging.arn_of("lockkeeper-wages-v1-a1-staging")
    advance = harbour.world.staging.advance
    harbour.world.staging.advance = lambda name: False  # type: ignore[method-assign]
    harbour.register(1)
    harbour.approve()
    assert harbour.release(1).status is Status.DEPLOYING
    harbour.tell(endpoint_event(document_arn))
    harbour.settle()
    assert harbour.release(1).status is Status.DEPLOYING
    harbour.world.staging.advance = advance  # type: ignore[method-assign]
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING


def test_what_was_settled_and_not_delivered_is_delivered_by_the_next_event(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    harbour.register(1)
    succeed = harbour.world.tasks.succeed

    def break_once(token: str, output: dict[str, Any]) -> bool:
        if "DeployToStaging" in token and harbour.told:
            monkeypatch.setattr(harbour.world.tasks, "succeed", succeed)
            raise Broken("the network failed")
        return succeed(token, output)

    monkeypatch.setattr(harbour.world.tasks, "succeed", break_once)
    with pytest.raises(Broken):
        harbour.approve()
    (event,) = harbour.told
    assert harbour.release(1).status is Status.DEPLOYING
    assert harbour.tell(event) == [f"{release_id(1)}/DeployToStaging: delivered what was decided before"]
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING


def test_a_decision_that_was_not_delivered_is_delivered_by_the_next_click(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    harbour.register(1)
    succeed = harbour.world.tasks.succeed

    def refuse(token: str, output: dict[str, Any]) -> bool:
        raise Broken("the network failed")

    monkeypatch.setattr(harbour.world.tasks, "succeed", refuse)
    with pytest.raises(Broken):
        harbour.approve()
    monkeypatch.setattr(harbour.world.tasks, "succeed", succeed)
    with pytest.raises(AlreadyDecided):
        harbour.approve("Grace")
    harbour.settle()
    assert harbour.release(1).status is Status.BAKING
    assert [one["approver"] for one in harbour.release(1).approvals] == ["Ada"]


def test_a_decision_between_two_tries_of_asking_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    harbour = Harbour()
    publish = harbour.world.publisher.publish

    def decide_then_break(detail_type: str, detail: dict[str, Any]) -> None:
        if detail_type == "Approval Requested":
            monkeypatch.setattr(harbour.world.publisher, "publish", publish)
            decide_by_link(harbour.link(), Answer.REJECT, "no", harbour.world)
            raise Broken("the sandbox died after the mails had gone")
        publish(detail_type, detail)

    monkeypatch.setattr(harbour.world.publisher, "publish", decide_then_break)
    harbour.register(1)
    assert harbour.release(1).status is Status.REJECTED
    assert [one["approver"] for one in harbour.release(1).approvals] == ["Ada"]


def test_two_decisions_at_the_same_moment_are_one() -> None:
    for _ in range(20):
        harbour = Harbour()
        harbour.register(1)
        barrier = Barrier(2)

        def decide(approver: str, answer: Answer, harbour: Harbour = harbour, barrier: Barrier = barrier) -> str:
            link = harbour.link(approver)
            barrier.wait()
            try:
                decide_by_link(link, answer, "", harbour.world)
            except DecisionRefused:
                return "refused"
            return "decided"

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(decide, ["Ada", "Grace"], [Answer.APPROVE, Answer.REJECT]))
        harbour.settle()
        assert sorted(answers) == ["decided", "refused"]
        (kept,) = harbour.release(1).approvals
        wanted = Status.BAKING if kept["approver"] == "Ada" else Status.REJECTED
        assert harbour.release(1).status is wanted


def test_the_same_person_clicking_twice_at_once_counts_once() -> None:
    for _ in range(20):
        harbour = Harbour()
        harbour.register(1)
        barrier = Barrier(2)

        def click(_: int, harbour: Harbour = harbour, barrier: Barrier = barrier) -> None:
            barrier.wait()
            try:
                decide_by_link(harbour.link(), Answer.APPROVE, "", harbour.world)
            except DecisionRefused:
                return

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(click, range(2)))
        assert len(harbour.release(1).approvals) == 1


def test_a_decision_by_link_and_one_by_principal_are_the_same_persons() -> None:
    harbour = Harbour()
    harbour.register(1)
    harbour.approve("Ada")
    with pytest.raises(AlreadyDecided, match="Ada has decided already"):
        decide_by_principal(
            release_id(1), "arn:aws:sts::111111111111:assumed-role/Ada/cli", Answer.REJECT, "", harbour.world
        )


def test_one_registration_told_by_many_threads_is_one_release() -> None:
    harbour = Harbour()
    harbour.register(1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: harbour.tell_registry(1), range(20)))
    assert list(harbour.world.tasks.started) == [release_id(1)]
    assert len(harbour.world.ledger.releases(GROUP)) == 1
    assert ENDPOINT not in harbour.world.production.endpoints
