"""What Step Functions answers, and what the adapter of its tasks and executions makes of it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.aws import StepFunctionsTasks

from tests.contract.test_adapters_on_stubs import ACCOUNT, REGION, SINCE, StubbedSession, refuse


@pytest.fixture
def session() -> StubbedSession:
    return StubbedSession()


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_a_token_that_is_gone_is_not_delivered(session: StubbedSession, code: str) -> None:
    tasks = StepFunctionsTasks(session.client("stepfunctions"), "arn")
    refuse(session, "send_task_success", code, "gone", "stepfunctions")
    refuse(session, "send_task_failure", code, "gone", "stepfunctions")
    assert not tasks.succeed("token", {})
    assert not tasks.fail("token", "GateFailed", "why")


def test_a_token_is_told_its_result_within_the_limits(session: StubbedSession) -> None:
    stub = session.stub("stepfunctions")
    stub.add_response("send_task_success", {}, {"taskToken": "token", "output": '{"a": 1}'})
    stub.add_response("send_task_failure", {}, {"taskToken": "token", "error": "e" * 256, "cause": "c" * 32000})
    tasks = StepFunctionsTasks(session.client("stepfunctions"), "arn")
    assert tasks.succeed("token", {"a": 1})
    assert tasks.fail("token", "e" * 300, "c" * 40000)
    refuse(session, "send_task_success", "ThrottlingException", "slow down", "stepfunctions")
    with pytest.raises(ClientError):
        tasks.succeed("token", {})


def test_an_execution_is_started_once(session: StubbedSession) -> None:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:release"
    stub = session.stub("stepfunctions")
    stub.add_response(
        "start_execution",
        {"executionArn": arn.replace("stateMachine", "execution") + ":wages-v1-a1", "startDate": SINCE},
        {"stateMachineArn": arn, "name": "wages-v1-a1", "input": '{"attempt": 1, "release_id": "wages-v1-a1"}'},
    )
    tasks = StepFunctionsTasks(session.client("stepfunctions"), arn)
    assert tasks.start("wages-v1-a1", {"release_id": "wages-v1-a1", "attempt": 1})
    refuse(session, "start_execution", "ExecutionAlreadyExists", "exists", "stepfunctions")
    assert not tasks.start("wages-v1-a1", {})


def test_an_execution_has_its_state_or_none(session: StubbedSession) -> None:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:release"
    execution = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:release:wages-v1-a1"
    answer = {"executionArn": execution, "stateMachineArn": machine, "status": "ABORTED", "startDate": SINCE}
    session.stub("stepfunctions").add_response("describe_execution", answer, {"executionArn": execution})
    tasks = StepFunctionsTasks(session.client("stepfunctions"), machine)
    assert tasks.state_of("wages-v1-a1") == "ABORTED"
    refuse(session, "describe_execution", "ExecutionDoesNotExist", "gone", "stepfunctions")
    assert tasks.state_of("wages-v1-a1") == ""
    refuse(session, "describe_execution", "ThrottlingException", "slow down", "stepfunctions")
    with pytest.raises(ClientError):
        tasks.state_of("wages-v1-a1")


@pytest.mark.parametrize(
    ("given", "payload"), [({"input": '{"attempt": 1}'}, {"attempt": 1}), ({"input": "[1]"}, {}), ({}, {})]
)
def test_an_execution_says_what_it_was_started_with(
    session: StubbedSession, given: dict[str, str], payload: dict[str, int]
) -> None:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:release"
    execution = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:release:wages-v1-a1"
    answer = {"executionArn": execution, "stateMachineArn": machine, "status": "FAILED", "startDate": SINCE, **given}
    session.stub("stepfunctions").add_response("describe_execution", answer, {"executionArn": execution})
    tasks = StepFunctionsTasks(session.client("stepfunctions"), machine)
    assert tasks.payload_of("wages-v1-a1") == payload
    refuse(session, "describe_execution", "ExecutionDoesNotExist", "gone", "stepfunctions")
    assert tasks.payload_of("wages-v1-a1") == {}
