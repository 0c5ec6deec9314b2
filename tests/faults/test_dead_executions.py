"""The execution itself dies: staging gone, lock handed on, status true."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def short_lived_executions(yard: Yard, seconds: int) -> Iterator[None]:
    """Executions that are started meanwhile end TIMED_OUT after so many (scaled) seconds, without a Catch."""
    machine, arn = yard.cloud.client("stepfunctions"), yard.cloud.outputs["StateMachineArn"]
    definition = machine.describe_state_machine(stateMachineArn=arn)["definition"]
    shorter = {**json.loads(definition), "TimeoutSeconds": seconds}
    machine.update_state_machine(stateMachineArn=arn, definition=json.dumps(shorter))
    try:
        yield
    finally:
        machine.update_state_machine(stateMachineArn=arn, definition=definition)


def test_an_execution_that_times_out_while_it_waits_is_cleaned_up(yard: Yard, figure: Figure) -> None:
    groups = {"staging": "late-question", "production": "late-answer"}
    began = time.monotonic()
    with short_lived_executions(yard, 3600):
        for before, group in groups.items():
            yard.prepare(group, approval=ASKS.format(before=before))
            yard.register(group, 1)
        yard.prepare("late-bake")
        yard.apply("late-bake", bake="7d")
        yard.register("late-bake", 1)
        for group in groups.values():
            yard.is_(f"{group}-v1-a1", "awaiting-approval")
        yard.is_("late-bake-v1-a1", "baking")
    assert time.monotonic() - began < 30, "they were to be in their waits before their time was over"
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
    yard.happened(fault, times=16, seconds=150)
    problems = yard.ends_as(release_id, "promoted", seconds=60) + yard.nothing_left(group)
    assert yard.cloud.ended_execution(release_id)["status"] == "FAILED"
    figure("an execution that fails for good", f"{len(problems)} not cleaned up", "100% cleaned up")
    assert problems == []
