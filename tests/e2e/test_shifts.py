"""Production is changed under real traffic: all at once, as a canary, in steps, by batches; and taken back when an alarm goes off."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cli.story.letter import open_page, press, wait_for_link
from cli.story.live import LiveTraffic
from localcloud.sagemaker.deployments import FAULTS
from tests.conftest import Figure
from tests.e2e.harness import Cloud, model_archive, policy_text
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

BROKEN = model_archive(
    {
        "constant.json": "2.0",
        "code/inference.py": CONSTANT_INFERENCE.replace(
            "return [constant for _ in rows]", "raise RuntimeError('broken')"
        ),
    }
)
"""A model that starts, and answers every request with 500."""
ASKS = "{before: [production], approvers: [{name: Ada, email: %s@example.com}]}"


def traffic_on(cloud: Cloud, endpoint: str) -> LiveTraffic:
    """Clients ask an endpoint one request after another, until the block ends."""
    return LiveTraffic(lambda _: answer_of(cloud, endpoint))


def approve_by_mail(cloud: Cloud, group: str) -> float:
    """Somebody approves the second version by the link in their mail; returns since when it may serve (monotonic seconds)."""
    cloud.wait_for(f"{group}-v2-a1", "awaiting-approval")
    _, link = wait_for_link(cloud.running.mailbox, f"{group}@example.com", f"{group}-v2-a1")
    page = open_page(link)
    approved = time.monotonic()
    press(page, "approve", {})
    return approved


def guarded(
    cloud: Cloud, group: str, folder: Path, strategy: str, alarms: str = "{errors_5xx: 3}", **more: Any
) -> None:
    """A policy with this strategy, two instances and alarms."""
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", **more)
    text = text.replace("strategy: {bake: 1m}", f"initial_instances: 2\n  strategy: {{{strategy}bake: 1m}}")
    cloud.apply(f"{text}  alarms: [{alarms}]\n", folder)


def alarms_of(cloud: Cloud, group: str) -> list[str]:
    """The alarms that were made for a group's releases."""
    found = cloud.client("cloudwatch", "production").describe_alarms(AlarmNamePrefix=f"lockkeeper-{group}-")
    return sorted(one["AlarmName"] for one in found["MetricAlarms"])


STRATEGIES = {
    "at-once": "",
    "canary": "canary: {percent: 30, wait: 10m}, ",
    "linear": "linear: {percent: 25, wait: 3m}, ",
    "rolling": "rolling: {percent: 50, wait: 5m}, ",
}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_a_version_takes_over_without_a_request_lost(cloud: Cloud, tmp_path: Path, kind: str, figure: Figure) -> None:
    group = f"shift-{kind}"
    prepare(cloud, group, tmp_path)
    guarded(cloud, group, tmp_path, STRATEGIES[kind])
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    guarded(cloud, group, tmp_path, STRATEGIES[kind], approval=ASKS % group)
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 2.0)
        approved = approve_by_mail(cloud, group)
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        eventually(lambda: traffic.counted()["2.0"] > 0)

    answers = traffic.counted()
    unapproved = traffic.counted(until=approved)["2.0"]
    lost = sum(count for answer, count in answers.items() if answer not in {"1.0", "2.0"})
    told = f"{answers['1.0']} by the old version, {answers['2.0']} by the new one"
    figure(f"strategy {kind}: requests lost", lost, f"0 of {sum(answers.values())}: {told}")
    figure(f"strategy {kind}: answered before the approval by the new version", unapproved, "0")
    assert lost == unapproved == 0
    assert answers["1.0"] > 0
    assert answer_of(cloud, group) == "2.0"
    assert cloud.cost(f"{group}-v2-a1")["transitions"] == 10
    assert alarms_of(cloud, group) == [f"lockkeeper-{group}-v2-a1-alarm-1-errors-5xx"]
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    shown = str(endpoint["LastDeploymentConfig"])
    assert {"at-once": "ALL_AT_ONCE", "canary": "CANARY", "linear": "LINEAR", "rolling": "MaximumBatchSize"}[
        kind
    ] in shown


