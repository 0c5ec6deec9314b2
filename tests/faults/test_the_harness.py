"""The harness breaks what it was told to break, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from localcloud.fault_plan import Fault, When
from tests.faults.yard import Yard

CALLS = ["sfn:DescribeExecution", "dynamodb:GetItem"]
"""What ReapRelease asks about an execution that there never was."""


def reap(yard: Yard, name: str) -> tuple[Any, list[list[str]]]:
    """Tell ReapRelease of an execution of this name; its answer, and the calls of each invocation about it so far."""
    detail = {"name": name, "status": "ABORTED"}
    kind = "Step Functions Execution Status Change"
    event = {"source": "aws.states", "detail-type": kind, "account": "111122223333", "detail": detail}
    answer = yard.invoke("ReapRelease", event)
    return answer, [one["calls"] for one in yard.plan.invocations() if name in one["event"]]


@pytest.mark.parametrize(("when", "call", "made"), [(When.BEFORE, 1, 1), (When.AFTER, 1, 1), (When.BEFORE, 2, 2)])
def test_a_cut_ends_the_process_at_its_call_and_once(yard: Yard, when: When, call: int, made: int) -> None:
    name = f"never-{when}-{call}"
    fault = yard.cut(name, "ReapRelease", when, call, name)
    answer, calls = reap(yard, name)
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS[:made]]
    assert [one["call"] for one in yard.plan.fired(fault.name)] == [call]
    answer, calls = reap(yard, name)
    assert answer == [f"{name}: nothing to do, it was never opened"]
    assert calls == [CALLS[:made], CALLS]


def test_a_cut_may_come_late(yard: Yard) -> None:
    target = yard.functions["ReapRelease"]
    yard.plan.add(Fault("never-late", target, When.AFTER, ("never-late",), 1, pause=1.5))
    began = time.monotonic()
    answer, calls = reap(yard, "never-late")
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS[:1]]
    assert time.monotonic() - began >= 1.5


def test_a_cut_is_told_by_the_place_in_the_code_as_well(yard: Yard) -> None:
    """Which a first, whole invocation has told."""
    reap(yard, "never-placed-1")
    (seen,) = [one for one in yard.plan.invocations() if "never-placed-1" in one["event"]]
    asked, read = seen["places"]
    assert asked.startswith("adapters/")
    assert read.startswith("adapters/dynamodb/table.py:")
    assert " < use_cases/reap_release.py:" in asked
    target = yard.functions["ReapRelease"]
    yard.plan.add(
        Fault("never-placed-2", target, When.AFTER, ("never-placed",), 1, place=read),
        Fault("never-placed-3", target, When.BEFORE, ("never-placed",), 2, place=read),
    )
    answer, calls = reap(yard, "never-placed-2")
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS]
    assert reap(yard, "never-placed-2")[1] == [CALLS, CALLS]
    assert yard.plan.fired("never-placed-3") == []


def test_any_call_of_an_operation_is_no_call_of_another(yard: Yard) -> None:
    target = yard.functions["ReapRelease"]
    yard.plan.add(Fault("never-any", target, When.BEFORE, ("never-any",), 0, "dynamodb:GetItem"))
    answer, calls = reap(yard, "never-any")
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS]
    assert [one["operation"] for one in yard.plan.fired("never-any")] == ["dynamodb:GetItem"]


def refused(yard: Yard, name: str, error: str) -> None:
    target = yard.functions["ReapRelease"]
    yard.plan.add(Fault(name, target, When.INSTEAD, (name,), 0, "dynamodb:GetItem", error, 400, 5))


def test_an_injected_error_is_answered_in_the_services_words(yard: Yard) -> None:
    refused(yard, "never-refused", "AccessDeniedException")
    answer, _ = reap(yard, "never-refused")
    assert answer["errorType"] == "ClientError"
    assert "AccessDeniedException) when calling the GetItem operation: " in answer["errorMessage"]


def test_a_passing_error_is_waited_out_by_the_client(yard: Yard) -> None:
    refused(yard, "never-passing", "ProvisionedThroughputExceededException")
    answer, calls = reap(yard, "never-passing")
    assert answer == ["never-passing: nothing to do, it was never opened"]
    assert calls == [CALLS]
    assert len(yard.plan.fired("never-passing")) == 5
