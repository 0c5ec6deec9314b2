"""Python Lambdas behind AWS's runtime interface client."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

LAMBDA_VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "PYTHONPATH",
    "PYTHONUNBUFFERED",
    "TMPDIR",
    "TZ",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
}
"""What a function may see on Lambda beside its own variables."""

LOCAL_VARIABLES = {
    "AWS_ENDPOINT_URL",
    "AWS_DISABLE_HOST_PREFIX_INJECTION",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_EC2_METADATA_DISABLED",
}
SHELL_VARIABLES = {"PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


def test_an_exception_comes_out_with_its_own_type_and_trace(cloud: Any) -> None:
    answer = cloud.invoke({"action": "raise", "message": "no such release"})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "RefusedOnPurposeError"
    assert answer["Payload"]["errorMessage"] == "no such release"
    assert "handler.py" in "".join(answer["Payload"]["stackTrace"])


def test_a_function_sees_only_what_lambda_gives_it(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = cloud.invoke({"action": "environment"})["Payload"]["variables"]
    assert set(variables) - SHELL_VARIABLES <= LAMBDA_VARIABLES | LOCAL_VARIABLES | {"TABLE_NAME"}
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert variables["AWS_ENDPOINT_URL"] == cloud.running.endpoint_url
    assert variables["_HANDLER"] == "handler.handler"


def test_code_comes_before_layers_and_before_the_runtime(cloud: Any) -> None:
    seen = cloud.invoke({"action": "environment"})["Payload"]
    task, *rest = seen["variables"]["PYTHONPATH"].split(":")
    assert seen["folder"] == task == seen["variables"]["LAMBDA_TASK_ROOT"]
    assert rest[-1] == seen["variables"]["LAMBDA_RUNTIME_DIR"]


@pytest.mark.parametrize("module", ["pandas", "pytest", "localcloud", "pydantic"])
def test_a_package_that_no_layer_brings_is_missing(cloud: Any, module: str) -> None:
    answer = cloud.invoke({"action": "import", "module": module})
    assert answer["Payload"]["errorType"] == "ModuleNotFoundError"


def test_a_function_may_do_only_what_its_role_allows(cloud: Any) -> None:
    bucket = cloud.outputs["BucketName"]
    cloud.client("s3").put_object(Bucket=bucket, Key="secret", Body=b"x")
    answer = cloud.invoke({"action": "read", "bucket": bucket, "key": "secret"})
    assert "AccessDenied" in answer["Payload"]["errorMessage"]


def test_a_timeout_ends_the_invocation(cloud: Any) -> None:
    began = time.monotonic()
    answer = cloud.invoke({"action": "sleep", "seconds": 30})
    assert answer["Payload"]["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 2.00 seconds" in answer["Payload"]["errorMessage"]
    assert time.monotonic() - began < 25


def test_a_crash_is_a_runtime_exit_and_the_next_call_works(cloud: Any) -> None:
    assert cloud.invoke({"action": "exit"})["Payload"]["errorType"] == "Runtime.ExitError"
    assert cloud.invoke({"action": "echo"})["Payload"] == {"action": "echo"}


def test_an_init_that_fails_leaves_busy_environments_alone(cloud: Any) -> None:
    cloud.invoke({"action": "break the next init"})
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(cloud.invoke, {"action": "sleep", "seconds": 1.5})
        time.sleep(0.3)
        refused = cloud.invoke({"action": "echo"})["Payload"]
        assert "does not come up" in refused["errorMessage"]
        assert busy.result()["Payload"] == {"action": "sleep", "seconds": 1.5}
    assert cloud.invoke({"action": "echo"})["Payload"] == {"action": "echo"}


def test_an_environment_is_reused(cloud: Any) -> None:
    first, second = (cloud.invoke({"action": "environment"})["Payload"]["process"] for _ in range(2))
    assert first == second


def test_concurrent_invocations_have_environments_of_their_own(cloud: Any) -> None:
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(cloud.invoke, [{"action": "environment", "seconds": 1}] * 3))
    assert len({answer["Payload"]["process"] for answer in answers}) == 3


def test_reserved_concurrency_throttles(cloud: Any) -> None:
    def call(_number: int) -> str:
        try:
            cloud.invoke({"action": "sleep", "seconds": 1}, FunctionName=cloud.outputs["ReservedName"])
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "served"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(call, range(2))) == ["TooManyRequestsException", "served"]


def test_logs_are_kept_in_a_file_and_in_cloudwatch(cloud: Any, unique: str) -> None:
    cloud.invoke({"action": "measure", "kind": unique, "value": 1})
    name = cloud.outputs["ProbeArn"].rpartition(":")[2]
    assert unique in (cloud.running.logs / "lambda" / f"{name}.log").read_text()
    found = cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}", filterPattern=f'"{unique}"')
    assert found["events"]


def test_embedded_metrics_become_metrics(cloud: Any, unique: str) -> None:
    cloud.invoke({"action": "measure", "kind": unique, "value": 7})
    listed = cloud.client("cloudwatch").list_metrics(Namespace="Probe", Dimensions=[{"Name": "Kind", "Value": unique}])
    assert [metric["MetricName"] for metric in listed["Metrics"]] == ["Seen"]


def test_an_asynchronous_failure_is_tried_three_times_and_buried_as_it_came(
    cloud: Any, unique: str, eventually: Callable[..., Any]
) -> None:
    event = {"action": "raise", "message": unique}
    cloud.invoke(event, InvocationType="Event")
    letter = cloud.dead_letters(unique)
    assert json.loads(letter["Body"]) == event
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == unique
    name = cloud.outputs["ProbeArn"].rpartition(":")[2]
    log = (cloud.running.logs / "lambda" / f"{name}.log").read_text()
    assert log.count(f"[ERROR] RefusedOnPurposeError: {unique}") == 3


def test_an_oversized_asynchronous_payload_is_refused(cloud: Any) -> None:
    with pytest.raises(ClientError) as refused:
        cloud.invoke({"text": "x" * 262_144}, InvocationType="Event")
    assert refused.value.response["Error"]["Code"] == "RequestTooLargeException"
