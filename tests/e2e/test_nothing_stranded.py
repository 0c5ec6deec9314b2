"""Stopped executions, swallowed events and dead letters, on the laptop's AWS with the real template."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud, package_request, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

ASKS_ADA = "{before: [staging], approvers: [{name: Ada, email: ada@example.com}]}"


def keep_house(cloud: Cloud) -> list[dict[str, str]]:
    """A look at everything that is unfinished, now."""
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.physical_name("KeepHouse"), Payload=json.dumps({"quiet_seconds": 0})
    )
    said: list[dict[str, str]] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def eventually(what: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    until = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.1)
    return found


def lock_owner(cloud: Cloud, group: str) -> str:
    key = {"pk": {"S": f"GROUP#{group}"}, "sk": {"S": "LOCK"}}
    item = cloud.client("dynamodb").get_item(TableName=cloud.outputs["TableName"], Key=key, ConsistentRead=True)
    return str(item["Item"]["owner"]["S"])


def endpoints(cloud: Cloud, group: str) -> list[str]:
    found = cloud.client("sagemaker").list_endpoints(NameContains=group)["Endpoints"]
    return [one["EndpointName"] for one in found]


def schedules(cloud: Cloud, group: str) -> list[str]:
    found = cloud.client("scheduler").list_schedules()["Schedules"]
    return [one["Name"] for one in found if group in one["Name"]]


@contextmanager
def broken(cloud: Cloud, function: str) -> Iterator[None]:
    """A function that fails on every event."""
    client, name = cloud.client("lambda"), cloud.physical_name(function)
    handler = client.get_function_configuration(FunctionName=name)["Handler"]
    client.update_function_configuration(FunctionName=name, Handler="functions.nothing.handler")
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, Handler=handler)


def letters(cloud: Cloud) -> int:
    queue = cloud.client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs["DeadLettersUrl"], AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(queue["Attributes"]["ApproximateNumberOfMessages"])


def test_an_execution_stopped_while_people_are_asked_ends_its_release(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "halted", tmp_path, approval=ASKS_ADA)
    register(cloud, "halted", 1.0)
    cloud.wait_for("halted-v1-a1", "awaiting-approval")
    cloud.stop("halted-v1-a1")
    release = cloud.wait_for("halted-v1-a1", "failed")
    assert release["reason"] == "its execution was ABORTED in RequestStagingApproval"
    eventually(lambda: lock_owner(cloud, "halted") == "")

    cloud.apply(policy_text("halted", metric="regression_metrics.mae.value", bound="at_most: 5"), tmp_path)
    assert "halted-v1-a2" in cloud.lockkeeper("replay", "halted/1")
    cloud.wait_for("halted-v1-a2", "promoted")
    assert answer_of(cloud, "halted") == "1.0"


def test_a_version_whose_release_could_not_be_opened_is_told_and_replayed(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "shut", tmp_path)
    with broken(cloud, "OpenRelease"):
        register(cloud, "shut", 1.0)
        release = cloud.wait_for("shut-v1-a1", "failed")
    assert release["reason"] == "its execution was FAILED in OpenRelease"
    assert "shut-v1-a2" in cloud.lockkeeper("replay", "shut/1")
    cloud.wait_for("shut-v1-a2", "promoted")


def test_an_execution_stopped_in_its_bake_gives_production_back(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "undone", tmp_path)
    register(cloud, "undone", 1.0)
    cloud.wait_for("undone-v1-a1", "promoted")
    text = policy_text("undone", metric="regression_metrics.mae.value", bound="at_most: 5")
    cloud.apply(text.replace("bake: 1m", "bake: 4h"), tmp_path)
    register(cloud, "undone", 2.0)
    cloud.wait_for("undone-v2-a1", "baking")
    assert answer_of(cloud, "undone") == "2.0"
    cloud.stop("undone-v2-a1")

    release = cloud.wait_for("undone-v2-a1", "failed")
    assert release["reason"] == "its execution was ABORTED in WatchProduction; production is as it was before"
    assert answer_of(cloud, "undone") == "1.0"
    eventually(lambda: endpoints(cloud, "undone") == ["undone"])
    eventually(lambda: lock_owner(cloud, "undone") == "")
    assert "is held" in cloud.lockkeeper("replay", "undone-v2-a1", expect=1)

    # A try that was under way when its execution was stopped, and is slower than all that ended the release.
    late = {"release_id": "undone-v2-a1", "token": "of nobody"}
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.physical_name("WatchProduction"), Payload=json.dumps(late)
    )
    assert json.loads(answer["Payload"].read())["errorType"] == "LockLost"
    assert schedules(cloud, "undone") == []
    assert cloud.release("undone-v2-a1")["status"] == "failed"


def test_a_swallowed_endpoint_event_is_made_up_for_by_the_next_look(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "muffled", tmp_path)
    with cloud.deaf("ResumeReleaseEndpointChanged"):
        register(cloud, "muffled", 3.0)
        cloud.wait_for("muffled-v1-a1", "deploying")
        sagemaker = cloud.client("sagemaker")
        staging = "lockkeeper-muffled-v1-a1-staging"
        eventually(lambda: staging in endpoints(cloud, "muffled"))
        eventually(lambda: sagemaker.describe_endpoint(EndpointName=staging)["EndpointStatus"] == "InService")
        assert cloud.release("muffled-v1-a1")["status"] == "deploying"
        found = keep_house(cloud)
    assert [one["kind"] for one in found if "muffled" in one["what"]] == ["overdue wait"]
    cloud.wait_for("muffled-v1-a1", "promoted")


def test_a_registration_that_nobody_was_told_of_is_found_in_the_registry(cloud: Cloud, tmp_path: Path) -> None:
    cloud.group("strange")
    prepare(cloud, "unseen", tmp_path)
    with cloud.deaf("ReactToRegistryPackageChanged"):
        register(cloud, "unseen", 3.0)
        # Of a group that has no policy: nobody's business, and told from a missing permission.
        report = cloud.put("unseen-models", "strange.json", "{}")
        request = package_request("strange", SCIKIT_LEARN, "s3://unseen-models/unseen/model.tar.gz", report)
        cloud.client("sagemaker", "registry").create_model_package(**request)
        found = eventually(
            lambda: [one for one in keep_house(cloud) if one["kind"] in ("unseen registration", "problem")]
        )
    assert found == [{"kind": "unseen registration", "what": "unseen-v1-a1: started"}]
    cloud.wait_for("unseen-v1-a1", "promoted")
    assert [one["kind"] for one in keep_house(cloud) if "unseen" in one["kind"]] == []
    assert cloud.release_status("strange-v1-a1") == "not opened"


def test_dead_letters_come_back_once_however_often_they_are_played(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "returned", tmp_path)
    with broken(cloud, "ReactToRegistry"):
        arn = register(cloud, "returned", 4.0)
        eventually(lambda: letters(cloud) == 1)
    said = cloud.lockkeeper("replay", "--dead-letters")
    assert "taken by ReactToRegistry" in said
    cloud.wait_for("returned-v1-a1", "promoted")
    assert letters(cloud) == 0

    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Model Package State Change",
        "account": "111122223333",
        "region": "us-east-1",
        "detail": {"ModelPackageArn": arn, "ModelPackageStatus": "Completed"},
    }
    queue = cloud.client("sqs")
    for _ in range(2):
        queue.send_message(QueueUrl=cloud.outputs["DeadLettersUrl"], MessageBody=json.dumps(event))
        cloud.lockkeeper("replay", "--dead-letters")
    releases = json.loads(cloud.lockkeeper("releases", "--group", "returned", "--json"))
    assert [one["release_id"] for one in releases] == ["returned-v1-a1"]


def test_what_is_nobodys_stays_in_the_queue(cloud: Cloud) -> None:
    queue, url = cloud.client("sqs"), cloud.outputs["DeadLettersUrl"]
    queue.send_message(QueueUrl=url, MessageBody="no event at all")
    cloud.lockkeeper("replay", "--dead-letters", expect=1)
    assert letters(cloud) == 1
    queue.purge_queue(QueueUrl=url)
