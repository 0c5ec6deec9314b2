"""The candidate beside the champion under real traffic: it answers nobody, and is promoted or goes by what both answered."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually, keep_house
from tests.e2e.test_shifts import ASKS, alarms_of, approve_by_mail, guarded, traffic_on

pytestmark = pytest.mark.full

# What is compared is what both answered: the laptop's two processes share two cores, so how fast they did says little.
SHADOW = "shadow: {wait: %s, minimum_requests: 20, tolerance: 0.01, slower_at_most: 1000}, "
CANARY = "canary: {percent: 30, wait: 10m}, "


def endpoint_of(cloud: Cloud, group: str) -> dict[str, Any]:
    found: dict[str, Any] = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    return found


def is_up(cloud: Cloud, group: str) -> bool:
    """Whether the candidate is a shadow now."""
    endpoint = endpoint_of(cloud, group)
    return endpoint["EndpointStatus"] == "InService" and "ShadowProductionVariants" in endpoint


def first_version_serves(cloud: Cloud, group: str, folder: Path, strategy: str) -> None:
    prepare(cloud, group, folder)
    guarded(cloud, group, folder, strategy)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")


def made_for(cloud: Cloud, release_id: str) -> list[str]:
    """The endpoint configurations and models of a release in production."""
    sagemaker = cloud.client("sagemaker", "production")
    configs = sagemaker.list_endpoint_configs(NameContains=release_id)["EndpointConfigs"]
    models = sagemaker.list_models(NameContains=release_id)["Models"]
    return sorted([one["EndpointConfigName"] for one in configs] + [one["ModelName"] for one in models])


def verdicts_of(release: dict[str, Any]) -> dict[str, str]:
    return {one["gate"]: one["verdict"] for one in release["verdicts"] if one["gate"].startswith("shadow:")}


def told_again(cloud: Cloud, group: str) -> bool:
    """The event of the endpoint comes once more; whether it found the shadow up, and changed nothing."""
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Endpoint State Change",
        "account": cloud.account("production"),
        "detail": {"EndpointArn": endpoint_of(cloud, group)["EndpointArn"], "EndpointStatus": "IN_SERVICE"},
    }
    answer = cloud.client("lambda").invoke(FunctionName=cloud.physical_name("ResumeRelease"), Payload=json.dumps(event))
    assert "FunctionError" not in answer
    return b"the shadow goes on" in answer["Payload"].read()


def agrees(cloud: Cloud, group: str, folder: Path, figure: Figure) -> None:
    strategy = SHADOW % "20m" + CANARY
    first_version_serves(cloud, group, folder, strategy)
    guarded(cloud, group, folder, strategy, approval=ASKS % group)
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 1.004)
        approve_by_mail(cloud, group)
        eventually(lambda: is_up(cloud, group))
        # The first of these may come before SageMaker's own, and begin what that would have.
        eventually(lambda: told_again(cloud, group))
        up = time.monotonic()
        while is_up(cloud, group):
            up = time.monotonic()
        release = cloud.wait_for(f"{group}-v2-a1", "promoted")
        eventually(lambda: traffic.counted()["1.004"] > 0)

    answers = traffic.counted()
    lost = sum(count for answer, count in answers.items() if answer not in {"1.0", "1.004"})
    beside = traffic.counted(until=up)["1.004"]
    told = f"{answers['1.0']} by the old version, {answers['1.004']} by the new one"
    figure(f"{group}: requests lost", lost, f"0 of {answers.total()}: {told}")
    figure(f"{group}: answered by the new version while it was a shadow", beside, "0")
    assert lost == beside == 0
    assert verdicts_of(release) == {
        "shadow: requests": "passed",
        "shadow: agreement": "passed",
        "shadow: latency": "passed",
    }
    assert cloud.cost(f"{group}-v2-a1")["transitions"] == 10
    assert "CANARY" in str(endpoint_of(cloud, group)["LastDeploymentConfig"])
    assert made_for(cloud, f"{group}-v2-a1") == [f"lockkeeper-{group}-v2-a1-production"] * 2
    assert answer_of(cloud, group) == "1.004"


def test_a_candidate_that_agrees_is_a_canary_next_and_promoted(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    agrees(cloud, "penumbra", tmp_path, figure)


def test_a_joined_account_captures_its_shadows_into_the_hubs_bucket(
    joined_cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    agrees(joined_cloud, "penumbra-abroad", tmp_path, figure)


def test_a_candidate_that_disagrees_goes_and_has_answered_nobody(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    group = "umbra"
    first_version_serves(cloud, group, tmp_path, SHADOW % "20m" + CANARY)
    with traffic_on(cloud, group) as traffic:
        arn = register(cloud, group, 2.0)
        eventually(lambda: is_up(cloud, group))
        release = cloud.wait_for(f"{group}-v2-a1", "failed")
        closed = time.monotonic()
        eventually(lambda: traffic.counted(since=closed).total() > 20)

    answers = traffic.counted()
    lost = answers.total() - answers["1.0"] - answers["2.0"]
    figure("a shadow that disagrees: requests lost", lost, f"0 of {answers.total()}")
    figure("a shadow that disagrees: answered by it", answers["2.0"], "0")
    assert lost == answers["2.0"] == 0
    assert verdicts_of(release)["shadow: agreement"] == "failed"
    assert "nobody was given an answer of the candidate" in release["reason"]
    endpoint = endpoint_of(cloud, group)
    assert endpoint["EndpointConfigName"] == f"lockkeeper-{group}-v1-a1-production"
    assert {"ShadowProductionVariants", "DataCaptureConfig"} & set(endpoint) == set()
    assert made_for(cloud, f"{group}-v2-a1") == []
    assert alarms_of(cloud, group) == [f"lockkeeper-{group}-v1-a1-alarm-1-errors-5xx"]
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Rejected"


def test_a_person_ends_a_shadow_and_the_champion_has_answered_everything(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group = "eclipse"
    first_version_serves(cloud, group, tmp_path, SHADOW % "7d")
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 2.0)
        cloud.wait_for(f"{group}-v2-a1", "promoting")
        eventually(
            lambda: cloud.release(f"{group}-v2-a1")["timeline"][-1]["what"] == "shadowing" and is_up(cloud, group)
        )
        cloud.lockkeeper("rollback", group, "--reason", "we changed our mind")
        cloud.wait_for(f"{group}-v2-a1", "failed")
    answers = traffic.counted()
    figure("a shadow that a person ends: requests lost", answers.total() - answers["1.0"], f"0 of {answers.total()}")
    assert set(answers) == {"1.0"}
    assert endpoint_of(cloud, group)["EndpointConfigName"] == f"lockkeeper-{group}-v1-a1-production"
    assert made_for(cloud, f"{group}-v2-a1") == []


def test_a_deadline_that_was_lost_is_made_up_for_by_keep_house(cloud: Cloud, tmp_path: Path) -> None:
    group, release_id = "corona", "corona-v2-a1"
    first_version_serves(cloud, group, tmp_path, SHADOW % "7d")
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 1.004)
        eventually(lambda: cloud.release_status(release_id) == "promoting" and is_up(cloud, group))
        eventually(lambda: cloud.release(release_id)["timeline"][-1]["what"] == "shadowing")
        schedules = cloud.client("scheduler")
        (found,) = schedules.list_schedules(NamePrefix=f"lockkeeper-{release_id}-shadow")["Schedules"]
        schedules.delete_schedule(Name=found["Name"], GroupName=found["GroupName"])
        traffic.wait_for(100, 60)
        # Timestamps are real at every clock scale, and a week is long.
        key = {"pk": {"S": f"RELEASE#{release_id}"}, "sk": {"S": "WAIT#PromoteToProduction"}}
        cloud.client("dynamodb").update_item(
            TableName=cloud.outputs["TableName"],
            Key=key,
            UpdateExpression="SET deadline = :past",
            ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000Z"}},
        )
        said = eventually(lambda: [one["what"] for one in keep_house(cloud) if release_id in one["what"]])
        cloud.wait_for(release_id, "promoted")
    assert said == [f"{release_id}/PromoteToProduction: the shadow has passed, the shift has begun"]
    assert set(traffic.counted()) == {"1.0", "1.004"}
