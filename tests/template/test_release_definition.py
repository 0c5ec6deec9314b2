"""The state machine's definition: every state reachable, every failure caught on the right way, every error known."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from lockkeeper.domain import errors

from tests.template.project import STATE_MACHINE, states

LAMBDAS_OWN = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
    "Lambda.ResourceConflictException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.ImportModuleError",
    "Runtime.HandlerNotFound",
    "Sandbox.Timedout",
}
LAST = "CloseRelease"
BEFORE_PRODUCTION = [
    name for name in states() if name not in ("PromoteToProduction", "WatchProduction", "RollBack", LAST)
]


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


@pytest.mark.parametrize("name", [name for name in states() if name != LAST])
def test_every_failure_is_caught_with_its_state(name: str) -> None:
    (catcher,) = states()[name]["Catch"]
    assert catcher["ErrorEquals"] == ["States.ALL"]
    assert catcher["Assign"]["ending"]["state"] == name
    assert catcher["Next"] == (LAST if name in BEFORE_PRODUCTION or name == "RollBack" else "RollBack")


@pytest.mark.parametrize("name", [name for name in states() if name != LAST])
def test_lambdas_own_troubles_and_passing_ones_are_tried_again(name: str) -> None:
    retrier = states()[name]["Retry"][0]
    assert set(retrier["ErrorEquals"]) == {*LAMBDAS_OWN, "TryAgain"}
    assert issubclass(errors.TryAgain, errors.LockkeeperError)
    assert retrier["BackoffRate"] > 1
    assert retrier["MaxDelaySeconds"] >= retrier["IntervalSeconds"]


def test_the_end_of_a_job_is_a_reason_to_enter_the_state_that_judges_it_and_no_other() -> None:
    further = {name: state["Retry"][1:] for name, state in states().items() if name != LAST and len(state["Retry"]) > 1}
    assert list(further) == ["ScanArtifact"]
    (retrier,) = further["ScanArtifact"]
    assert (retrier["ErrorEquals"], retrier["MaxAttempts"] >= 1) == ([errors.JobEnded.__name__], True)


def test_the_last_state_is_tried_again_whatever_happens_unless_there_is_no_release() -> None:
    never_opened, retrier = states()[LAST]["Retry"]
    assert (never_opened["ErrorEquals"], never_opened["MaxAttempts"]) == ([errors.UnknownRelease.__name__], 0)
    assert (retrier["ErrorEquals"], retrier["MaxAttempts"] >= 10) == (["States.ALL"], True)


def test_every_error_with_a_status_of_its_own_exists() -> None:
    known = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert set(errors.STATUS_OF_ERROR) | errors.REGISTRY_REJECTIONS <= known
