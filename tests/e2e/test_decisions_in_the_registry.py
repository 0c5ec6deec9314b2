"""A decision by `ModelApprovalStatus`, as SageMaker Studio sets it, with the plain AWS CLI under a Studio user's session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually

pytestmark = pytest.mark.full

ADA = "approvers: [{name: Ada, studio_profile: d-local/ada}]"


def set_status(cloud: Cloud, arn: str, profile: str, status: str) -> None:
    """A Studio user sets it."""
    role = f"StudioOf-{profile}-{arn.split('/')[1]}"
    user = cloud.person(role, f"studio-{profile}", ("sagemaker:UpdateModelPackage",))
    how = ("--model-package-arn", arn, "--model-approval-status", status)
    cloud.aws("sagemaker", "update-model-package", *how, person=user)


def described(cloud: Cloud, arn: str) -> dict[str, Any]:
    return dict(cloud.client("sagemaker", "registry").describe_model_package(ModelPackageName=arn))


def test_a_studio_user_who_is_an_approver_decides_and_another_finds_it_set_back(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "studied", tmp_path, approval=f"{{before: [staging], {ADA}}}")
    arn = register(cloud, "studied", 1.0)
    cloud.wait_for("studied-v1-a1", "awaiting-approval")
    set_status(cloud, arn, "mallory", "Approved")
    eventually(lambda: "d-local/mallory" in described(cloud, arn).get("ApprovalDescription", ""))
    assert described(cloud, arn)["ModelApprovalStatus"] == "PendingManualApproval"
    assert cloud.release("studied-v1-a1")["approvals"] == []
    set_status(cloud, arn, "ada", "Approved")
    release = cloud.wait_for("studied-v1-a1", "promoted")
    assert [(one["approver"], one["channel"]) for one in release["approvals"]] == [("Ada", "registry")]
    assert described(cloud, arn)["ModelApprovalStatus"] == "Approved"


def test_a_studio_user_rejects(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unwanted", tmp_path, approval=f"{{before: [staging], {ADA}}}")
    arn = register(cloud, "unwanted", 1.0)
    cloud.wait_for("unwanted-v1-a1", "awaiting-approval")
    set_status(cloud, arn, "ada", "Rejected")
    assert cloud.wait_for("unwanted-v1-a1", "rejected")["reason"] == "rejected by Ada"
    assert described(cloud, arn)["ModelApprovalStatus"] == "Rejected"


def test_who_rejects_a_version_in_its_bake_takes_it_back(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "regretted", tmp_path)
    text = policy_text(
        "regretted", metric="regression_metrics.mae.value", bound="at_most: 5", approval=f"{{before: [], {ADA}}}"
    )
    # What a bake waits for is found by its alarms as well, and is not any more once it has ended.
    cloud.apply(f"{text.replace('bake: 1m', 'bake: 7d')}  alarms: [{{errors_5xx: 1000}}]\n", tmp_path)
    arn = register(cloud, "regretted", 1.0)
    cloud.wait_for("regretted-v1-a1", "baking")
    set_status(cloud, arn, "ada", "Rejected")
    assert "rejected by Ada in the registry" in cloud.wait_for("regretted-v1-a1", "rolled-back")["reason"]


def test_who_rejects_what_serves_brings_back_what_served_before(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "outlived", tmp_path, approval=f"{{before: [], {ADA}}}")
    for version in (1, 2):
        arn = register(cloud, "outlived", float(version))
        cloud.wait_for(f"outlived-v{version}-a1", "promoted")
        cloud.ended_execution(f"outlived-v{version}-a1")
    assert answer_of(cloud, "outlived") == "2.0"
    set_status(cloud, arn, "mallory", "Rejected")
    eventually(lambda: "d-local/mallory" in described(cloud, arn).get("ApprovalDescription", ""))
    assert described(cloud, arn)["ModelApprovalStatus"] == "Approved"
    set_status(cloud, arn, "ada", "Rejected")
    eventually(lambda: cloud.is_closed_as("outlived-v2-a1", "rolled-back"))
    release = cloud.release("outlived-v2-a1")
    assert release["reason"] == "rejected by Ada in the registry after it was promoted"
    assert answer_of(cloud, "outlived") == "1.0"
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName="outlived")
    assert endpoint["EndpointConfigName"] == "lockkeeper-outlived-v1-a1-production"
    refused = cloud.lockkeeper("replay", "outlived-v2-a1", expect=1)
    assert "held" in refused
    register(cloud, "outlived", 3.0)
    third = cloud.wait_for("outlived-v3-a1", "promoted")
    assert third["endpoints"]["production"]["previous_config_name"] == "lockkeeper-outlived-v1-a1-production"
