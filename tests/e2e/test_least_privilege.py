"""Paths that few releases take, walked so that each permission is seen in use: queues, retried states, looks, ways back.

`checks/roles` holds what is recorded here, and in every other end-to-end test, against what the roles grant.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.story.letter import open_page, press, wait_for_link
from tests.e2e.harness import SCIKIT_LEARN, Cloud, models_own_role, package_request, policy_text
from tests.e2e.test_a_promotion import answer_of, ask_for_replay, prepare, register
from tests.e2e.test_nothing_stranded import (
    broken,
    endpoints,
    eventually,
    keep_house,
    letters,
    lock_owner,
)

pytestmark = pytest.mark.full

LOST_TOKEN = "A" * 600
"""The token of a try that nobody waits for any more."""
ASKS_ADA = "{before: [staging], approvers: [{name: Ada, email: ada@example.com}]}"


def patient(cloud: Cloud, group: str, folder: Path, bake: str, more: str = "", **further: str) -> None:
    """A policy with another bake."""
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", **further)
    cloud.apply(text.replace("bake: 1m", f"bake: {bake}") + more, folder)


def again(cloud: Cloud, function: str, release_id: str, **payload: Any) -> dict[str, Any]:
    """Call a state's function once more, as Step Functions does when the answer to the first try was lost."""
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.physical_name(function), Payload=json.dumps({"release_id": release_id, **payload})
    )
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def queued_by(cloud: Cloud) -> list[str]:
    """What is in the dead letter queue, taken out of it."""
    queue, url = cloud.client("sqs"), cloud.outputs["DeadLettersUrl"]
    found = []
    while messages := queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def calm_alarm(cloud: Cloud, name: str) -> None:
    """An alarm of production that is what it is set to, whatever its metric does."""
    cloudwatch = cloud.client("cloudwatch", "production")
    cloudwatch.put_metric_alarm(
        AlarmName=name, Namespace="Tests", MetricName=name, Statistic="Sum", Period=86400, EvaluationPeriods=1,
        Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="ignore",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="calm from the beginning")


def approve_under_alarm(cloud: Cloud, release_id: str, name: str) -> None:
    """The alarm goes off while people think, after production was looked at, and Ada approves all the same."""
    cloud.wait_for(release_id, "awaiting-approval")
    cloud.client("cloudwatch", "production").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="meanwhile"
    )
    group, _, version = release_id.removesuffix("-a1").rpartition("-v")
    _, link = wait_for_link(cloud.running.mailbox, "ada@example.com", f"{group} version {version} ")
    press(open_page(link), "approve", {})


SECONDS_OF_RETRIES = 4.0
"""Longer than the scaled pauses between an asynchronous invocation's three tries."""
FED_BY_EVENTS = (
    "ReactToRegistry",
    "ReactToTraining",
    "ReactToDrift",
    "ResumeRelease",
    "ReapRelease",
    "Notify",
    "KeepHouse",
    "StartDriftMonitor",
)
OF_SCHEDULES = ("AligningRole", "DeadlinesRole", "HouseKeepingRole", "MonitorsRole")
"""Roles under which schedules call functions."""


def test_what_a_function_cannot_do_ends_in_the_queue(cloud: Cloud) -> None:
    with ExitStack() as stack:
        for function in FED_BY_EVENTS:
            stack.enter_context(broken(cloud, function))
            cloud.client("lambda").invoke(
                FunctionName=cloud.physical_name(function),
                InvocationType="Event",
                Payload=json.dumps({"lost by": function}),
            )
        lost: set[str] = set()

        def all_lost() -> bool:
            lost.update(json.loads(body).get("lost by", "") for body in queued_by(cloud))
            return set(FED_BY_EVENTS) <= lost

        eventually(all_lost)
    # Schedules called KeepHouse in the meantime, and what they sent is still being tried.
    quiet_since = time.monotonic()
    while time.monotonic() < quiet_since + SECONDS_OF_RETRIES:
        if queued_by(cloud):
            quiet_since = time.monotonic()
        time.sleep(0.2)


