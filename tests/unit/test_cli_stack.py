"""How the command finds its stack, and how it says what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions
from botocore.stub import Stubber
from lockkeeper.domain.errors import UnknownRelease
from typer.testing import CliRunner

from cli.groups import Later, load
from cli.main import app
from cli.problems import CommandRefused, explain
from cli.stack import read_outputs, stack_of
from tests.unit.cli_stage import deployed, shared_session

runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"})


@pytest.fixture
def cloudformation() -> Any:
    return shared_session().client("cloudformation")


def client_error(code: str, message: str = "no", operation: str = "DescribeStacks") -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, operation)


def described(status: str, outputs: dict[str, str]) -> dict[str, Any]:
    listed = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
    return {"Stacks": [{"StackName": "x", "CreationTime": 0, "StackStatus": status, "Outputs": listed}]}


def test_a_stack_is_known_by_its_outputs(cloudformation: Any) -> None:
    with deployed() as stack:
        outputs = stack.outputs
    with Stubber(cloudformation) as answers:
        answers.add_response("describe_stacks", described("CREATE_COMPLETE", outputs), {"StackName": "mine"})
        assert read_outputs("mine", cloudformation) == outputs


def test_a_stack_that_is_not_there_says_where_it_was_looked_for(cloudformation: Any) -> None:
    with Stubber(cloudformation) as answers:
        answers.add_client_error("describe_stacks", "ValidationError", "Stack with id mine does not exist")
        with pytest.raises(CommandRefused, match="no stack 'mine' in eu-west-1") as refused:
            read_outputs("mine", cloudformation)
    assert "LOCKKEEPER_STACK" in refused.value.cure


def test_a_stack_without_a_web_api_is_a_lockkeeper_too(cloudformation: Any) -> None:
    with deployed() as stack:
        outputs = {name: value for name, value in stack.outputs.items() if name != "WebUrl"}
    with Stubber(cloudformation) as answers:
        answers.add_response("describe_stacks", described("CREATE_COMPLETE", outputs), {"StackName": "mine"})
        found = read_outputs("mine", cloudformation)
    assert stack_of(found, shared_session()).world.web_url == ""


def test_a_stack_that_tells_releases_in_slack_is_known_to_do_so() -> None:
    with deployed() as stack:
        assert not stack.world.slack_used
        assert stack_of({**stack.outputs, "SlackChannel": "C0123456789"}, stack.session).world.slack_used


def test_another_stack_is_no_lockkeeper(cloudformation: Any) -> None:
    with Stubber(cloudformation) as answers:
        answers.add_response("describe_stacks", described("CREATE_IN_PROGRESS", {"BucketName": "b"}))
        with pytest.raises(CommandRefused, match="CREATE_IN_PROGRESS and has no output BroadcastTopicArn"):
            read_outputs("mine", cloudformation)


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        ("CREATE_IN_PROGRESS", "wait until it is deployed"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait until it is deployed"),
        ("DELETE_IN_PROGRESS", "then delete what is left of it and deploy again"),
        ("ROLLBACK_IN_PROGRESS", "then delete what is left of it and deploy again"),
        ("REVIEW_IN_PROGRESS", "execute its change set"),
        ("CREATE_COMPLETE", "deploy this version's template"),
        ("UPDATE_ROLLBACK_COMPLETE", "deploy this version's template"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("ROLLBACK_COMPLETE", "delete it and deploy again"),
        ("CREATE_FAILED", "delete it and deploy again"),
        ("DELETE_FAILED", "delete it and deploy again"),
    ],
)
def test_only_a_stack_that_something_happens_to_is_waited_for(cloudformation: Any, status: str, cure: str) -> None:
    with Stubber(cloudformation) as answers:
        answers.add_response("describe_stacks", described(status, {}))
        with pytest.raises(CommandRefused, match=status) as refused:
            read_outputs("mine", cloudformation)
    assert cure in refused.value.cure
    assert ("wait" in refused.value.cure) == (status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS")


@pytest.mark.parametrize(
    ("error", "message", "cure"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials", "lockkeeper local up"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), "no AWS credentials", "aws configure"),
        (exceptions.NoRegionError(), "no AWS region", "AWS_DEFAULT_REGION"),
        (exceptions.ProfileNotFound(profile="p"), "(p)", "AWS_PROFILE"),
        (exceptions.SSOTokenLoadError(error_msg="old"), "single sign-on", "aws sso login"),
        (exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"), "4566", "lockkeeper local up"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x.example"), "x.example", "your network"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x.example"), "nothing answers", "your network"),
        (client_error("ExpiredToken"), "has expired", "aws sso login"),
        (client_error("InvalidClientTokenId"), "does not know these credentials", "aws configure"),
        (client_error("AccessDenied", "not you"), "AWS denied DescribeStacks: not you", "permission"),
        (client_error("Throttling", "slow"), "AWS refused DescribeStacks (Throttling): slow", ""),
        (exceptions.ParamValidationError(report="bad"), "bad", ""),
        (UnknownRelease("none", cure="look"), "none", "look"),
    ],
)
def test_what_a_person_can_act_on_has_a_message_and_a_cure(error: Exception, message: str, cure: str) -> None:
    problem = explain(error)
    assert problem is not None
    assert message in problem.message
    assert cure in problem.cure


def test_a_defect_is_no_problem_of_the_person() -> None:
    assert explain(KeyError("x")) is None
    assert explain(ValueError("x")) is None


def test_an_endpoint_without_its_scheme_says_which_variable_to_mend() -> None:
    with pytest.raises(ValueError, match="Invalid endpoint") as invalid:
        shared_session().client("cloudformation", endpoint_url="localhost:4566")
    problem = explain(invalid.value)
    assert problem is not None
    assert problem.message == "'localhost:4566' is no address of AWS"
    assert "AWS_ENDPOINT_URL" in problem.cure


@pytest.mark.parametrize("arguments", [["releases", "--json"], ["show", "x"], ["policy", "show", "g"]])
def test_errors_go_to_standard_error_with_exit_code_1(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    def refuse(_name: str) -> None:
        raise exceptions.NoCredentialsError

    monkeypatch.setattr("cli.stack.find_stack", refuse)
    result = runner.invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: no AWS credentials")


@pytest.mark.parametrize("arguments", [["nothing"], ["show"], ["releases", "--nothing"], ["policy", "nothing"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


def test_the_stack_can_be_named_by_option_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def refuse(name: str) -> None:
        names.append(name)
        raise CommandRefused("seen")

    monkeypatch.setattr("cli.stack.find_stack", refuse)
    runner.invoke(app, ["releases"])
    runner.invoke(app, ["releases"], env={"LOCKKEEPER_STACK": "from-environment"})
    runner.invoke(app, ["releases", "--stack", "from-option"], env={"LOCKKEEPER_STACK": "from-environment"})
    assert names == ["lockkeeper", "from-environment", "from-option"]


def test_a_missing_package_of_the_laptops_aws_is_named() -> None:
    with pytest.raises(CommandRefused, match="needs the package no_such_package") as refused:
        load("local", Later("no_such_package", "app", ""))
    assert "lockkeeper[local]" in refused.value.cure


def test_help_names_every_command_without_loading_what_is_costly() -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    for name in ("policy", "releases", "show", "approve", "reject", "local", "demo"):
        assert f" {name} " in result.stdout
