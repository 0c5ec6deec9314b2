"""Registrations that cannot be released: the release says what is missing and how to cure it; production stays, nothing is left."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud, model_archive, package_request, policy_text
from tests.e2e.test_a_promotion import answer_of, constant_model, prepare, register, report

pytestmark = pytest.mark.full


def failed(cloud: Cloud, release_id: str, *words: str) -> dict[str, Any]:
    """The release ended `failed` and says these words; neither staging nor lock is left behind."""
    release = cloud.wait_for(release_id, "failed")
    for word in words:
        assert word in release["reason"], release["reason"]
    staging = cloud.client("sagemaker").list_endpoints(NameContains=f"lockkeeper-{release_id}")["Endpoints"]
    assert staging == []
    assert cloud.ended_execution(release_id)["status"] == "SUCCEEDED"
    return release


def test_a_group_without_a_policy(cloud: Cloud) -> None:
    cloud.bucket("unruled-models")
    cloud.group("unruled")
    arn = register(cloud, "unruled", 1.0)
    release = failed(cloud, "unruled-v1-a1", "unruled has no policy", "lockkeeper policy apply")
    assert "unruled has no policy" in cloud.lockkeeper("show", "unruled-v1-a1")
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert "CustomerMetadataProperties" not in package or not package["CustomerMetadataProperties"]
    assert release["pins"]["policy"] == {}


REFUSED = {
    "no-metrics": ("has no model-quality report", "ModelMetrics="),
    "no-report": ("report.json is not there", "upload it"),
    "no-json": ("is no JSON", "register the version again"),
    "no-artifact": ("model.tar.gz is not there", "upload it"),
    "no-archive": ("no readable .tar.gz", "pack the model again"),
    "many-models": ("container 2 serves many models", "a group of its own"),
    "a-prefix": ("not a .tar.gz object", "S3DataType: S3Prefix"),
}


@pytest.fixture(scope="module")
def all_refused(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> None:
    """They are registered at once, so that no case waits for another."""
    for case in REFUSED:
        register_refused(cloud, tmp_path_factory.mktemp("policy"), case)


def register_refused(cloud: Cloud, folder: Path, case: str) -> None:
    group = f"bad-{case}"
    prepare(cloud, group, folder)
    bucket = f"{group}-models"
    artifact, statistics = f"s3://{bucket}/model.tar.gz", f"s3://{bucket}/report.json"
    if case != "no-artifact":
        cloud.put(bucket, "model.tar.gz", b"no archive" if case == "no-archive" else constant_model(1.0))
    if case != "no-report":
        cloud.put(bucket, "report.json", "{" if case == "no-json" else report(1.0))
    request = package_request(group, SCIKIT_LEARN, artifact, None if case == "no-metrics" else statistics)
    containers = request["InferenceSpecification"]["Containers"]
    if case == "many-models":
        containers.append({**containers[0], "Environment": {"SAGEMAKER_MULTI_MODEL": "true"}})
    if case == "a-prefix":
        containers[0]["ModelDataUrl"] = f"s3://{bucket}/model/"
    cloud.client("sagemaker").create_model_package(**request)


@pytest.mark.usefixtures("all_refused")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_released_says_why(cloud: Cloud, case: str) -> None:
    failed(cloud, f"bad-{case}-v1-a1", *REFUSED[case])


def test_a_worse_version_leaves_production_as_it_was(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "guarded", tmp_path)
    register(cloud, "guarded", 1.0)
    cloud.wait_for("guarded-v1-a1", "promoted")
    worse = register(cloud, "guarded", 2.0, mae=9.0)
    release = failed(cloud, "guarded-v2-a1", "9 does not meet <= 5")

    assert answer_of(cloud, "guarded") == "1.0"
    verdict = next(one for one in release["verdicts"] if one["verdict"] == "failed")
    assert (verdict["measured"], verdict["required"]) == (9.0, "<= 5")
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=worse)
    assert package["ModelApprovalStatus"] == "Rejected"


def test_a_version_that_answers_wrongly_in_staging_never_reaches_production(cloud: Cloud, tmp_path: Path) -> None:
    cloud.bucket("tested-models")
    cloud.group("tested")
    cases = {"name": "one row", "body": "1,2", "expect": {"rows": 2}}
    cloud.put("tested-models", "contract.jsonl", json.dumps(cases))
    policy = policy_text(
        "tested",
        metric="regression_metrics.mae.value",
        bound="at_most: 5",
        staging="{tests: {contract: s3://tested-models/contract.jsonl}}",
    )
    cloud.apply(policy, tmp_path)
    register(cloud, "tested", 1.0)

    failed(cloud, "tested-v1-a1", "one row", "expected 2")
    assert cloud.client("sagemaker").list_endpoints(NameContains="tested")["Endpoints"] == []


def test_a_rejected_version_ends_rejected_with_the_comment(cloud: Cloud, tmp_path: Path) -> None:
    people = '{before: [staging], approvers: [{name: Ivan, aws_principal: "arn:aws:iam::111122223333:role/Ivan"}]}'
    prepare(cloud, "refused", tmp_path, approval=people)
    register(cloud, "refused", 1.0)
    cloud.wait_for("refused-v1-a1", "awaiting-approval")
    ivan = cloud.person("Ivan")
    cloud.lockkeeper("reject", "refused-v1-a1", "--comment", "not before the audit", person=ivan)
    release = cloud.wait_for("refused-v1-a1", "rejected")

    assert "not before the audit" in release["reason"]
    refused = cloud.lockkeeper("approve", "refused-v1-a1", "--comment", "after all", expect=1, person=ivan)
    assert "decided already" in refused


def test_an_endpoint_that_never_starts_fails_with_the_containers_reason(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "broken", tmp_path)
    broken = model_archive({"code/inference.py": "raise RuntimeError('no weights here')\n"})
    artifact = cloud.put("broken-models", "model.tar.gz", broken)
    statistics = cloud.put("broken-models", "report.json", report(1.0))
    request = package_request("broken", SCIKIT_LEARN, artifact, statistics)
    cloud.client("sagemaker").create_model_package(**request)

    failed(cloud, "broken-v1-a1", "lockkeeper-broken-v1-a1-staging is Failed")
