"""Serverless production under live requests: brought in all at once, taken back in the bake, and never made of instances."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_shifts import ASKS, approve_by_mail, traffic_on

pytestmark = pytest.mark.full

SIZE = "target: serverless\n  serverless: {memory_mb: 2048, max_concurrency: 20}"


def on_demand(cloud: Cloud, group: str, folder: Path, bake: str = "1m", approval: str = "{before: []}") -> None:
    """A policy of a serverless endpoint, in staging as in production."""
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", approval=approval)
    text = text.replace("instance_type: ml.m5.large", SIZE).replace("bake: 1m", f"bake: {bake}")
    cloud.apply(f"{text}  alarms: [{{errors_5xx: 1000}}]\n", folder)


def test_a_serverless_version_takes_over_and_is_taken_back_without_a_request_lost(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group = "on-demand"
    prepare(cloud, group, tmp_path)
    on_demand(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    on_demand(cloud, group, tmp_path, approval=ASKS % group, bake="7d")
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 2.0)
        approved = approve_by_mail(cloud, group)
        cloud.wait_for(f"{group}-v2-a1", "baking")
        eventually(lambda: traffic.counted()["2.0"] > 0)
        alarm = f"lockkeeper-{group}-v2-a1-alarm-1-errors-5xx"
        cloud.client("cloudwatch", "production").set_alarm_state(
            AlarmName=alarm, StateValue="ALARM", StateReason="a test says so"
        )
        release = cloud.wait_for(f"{group}-v2-a1", "rolled-back")
        closed = time.monotonic()
        eventually(lambda: traffic.counted(since=closed).total() > 10)

    answers = traffic.counted()
    lost = answers.total() - answers["1.0"] - answers["2.0"]
    unapproved, after = traffic.counted(until=approved)["2.0"], traffic.counted(since=closed)["2.0"]
    told = f"{answers['1.0']} by the old version, {answers['2.0']} by the new one"
    figure("serverless, all at once and back: requests lost", lost, f"0 of {answers.total()}: {told}")
    figure(
        "serverless: answered by the new version before the approval, after the rollback",
        f"{unapproved}, {after}",
        "0, 0",
    )
    assert lost == unapproved == after == 0
    assert alarm in release["reason"]
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    assert endpoint["EndpointConfigName"] == f"lockkeeper-{group}-v1-a1-production"
    assert endpoint["ProductionVariants"][0]["CurrentServerlessConfig"] == {
        "MemorySizeInMB": 2048,
        "MaxConcurrency": 20,
    }


def test_an_endpoint_with_instances_is_not_made_serverless(cloud: Cloud, tmp_path: Path) -> None:
    group = "settled-on-instances"
    prepare(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    on_demand(cloud, group, tmp_path)
    register(cloud, group, 2.0)
    release = cloud.wait_for(f"{group}-v2-a1", "failed")
    assert "cannot be updated in place: it is not serverless, as the policy's target is" in release["reason"]
    assert answer_of(cloud, group) == "1.0"
