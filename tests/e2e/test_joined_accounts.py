"""Hub, registry, staging and production in four accounts: the same journey, each step in the account that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Cloud, model_archive, policy_text
from tests.e2e.test_a_promotion import answer_of, ask_for_replay, prepare, register
from tests.e2e.test_leftovers_removed import clean_up
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_replay_jobs import BY_JOB, SLOW, job_of, replay_of

pytestmark = pytest.mark.full

KINDS = ("hub", "registry", "staging", "production")


def endpoints_in(cloud: Cloud) -> dict[str, list[str]]:
    """Names of the endpoints of every account."""
    found = {kind: cloud.client("sagemaker", kind).list_endpoints()["Endpoints"] for kind in KINDS}
    return {kind: [one["EndpointName"] for one in endpoints] for kind, endpoints in found.items()}


def container_of(cloud: Cloud, endpoint: str) -> tuple[dict[str, Any], str]:
    """What production's endpoint runs, and under which role."""
    sagemaker = cloud.client("sagemaker", "production")
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    return model["PrimaryContainer"], model["ExecutionRoleArn"]


def test_a_version_travels_from_the_registrys_account_to_productions(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "abroad", tmp_path)
    arn = register(cloud, "abroad", 7.0)
    release = cloud.wait_for("abroad-v1-a1", "promoted")

    assert arn.split(":")[4] == cloud.account("registry")
    assert answer_of(cloud, "abroad") == "7.0"
    assert endpoints_in(cloud) == {"hub": [], "registry": [], "staging": [], "production": ["abroad"]}
    container, role = container_of(cloud, "abroad")
    assert container["ModelDataUrl"].startswith(f"s3://{cloud.outputs['BucketName']}/artifacts/")
    assert role == f"arn:aws:iam::{cloud.account('production')}:role/lockkeeper-production-endpoint"
    package = cloud.client("sagemaker", "registry").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["CustomerMetadataProperties"]["lockkeeper:release"] == release["release_id"]
    assert cloud.cost("abroad-v1-a1")["transitions"] == 10


def test_a_large_suite_is_sent_from_stagings_account(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "crowd", tmp_path)
    ask_for_replay(cloud, "crowd", tmp_path, rows=120, more=BY_JOB)
    register(cloud, "crowd", 1.0)
    release = cloud.wait_for("crowd-v1-a1", "promoted")
    assert (replay_of(release)["verdict"], replay_of(release)["measured"]) == ("passed", 0.5)
    job = job_of(cloud, "crowd-v1-a1")
    assert job["RoleArn"] == f"arn:aws:iam::{cloud.account('staging')}:role/lockkeeper-staging-replay"

    ask_for_replay(cloud, "crowd", tmp_path, rows=500, more=BY_JOB)
    register(cloud, "crowd", 2.0, model=model_archive({"constant.json": "2.0", "code/inference.py": SLOW}))
    eventually(lambda: cloud.release_status("crowd-v2-a1") == "testing")
    eventually(lambda: "replay started" in json.dumps(cloud.release("crowd-v2-a1")["timeline"]))
    cloud.stop("crowd-v2-a1")
    eventually(lambda: job_of(cloud, "crowd-v2-a1")["ProcessingJobStatus"] == "Stopped")


def test_an_alarm_of_productions_account_brings_the_champion_back(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "recalled", tmp_path)
    case = {"name": "one row", "body": "1,2", "accept": "text/csv", "expect": {"status": 200}}
    suite = cloud.put("recalled-models", "contract.jsonl", json.dumps(case))
    tests = f"{{tests: {{contract: {suite}}}}}"
    policy = policy_text("recalled", metric="regression_metrics.mae.value", bound="at_most: 5", staging=tests)
    cloud.apply(policy, tmp_path)
    register(cloud, "recalled", 1.0)
    cloud.wait_for("recalled-v1-a1", "promoted")
    for kind in ("production", "staging"):
        cloud.client("cloudwatch", kind).put_metric_alarm(
            AlarmName="recalled-5xx",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )
    cloud.apply(policy.replace("bake: 1m", "bake: 7d") + "  alarms: [recalled-5xx, {errors_5xx: 1000}]\n", tmp_path)
    register(cloud, "recalled", 2.0)
    cloud.wait_for("recalled-v2-a1", "baking")
    made = cloud.client("cloudwatch", "production").describe_alarms(AlarmNamePrefix="lockkeeper-recalled-v2-a1-")
    assert len(made["MetricAlarms"]) == 1

    alarm = {"AlarmName": "recalled-5xx", "StateValue": "ALARM", "StateReason": "too many errors"}
    cloud.client("cloudwatch", "staging").set_alarm_state(**alarm)
    assert answer_of(cloud, "recalled") == "2.0"
    cloud.client("cloudwatch", "production").set_alarm_state(**alarm)
    release = cloud.wait_for("recalled-v2-a1", "rolled-back")

    assert "recalled-5xx" in release["reason"]
    made = cloud.client("cloudwatch", "production").describe_alarms(AlarmNamePrefix="lockkeeper-recalled-")
    assert made["MetricAlarms"] == []
    assert answer_of(cloud, "recalled") == "1.0"
    assert endpoints_in(cloud)["staging"] == []
    assert "it answers a request of its staging tests" in json.dumps(release["timeline"])
    cloud.apply(f"{policy}cleanup: {{leftovers_after: 0s}}\n", tmp_path)
    assert clean_up(cloud, "recalled") == []


@contextmanager
def unheard(cloud: Cloud, kind: str) -> Iterator[None]:
    """The hub's bus takes nothing from the account of this kind."""
    events, bus, name = cloud.client("events"), cloud.outputs["BusName"], f"{kind.capitalize()}MaySpeak"
    policy = json.loads(events.describe_event_bus(Name=bus)["Policy"])
    assert name in {one["Sid"] for one in policy["Statement"]}
    events.remove_permission(EventBusName=bus, StatementId=name)
    try:
        yield
    finally:
        events.put_permission(EventBusName=bus, Policy=json.dumps(policy))


def test_what_an_account_could_not_tell_the_hub_is_brought_back_from_its_own_queue(
    joined_cloud: Cloud, tmp_path: Path
) -> None:
    cloud = joined_cloud
    prepare(cloud, "muted", tmp_path)
    queue = cloud.client("sqs", "registry")
    url = queue.get_queue_url(QueueName="lockkeeper-registry-dead-letters")["QueueUrl"]

    def letters() -> int:
        asked = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
        return int(asked["Attributes"]["ApproximateNumberOfMessages"])

    with unheard(cloud, "registry"):
        register(cloud, "muted", 3.0)
        eventually(lambda: letters() == 1)
    assert "taken by ReactToRegistry" in cloud.lockkeeper("replay", "--dead-letters")
    cloud.wait_for("muted-v1-a1", "promoted")
    assert letters() == 0