def test_a_schedule_whose_function_is_gone_ends_in_the_queue(cloud: Cloud) -> None:
    scheduler = cloud.client("scheduler")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    gone = "arn:aws:lambda:us-east-1:111122223333:function:gone"
    group = cloud.physical_name("Deadlines")
    for role in OF_SCHEDULES:
        arn = cloud.client("iam").get_role(RoleName=cloud.physical_name(role))["Role"]["Arn"]
        scheduler.create_schedule(
            Name=f"gone-{role}",
            GroupName=group,
            ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": gone,
                "RoleArn": arn,
                "Input": json.dumps({"lost by": role}),
                "DeadLetterConfig": {"Arn": queue_arn(cloud)},
            },
        )
    lost: list[str] = []

    def all_lost() -> bool:
        lost.extend(queued_by(cloud))
        return len(lost) == len(OF_SCHEDULES)

    eventually(all_lost)
    assert sorted(json.loads(body)["lost by"] for body in lost) == list(OF_SCHEDULES)


def queue_arn(cloud: Cloud) -> str:
    attributes = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs["DeadLettersUrl"], AttributeNames=["QueueArn"]
    )
    return str(attributes["Attributes"]["QueueArn"])


def test_a_newer_version_ends_the_question_about_the_older(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "overtaken", tmp_path, approval=ASKS_ADA)
    register(cloud, "overtaken", 1.0)
    cloud.wait_for("overtaken-v1-a1", "awaiting-approval")
    register(cloud, "overtaken", 2.0)
    release = cloud.wait_for("overtaken-v1-a1", "superseded")
    assert "overtaken-v2-a1" in release["reason"]
    cloud.wait_for("overtaken-v2-a1", "awaiting-approval")


def test_the_lock_is_handed_to_the_newest_and_the_older_ones_are_told(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "queued", tmp_path)
    patient(cloud, "queued", tmp_path, "7d")
    register(cloud, "queued", 1.0)
    cloud.wait_for("queued-v1-a1", "baking")
    patient(cloud, "queued", tmp_path, "1m")
    for version in (2, 3):
        register(cloud, "queued", float(version))
        cloud.wait_for(f"queued-v{version}-a1", "waiting-for-lock")
    # The bake ends when both are waiting, however slow the machine: as the schedule at its deadline would end it, and be gone.
    cloud.client("scheduler").delete_schedule(
        GroupName=cloud.physical_name("Deadlines"), Name="lockkeeper-queued-v1-a1-bake"
    )
    cloud.client("lambda").invoke(
        FunctionName=cloud.physical_name("ResumeRelease"),
        Payload=json.dumps({"deadline": {"release_id": "queued-v1-a1", "state": "WatchProduction"}}),
    )
    assert cloud.wait_for("queued-v1-a1")["status"] == "promoted"
    assert cloud.wait_for("queued-v2-a1")["status"] == "superseded"
    assert cloud.wait_for("queued-v3-a1")["status"] == "promoted"
    assert answer_of(cloud, "queued") == "3.0"


def test_states_that_are_tried_again_find_their_work_done(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "repeated", tmp_path)
    patient(cloud, "repeated", tmp_path, "4h")
    arn = register(cloud, "repeated", 1.0)
    cloud.wait_for("repeated-v1-a1", "baking")
    before = endpoints(cloud, "repeated")
    again(cloud, "OpenRelease", "repeated-v1-a1", model_package_arn=arn, attempt=1, execution_arn="", token=LOST_TOKEN)
    for state in ("DeployToStaging", "PromoteToProduction", "WatchProduction"):
        again(cloud, state, "repeated-v1-a1", token=LOST_TOKEN)
    assert endpoints(cloud, "repeated") == before


