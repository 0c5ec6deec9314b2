"""A joined account says what it may not: in another's name, about another's resources, through a rule of its own making."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from localcloud.settings import HUB_ACCOUNT_ID, REGION
from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud, allowing, package_request, trusting
from tests.e2e.test_events_of_strangers import is_refused
from tests.e2e.test_nothing_stranded import eventually

pytestmark = pytest.mark.full

SOURCES = ("aws.sagemaker", "aws.cloudwatch", "aws.states", "lockkeeper", "somebody")


def bus_arn(cloud: Cloud) -> str:
    return f"arn:aws:events:{REGION}:{HUB_ACCOUNT_ID}:event-bus/{cloud.outputs['BusName']}"


def executions(cloud: Cloud) -> list[str]:
    machine = cloud.outputs["StateMachineArn"]
    found = cloud.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    return sorted(one["name"] for one in found)


def test_no_account_puts_events_onto_the_hubs_bus_itself(joined_cloud: Cloud, figure: Figure) -> None:
    cloud, taken, tried = joined_cloud, [], 0
    for kind in ("registry", "staging", "production"):
        arn = f"arn:aws:sagemaker:{REGION}:{cloud.account(kind)}:model-package/lying/1"
        for source in SOURCES:
            entry = {
                "Source": source,
                "DetailType": "SageMaker Model Package State Change",
                "Detail": json.dumps({"ModelPackageArn": arn, "ModelPackageStatus": "Completed"}),
                "EventBusName": bus_arn(cloud),
            }
            tried += 1
            if not is_refused(cloud.client("events", kind), entry):
                taken.append((kind, source))
    figure("joined accounts that put events onto the hub's bus", f"{tried} put, {len(taken)} taken", "0 taken")
    assert taken == []


@contextmanager
def overheard(cloud: Cloud, account: str) -> Iterator[str]:
    """URL of a queue that gets everything an account's events say on the hub's bus."""
    sqs, events, name = cloud.client("sqs"), cloud.client("events"), f"overheard-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    speaks = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [speaks]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_rule(Name=name, EventBusName=cloud.outputs["BusName"], EventPattern=json.dumps({"account": [account]}))
    events.put_targets(Rule=name, EventBusName=cloud.outputs["BusName"], Targets=[{"Id": "queue", "Arn": arn}])
    try:
        yield str(url)
    finally:
        events.remove_targets(Rule=name, EventBusName=cloud.outputs["BusName"], Ids=["queue"])
        events.delete_rule(Name=name, EventBusName=cloud.outputs["BusName"])
        sqs.delete_queue(QueueUrl=url)


@contextmanager
def forwarding_everything(cloud: Cloud, kind: str) -> Iterator[None]:
    """An account hands on whatever its SageMaker says, not only what its stack forwards."""
    events, name = cloud.client("events", kind), f"lying-{kind}"
    may = allowing("events:PutEvents", on=bus_arn(cloud))
    role = cloud.role(name, trusting(Service="events.amazonaws.com"), may, kind)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "hub", "Arn": bus_arn(cloud), "RoleArn": role}])
    try:
        yield
    finally:
        events.remove_targets(Rule=name, Ids=["hub"])
        events.delete_rule(Name=name)


@pytest.mark.parametrize("kind", ["staging", "production"])
def test_a_version_in_another_account_than_the_registry_starts_nothing(joined_cloud: Cloud, kind: str) -> None:
    cloud, before = joined_cloud, executions(joined_cloud)
    theirs, group = cloud.client("sagemaker", kind), f"lying-{kind}"
    with overheard(cloud, cloud.account(kind)) as url, forwarding_everything(cloud, kind):
        cloud.group(group, kind)
        theirs.create_model_package(**package_request(group, SCIKIT_LEARN, "s3://nobodys/model.tar.gz", None))
        heard = eventually(lambda: cloud.client("sqs").receive_message(QueueUrl=url).get("Messages"))
    event = json.loads(heard[0]["Body"])
    assert (event["account"], event["detail"]["ModelPackageGroupName"]) == (cloud.account(kind), group)
    assert executions(cloud) == before
