"""The state machine's definition: every state reachable, every failure caught, every error and timeout known to the code."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
import yaml
from lockkeeper.domain import errors
from lockkeeper.domain.policy import parse_policy
from lockkeeper.use_cases.open_release import lock_output

from tests.template.project import FUNCTIONS, PROJECT, STATE_MACHINE, states

LAMBDAS_OWN = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
}
LAST = "CloseRelease"
ONE_YEAR = 365 * 24 * 3600
BEFORE_PRODUCTION = [
    name for name in states() if name not in ("PromoteToProduction", "WatchProduction", "RollBack", LAST)
]
WAITING = [name for name, state in states().items() if state["Resource"].endswith(".waitForTaskToken")]


def successors(state: dict[str, Any]) -> set[str]:
    following = {state["Next"]} if "Next" in state else set()
    return following | {catcher["Next"] for catcher in state.get("Catch", [])}


def test_every_state_is_reachable_and_the_last_is_the_only_end() -> None:
    document = yaml.safe_load(STATE_MACHINE.read_text())
    seen: set[str] = set()
    ahead = {document["StartAt"]}
    while ahead:
        seen |= ahead
        ahead = {name for one in ahead for name in successors(states()[one])} - seen
    assert seen == set(states())
    assert [name for name, state in states().items() if state.get("End")] == [LAST]


def test_a_promotion_without_faults_enters_ten_states() -> None:
    path = ["OpenRelease"]
    while "Next" in states()[path[-1]]:
        path.append(states()[path[-1]]["Next"])
    assert (len(path), path[-1]) == (10, LAST)


@pytest.mark.parametrize("name", [name for name in states() if name != LAST])
def test_every_failure_is_caught_with_its_state(name: str) -> None:
    (catcher,) = states()[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["Assign"]["ending"]["state"] == name
    assert catcher["Next"] == (LAST if name in BEFORE_PRODUCTION or name == "RollBack" else "RollBack")


@pytest.mark.parametrize("name", [name for name in states() if name != LAST])
def test_lambdas_own_troubles_and_passing_ones_are_tried_again(name: str) -> None:
    (retrier,) = states()[name]["Retry"]
    assert set(retrier["ErrorEquals"]) == {*LAMBDAS_OWN, "TryAgain"}
    assert issubclass(errors.TryAgain, errors.LockkeeperError)
    assert retrier["BackoffRate"] > 1
    assert retrier["MaxDelaySeconds"] >= retrier["IntervalSeconds"]


def test_the_last_state_is_tried_again_whatever_happens() -> None:
    (retrier,) = states()[LAST]["Retry"]
    assert (retrier["ErrorEquals"], retrier["MaxAttempts"] >= 10) == (["States.ALL"], True)


@pytest.mark.parametrize("name", WAITING)
def test_a_state_that_waits_hands_out_its_token_and_has_a_limit(name: str) -> None:
    state = states()[name]
    assert state["Arguments"]["Payload"]["token"] == "{% $states.context.Task.Token %}"
    assert state["TimeoutSeconds"]


def test_every_timeout_comes_from_the_policy() -> None:
    policy = parse_policy((PROJECT / "examples" / "wages" / "policy.yaml").read_text(), source="policy.yaml")
    given = lock_output(policy)["timeouts"]
    asked = set(re.findall(r"\$timeouts\.(\w+)", STATE_MACHINE.read_text()))
    assert asked == set(given)


def test_the_whole_journey_is_shorter_than_an_execution_may_last() -> None:
    document = yaml.safe_load(STATE_MACHINE.read_text())
    assert document["TimeoutSeconds"] < ONE_YEAR
    assert document["QueryLanguage"] == "JSONata"


@pytest.mark.parametrize("name", list(states()))
def test_a_payload_has_what_its_handler_reads(name: str) -> None:
    function = states()[name]["Arguments"]["FunctionName"].removeprefix("${").removesuffix("Arn}")
    folder = re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()
    reads = {
        str(node.slice.value)
        for node in ast.walk(ast.parse((FUNCTIONS / folder / "handler.py").read_text()))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "event"
        and isinstance(node.slice, ast.Constant)
    }
    assert reads == set(states()[name]["Arguments"]["Payload"]) - {"release_id"} | {"release_id"}


def test_every_error_with_a_status_of_its_own_exists() -> None:
    known = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(errors.STATUS_OF_ERROR) | errors.REGISTRY_REJECTIONS <= known
