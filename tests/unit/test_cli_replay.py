"""`lockkeeper replay`: the next attempt of a release, and the dead letters of a stack."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.in_memory.messages import InMemoryTasks
from lockkeeper.domain.release import Status
from typer.testing import CliRunner

from cli import dead_letters
from cli.dead_letters import replay_dead_letters
from cli.main import app
from cli.problems import CommandRefused
from cli.stack import Stack
from tests.unit.cli_stage import deployed, waiting_release
from tests.unit.harbour import endpoint_event, package_arn, package_event

runner = CliRunner(env={"COLUMNS": "100", "NO_COLOR": "1"})


class Functions:
    """Lambda, as far as it is called; `broken` ones fail."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.called: list[tuple[str, dict[str, Any]]] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        self.called.append((FunctionName, json.loads(Payload)))
        if FunctionName != self.broken:
            return {"Payload": io.BytesIO(b"null")}
        return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "no such table"}')}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    with deployed() as found:
        monkeypatch.setattr("cli.stack.find_stack", lambda _name: found)
        found.outputs["DeadLettersUrl"] = found.session.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
        yield found


@pytest.fixture
def functions(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Functions:
    """Functions have the names of the stack and their own; one long poll is enough of waiting."""
    functions = Functions()
    sqs = stack.session.client("sqs")

    def describe(StackName: str, LogicalResourceId: str) -> dict[str, Any]:
        return {"StackResourceDetail": {"PhysicalResourceId": f"{StackName}-{LogicalResourceId}"}}

    clients = {"sqs": sqs, "lambda": functions, "cloudformation": SimpleNamespace(describe_stack_resource=describe)}
    session = SimpleNamespace(client=lambda name, **_: clients[name])
    object.__setattr__(stack, "session", session)
    monkeypatch.setattr(dead_letters, "POLL_SECONDS", 0)
    return functions


def put(stack: Stack, body: Any, **attributes: str) -> None:
    stack.session.client("sqs").send_message(
        QueueUrl=stack.outputs["DeadLettersUrl"],
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )


def left(stack: Stack) -> int:
    attributes = stack.session.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs["DeadLettersUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def test_each_letter_goes_to_whom_it_was_for_and_is_deleted(stack: Stack, functions: Functions) -> None:
    arn = "arn:aws:sagemaker:eu-central-1:111111111111:endpoint/wages"
    put(stack, package_event(1), ErrorCode="200", ErrorMessage="Task timed out")
    put(stack, endpoint_event(arn), TARGET_ARN="arn:aws:lambda:eu-west-1:1:function:lockkeeper-ReapRelease")
    put(stack, {"deadline": {"release_id": "wages-v1-a1", "state": "WatchProduction"}}, SCHEDULE_ARN="arn")
    replayed = list(replay_dead_letters(stack, "lockkeeper"))
    assert sorted(name for name, _ in functions.called) == [
        "lockkeeper-ReactToRegistry",
        "lockkeeper-ReapRelease",
        "lockkeeper-ResumeRelease",
    ]
    assert all(one.done for one in replayed)
    assert left(stack) == 0
    assert list(replay_dead_letters(stack, "lockkeeper")) == []
    assert len(functions.called) == 3


def test_what_a_function_refuses_and_what_is_nobodys_stays(stack: Stack, functions: Functions) -> None:
    functions.broken = "lockkeeper-ReactToRegistry"
    put(stack, package_event(1))
    put(stack, "no event")
    result = runner.invoke(app, ["replay", "--dead-letters"])
    assert result.exit_code == 1
    assert "no such table" in result.stdout
    assert "nobody's" in result.stdout
    assert left(stack) == 2


def test_the_queues_of_joined_accounts_are_played_too_and_one_that_cannot_be_reached_is_said(
    stack: Stack, functions: Functions
) -> None:
    stack.outputs.update(StagingAccount="222222222222", ProductionAccount="333333333333")
    sqs = stack.session.client("sqs")
    url = sqs.create_queue(QueueName="lockkeeper-staging-dead-letters")["QueueUrl"]
    asked: list[dict[str, str]] = []

    def find(**owner: str) -> dict[str, str]:
        asked.append(owner)
        return sqs.get_queue_url(QueueName=owner["QueueName"])

    reaching = SimpleNamespace(
        get_queue_url=find,
        receive_message=sqs.receive_message,
        delete_message=sqs.delete_message,
        change_message_visibility=sqs.change_message_visibility,
    )
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(package_event(1)))
    clients = {"sqs": reaching, "lambda": functions, "cloudformation": stack.session.client("cloudformation")}
    object.__setattr__(stack, "session", SimpleNamespace(client=lambda name, **_: clients[name]))
    replayed = list(replay_dead_letters(stack, "lockkeeper"))
    assert [(one.message_id, one.done) for one in replayed[:1]] == [("333333333333", False)]
    assert [one.outcome for one in replayed[1:]] == ["taken by ReactToRegistry"]
    assert [one["QueueOwnerAWSAccountId"] for one in asked] == ["222222222222", "333333333333"]


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", "deploy environments/account.yaml there"),
        ("QueueDoesNotExist", "deploy environments/account.yaml there"),
        ("AccessDenied", "ask for the permission, or use another identity"),
        ("RequestThrottled", "look at that account, then run it again"),
    ],
)
def test_only_a_queue_that_does_not_exist_has_to_be_deployed(code: str, cure: str) -> None:
    def refuse(**_asked: str) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetQueueUrl")

    told = dead_letters._joined_queue(SimpleNamespace(get_queue_url=refuse), "dead", "222222222222")
    assert isinstance(told, dead_letters.Replayed)
    assert (told.why, told.done) == (cure, False)
    assert told.outcome.startswith("not looked at: AWS ")


