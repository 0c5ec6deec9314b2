"""The AWS CLI, as a person types it, gets AWS's error codes and messages; so does whoever sends the request without a client."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from localcloud.sagemaker.validation import service_model
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY
from tests.conftest import Figure
from tests.contract.sagemaker.account import SCIKIT_LEARN
from tests.contract.sagemaker.test_sagemaker_over_http import Laptop
from tests.patience import PATIENCE
from tests.tidiness import watched

ARN = f"arn:aws:sagemaker:{REGION}:{HUB_ACCOUNT_ID}"
SAID = re.compile(r"An error occurred \((\w+)\) when calling the (\w+) operation[^:]*: (.*)", re.DOTALL)
OTHER_SERVICES = (
    "sagemaker-a2i-runtime",
    "sagemaker-edge",
    "sagemaker-featurestore-runtime",
    "sagemaker-geospatial",
    "sagemaker-metrics",
)


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with watched(tmp_path_factory.mktemp("state"), clock_scale=1.0) as watch:
        laptop = Laptop(watch.running)
        laptop.add_config("wages")
        yield laptop
        watch.things = laptop.emptied()


def typed(laptop: Laptop, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "aws"), "sagemaker", *arguments]
    environment = {**os.environ, **laptop.running.environment(), "AWS_PAGER": ""}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)


def refusal(laptop: Laptop, *arguments: str) -> tuple[str, str]:
    """Error code and message of a command that AWS refuses."""
    done = typed(laptop, *arguments)
    found = SAID.search(done.stderr)
    assert done.returncode != 0, done
    assert found, done.stderr
    return found[1], found[3].strip()


def test_a_duplicate_model(laptop: Laptop) -> None:
    container = json.dumps({"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://models/wages.tar.gz"})
    arguments = ("--model-name", "wages", "--primary-container", container, "--execution-role-arn", laptop.role_arn)

    said = refusal(laptop, "create-model", *arguments)

    assert said == ("ValidationException", f'Cannot create already existing model "{ARN}:model/wages".')


def test_an_endpoint_on_a_missing_configuration(laptop: Laptop) -> None:
    said = refusal(laptop, "create-endpoint", "--endpoint-name", "e", "--endpoint-config-name", "Gone")

    assert said == ("ValidationException", f'Could not find endpoint configuration "{ARN}:endpoint-config/gone".')


def test_an_update_of_an_endpoint_that_is_changing(laptop: Laptop) -> None:
    typed(laptop, "create-endpoint", "--endpoint-name", "Busy", "--endpoint-config-name", "wages").check_returncode()
    sagemaker = laptop.client("sagemaker")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="Busy", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    sagemaker.create_endpoint_config(
        EndpointConfigName="wages-2",
        ProductionVariants=[
            {"VariantName": "V", "ModelName": "wages", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        ],
    )
    cloudwatch = laptop.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="busy", Namespace="Tests", MetricName="busy", Statistic="Sum", Period=60, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    sagemaker.update_endpoint(EndpointName="Busy", EndpointConfigName="wages-2", DeploymentConfig=BAKING)

    said = refusal(laptop, "update-endpoint", "--endpoint-name", "Busy", "--endpoint-config-name", "wages")

    assert said == ("ValidationException", f'Cannot update in-progress endpoint "{ARN}:endpoint/busy".')
    assert refusal(laptop, "delete-endpoint", "--endpoint-name", "Busy")[0] == "ValidationException"
    # So that it can be deleted when the tests have ended, and not minutes after.
    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="enough")


BAKING = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        "TerminationWaitInSeconds": 600,
    },
    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "busy"}]},
}


def test_a_missing_version(laptop: Laptop) -> None:
    arn = f"{ARN}:model-package/nobody/7"

    said = refusal(laptop, "describe-model-package", "--model-package-name", arn)

    assert said == ("ValidationException", f"ModelPackage {arn} does not exist.")


def test_an_invalid_enumeration(laptop: Laptop) -> None:
    arn = f"{ARN}:model-package/nobody/7"
    arguments = ("--model-package-arn", arn, "--model-approval-status", "Maybe")

    assert refusal(laptop, "update-model-package", *arguments) == (
        "ValidationException",
        "1 validation error detected: Value 'Maybe' at 'modelApprovalStatus' failed to satisfy constraint: "
        "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]",
    )


def test_an_unknown_parameter_does_not_leave_the_command_and_is_refused_when_it_does(laptop: Laptop) -> None:
    done = typed(laptop, "describe-model", "--model-name", "wages", "--colour", "red")
    assert done.returncode != 0
    assert "Unknown options: --colour" in done.stderr

    status, answer = raw(laptop, "DescribeModel", {"ModelName": "wages", "Colour": "red"})

    assert (status, answer["__type"]) == (400, "ValidationException")
    assert "Unknown parameter 'Colour' in the request" in answer["message"]


def test_a_page_token_that_is_none_or_has_expired(laptop: Laptop) -> None:
    assert refusal(laptop, "list-models", "--starting-token", "x", "--max-items", "1")[0] == "ValidationException"
    said = refusal(laptop, "list-models", "--no-paginate", "--next-token", "AAAA")
    assert said == ("ValidationException", "Invalid NextToken.")
    sagemaker = laptop.client("sagemaker")
    for name in ("page-1", "page-2"):
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
    first = json.loads(typed(laptop, "list-model-package-groups", "--no-paginate", "--max-results", "1").stdout)
    asked, start, given_at = json.loads(base64.b64decode(first["NextToken"]))
    old = base64.b64encode(json.dumps([asked, start, given_at - 90_000]).encode()).decode()
    said = refusal(laptop, "list-model-package-groups", "--no-paginate", "--next-token", old)
    assert said == ("ValidationException", "Invalid NextToken: it has expired.")


def test_an_operation_that_is_not_there(laptop: Laptop) -> None:
    code, message = refusal(laptop, "list-notebook-instances")

    assert code == "UnsupportedOperationException"
    assert "ListNotebookInstances" in message


def raw(laptop: Laptop, operation: str, parameters: Any) -> tuple[int, dict[str, Any]]:
    """A signed request without a client that would check it: status and answer."""
    body = json.dumps(parameters).encode()
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"SageMaker.{operation}"}
    return send(laptop, "POST", "/", body, headers)


def send(laptop: Laptop, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
    request = AWSRequest(method, laptop.running.endpoint_url + path, headers=headers, data=body)
    SigV4Auth(Credentials(HUB_ACCOUNT_ID, SECRET_ACCESS_KEY), "sagemaker", REGION).add_auth(request)
    prepared = request.prepare()
    asked = urllib.request.Request(prepared.url, data=body, headers=dict(prepared.headers), method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:  # noqa: S310 - http, 127.0.0.1
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [([], "SerializationException"), ("text", "SerializationException"), ({}, "ValidationException")],
)
def test_what_is_no_request_is_refused(laptop: Laptop, parameters: Any, code: str) -> None:
    status, answer = raw(laptop, "DescribeModel", parameters)

    assert (status, answer["__type"]) == (400, code)


def test_every_operation_that_is_not_there_says_so_over_http(laptop: Laptop, figure: Figure) -> None:
    model, there = service_model(), set(laptop_operations())
    absent = [name for name in model.operation_names if name not in there]
    answers = {name: raw(laptop, name, {}) for name in absent}
    wrong = {
        name: (status, answer)
        for name, (status, answer) in answers.items()
        if status != 501 or answer["__type"] != "UnsupportedOperationException" or name not in answer["message"]
    }
    figure("SageMaker operations over HTTP", f"{len(absent)} not there, {len(wrong)} not refused by name", "0")
    assert wrong == {}


def laptop_operations() -> list[str]:
    """What the document says is there: another test holds it against the code."""
    from tests.contract.sagemaker.test_sagemaker_document import documented

    return [name for name, state in documented().items() if state != "absent"]


def test_the_rest_of_the_runtime_says_so_too(laptop: Laptop) -> None:
    for path in ("/endpoints/wages/async-invocations", "/endpoints/wages/invocations-response-stream"):
        status, answer = send(laptop, "POST", path, b"1", {"Content-Type": "text/csv"})
        assert (status, answer["__type"]) == (501, "UnsupportedOperationException"), path


@pytest.mark.parametrize("service", OTHER_SERVICES)
def test_no_other_service_of_sagemaker_succeeds_in_silence(laptop: Laptop, service: str) -> None:
    model = service_model(service)
    client = laptop.client(service)
    for name in model.operation_names:
        operation = model.operation_model(name)
        path = re.sub(r"\{(\w+)\+?\}", "name", operation.http["requestUri"].split("?")[0])
        status, answer = send(laptop, operation.http["method"], path, b"{}", {"Content-Type": "application/json"})
        assert status >= 400, (client.meta.endpoint_url, name, answer)
