"""What nobody needs any more, deployed: told by mail, and removed where the policy says so; what a rollback goes back to stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register

pytestmark = pytest.mark.full

GROUP = "tidied"


def clean_up(cloud: Cloud, group: str = GROUP) -> list[str]:
    """The look of once a day, now; what it says of a group."""
    payload = json.dumps({"housekeeping": {"cleanup": True}})
    answer = cloud.client("lambda").invoke(FunctionName=cloud.physical_name("KeepHouse"), Payload=payload)
    said: list[dict[str, str]] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    ours = [one for one in said if one["what"].startswith(f"{group}: ")]
    assert all(one["kind"] == "cleanup" for one in ours), ours
    return [one["what"] for one in ours]


def put_in_force(cloud: Cloud, folder: Path, cleanup: str) -> None:
    text = policy_text(GROUP, metric="regression_metrics.mae.value", bound="at_most: 5")
    cloud.apply(f"{text}  alarms: [{{errors_5xx: 3}}]\ncleanup: {cleanup}\n", folder)


def in_production(cloud: Cloud) -> dict[str, set[str]]:
    """Models, endpoint configurations and alarms of the group in the production account, by the release's version."""
    sagemaker, prefix = cloud.client("sagemaker", "production"), f"lockkeeper-{GROUP}-"
    found: dict[str, list[dict[str, Any]]] = {
        "ModelName": sagemaker.list_models(NameContains=prefix)["Models"],
        "EndpointConfigName": sagemaker.list_endpoint_configs(NameContains=prefix)["EndpointConfigs"],
        "AlarmName": cloud.client("cloudwatch", "production").describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"],
    }
    return {kind: {str(one[kind]).split("-")[2] for one in listed} for kind, listed in found.items()}


def test_what_nobody_needs_is_told_and_removed_where_the_policy_says_so(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    prepare(cloud, GROUP, tmp_path)
    put_in_force(cloud, tmp_path, "{leftovers_after: 3650d}")
    reader = f"{GROUP}@example.com"
    told = cloud.client("sns").subscribe(
        TopicArn=cloud.outputs["BroadcastTopicArn"], Protocol="email", Endpoint=reader, ReturnSubscriptionArn=True
    )
    for version in (1, 2, 3):
        register(cloud, GROUP, float(version))
        cloud.wait_for(f"{GROUP}-v{version}-a1", "promoted")
    assert clean_up(cloud) == []
    assert in_production(cloud)["EndpointConfigName"] == {"v1", "v2", "v3"}

    put_in_force(cloud, tmp_path, "{leftovers_after: 0s, remove: [leftovers]}")
    removed = f"removed: lockkeeper-{GROUP}-v1-a1-production"
    # The day's own look may have come between; then it has said so in its mail, as this one does.
    assert all(removed in said for said in clean_up(cloud))
    left = in_production(cloud)
    figure("leftovers of three promotions, removed", f"{len({'v1', 'v2', 'v3'} - left['ModelName'])} of 1", "1 of 1")
    assert left == {"ModelName": {"v2", "v3"}, "EndpointConfigName": {"v2", "v3"}, "AlarmName": {"v3"}}
    assert clean_up(cloud) == []
    mail = cloud.mailed(reader, "Cleanup Due")
    assert removed in " ".join(mail.split())
    assert answer_of(cloud, GROUP) == "3.0"

    cloud.client("sns").unsubscribe(SubscriptionArn=told["SubscriptionArn"])