def test_an_empty_queue_is_said(stack: Stack, functions: Functions) -> None:
    del stack, functions
    result = runner.invoke(app, ["replay", "--dead-letters"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "empty" in result.stderr


def test_a_stack_without_the_queue_is_refused(stack: Stack) -> None:
    del stack.outputs["DeadLettersUrl"]
    with pytest.raises(CommandRefused, match="DeadLettersUrl"):
        list(replay_dead_letters(stack, "lockkeeper"))


def test_a_release_is_started_as_its_next_attempt(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = stack.world.ledger
    release = waiting_release()
    ledger.open(release)
    started: list[tuple[str, dict[str, Any]]] = []
    tasks = SimpleNamespace(start=lambda name, payload: started.append((name, payload)) is None)
    monkeypatch.setattr(stack.world, "tasks", tasks, raising=False)
    refused = runner.invoke(app, ["replay", release.release_id])
    assert (refused.exit_code, "has not ended" in refused.stderr) == (1, True)
    ledger.record(release.release_id, "failed", "", status=Status.FAILED)
    ledger.finish(release.release_id)
    result = runner.invoke(app, ["replay", "wages/2"])
    assert (result.exit_code, result.stdout) == (0, "wages-v2-a2 has started.\n")
    payload = {"release_id": "wages-v2-a2", "model_package_arn": release.model_package_arn, "attempt": 2}
    assert started == [("wages-v2-a2", payload)]


def test_a_version_whose_release_was_never_opened_is_started_as_its_next_attempt(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks, payload = InMemoryTasks(), {"release_id": "wages-v4-a1", "model_package_arn": package_arn(4), "attempt": 1}
    monkeypatch.setattr(stack.world, "tasks", tasks, raising=False)
    refused = runner.invoke(app, ["replay", "wages/4"])
    assert (refused.exit_code, "version 4 of wages was never released" in refused.stderr) == (1, True)
    tasks.start("wages-v4-a1", payload)
    tasks.states["wages-v4-a1"] = "FAILED"
    result = runner.invoke(app, ["replay", "wages/4"])
    assert (result.exit_code, result.stdout) == (0, "wages-v4-a2 has started.\n")
    assert tasks.started["wages-v4-a2"] == {**payload, "release_id": "wages-v4-a2", "attempt": 2}


@pytest.mark.parametrize("arguments", [["replay"], ["replay", "wages/2", "--dead-letters"]])
def test_either_a_release_or_the_dead_letters_are_named(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2