def test_a_canary_that_fails_is_taken_back_and_held(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    group = "coalmine"
    prepare(cloud, group, tmp_path)
    guarded(cloud, group, tmp_path, "canary: {percent: 30, wait: 60m}, ")
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    alarm = f"lockkeeper-{group}-v2-a1-alarm-1-errors-5xx"
    went_off: list[float] = []

    def is_on() -> bool:
        listed = cloud.client("cloudwatch", "production").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
        return [one["StateValue"] for one in listed] == ["ALARM"]

    with traffic_on(cloud, group) as traffic:
        arn = register(cloud, group, 2.0, model=BROKEN)
        eventually(is_on)
        went_off.append(time.monotonic())
        release = cloud.wait_for(f"{group}-v2-a1", "rolled-back")
        closed = time.monotonic()
        eventually(lambda: traffic.counted(since=closed).total() > 20)

    bad = [one.at for one in traffic.asked if one.answer != "1.0"]
    after = traffic.counted(since=closed).total() - traffic.counted(since=closed)["1.0"]
    last = max(max(bad) - went_off[0], 0.0)
    figure("canary that fails: answered by the bad version once it was rolled back", after, "0")
    figure("canary that fails: requests that it answered before", f"{len(bad)} of {len(traffic.asked)}", "below half")
    figure("canary that fails: seconds from its alarm to its last answer", f"{last:.1f}", "said, not bounded")
    assert after == 0
    assert 0 < len(bad) < len(traffic.asked) / 2
    assert f"{alarm} went off while traffic was moving" in release["reason"]
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    assert endpoint["EndpointConfigName"] == f"lockkeeper-{group}-v1-a1-production"
    assert "held" in cloud.lockkeeper("replay", f"{group}-v2-a1", expect=1)
    package = cloud.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Rejected"
    assert alarms_of(cloud, group) == [f"lockkeeper-{group}-v1-a1-alarm-1-errors-5xx"]

    shipped = [one for one in (3, 4, 5) if registered_again(cloud, group, one)["endpoints"].get("production")]
    figure("a held model, registered three times more: shipped", len(shipped), "0")
    assert shipped == []
    assert answer_of(cloud, group) == "1.0"


def registered_again(cloud: Cloud, group: str, version: int) -> dict[str, Any]:
    """What came of the model that was taken back, as a version of its own."""
    register(cloud, group, 2.0, model=BROKEN)
    release = cloud.wait_for(f"{group}-v{version}-a1", "failed")
    assert "is the model of version 2, which is held" in release["reason"]
    return release


def test_what_sagemaker_could_not_roll_back_is_mended_by_the_way_back(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group = "half-way"
    prepare(cloud, group, tmp_path)
    guarded(cloud, group, tmp_path, "canary: {percent: 30, wait: 60m}, ")
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    faults = cloud.running.run_folder / FAULTS
    faults.write_text(json.dumps({"failing_rollbacks": [group]}))
    with traffic_on(cloud, group) as traffic:
        register(cloud, group, 2.0, model=BROKEN)
        release = cloud.wait_for(f"{group}-v2-a1", "rolled-back")
        since = traffic.wait_for(20, PATIENCE)
    faults.unlink()
    after = sum(one.failed for one in traffic.between(since))
    figure("a rollback that SageMaker failed: answered by the bad version after the way back", after, "0")
    assert after == 0
    assert "UpdateRollbackFailed" in release["reason"]
    assert "it serves a mix of the old and the new version" in release["reason"]
    assert answer_of(cloud, group) == "1.0"
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    assert (endpoint["EndpointStatus"], endpoint["EndpointConfigName"]) == (
        "InService",
        f"lockkeeper-{group}-v1-a1-production",
    )
    assert "held" in cloud.lockkeeper("replay", f"{group}-v2-a1", expect=1)


def calls_about(cloud: Cloud, release_id: str, endpoint: str) -> Counter[str]:
    """What Lockkeeper's functions asked of AWS about a release and its endpoint, without housekeeping's look for forgotten ones."""
    return Counter(
        call["action"]
        for call in cloud.calls()
        if ":assumed-role/" in call["caller"]
        and (release_id in (call["resource"] or "") or str(call["resource"]).endswith(f":endpoint/{endpoint}"))
        and call["action"] not in {"sagemaker:ListTags", "states:DescribeExecution"}
    )


def test_a_canary_of_an_hour_costs_what_one_of_a_minute_costs(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    asked = {}
    for minutes in (1, 60):
        group = f"patience-{minutes:02}"
        prepare(cloud, group, tmp_path)
        guarded(cloud, group, tmp_path, f"canary: {{percent: 30, wait: {minutes}m}}, ")
        register(cloud, group, 1.0)
        cloud.wait_for(f"{group}-v1-a1", "promoted")
        before = calls_about(cloud, f"{group}-v2-a1", group)
        register(cloud, group, 2.0)
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert cloud.cost(f"{group}-v2-a1")["transitions"] == 10
        asked[minutes] = calls_about(cloud, f"{group}-v2-a1", group) - before
    figure(
        "canary: AWS calls with a wait of 60 minutes, of 1 minute",
        f"{asked[60].total()}, {asked[1].total()}",
        "the same",
    )
    assert asked[60] == asked[1]
