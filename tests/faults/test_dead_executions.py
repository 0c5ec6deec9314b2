"""The execution itself dies or is stopped, in every state: staging gone, lock handed on to who waits for it, status true."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from localcloud.fault_plan import Fault, When
from tests.conftest import Figure
from tests.faults.yard import Yard

FOREVER = 60
ASKS = "{{before: [{before}], approvers: [{{name: Ada, email: ada@example.com}}]}}"


def dies_at(yard: Yard, function: str, group: str, about: str = "", call: int = 3) -> Fault:
    """A function that dies at a call however often it is tried: its state is entered and not left."""
    meant = (about or f"{group}-v1-a1",)
    fault = Fault(f"{group}.{function}", yard.functions[function], When.BEFORE, meant, call, times=FOREVER)
    yard.plan.add(fault)
    return fault


def dies_in(yard: Yard, state: str, group: str) -> Fault:
    """A function that dies at every try as soon as it has written down in which state the release is."""
    meant = (f"{group}-v1-a1",)
    fault = Fault(f"{group}.{state}", yard.functions[state], When.AFTER, meant, 1, "dynamodb:UpdateItem", times=FOREVER)
    yard.plan.add(fault)
    return fault


def in_a_task(yard: Yard, state: str) -> str:
    """A state that works and does not wait is stopped between two tries."""
    group = f"in-{state.lower()}"
    yard.prepare(group)
    fault = dies_in(yard, state, group)
    release_id = yard.register(group, 1)
    yard.happened(fault)
    return release_id


def asked(yard: Yard, before: str) -> str:
    group = f"in-question-{before}"
    yard.prepare(group, approval=ASKS.format(before=before))
    release_id = yard.register(group, 1)
    yard.is_(release_id, "awaiting-approval")
    return release_id


def heir_waits(yard: Yard, group: str) -> None:
    """The next version waits for the lock of the one that is about to be stopped in production."""
    yard.apply(group)
    yard.is_(yard.register(group, 2), "waiting-for-lock")


def deploying(yard: Yard, stage: str) -> str:
    """An endpoint's event does not arrive, so the release goes on waiting for it."""
    group = f"in-deployment-{stage}"
    yard.prepare(group)
    name = f"lockkeeper-{group}-v1-a1-staging" if stage == "staging" else group
    fault = dies_at(yard, "ResumeRelease", group, f':endpoint/{name}"', call=1)
    release_id = yard.register(group, 1)
    yard.happened(fault)
    if stage == "production":
        heir_waits(yard, group)
    return release_id


def baking(yard: Yard) -> str:
    group = "in-bake"
    yard.prepare(group)
    yard.apply(group, bake="7d")
    release_id = yard.register(group, 1)
    yard.is_(release_id, "baking")
    heir_waits(yard, group)
    return release_id


def rolling_back(yard: Yard) -> str:
    group = "in-rollback"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    fault = dies_in(yard, "RollBack", group)
    release_id = yard.register(group, 1)
    yard.is_(release_id, "baking")
    heir_waits(yard, group)
    yard.alarm(f"{group}-5xx")
    yard.happened(fault)
    return release_id


def waiting_for_the_lock(yard: Yard) -> str:
    """An older version bakes and has the lock; it is stopped afterwards, and everything is free."""
    group = "in-queue"
    yard.prepare(group)
    yard.apply(group, bake="7d")
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "baking")
    release_id = yard.register(group, 2)
    yard.is_(release_id, "waiting-for-lock")
    return release_id


SCENES: dict[str, tuple[Callable[[Yard], str], str]] = {
    "OpenRelease": (waiting_for_the_lock, "failed"),
    "ScanArtifact": (lambda yard: in_a_task(yard, "ScanArtifact"), "failed"),
    "JudgeCandidate": (lambda yard: in_a_task(yard, "JudgeCandidate"), "failed"),
    "RequestStagingApproval": (lambda yard: asked(yard, "staging"), "failed"),
    "DeployToStaging": (lambda yard: deploying(yard, "staging"), "failed"),
    "TestStaging": (lambda yard: in_a_task(yard, "TestStaging"), "failed"),
    "RequestProductionApproval": (lambda yard: asked(yard, "production"), "failed"),
    "PromoteToProduction": (lambda yard: deploying(yard, "production"), "failed"),
    "WatchProduction": (baking, "failed"),
    "RollBack": (rolling_back, "rolled-back"),
    # Its closing had begun: who was promoted stays promoted.
    "CloseRelease": (lambda yard: in_a_task(yard, "CloseRelease"), "promoted"),
}

