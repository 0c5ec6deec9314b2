"""The plan of faults: a file that sandboxes read, and nothing at all while there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcloud.fault_plan import Fault, FaultPlan, When
from localcloud.runtime import Sandboxes

FAULT = Fault("first", "function", When.BEFORE, call=2)


def started(sandboxes: Sandboxes) -> str:
    return (sandboxes.bootstrap_folder / "bootstrap").read_text()


def test_without_a_plan_functions_run_on_the_runtime_client_alone(tmp_path: Path) -> None:
    sandboxes = Sandboxes(tmp_path / "lambda", tmp_path / "logs", "http://127.0.0.1:1")
    assert "-S -m awslambdaric" in started(sandboxes)
    assert "faulty_runtime.py" not in started(sandboxes)
    FaultPlan(tmp_path)
    assert "faulty_runtime.py" in started(sandboxes)


def test_a_plan_is_read_as_it_was_written_and_can_be_emptied(tmp_path: Path) -> None:
    plan = FaultPlan(tmp_path)
    plan.add(FAULT, Fault("second", "function", When.INSTEAD, times=5))
    planned = json.loads((plan.folder / "plan.json").read_text())
    assert [(one["name"], one["when"], one["call"], one["times"]) for one in planned] == [
        ("first", "before", 2, 1),
        ("second", "instead", 0, 5),
    ]
    plan.drop("sec")
    assert [one["name"] for one in json.loads((plan.folder / "plan.json").read_text())] == ["first"]
    plan.clear()
    assert json.loads((plan.folder / "plan.json").read_text()) == []
    assert plan.fired("first") == plan.invocations() == []


@pytest.mark.parametrize("name", ["first", "a/b"])
def test_a_name_that_would_not_say_which_fault_happened_is_refused(tmp_path: Path, name: str) -> None:
    plan = FaultPlan(tmp_path)
    plan.add(FAULT)
    with pytest.raises(ValueError, match="was used before, or cannot be a file's name"):
        plan.add(Fault(name, "function", When.AFTER))


@pytest.mark.parametrize(
    "fault", [Fault("first", "function", When.AROUND), Fault("first", "function", When.BEFORE, fresh="new")]
)
def test_what_is_fresh_is_cut_before_and_after(tmp_path: Path, fault: Fault) -> None:
    with pytest.raises(ValueError, match="AROUND if and only if it is fresh"):
        FaultPlan(tmp_path).add(fault)