def test_a_bake_that_begins_under_an_alarm_takes_a_first_version_away_again(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "doomed", tmp_path)
    calm_alarm(cloud, "doomed-alarm")
    asks = ASKS_ADA.replace("staging", "production")
    patient(cloud, "doomed", tmp_path, "7d", "  alarms: [doomed-alarm]\n", approval=asks)
    register(cloud, "doomed", 1.0)
    approve_under_alarm(cloud, "doomed-v1-a1", "doomed-alarm")
    release = cloud.wait_for("doomed-v1-a1", "rolled-back")
    assert "doomed-alarm" in release["reason"]
    eventually(lambda: endpoints(cloud, "doomed") == [])


def test_a_policy_without_a_bake_ends_it_where_it_begins(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "hasty", tmp_path)
    patient(cloud, "hasty", tmp_path, "0s")
    register(cloud, "hasty", 1.0)
    cloud.wait_for("hasty-v1-a1", "promoted")


def test_a_model_may_have_a_role_of_its_policys_own(cloud: Cloud, tmp_path: Path) -> None:
    role_arn = own_role(cloud, "production")
    prepare(cloud, "own-role", tmp_path)
    patient(cloud, "own-role", tmp_path, "1m", f"  execution_role_arn: {role_arn}\n")
    register(cloud, "own-role", 1.0)
    cloud.wait_for("own-role-v1-a1", "promoted")
    model = cloud.client("sagemaker").describe_model(ModelName="lockkeeper-own-role-v1-a1-production")
    assert model["ExecutionRoleArn"] == role_arn


def own_role(cloud: Cloud, kind: str) -> str:
    """The role that a stack was told of: it may do what the stack's own execution role may."""
    iam, account_id = cloud.client("iam", kind), cloud.account(kind)
    name = f"lockkeeper-{kind}-endpoint" if cloud.joined else cloud.physical_name("EndpointExecutionRole")
    trust = iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]
    document = iam.get_role_policy(RoleName=name, PolicyName="ServeAPinnedModel")["PolicyDocument"]
    own = models_own_role(account_id).rpartition("/")[2]
    return cloud.role(own, trust["Statement"], document["Statement"], kind)


def test_a_champion_without_a_report_is_told_from_one_that_may_not_be_read(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "bereft", tmp_path)
    register(cloud, "bereft", 1.0)
    cloud.wait_for("bereft-v1-a1", "promoted")
    cloud.client("s3").delete_object(Bucket=cloud.outputs["BucketName"], Key="dossiers/bereft-v1-a1/model_quality.json")
    relative = "no_worse_than_champion_by: 1"
    cloud.apply(policy_text("bereft", metric="regression_metrics.mae.value", bound=relative), tmp_path)
    register(cloud, "bereft", 2.0)
    release = cloud.wait_for("bereft-v2-a1", "failed")
    assert "champion" in release["reason"]


def test_who_has_not_decided_is_reminded_and_decides_by_the_newer_link(cloud: Cloud, tmp_path: Path) -> None:
    approval = "{before: [staging], approvers: [{name: Ada, email: ada-forgets@example.com}], remind_every: 1h}"
    prepare(cloud, "forgotten", tmp_path, approval=approval)
    register(cloud, "forgotten", 1.0)
    cloud.wait_for("forgotten-v1-a1", "awaiting-approval")
    _, first = wait_for_link(cloud.running.mailbox, "ada-forgets@example.com", "forgotten version 1")

    an_hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="milliseconds")
    cloud.client("dynamodb").update_item(
        TableName=cloud.outputs["TableName"],
        Key={"pk": {"S": "RELEASE#forgotten-v1-a1"}, "sk": {"S": "APPROVAL#staging"}},
        UpdateExpression="SET requested_at = :then",
        ExpressionAttributeValues={":then": {"S": an_hour_ago}},
    )
    assert [one["what"] for one in keep_house(cloud) if one["kind"] == "reminder"] == [
        "forgotten-v1-a1/RequestStagingApproval: Ada"
    ]
    _, link = wait_for_link(cloud.running.mailbox, "ada-forgets@example.com", "Reminder: ")
    assert link != first
    press(open_page(link), "reject", {"comment": "late, and no"})
    cloud.wait_for("forgotten-v1-a1", "rejected")


