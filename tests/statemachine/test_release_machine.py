"""The definition of the `release` machine: its shape, and that functions get what they read."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lockkeeper.domain import errors
from lockkeeper.domain.ending import Ending

ROOT = Path(__file__).parents[2]
DEFINITION = yaml.safe_load((ROOT / "statemachines" / "release.asl.yaml").read_text(encoding="utf-8"))
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
WAITING = {
    "OpenRelease",
    "ScanArtifact",
    "RequestStagingApproval",
    "DeployToStaging",
    "TestStaging",
    "RequestProductionApproval",
    "PromoteToProduction",
    "WatchProduction",
    "RollBack",
}


def happy_path() -> list[str]:
    path = [DEFINITION["StartAt"]]
    while "Next" in STATES[path[-1]]:
        path.append(STATES[path[-1]]["Next"])
    return path


def function_of(state: str) -> str:
    """The function's folder, by the name its ARN is substituted under."""
    arn = STATES[state]["Arguments"]["FunctionName"]
    name = re.fullmatch(r"\$\{(\w+)Arn\}", arn)
    assert name, arn
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name.group(1)).lower()


def handler_of(state: str) -> str:
    return (ROOT / "functions" / function_of(state) / "handler.py").read_text(encoding="utf-8")


def test_a_promotion_is_ten_task_states() -> None:
    assert happy_path() == [
        "OpenRelease",
        "ScanArtifact",
        "JudgeCandidate",
        "RequestStagingApproval",
        "DeployToStaging",
        "TestStaging",
        "RequestProductionApproval",
        "PromoteToProduction",
        "WatchProduction",
        "CloseRelease",
    ]


def test_nothing_polls_and_nothing_chooses() -> None:
    assert {state["Type"] for state in STATES.values()} == {"Task"}
    assert set(STATES) == {*happy_path(), "RollBack"}


def test_waiting_states_hold_a_token_and_end_some_day() -> None:
    waiting = {name for name, state in STATES.items() if state["Resource"].endswith(":lambda:invoke.waitForTaskToken")}
    assert waiting == WAITING
    for name in waiting:
        assert STATES[name]["Arguments"]["Payload"]["token"] == "{% $states.context.Task.Token %}"
        assert "TimeoutSeconds" in STATES[name]


def test_other_states_call_their_function_and_go_on() -> None:
    for name in set(STATES) - WAITING:
        assert STATES[name]["Resource"].endswith(":lambda:invoke")
        assert "token" not in STATES[name]["Arguments"]["Payload"]


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_the_name_of_its_function(state: str) -> None:
    wanted = {"RequestStagingApproval": "request_approval", "RequestProductionApproval": "request_approval"}
    assert function_of(state) == wanted.get(state, re.sub(r"(?<!^)(?=[A-Z])", "_", state).lower())


@pytest.mark.parametrize("state", STATES)
def test_a_function_reads_exactly_what_its_state_sends(state: str) -> None:
    reads = {
        node.slice.value
        for node in ast.walk(ast.parse(handler_of(state)))
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "event"
        and isinstance(node.slice, ast.Constant)
    }
    assert reads == set(STATES[state]["Arguments"]["Payload"])


def test_every_state_but_the_last_catches_everything() -> None:
    for name, state in STATES.items():
        if name == "CloseRelease":
            continue
        (catch,) = state["Catch"]
        assert catch["ErrorEquals"] == ["States.ALL"]
        assert catch["Assign"]["ending"]["state"] == name
        assert catch["Next"] == ("RollBack" if name in {"PromoteToProduction", "WatchProduction"} else "CloseRelease")


def test_what_is_caught_is_what_an_ending_has() -> None:
    fields = set(Ending.__dataclass_fields__)
    for state in STATES.values():
        for catch in state.get("Catch", []):
            assert set(catch["Assign"]["ending"]) <= fields
    assert STATES["RollBack"]["Assign"] == {"ending": "{% $merge([$ending, $states.result]) %}"}


def test_only_passing_errors_are_tried_again() -> None:
    own = {name for name, value in vars(errors).items() if isinstance(value, type)}
    for name, state in STATES.items():
        passing = {"TryAgain", "JobEnded"} if name == "ScanArtifact" else {"TryAgain"}
        tried_again = {error for retry in state["Retry"] for error in retry["ErrorEquals"]}
        if name != "CloseRelease":
            assert own & tried_again == passing
            assert not [error for error in tried_again if error.startswith("States.")]
        assert all(retry["MaxAttempts"] <= 20 for retry in state["Retry"])


def test_timeouts_are_those_that_open_release_hands_over() -> None:
    named = {
        found.group(1)
        for state in STATES.values()
        if (found := re.search(r"\$timeouts\.(\w+)", str(state.get("TimeoutSeconds", ""))))
    }
    tree = ast.parse((ROOT / "layers/core/lockkeeper/use_cases/open_release.py").read_text(encoding="utf-8"))
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "timeouts_of")
    (given,) = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    assert isinstance(given, ast.Dict)
    assert named == {key.value for key in given.keys if isinstance(key, ast.Constant)}


def test_the_whole_journey_may_last_as_long_as_its_waits() -> None:
    lock, approvals, bake = STATES["OpenRelease"]["TimeoutSeconds"], 2 * 90 * 86400, 30 * 86400
    assert DEFINITION["TimeoutSeconds"] >= lock + approvals + bake
    assert DEFINITION["QueryLanguage"] == "JSONata"


def test_only_names_and_arns_are_substituted() -> None:
    text = (ROOT / "statemachines" / "release.asl.yaml").read_text(encoding="utf-8")
    assert all(name == "Partition" or name.endswith("Arn") for name in re.findall(r"\$\{(\w+)\}", text))
    assert not re.search(r"arn:aws[:-]", text)
