"""The harness breaks what it was told to break, and nothing else."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from localcloud.fault_plan import Fault, When
from tests.faults.cut_points import SITE, cuts_of, points_of
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


@pytest.mark.parametrize(
    ("when", "call", "made"), [(When.BEFORE, 1, 1), (When.AFTER, 1, 1), (When.BEFORE, 2, 2), (When.BEFORE, 3, 2)]
)
def test_a_cut_ends_the_process_at_its_call_and_once(yard: Yard, when: When, call: int, made: int) -> None:
    name = f"never-{when}-{call}"
    fault = yard.cut(name, "ReapRelease", when, call, name)
    answer, calls = reap(yard, name)
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS[:made]]
    assert [one["call"] for one in yard.plan.fired(fault.name)] == [min(call, 2)]
    answer, calls = reap(yard, name)
    assert answer == [f"{name}: nothing to do, it was never opened"]
    assert calls == [CALLS[:made], CALLS]


def test_a_fresh_cut_happens_once_before_and_after_each_call_and_so_often_of_an_event(yard: Yard) -> None:
    """After a call and before the next is one cut; after the last is at the end."""
    target, each = yard.functions["ReapRelease"], ('"name": ?"[^"]+"',)
    yard.plan.add(Fault("never-fresh", target, When.AROUND, ("never-fresh",), times=2, fresh="new", each=each))
    for number in (1, 2):
        answer, calls = reap(yard, "never-fresh-1")
        assert answer["errorType"] == "Runtime.ExitError"
        assert len(calls) == number
        assert calls[-1] == CALLS[:number]
    assert reap(yard, "never-fresh-1")[0] == ["never-fresh-1: nothing to do, it was never opened"]
    assert reap(yard, "never-fresh-2")[0]["errorType"] == "Runtime.ExitError"
    assert reap(yard, "never-fresh-2")[0] == ["never-fresh-2: nothing to do, it was never opened"]
    seen = [one for one in yard.plan.invocations() if "never-fresh" in one["event"]]
    assert [(one["cut"], one["answered"]) for one in seen] == [
        ("before 1", 0), ("before 2", 1), ("", 0), ("after 2", 0), ("", 0)
    ]  # fmt: skip
    assert [(cut.when, cut.point.operation) for one in seen for cut in cuts_of(yard, one)] == [
        (When.BEFORE, CALLS[0]), (When.BEFORE, CALLS[1]), (When.AFTER, CALLS[0]), (When.AFTER, CALLS[1])
    ]  # fmt: skip
    assert len(yard.plan.fired("never-fresh")) == 3


def test_a_fresh_cut_leaves_over_to_what_is_planned_what_an_event_is_tried(yard: Yard) -> None:
    target = yard.functions["ReapRelease"]
    yard.plan.add(
        Fault("never-late", target, When.AROUND, ("never-late",), times=3, fresh="late"),
        Fault("never-late-1", target, When.AFTER, ("never-late-1",), 1),
        Fault("never-late-2", target, When.BEFORE, ("never-late-2",), 9),
    )
    for number, cut in ((1, "before 1"), (1, "after 1"), (1, "before 2"), (1, ""), (2, "after 2"), (2, ""), (3, "")):
        reap(yard, f"never-late-{number}")
        assert last_cut(yard, f"never-late-{number}") == cut


def test_a_fresh_cut_happens_by_site_and_by_the_ways_that_are_named(yard: Yard) -> None:
    """A first, whole invocation tells the places of its calls. What is new by its site is so only once; a named way is new then, and what
    is known never is."""
    reap(yard, "never-named-1")
    (seen,) = [one for one in yard.plan.invocations() if "never-named-1" in one["event"]]
    asked, read = seen["places"]
    assert asked.startswith("adapters/")
    assert read.startswith("adapters/dynamodb/table.py:")
    assert points_of(seen)[1].site.place in read
    assert points_of(seen)[1].site.place != read
    target = yard.functions["ReapRelease"]
    sites = Fault("never-named", target, When.AROUND, ("never-named",), times=4, fresh="named", until=SITE)
    yard.plan.add(sites)
    for cut in ("before 1", "before 2", "after 2", ""):
        reap(yard, "never-named-3")
        assert last_cut(yard, "never-named-3") == cut
    ways = ((str(When.AFTER), CALLS[1], 1, read),)
    yard.plan.add(replace(sites, name="never-named-4", about=("never-named-4",), also=ways))
    for cut in ("after 2", ""):
        reap(yard, "never-named-4")
        assert last_cut(yard, "never-named-4") == cut
    first = points_of(seen)[0].site
    known = ((str(When.BEFORE), first.operation, first.time, first.place),)
    yard.plan.add(replace(sites, name="never-named-5", about=("never-named-5",), fresh="known", known=known))
    for cut in ("before 2", "after 2", ""):
        reap(yard, "never-named-5")
        assert last_cut(yard, "never-named-5") == cut


def last_cut(yard: Yard, name: str) -> str:
    return str([one["cut"] for one in yard.plan.invocations() if name in one["event"]][-1])


def test_what_an_invocation_broke_with_is_on_record(yard: Yard) -> None:
    """What nobody foresaw, and not what a state made of it."""
    refused(yard, "never-broken", "AccessDeniedException")
    reap(yard, "never-broken")
    assert [one["error"] for one in yard.plan.invocations() if "never-broken" in one["event"]] == ["ClientError"]
    target = yard.functions["ScanArtifact"]
    denied = Fault(
        "never-scanned", target, When.INSTEAD, ("never-scanned",), 0, "dynamodb:GetItem", "AccessDeniedException"
    )
    yard.plan.add(replace(denied, times=5))
    assert yard.invoke("ScanArtifact", {"release_id": "never-scanned"})["errorType"] == "TryAgain"
    assert [one["error"] for one in yard.plan.invocations() if "never-scanned" in one["event"]] == ["ClientError"]


def test_any_call_of_an_operation_is_no_call_of_another(yard: Yard) -> None:
    target = yard.functions["ReapRelease"]
    yard.plan.add(Fault("never-any", target, When.BEFORE, ("never-any",), 0, "dynamodb:GetItem"))
    answer, calls = reap(yard, "never-any")
    assert answer["errorType"] == "Runtime.ExitError"
    assert calls == [CALLS]
    assert [one["operation"] for one in yard.plan.fired("never-any")] == ["dynamodb:GetItem"]


def test_a_call_that_is_held_is_made_late(yard: Yard) -> None:
    """Who comes second overtakes, and nobody is cut: fresh cuts are counted without it."""
    target, each = yard.functions["ReapRelease"], ('"name": ?"[^"]+"',)
    held = Fault("never-held", target, When.HELD, ("never-held",), 1, CALLS[1], seconds=10)
    yard.plan.add(held)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(reap, yard, "never-held")
        yard.happened(held)
        assert reap(yard, "never-held")[1] == [CALLS]
        assert first.result()[1] == [CALLS, CALLS]
    yard.plan.add(Fault("never-held-fresh", target, When.AROUND, ("never-held",), times=1, fresh="held", each=each))
    assert reap(yard, "never-held")[0]["errorType"] == "Runtime.ExitError"
    assert len(yard.plan.fired("never-held")) == 1


def test_calls_that_are_held_go_on_when_enough_are_there(yard: Yard) -> None:
    target = yard.functions["ReapRelease"]
    about = ("never-together",)
    held = Fault(about[0], target, When.HELD, about, 1, CALLS[1], times=3, seconds=50, together=2)
    yard.plan.add(held)
    with ThreadPoolExecutor(2) as both:
        first = both.submit(reap, yard, "never-together")
        yard.happened(held)
        assert not first.done()
        reap(yard, "never-together")
        assert first.result()[1] == [CALLS, CALLS]
    began = time.monotonic()
    reap(yard, "never-together")
    assert time.monotonic() - began < 25, "whoever comes later finds that enough were there"


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