def test_a_look_around_buries_a_dead_release_and_wakes_who_waits(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unheard", tmp_path)
    register(cloud, "unheard", 1.0)
    cloud.wait_for("unheard-v1-a1", "promoted")
    patient(cloud, "unheard", tmp_path, "7d")
    register(cloud, "unheard", 2.0)
    cloud.wait_for("unheard-v2-a1", "baking")
    patient(cloud, "unheard", tmp_path, "1m")
    register(cloud, "unheard", 3.0)
    cloud.wait_for("unheard-v3-a1", "waiting-for-lock")
    with cloud.deaf("ReapReleaseExecutionDied", "ReapReleaseEndpointChanged"):
        cloud.stop("unheard-v2-a1")
        eventually(lambda: any("unheard-v2-a1" in one["what"] for one in keep_house(cloud)))
        eventually(lambda: keep_house(cloud) is not None and lock_owner(cloud, "unheard") != "unheard-v2-a1")
    assert cloud.wait_for("unheard-v2-a1")["status"] == "failed"
    cloud.wait_for("unheard-v3-a1", "promoted")


def test_a_reaped_release_wakes_who_waits(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "bequeathed", tmp_path)
    patient(cloud, "bequeathed", tmp_path, "7d")
    register(cloud, "bequeathed", 1.0)
    cloud.wait_for("bequeathed-v1-a1", "baking")
    patient(cloud, "bequeathed", tmp_path, "1m")
    register(cloud, "bequeathed", 2.0)
    cloud.wait_for("bequeathed-v2-a1", "waiting-for-lock")
    cloud.stop("bequeathed-v1-a1")
    assert cloud.wait_for("bequeathed-v1-a1")["status"] == "failed"
    cloud.wait_for("bequeathed-v2-a1", "promoted")
    assert letters(cloud) == 0


def test_a_champion_that_was_never_replayed_leaves_the_comparison_open(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unreplayed", tmp_path)
    register(cloud, "unreplayed", 1.0)
    cloud.wait_for("unreplayed-v1-a1", "promoted")
    ask_for_replay(cloud, "unreplayed", tmp_path)
    register(cloud, "unreplayed", 2.0)
    assert "without a replay whose answers were kept" in cloud.wait_for("unreplayed-v2-a1", "failed")["reason"]


def test_joined_accounts_are_asked_for_the_same(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "far", tmp_path)
    calm_alarm(cloud, "far-alarm")
    key = cloud.client("kms", "production").create_key(Description="far")["KeyMetadata"]["Arn"]
    cases = {"name": "one row", "body": "1,2", "expect": {"rows": 1}}
    contract = cloud.put("far-models", "contract.jsonl", json.dumps(cases))
    asks = {"approval": ASKS_ADA.replace("staging", "production"), "staging": f"{{tests: {{contract: {contract}}}}}"}
    patient(cloud, "far", tmp_path, "1m", f"  execution_role_arn: {own_role(cloud, 'staging')}\n", **asks)
    register(cloud, "far", 1.0)
    cloud.wait_for("far-v1-a1", "awaiting-approval")
    assert [one for one in keep_house(cloud) if "far" in one["what"]] == []

    role_arn = own_role(cloud, "production")
    watched = f"  alarms: [far-alarm]\n  execution_role_arn: {role_arn}\n  kms_key: {key}\n"
    patient(cloud, "far", tmp_path, "7d", watched, approval=asks["approval"])
    register(cloud, "far", 2.0)
    cloud.wait_for("far-v1-a1", "superseded")
    approve_under_alarm(cloud, "far-v2-a1", "far-alarm")
    assert "far-alarm" in cloud.wait_for("far-v2-a1", "rolled-back")["reason"]

    nothing = f"s3://{contract.split('/')[2]}/nothing.tar.gz"
    request = package_request("far", SCIKIT_LEARN, nothing, nothing)
    cloud.client("sagemaker", "registry").create_model_package(**request)
    assert "is not there" in cloud.wait_for("far-v3-a1", "failed")["reason"]
    cloud.client("kms", "production").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
