"""An alarm during the bake takes a version back, on the laptop's AWS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register


@pytest.mark.full
def test_an_alarm_during_the_bake_brings_the_champion_back_and_holds_the_version(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "alarmed", tmp_path)
    case = {"name": "one row", "body": "1,2", "accept": "text/csv", "expect": {"status": 200}}
    suite = cloud.put("alarmed-models", "contract.jsonl", json.dumps(case))
    staging = f"{{tests: {{contract: {suite}}}}}"
    policy = policy_text("alarmed", metric="regression_metrics.mae.value", bound="at_most: 5", staging=staging)
    cloud.apply(policy, tmp_path)
    register(cloud, "alarmed", 1.0)
    cloud.wait_for("alarmed-v1-a1", "promoted")
    cloud.aws(
        "cloudwatch", "put-metric-alarm", "--alarm-name", "alarmed-5xx", "--namespace", "AWS/SageMaker",
        "--metric-name", "Invocation5XXErrors", "--statistic", "Sum", "--period", "60", "--evaluation-periods", "1",
        "--threshold", "1", "--comparison-operator", "GreaterThanOrEqualToThreshold",
        "--treat-missing-data", "notBreaching",
    )  # fmt: skip
    cloud.apply(policy.replace("bake: 1m", "bake: 7d") + "  alarms: [alarmed-5xx]\n", tmp_path)
    arn = register(cloud, "alarmed", 2.0)
    cloud.wait_for("alarmed-v2-a1", "baking")
    assert answer_of(cloud, "alarmed") == "2.0"

    change = ["--alarm-name", "alarmed-5xx", "--state-value", "ALARM", "--state-reason", "too many errors"]
    cloud.aws("cloudwatch", "set-alarm-state", *change)
    release = cloud.wait_for("alarmed-v2-a1", "rolled-back")

    assert "alarmed-5xx" in release["reason"]
    back = [entry["why"] for entry in release["timeline"] if entry["what"] == "endpoint in service"][-1]
    assert "it answers a request of its staging tests with status 200" in back
    assert answer_of(cloud, "alarmed") == "1.0"
    assert "held" in cloud.lockkeeper("replay", "alarmed-v2-a1", expect=1)
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Rejected"
