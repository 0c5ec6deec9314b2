"""State machines as Step Functions runs them."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.full


def call(cloud: Any, payload: Any, *, token: bool = False, **fields: Any) -> dict[str, Any]:
    """A Task state that invokes the probe function, waiting for a callback when `token`."""
    if token:
        payload = {**payload, "token": "{% $states.context.Task.Token %}"}
    resource = f"arn:aws:states:::lambda:invoke{'.waitForTaskToken' if token else ''}"
    arguments = {"FunctionName": cloud.outputs["ProbeArn"], "Payload": payload}
    fields = fields if "Next" in fields else {"End": True, **fields}
    return {"Type": "Task", "Resource": resource, "Arguments": arguments, **fields}


def ask(cloud: Any, key: str, **fields: Any) -> dict[str, Any]:
    """A Task state whose token the probe function writes down under `key`."""
    return call(cloud, {"action": "remember", "key": key}, token=True, **fields)


def token_of(cloud: Any, key: str, eventually: Callable[..., Any]) -> str:
    return str(eventually(lambda: cloud.remembered(key))[0]["token"])


def start(cloud: Any, states: dict[str, Any], **fields: Any) -> str:
    machine = cloud.machine(states, **fields)
    return str(cloud.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"])


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        action()
    return str(refused.value.response["Error"]["Code"])


def test_a_yaml_definition_with_substitutions_runs_and_a_succeed_state_has_output(cloud: Any) -> None:
    functions = cloud.client("stepfunctions")
    started = functions.start_execution(stateMachineArn=cloud.outputs["MachineArn"], input='{"question": "why"}')
    assert json.loads(cloud.ended(started["executionArn"])["output"]) == {"final": "why"}


def test_a_function_error_is_caught_by_its_type_with_assign_and_output(cloud: Any) -> None:
    catch = {
        "ErrorEquals": ["RefusedOnPurposeError"],
        "Assign": {"kind": "{% $states.errorOutput.Error %}"},
        "Output": {"cause": "{% $parse($states.errorOutput.Cause).errorMessage %}"},
        "Next": "Show",
    }
    show = {"Type": "Pass", "Output": {"kind": "{% $kind %}", "cause": "{% $states.input.cause %}"}, "End": True}
    ended = cloud.run({"Try": call(cloud, {"action": "raise"}, Catch=[catch]), "Show": show})
    assert json.loads(ended["output"]) == {"kind": "RefusedOnPurposeError", "cause": "on purpose"}


def test_a_function_error_fails_a_task_that_waits_for_a_callback(cloud: Any) -> None:
    ended = cloud.run({"Ask": call(cloud, {"action": "raise"}, token=True, TimeoutSeconds=86_400)})
    assert (ended["status"], ended["error"]) == ("FAILED", "RefusedOnPurposeError")


def test_a_state_machine_may_invoke_only_what_its_role_allows(cloud: Any, unique: str) -> None:
    iam = cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=unique[:40], AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = cloud.client("stepfunctions")
    machine = cloud.machine({"Try": call(cloud, {"action": "echo"})})
    functions.update_state_machine(stateMachineArn=machine, roleArn=role)
    started = functions.start_execution(stateMachineArn=machine)
    ended = cloud.ended(started["executionArn"])
    assert ended["error"] == "Lambda.AWSLambdaException"
    assert "is not authorized to perform: lambda:InvokeFunction" in ended["cause"]


def test_a_function_may_complete_its_own_token(cloud: Any) -> None:
    ended = cloud.run({"Ask": call(cloud, {"action": "succeed", "output": {"done": True}}, token=True)})
    assert json.loads(ended["output"]) == {"done": True}


def test_a_callback_is_accepted_once(cloud: Any, unique: str, eventually: Callable[..., Any]) -> None:
    execution = start(cloud, {"Ask": ask(cloud, unique)})
    token, functions = token_of(cloud, unique, eventually), cloud.client("stepfunctions")
    functions.send_task_success(taskToken=token, output='{"by": "first"}')
    assert code_of(lambda: functions.send_task_success(taskToken=token, output="{}")) == "TaskTimedOut"
    assert code_of(lambda: functions.send_task_failure(taskToken=token, error="Late")) == "TaskTimedOut"
    assert json.loads(cloud.ended(execution)["output"]) == {"by": "first"}


def test_of_two_callbacks_at_once_one_wins(cloud: Any, unique: str, eventually: Callable[..., Any]) -> None:
    start(cloud, {"Ask": ask(cloud, unique)})
    token, outcomes = token_of(cloud, unique, eventually), []

    def answer() -> None:
        try:
            cloud.client("stepfunctions").send_task_success(taskToken=token, output="{}")
            outcomes.append("accepted")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=answer) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["TaskTimedOut"] * 4 + ["accepted"]


def test_unknown_and_malformed_tokens_are_told_apart(cloud: Any) -> None:
    functions = cloud.client("stepfunctions")
    assert code_of(lambda: functions.send_task_success(taskToken="nonsense", output="{}")) == "InvalidToken"
    unknown = "AQ" + "A" * 256
    assert code_of(lambda: functions.send_task_heartbeat(taskToken=unknown)) == "TaskDoesNotExist"


def test_a_token_is_worth_nothing_in_another_account(cloud: Any, unique: str, eventually: Callable[..., Any]) -> None:
    execution = start(cloud, {"Ask": ask(cloud, unique)})
    token, stranger = token_of(cloud, unique, eventually), cloud.client("stepfunctions", "999988887777")
    assert code_of(lambda: stranger.send_task_success(taskToken=token, output="{}")) == "TaskDoesNotExist"
    cloud.client("stepfunctions").stop_execution(executionArn=execution)


def test_output_that_is_no_json_is_refused(cloud: Any) -> None:
    functions = cloud.client("stepfunctions")
    assert code_of(lambda: functions.send_task_success(taskToken="AQ" + "A" * 256, output="{no")) == "InvalidOutput"


def test_a_jsonata_deadline_ends_a_callback_under_the_clock_scale(
    cloud: Any, unique: str, eventually: Callable[..., Any]
) -> None:
    began = time.monotonic()
    catch = {"ErrorEquals": ["States.Timeout"], "Next": "Late"}
    wait = ask(cloud, unique, TimeoutSeconds="{% $states.input.limit %}", Catch=[catch])
    ended = cloud.run({"Ask": wait, "Late": {"Type": "Pass", "Output": "late", "End": True}}, {"limit": 60})
    assert ended["output"] == '"late"'
    assert time.monotonic() - began < 50
    token, functions = token_of(cloud, unique, eventually), cloud.client("stepfunctions")
    assert code_of(lambda: functions.send_task_success(taskToken=token, output="{}")) == "TaskTimedOut"


def test_silence_ends_a_task_with_heartbeats_and_a_beat_keeps_it(
    cloud: Any, unique: str, eventually: Callable[..., Any]
) -> None:
    functions = cloud.client("stepfunctions")
    execution = start(cloud, {"Ask": ask(cloud, unique, HeartbeatSeconds=240, TimeoutSeconds=86_400)})
    token = token_of(cloud, unique, eventually)
    for _ in range(6):
        time.sleep(1)
        functions.send_task_heartbeat(taskToken=token)
    assert functions.describe_execution(executionArn=execution)["status"] == "RUNNING"
    ended = cloud.ended(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.HeartbeatTimeout")


def test_every_attempt_has_a_token_of_its_own(cloud: Any, unique: str, eventually: Callable[..., Any]) -> None:
    retry = [{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    execution = start(cloud, {"Ask": ask(cloud, unique, Retry=retry)})
    functions, first = cloud.client("stepfunctions"), token_of(cloud, unique, eventually)
    functions.send_task_failure(taskToken=first, error="Again", cause="once")
    second = eventually(lambda: len(cloud.remembered(unique)) == 2 and cloud.remembered(unique)[1]["token"])
    assert second != first
    functions.send_task_success(taskToken=second, output='"ok"')
    assert cloud.ended(execution)["output"] == '"ok"'


def test_pauses_between_attempts_stop_growing_at_max_delay(cloud: Any) -> None:
    retry = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 6,
        "BackoffRate": 100,
        "MaxDelaySeconds": 12,
        "MaxAttempts": 3,
    }
    began = time.monotonic()
    assert cloud.run({"Try": call(cloud, {"action": "raise"}, Retry=[retry])})["status"] == "FAILED"
    assert time.monotonic() - began < 60


def test_an_execution_ends_at_its_own_timeout_without_a_catch(cloud: Any, unique: str) -> None:
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
    states = {"Ask": ask(cloud, unique, Catch=[catch]), "Caught": {"Type": "Succeed"}}
    ended = cloud.run(states, TimeoutSeconds=60)
    assert ended["status"] == "TIMED_OUT"


def test_states_all_does_not_catch_an_oversized_payload(cloud: Any) -> None:
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Caught"}
    task = call(cloud, {"text": "{% $states.input & $states.input %}"}, Catch=[catch])
    ended = cloud.run({"Try": task, "Caught": {"Type": "Succeed"}}, "x" * 200_000)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_the_same_name_and_input_return_the_running_execution(cloud: Any, unique: str) -> None:
    functions = cloud.client("stepfunctions")
    machine = cloud.machine({"Pause": {"Type": "Wait", "Seconds": 600, "End": True}})
    first = functions.start_execution(stateMachineArn=machine, name=unique, input='{"a": 1}')
    again = functions.start_execution(stateMachineArn=machine, name=unique, input='{"a": 1}')
    assert again["executionArn"] == first["executionArn"]
    other = {"stateMachineArn": machine, "name": unique, "input": '{"a": 2}'}
    assert code_of(lambda: functions.start_execution(**other)) == "ExecutionAlreadyExists"
    functions.stop_execution(executionArn=first["executionArn"])
    assert code_of(lambda: functions.start_execution(**other | {"input": '{"a": 1}'})) == "ExecutionAlreadyExists"


def test_an_oversized_execution_input_is_refused(cloud: Any) -> None:
    machine = cloud.machine({"Done": {"Type": "Succeed"}})
    text = json.dumps("x" * 262_144)
    functions = cloud.client("stepfunctions")
    assert code_of(lambda: functions.start_execution(stateMachineArn=machine, input=text)) == "ValidationException"


@pytest.mark.parametrize(("status", "timeout"), [("ABORTED", None), ("TIMED_OUT", 60), ("FAILED", None)])
def test_the_end_of_an_execution_is_an_event(
    cloud: Any, unique: str, eventually: Callable[..., Any], status: str, timeout: int | None
) -> None:
    events, functions = cloud.client("events"), cloud.client("stepfunctions")
    pattern = {"source": ["aws.states"], "detail": {"status": [status], "input": [{"wildcard": f"*{unique}*"}]}}
    events.put_rule(Name=unique, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=unique, Targets=[{"Id": "queue", "Arn": cloud.outputs["QueueArn"]}])
    fields = {"TimeoutSeconds": timeout} if timeout else {}
    last = {"Type": "Fail", "Error": "Bad", "Cause": "luck"} if status == "FAILED" else {"Type": "Succeed"}
    machine = cloud.machine({"Pause": {"Type": "Wait", "Seconds": 120, "Next": "Last"}, "Last": last}, **fields)
    execution = functions.start_execution(stateMachineArn=machine, input=json.dumps({"key": unique}))["executionArn"]
    if status == "ABORTED":
        functions.stop_execution(executionArn=execution, error="Bad", cause="luck")
    event = json.loads(cloud.dead_letters(unique)["Body"])
    events.remove_targets(Rule=unique, Ids=["queue"])
    events.delete_rule(Name=unique)
    assert event["detail-type"] == "Step Functions Execution Status Change"
    assert event["resources"] == [execution]
    assert event["detail"]["status"] == status
    assert event["detail"]["output"] is None
    assert event["detail"]["redriveStatus"] == "REDRIVABLE"
    assert event["detail"]["error"] == ("States.Timeout" if timeout else "Bad")


def test_an_execution_says_whether_it_can_be_redriven_and_nothing_here_redrives_it(cloud: Any) -> None:
    functions = cloud.client("stepfunctions")
    failed = cloud.run({"Last": {"Type": "Fail", "Error": "Bad", "Cause": "luck"}})
    assert (failed["redriveCount"], failed["redriveStatus"]) == (0, "REDRIVABLE")
    assert "redriveStatusReason" not in failed
    with pytest.raises(ClientError) as refused:
        functions.redrive_execution(executionArn=failed["executionArn"])
    assert "RedriveExecution" in refused.value.response["Error"]["Message"]
    assert functions.describe_execution(executionArn=failed["executionArn"])["status"] == "FAILED"

    succeeded = cloud.run({"Last": {"Type": "Succeed"}})
    assert succeeded["redriveStatus"] == "NOT_REDRIVABLE"
    assert succeeded["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"


BAD_DEFINITIONS = {
    "missing target": ({"A": {"Type": "Pass", "Next": "Nowhere"}}, "MISSING_TRANSITION_TARGET"),
    "unreachable": ({"A": {"Type": "Pass", "End": True}, "B": {"Type": "Pass", "End": True}}, "UNREACHABLE_STATE"),
    "type": ({"A": {"Type": "Passing", "End": True}}, "SCHEMA_VALIDATION_FAILED"),
    "no end": ({"A": {"Type": "Pass"}}, "SCHEMA_VALIDATION_FAILED"),
    "unknown field": ({"A": {"Type": "Pass", "Foo": 1, "End": True}}, "SCHEMA_VALIDATION_FAILED"),
    "JSONPath field": ({"A": {"Type": "Pass", "ResultPath": "$.x", "End": True}}, "SCHEMA_VALIDATION_FAILED"),
    "JSONata": ({"A": {"Type": "Pass", "Output": "{% $x( %}", "End": True}}, "INVALID_JSONATA_EXPRESSION"),
}


@pytest.mark.parametrize("name", BAD_DEFINITIONS)
def test_a_bad_definition_is_refused(cloud: Any, name: str) -> None:
    states, code = BAD_DEFINITIONS[name]
    with pytest.raises(ClientError) as refused:
        cloud.machine(states)
    assert refused.value.response["Error"]["Code"] == "InvalidDefinition"
    assert code in refused.value.response["Error"]["Message"]


def test_validation_reports_diagnostics(cloud: Any) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}})
    found = cloud.client("stepfunctions").validate_state_machine_definition(definition=definition)
    assert found["result"] == "FAIL"
    assert found["diagnostics"][0]["code"] == "MISSING_TRANSITION_TARGET"