HEIRS = ("PromoteToProduction", "WatchProduction", "RollBack")
"""States of a release in production that are stopped while the next version waits for its lock."""


def stopped_in(yard: Yard, state: str) -> list[str]:
    """Bring a release into the state, stop its execution; what is wrong or left afterwards."""
    scene, status = SCENES[state]
    release_id = scene(yard)
    yard.stop(release_id)
    problems = yard.ends_as(release_id, status)
    release = yard.release(release_id)
    if status == "failed" and f"ABORTED in {state}" not in release.reason:
        problems.append(f"{release_id}: {release.reason}")
    group = release.model_package_group
    if state == "OpenRelease":
        yard.is_(f"{group}-v1-a1", "baking")
        yard.stop(f"{group}-v1-a1")
        problems += yard.ends_as(f"{group}-v1-a1", "failed")
    if state in HEIRS:
        problems += not_inherited(yard, group)
    return problems + [f"{state}: {one}" for one in yard.nothing_left(group)]


def not_inherited(yard: Yard, group: str) -> list[str]:
    """What keeps the heir from its own end: it gets the lock, and is promoted. Its endpoint's events are its own."""
    heir = f"{group}-v2-a1"
    yard.plan.drop(f"{group}.")
    problems = yard.ends_as(heir, "promoted")
    if "lock taken" not in {one.what for one in yard.release(heir).timeline}:
        problems.append(f"{heir} was never given the lock")
    champion = yard.ledger.champion(group)
    if champion is None or champion.release_id != heir:
        problems.append(f"{champion} serves instead of {heir}")
    return problems


def test_an_execution_stopped_in_any_state_is_cleaned_up(yard: Yard, figure: Figure) -> None:
    # Who keeps the house would find them too, minutes later: here it is the event of the execution's end alone.
    with yard.cloud.without_house_keeping(), ThreadPoolExecutor(3) as pool:
        problems = [one for found in pool.map(lambda state: stopped_in(yard, state), SCENES) for one in found]
    # Functions that died of events at every try have left their letters.
    yard.plan.clear()
    yard.throw_letters_away()
    figure(
        "an execution stopped in any state",
        f"{len(SCENES)} states, {len(HEIRS)} heirs of the lock, {len(problems)} not cleaned up or not inherited",
        "100% cleaned up, all heirs promoted",
    )
    assert problems == []


@pytest.mark.long
def test_an_execution_that_times_out_while_it_waits_is_cleaned_up(yard: Yard, figure: Figure) -> None:
    groups = {"staging": "late-question", "production": "late-answer"}
    began = time.monotonic()
    with yard.executions(lambda machine: {**machine, "TimeoutSeconds": 14_400}):
        for before, group in groups.items():
            yard.prepare(group, approval=ASKS.format(before=before))
            yard.register(group, 1)
        yard.prepare("late-bake")
        yard.apply("late-bake", bake="7d")
        yard.register("late-bake", 1)
        for group in groups.values():
            yard.is_(f"{group}-v1-a1", "awaiting-approval")
        yard.is_("late-bake-v1-a1", "baking")
    assert time.monotonic() - began < 120, "they were to be in their waits before their time was over"
    problems = []
    for group in (*groups.values(), "late-bake"):
        problems += yard.ends_as(f"{group}-v1-a1", "failed")
        if "TIMED_OUT" not in yard.release(f"{group}-v1-a1").reason:
            problems.append(yard.release(f"{group}-v1-a1").reason)
        problems += yard.nothing_left(group)
    figure("an execution that times out", f"3 waits, {len(problems)} not cleaned up", "100% cleaned up")
    assert problems == []


def test_an_execution_that_fails_for_good_is_cleaned_up(yard: Yard, figure: Figure) -> None:
    """The last state has no Catch: when its function dies at every try, the execution is FAILED."""
    group = "hopeless"
    yard.prepare(group)
    fault = dies_at(yard, "CloseRelease", group, call=6)
    release_id = yard.register(group, 1)
    yard.happened(fault, times=16)
    with yard.cloud.without_house_keeping():
        problems = yard.ends_as(release_id, "promoted") + yard.nothing_left(group)
    assert yard.cloud.ended_execution(release_id)["status"] == "FAILED"
    figure("an execution that fails for good", f"{len(problems)} not cleaned up", "100% cleaned up")
    assert problems == []
