"""What a promotion costs and asks of AWS, read from its execution history and from the log of every call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud, model_archive, package_request, policy_text

CONSTANT_INFERENCE = """
import json, os

def model_fn(model_dir):
    with open(os.path.join(model_dir, "constant.json")) as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError("text/csv only")
    text = body.decode() if isinstance(body, bytes) else body
    return [line for line in text.splitlines() if line]

def predict_fn(rows, constant):
    return [constant for _ in rows]

def output_fn(values, accept):
    return "\\n".join(str(value) for value in values), "text/csv"
"""


def constant_model(value: float) -> bytes:
    """A model that answers one value: small, quick to start, and tells versions apart."""
    return model_archive({"constant.json": json.dumps(value), "code/inference.py": CONSTANT_INFERENCE})


def report(mae: float) -> str:
    return json.dumps({"regression_metrics": {"mae": {"value": mae, "standard_deviation": "NaN"}}})


def register(cloud: Cloud, group: str, value: float, mae: float = 1.0, model: bytes | None = None) -> str:
    """Upload a constant model (or another) with its report and register it; returns the package's ARN."""
    artifact = cloud.put(f"{group}-models", f"{value}/model.tar.gz", model or constant_model(value))
    statistics = cloud.put(f"{group}-models", f"{value}/report.json", report(mae))
    request = package_request(group, SCIKIT_LEARN, artifact, statistics)
    return str(cloud.client("sagemaker", "registry").create_model_package(**request)["ModelPackageArn"])


def prepare(cloud: Cloud, group: str, folder: Path, **more: str) -> None:
    cloud.bucket(f"{group}-models")
    cloud.group(group)
    cloud.apply(policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", **more), folder)


def ask_for_replay(cloud: Cloud, group: str, folder: Path, rows: int = 120, more: str = "") -> None:
    """A policy with a replay of rows whose label is 1.5."""
    suite = "label,a\n" + "".join(f"1.5,{row}\n" for row in range(rows))
    dataset = cloud.put(f"{group}-models", "holdout.csv", suite)
    staging = f"{{tests: {{replay: {{dataset: {dataset}, at_most: {{mae: 1}}{more}}}}}}}"
    cloud.apply(policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", staging=staging), folder)


def answer_of(cloud: Cloud, endpoint: str) -> str:
    runtime = cloud.client("sagemaker-runtime", "production")
    answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Accept="text/csv", Body="1,2")
    return str(answer["Body"].read().decode().strip())


def test_a_promotion_takes_ten_transitions_and_describes_nothing_while_it_waits(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "thrifty", tmp_path)
    register(cloud, "thrifty", 7.0)

    cloud.wait_for("thrifty-v1-a1", "promoted")
    execution = cloud.ended_execution("thrifty-v1-a1")

    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in execution["events"]
        if event["type"].endswith("StateEntered")
    ]
    assert len(entered) == 10, entered
    cost = cloud.cost("thrifty-v1-a1")
    assert cost["transitions"] == 10
    assert 0 < cost["usd"] < 0.0005
    calls = [
        (call["action"], call["resource"] or "") for call in cloud.calls() if "thrifty" in (call["resource"] or "")
    ]
    # One look each, asked for by the endpoint's own event; production's once more at the end of its bake.
    for endpoint, looks_allowed in (("lockkeeper-thrifty-v1-a1-staging", 1), ("thrifty", 2)):
        about = [action for action, resource in calls if resource.endswith(f":endpoint/{endpoint}")]
        created = about.index("sagemaker:CreateEndpoint")
        looks = [action for action in about[created + 1 :] if action == "sagemaker:DescribeEndpoint"]
        assert len(looks) == looks_allowed, about
    assert answer_of(cloud, "thrifty") == "7.0"


@pytest.mark.full
def test_the_second_version_replaces_the_first_and_leaves_nothing_of_staging(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "twice", tmp_path)
    ask_for_replay(cloud, "twice", tmp_path)
    register(cloud, "twice", 1.0)
    cloud.wait_for("twice-v1-a1", "promoted")
    register(cloud, "twice", 2.0)
    release = cloud.wait_for("twice-v2-a1", "promoted")

    assert answer_of(cloud, "twice") == "2.0"
    compared = next(one for one in release["verdicts"] if one["gate"] == "replay: mae against the champion")
    assert (compared["verdict"], compared["measured"]) == ("passed", 0.5)
    assert "champion 0.5 on the same 120 rows" in compared["required"]
    assert release["endpoints"]["production"]["previous_config_name"] == "lockkeeper-twice-v1-a1-production"
    sagemaker = cloud.client("sagemaker")
    assert [one["EndpointName"] for one in sagemaker.list_endpoints(NameContains="twice")["Endpoints"]] == ["twice"]
    arn = release["model_package_arn"]
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"]["lockkeeper:release"] == "twice-v2-a1"
    assert package["ModelLifeCycle"]["Stage"] == "Production"


@pytest.mark.full
def test_lockkeepers_own_stamps_start_and_decide_nothing(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "stamped", tmp_path)
    arn = register(cloud, "stamped", 3.0)
    cloud.wait_for("stamped-v1-a1", "promoted")
    sagemaker = cloud.client("sagemaker")
    for _ in range(3):
        sagemaker.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"note": "seen"})
    events = cloud.client("lambda")
    name = next(
        one["FunctionName"] for one in events.list_functions()["Functions"] if "ReactToRegistry" in one["FunctionName"]
    )
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": "111122223333",
        "region": "us-east-1",
        "detail": {"ModelPackageArn": arn},
    }
    told = [json.loads(events.invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read()) for _ in range(3)]

    assert all("already has release stamped-v1-a1" in one["ignored"] for one in told)
    releases = json.loads(cloud.lockkeeper("releases", "--group", "stamped", "--json"))
    assert [one["release_id"] for one in releases] == ["stamped-v1-a1"]
