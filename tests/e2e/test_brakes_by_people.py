"""The brakes, by the command and under AWS identities that may use them: hold, lift-hold, freeze, unfreeze and rollback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import eventually, keep_house

pytestmark = pytest.mark.full


def on_call(cloud: Cloud, role: str) -> dict[str, str]:
    """Somebody who may brake and is no approver of anything."""
    return cloud.person(role)


def run(cloud: Cloud, *arguments: str, **how: Any) -> str:
    """What the command says, whatever the width of its lines."""
    return " ".join(cloud.lockkeeper(*arguments, **how).split())


def config_of(cloud: Cloud, endpoint: str) -> str:
    found = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=endpoint)
    return str(found["EndpointConfigName"])


def group_document(cloud: Cloud, group: str) -> dict[str, Any]:
    """Champion, holds and freeze, as the ledger has them."""
    table, key = cloud.outputs["TableName"], {"pk": {"S": f"GROUP#{group}"}, "sk": {"S": "CHAMPION"}}
    return dict(cloud.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)["Item"])


def bake_for_days(cloud: Cloud, group: str, folder: Path) -> None:
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5")
    cloud.apply(text.replace("bake: 1m", "bake: 7d"), folder)


def test_a_version_that_is_held_is_shipped_only_after_the_hold_was_lifted(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    person = on_call(cloud, "OnCallForHolds")
    prepare(cloud, "held-back", tmp_path)
    said = run(cloud, "hold", "held-back", "1", "--reason", "the data were wrong", person=person)
    assert "held-back, version 1: version held by arn:aws:sts::111122223333:assumed-role/OnCallForHolds/person" in said
    register(cloud, "held-back", 1.0)
    release = cloud.wait_for("held-back-v1-a1", "failed")
    assert "held: the data were wrong (by arn:aws:sts::" in release["reason"]
    assert "is held" in run(cloud, "replay", "held-back/1", expect=1)
    assert release["brakes"]["held"]["reason"] == "the data were wrong"
    assert "the data were wrong" in run(cloud, "releases", "--group", "held-back")
    keep_house(cloud)
    shipped = cloud.client("sagemaker", "production").list_endpoints(NameContains="held-back")["Endpoints"]
    figure("ways past a hold, deployed: registration, replay, housekeeping", f"{len(shipped)} shipped", "0")
    assert shipped == []
    said = run(cloud, "lift-hold", "held-back", "1", "--reason", "the data were right", person=person)
    assert "`lockkeeper replay held-back-v1-a1` releases it again." in said
    run(cloud, "replay", "held-back/1")
    cloud.wait_for("held-back-v1-a2", "promoted")


def test_who_may_not_call_the_route_brakes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unbraked", tmp_path)
    stranger = cloud.person("MayOnlyLook", actions=("cloudformation:DescribeStacks",))
    refused = run(cloud, "freeze", "unbraked", "--reason", "mine", expect=1, person=stranger)
    assert "needs execute-api:Invoke" in refused
    assert "has a policy" in run(cloud, "freeze", "misspelt", "--reason", "mine", expect=1)


def test_what_meets_a_freeze_goes_on_after_it(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    person = on_call(cloud, "OnCallForFreezes")
    approver = cloud.person("AdaOfTheFrozen")
    ada = "{name: Ada, aws_principal: 'arn:aws:iam::111122223333:role/AdaOfTheFrozen'}"
    asks = f"{{before: [production], approvers: [{ada}]}}"
    prepare(cloud, "frozen-over", tmp_path, approval=asks)
    register(cloud, "frozen-over", 1.0)
    cloud.wait_for("frozen-over-v1-a1", "awaiting-approval")
    said = run(cloud, "freeze", "frozen-over", "--reason", "the audit", "--until", "300d", person=person)
    assert "group frozen by arn:aws:sts::" in said
    run(cloud, "approve", "frozen-over-v1-a1", "--comment", "fine", person=approver)
    stopped = cloud.wait_for("frozen-over-v1-a1", "failed")
    assert "frozen-over is frozen: the audit (by arn:aws:sts::" in stopped["reason"]
    assert stopped["endpoints"]["production"] is None
    register(cloud, "frozen-over", 2.0)
    cloud.wait_for("frozen-over-v2-a1", "waiting-for-lock")
    keep_house(cloud)
    assert cloud.release_status("frozen-over-v2-a1") == "waiting-for-lock"
    said = run(cloud, "unfreeze", "frozen-over", "--reason", "the audit is over", person=person)
    assert "Waiting: frozen-over-v2-a1;" in said
    assert "not frozen" in run(cloud, "unfreeze", "frozen-over", "--reason", "again", expect=1)
    keep_house(cloud)
    cloud.wait_for("frozen-over-v1-a2", "superseded")
    cloud.wait_for("frozen-over-v2-a1", "awaiting-approval")
    run(cloud, "approve", "frozen-over-v2-a1", "--comment", "fine", person=approver)
    cloud.wait_for("frozen-over-v2-a1", "promoted")
    figure("releases that met a freeze", "2 of 2 accounted for: the newest promoted, the older superseded", "0 lost")


def test_a_bake_is_rolled_back_by_a_person(cloud: Cloud, tmp_path: Path) -> None:
    person = on_call(cloud, "OnCallForBakes")
    prepare(cloud, "taken-out", tmp_path)
    register(cloud, "taken-out", 1.0)
    cloud.wait_for("taken-out-v1-a1", "promoted")
    bake_for_days(cloud, "taken-out", tmp_path)
    register(cloud, "taken-out", 2.0)
    cloud.wait_for("taken-out-v2-a1", "baking")
    assert answer_of(cloud, "taken-out") == "2.0"
    said = run(cloud, "rollback", "taken-out", "--reason", "customers complain", person=person)
    assert "configuration lockkeeper-taken-out-v1-a1-production" in said
    release = cloud.wait_for("taken-out-v2-a1", "rolled-back")
    assert "during its bake: customers complain" in release["reason"]
    assert release["cost"]["endpoint_monthly_usd"] == 83.95
    assert release["brakes"]["held"]["identity"].endswith("/OnCallForBakes/person")
    assert answer_of(cloud, "taken-out") == "1.0"
    assert group_document(cloud, "taken-out")["version"] == {"N": "1"}


def test_what_was_promoted_is_rolled_back_by_a_person_past_a_release_that_waits(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    person = on_call(cloud, "OnCallForChampions")
    prepare(cloud, "given-back", tmp_path)
    assert "nothing of given-back was promoted" in run(
        cloud, "rollback", "given-back", "--reason", "none", expect=1, person=person
    )
    for version in (1, 2):
        register(cloud, "given-back", float(version))
        cloud.wait_for(f"given-back-v{version}-a1", "promoted")
        cloud.ended_execution(f"given-back-v{version}-a1")
    asks = "{before: [staging], approvers: [{name: Ada, email: ada-given@example.com}]}"
    cloud.apply(
        policy_text("given-back", metric="regression_metrics.mae.value", bound="at_most: 5", approval=asks), tmp_path
    )
    register(cloud, "given-back", 3.0)
    cloud.wait_for("given-back-v3-a1", "awaiting-approval")
    run(cloud, "freeze", "given-back", "--reason", "going back is never frozen", person=person)
    run(cloud, "rollback", "given-back", "--reason", "customers complain", person=person)
    eventually(lambda: cloud.is_closed_as("given-back-v2-a1", "rolled-back"))
    assert answer_of(cloud, "given-back") == "1.0"
    assert config_of(cloud, "given-back") == "lockkeeper-given-back-v1-a1-production"
    assert group_document(cloud, "given-back")["version"] == {"N": "1"}
    assert "superseded by the rollback" in cloud.wait_for("given-back-v3-a1", "superseded")["reason"]
    refused = run(cloud, "rollback", "given-back", "--reason", "further", expect=1, person=person)
    assert "no release of this group served before" in refused
    figure("rollbacks of what was promoted", "1 of 1 serves what served before, its champion is true", "all")
    run(cloud, "unfreeze", "given-back", "--reason", "done", person=person)


def test_a_rollback_that_fails_freezes_the_group_and_calls_people(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    person = on_call(cloud, "OnCallForFailures")
    pager = "pager@example.com"
    topic = cloud.outputs["BroadcastTopicArn"]
    told = cloud.client("sns").subscribe(
        TopicArn=topic,
        Protocol="email",
        Endpoint=pager,
        Attributes={"FilterPolicy": '{"urgent": ["true"]}'},
        ReturnSubscriptionArn=True,
    )
    prepare(cloud, "no-way-back", tmp_path)
    register(cloud, "no-way-back", 1.0)
    cloud.wait_for("no-way-back-v1-a1", "promoted")
    bake_for_days(cloud, "no-way-back", tmp_path)
    register(cloud, "no-way-back", 2.0)
    cloud.wait_for("no-way-back-v2-a1", "baking")
    sagemaker = cloud.client("sagemaker", "production")
    sagemaker.delete_endpoint(EndpointName="no-way-back")

    def is_gone() -> bool:
        found = sagemaker.list_endpoints(NameContains="no-way-back")["Endpoints"]
        return "no-way-back" not in [one["EndpointName"] for one in found]

    eventually(is_gone)
    run(cloud, "rollback", "no-way-back", "--reason", "customers complain", person=person)
    release = cloud.wait_for("no-way-back-v2-a1", "failed")
    assert "the rollback failed, look at production now" in release["reason"]
    frozen = release["brakes"]["frozen"]
    assert (frozen["by"], frozen["until"]) == ("lockkeeper", None)
    (mail,) = eventually(lambda: cloud.mails(pager))
    assert "URGENT: no-way-back: Group Frozen" in mail
    register(cloud, "no-way-back", 3.0)
    cloud.wait_for("no-way-back-v3-a1", "waiting-for-lock")
    keep_house(cloud)
    stands = cloud.release_status("no-way-back-v3-a1") == "waiting-for-lock"
    figure("rollbacks that failed", f"{stands:d} of 1 groups frozen, {len(cloud.mails(pager))} urgent mail", "100%")
    assert stands
    run(cloud, "unfreeze", "no-way-back", "--reason", "nothing serves now, which is right", person=person)
    keep_house(cloud)
    eventually(lambda: cloud.release_status("no-way-back-v3-a1") != "waiting-for-lock")
    cloud.client("sns").unsubscribe(SubscriptionArn=told["SubscriptionArn"])
    # Nobody knows whether it serves, so Lockkeeper leaves it; its owner, who has looked, does not.
    left = "lockkeeper-no-way-back-v2-a1-production"
    sagemaker.delete_endpoint_config(EndpointConfigName=left)
    sagemaker.delete_model(ModelName=left)
