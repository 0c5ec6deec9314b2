"""Events of a foreign account, in AWS's name, or handed to a function: nothing is done or raised, on the laptop's AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.settings import HUB_ACCOUNT_ID, REGION
from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud, package_request
from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_nothing_stranded import ASKS_ADA, eventually, letters
from tests.handlers.forgeries import ENVELOPE, HALF_A_CHARACTER, Event, Place, Situation, forged, whole
from tests.patience import ALL_DAY

pytestmark = pytest.mark.full

STRANGER = "999988887777"
STAGING = "lockkeeper-tempted-v1-a1-staging"
PACKAGES = "SageMaker Model Package State Change"


def state_of(cloud: Cloud) -> dict[str, Any]:
    """Everything that Lockkeeper could have changed: the ledger, executions, endpoints, schedules, the registry, mails."""
    sagemaker, pages = cloud.client("sagemaker"), cloud.client("dynamodb").get_paginator("scan")
    machine = cloud.outputs["StateMachineArn"]
    packages = [
        sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        for group in ("tempting", "tempted")
    ]
    mails = cloud.running.mailbox.rglob("*.eml")
    return {
        "ledger": [item for page in pages.paginate(TableName=cloud.outputs["TableName"]) for item in page["Items"]],
        "executions": cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"],
        "endpoints": sagemaker.list_endpoints()["Endpoints"],
        "schedules": cloud.client("scheduler").list_schedules()["Schedules"],
        "packages": packages,
        "mails": sorted(str(path) for path in mails),
    }


def package_event(arn: str) -> Event:
    return whole(
        {
            "source": "aws.sagemaker",
            "detail-type": PACKAGES,
            "account": HUB_ACCOUNT_ID,
            "region": REGION,
            "resources": [arn],
            "detail": {"ModelPackageArn": arn, "ModelPackageStatus": "Completed"},
        }
    )


def tempting(cloud: Cloud, arn: str) -> dict[str, tuple[Situation, Event]]:
    """For each function that hears events, one that would make it act, if it were true or came from whom it says."""
    endpoint = f"arn:aws:sagemaker:{REGION}:{HUB_ACCOUNT_ID}:endpoint/{STAGING}"
    changed = {"EndpointArn": endpoint, "EndpointStatus": "IN_SERVICE"}
    execution = {"name": "tempting-v1-a1", "status": "ABORTED", "stateMachineArn": cloud.outputs["StateMachineArn"]}
    hub = {"account": HUB_ACCOUNT_ID, "region": REGION}
    events: dict[str, tuple[Event, tuple[Place, ...]]] = {
        "ReactToRegistry": (package_event(arn), (("region",), ("detail", "ModelPackageArn"))),
        "ResumeRelease": (
            {"source": "aws.sagemaker", "detail-type": "SageMaker Endpoint State Change", **hub, "detail": changed},
            (("detail", "EndpointArn"),),
        ),
        "ReapRelease": (
            {
                "source": "aws.states",
                "detail-type": "Step Functions Execution Status Change",
                **hub,
                "detail": execution,
            },
            (("detail", "name"),),
        ),
        "Notify": (
            {
                "source": "lockkeeper",
                "detail-type": "Release Promoted",
                **hub,
                "detail": {"release_id": "tempting-v1-a1", "model_package_group": "tempting", "version": 1},
            },
            (("detail", "release_id"), ("detail", "model_package_group"), ("detail", "version")),
        ),
    }
    return {name: (situation(name, whole(event), identity), whole(event)) for name, (event, identity) in events.items()}


def situation(function: str, event: Event, identity: tuple[Place, ...]) -> Situation:
    return Situation(function, lambda _: None, lambda _: event, (*ENVELOPE, *identity))


@pytest.fixture(scope="module")
def untold(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """ARN of a version in the registry of which nobody has told: its true event would start a release.

    Nobody has told, either, that the release of the version before it has died, and that one of another group has its
    staging endpoint. In the end the true events are told, and act: or the forged ones would prove nothing.
    """
    sagemaker, folder = cloud.client("sagemaker"), tmp_path_factory.mktemp("policy")
    prepare(cloud, "tempting", folder, approval=ASKS_ADA)
    register(cloud, "tempting", 1.0)
    cloud.wait_for("tempting-v1-a1", "awaiting-approval")
    cloud.mailed("ada@example.com", "tempting version 1")
    prepare(cloud, "tempted", folder, **ALL_DAY)
    with cloud.without_house_keeping():
        with cloud.deaf("ReactToRegistryPackageChanged", "ResumeReleaseEndpointChanged", "ReapReleaseExecutionDied"):
            lingering = register(cloud, "tempted", 1.0)
            assert invoke(cloud, "ReactToRegistry", package_event(lingering)) == {"started": "tempted-v1-a1"}
            eventually(lambda: STAGING in {one["EndpointName"] for one in sagemaker.list_endpoints()["Endpoints"]})
            sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=STAGING, WaiterConfig={"Delay": 1})
            cloud.stop("tempting-v1-a1")
            arn = register(cloud, "tempting", 2.0)
            yield arn
        said = {function: invoke(cloud, function, event) for function, (_, event) in tempting(cloud, arn).items()}
    assert said["ReactToRegistry"] == {"started": "tempting-v2-a1"}
    assert said["Notify"] == {"told": "Release Promoted"}
    assert any("tempted-v1-a1" in line for line in said["ResumeRelease"]), said
    assert any("tempting-v1-a1" in line for line in said["ReapRelease"]), said
    cloud.wait_for("tempting-v1-a1", "failed")
    cloud.wait_for("tempted-v1-a1", "promoted")


def invoke(cloud: Cloud, function: str, event: Any) -> Any:
    answer = cloud.client("lambda").invoke(FunctionName=cloud.physical_name(function), Payload=json.dumps(event))
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, f"{event} {said}"[:3000]
    return said


def test_forged_events_get_nothing(cloud: Cloud, untold: str, figure: Figure) -> None:
    before, count = state_of(cloud), 0
    for function, (claimed, event) in tempting(cloud, untold).items():
        # A lone half of a character is no text that Lambda would hand on; the handlers' own tests have it.
        for _, forgery in forged(claimed, event):
            if json.dumps(HALF_A_CHARACTER)[1:-1] not in json.dumps(forgery):
                count += 1
                invoke(cloud, function, forgery)
    after = state_of(cloud)
    figure(
        "forged events handed to the deployed functions",
        f"{count} events, 0 uncaught, {int(after != before)} actions",
        "0, 0",
    )
    assert after == before
    assert letters(cloud) == 0


def is_refused(events: Any, entry: dict[str, Any]) -> bool:
    """Whether PutEvents does not take an entry: as a whole, or as one of many."""
    try:
        return bool(events.put_events(Entries=[entry])["FailedEntryCount"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "AccessDeniedException":
            return True
        raise


def test_a_foreign_account_gets_nothing(cloud: Cloud, untold: str, figure: Figure) -> None:
    before, tried, refused = state_of(cloud), 0, 0
    bus = f"arn:aws:events:{REGION}:{HUB_ACCOUNT_ID}:event-bus/{cloud.outputs['BusName'].rpartition('/')[2]}"
    stranger = cloud.client("events", STRANGER)
    detail = json.dumps(package_event(untold)["detail"])
    for where in ("default", bus):
        for source in ("aws.sagemaker", "lockkeeper", "somebody"):
            entry = {
                "Source": source,
                "DetailType": PACKAGES,
                "Detail": detail,
                "EventBusName": where,
                "Resources": [untold],
            }
            tried += 1
            refused += is_refused(stranger, entry)
    # On its own default bus it may say what it likes in its own name; nothing of that is forwarded.
    assert (tried, refused) == (6, 4)
    theirs = cloud.client("sagemaker", STRANGER)
    cloud.group("tempting", STRANGER)
    for _ in range(3):
        theirs.create_model_package(
            **package_request("tempting", SCIKIT_LEARN, "s3://tempting-models/1.0/model.tar.gz", None)
        )
    figure("a foreign account's events", f"{tried} put, {refused} refused, 3 registrations, 0 actions", "0 actions")
    assert state_of(cloud) == before


def test_nobody_speaks_in_the_name_of_aws(cloud: Cloud, untold: str) -> None:
    before, events = state_of(cloud), cloud.client("events")
    for bus in ("default", cloud.outputs["BusName"]):
        for source in ("aws.sagemaker", "aws.cloudwatch", "aws.states"):
            entry = {
                "Source": source,
                "DetailType": PACKAGES,
                "Detail": json.dumps(package_event(untold)["detail"]),
                "EventBusName": bus,
            }
            answer = events.put_events(Entries=[entry])
            assert answer["FailedEntryCount"] == 1
            assert answer["Entries"][0]["ErrorCode"] == "NotAuthorizedForSourceException"
    assert state_of(cloud) == before


def test_what_is_no_event_is_a_dead_letter(cloud: Cloud) -> None:
    name = cloud.physical_name("ReactToRegistry")
    cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(["no", "event"]))
    eventually(lambda: letters(cloud) == 1)
    cloud.lockkeeper("replay", "--dead-letters", expect=1)
    assert letters(cloud) == 1
    cloud.client("sqs").purge_queue(QueueUrl=cloud.outputs["DeadLettersUrl"])
