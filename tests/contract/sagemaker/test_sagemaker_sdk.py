"""What the SageMaker Python SDK writes runs on the local SageMaker as the definition in the repository does; marker `sdk`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from examples.wages.prepare import prepare
from tests.contract.sagemaker.account import ROLE, Account
from tests.contract.sagemaker.test_sagemaker_pipelines import TOKEN, finish

pytestmark = pytest.mark.sdk

EXAMPLE = Path(__file__).parents[3] / "examples" / "wages"
HOME = "s3://team/wages"
GIVEN = {
    "TrainDataUri": f"{HOME}/train",
    "ValidationDataUri": f"{HOME}/validation",
    "EvaluationDataUri": f"{HOME}/evaluation",
    "CodeUri": f"{HOME}/code",
    "OutputUri": f"{HOME}/output",
    "Author": "grace@example.com",
    "Reason": "written with the SDK",
}


@pytest.fixture(scope="module")
def authored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The definition, as the SDK writes it in its own environment: without credentials, and without asking anybody."""
    words = [os.environ["SDK_PYTHON"], str(EXAMPLE / "sdk" / "author_pipeline.py"), "--role", ROLE]
    home = str(tmp_path_factory.mktemp("home"))
    environment = {"PATH": os.environ["PATH"], "HOME": home, "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    written: dict[str, Any] = json.loads(done.stdout)
    return written


def by_hand() -> dict[str, Any]:
    """The definition in the repository."""
    written: dict[str, Any] = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))
    return written


def run(account: Account, name: str, definition: dict[str, Any], **more: str) -> dict[str, Any]:
    """Run a definition on the wages data; the description of the package that it registers, with its report."""
    account.call(
        "CreatePipeline",
        PipelineName=name,
        PipelineDefinition=json.dumps(definition),
        ClientRequestToken=TOKEN,
        RoleArn=ROLE,
    )
    parameters = [{"Name": key, "Value": value} for key, value in {**GIVEN, **more}.items()]
    arn = account.call(
        "StartPipelineExecution", PipelineName=name, ClientRequestToken=TOKEN, PipelineParameters=parameters
    )["PipelineExecutionArn"]
    execution, steps = finish(account, arn)
    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert [one["StepName"] for one in steps][:2] == ["Train", "Evaluate"]
    package = account.call("DescribeModelPackage", ModelPackageName=steps[-1]["Metadata"]["RegisterModel"]["Arn"])
    report = account.cloud.objects[package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]]
    return {**package, "report": json.loads(report)}


@pytest.fixture
def team(account: Account, tmp_path: Path) -> Account:
    """An account with the data and the code of the example in its bucket."""
    prepare(tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            account.cloud.objects[f"{HOME}/{file.relative_to(tmp_path).as_posix()}"] = file.read_bytes()
    return account


def test_both_definitions_want_the_same_of_whoever_starts_them(authored: dict[str, Any]) -> None:
    def parameters(definition: dict[str, Any]) -> dict[str, Any]:
        return {one["Name"]: one.get("DefaultValue") for one in definition["Parameters"] if one["Name"] != "RoleArn"}

    assert parameters(authored) == parameters(by_hand())
    kinds = [[(one["Name"], one["Type"]) for one in each["Steps"]] for each in (authored, by_hand())]
    assert kinds[0] == kinds[1]


def test_what_the_sdk_writes_trains_evaluates_and_registers_the_same(team: Account, authored: dict[str, Any]) -> None:
    sdk = run(team, "by-the-sdk", authored)
    hand = run(team, "by-hand", by_hand(), RoleArn=ROLE)
    accuracy = sdk["report"]["binary_classification_metrics"]["accuracy"]["value"]
    assert accuracy == hand["report"]["binary_classification_metrics"]["accuracy"]["value"]
    assert accuracy == pytest.approx(0.76, abs=0.02)
    assert sdk["ModelMetrics"].keys() == hand["ModelMetrics"].keys() == {"ModelQuality", "Bias"}
    assert sdk["CustomerMetadataProperties"].keys() == hand["CustomerMetadataProperties"].keys()
    assert sdk["CustomerMetadataProperties"]["author"] == "grace@example.com"
    types = ("SupportedContentTypes", "SupportedResponseMIMETypes", "SupportedRealtimeInferenceInstanceTypes")
    for member in types:
        assert sdk["InferenceSpecification"][member] == hand["InferenceSpecification"][member]
