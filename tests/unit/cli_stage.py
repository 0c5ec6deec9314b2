"""A deployed stack for the command's tests: the core's real adapters on moto, and releases to look at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from lockkeeper.domain.release import Outcome, Pin, Pins, Release, Status, TimelineEntry, Verdict
from moto import mock_aws

from cli.stack import Stack, stack_of

REGION = "eu-west-1"
WEB_URL = "https://abc123.execute-api.eu-west-1.amazonaws.com"


@cache
def shared_session() -> boto3.Session:
    """One for all tests: a session reads the service models once."""
    return boto3.Session("AKIDEXAMPLE", "secret", region_name=REGION)


@contextmanager
def deployed() -> Iterator[Stack]:
    """A stack with an empty table, a versioned bucket and two topics."""
    with mock_aws():
        session = shared_session()
        s3 = session.client("s3")
        s3.create_bucket(Bucket="ledger-files", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket="ledger-files", VersioningConfiguration={"Status": "Enabled"})
        create_table(session.client("dynamodb"))
        sns = session.client("sns")
        outputs = {
            "TableName": "ledger",
            "BucketName": "ledger-files",
            "BusName": "lockkeeper",
            "StateMachineArn": f"arn:aws:states:{REGION}:123456789012:stateMachine:lockkeeper-release",
            "PersonalTopicArn": sns.create_topic(Name="personal")["TopicArn"],
            "BroadcastTopicArn": sns.create_topic(Name="broadcast")["TopicArn"],
            "WebUrl": WEB_URL,
        }
        yield stack_of(outputs, session)


def create_table(dynamodb: Any, name: str = "ledger") -> None:
    """The ledger's table, with the keys and the index of template.yaml."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk", "by_time", "unfinished", "opened_at")
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": index, "KeyType": "HASH"},
                    {"AttributeName": "opened_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in ("by_time", "unfinished")
        ],
    )


def waiting_release(group: str = "wages", version: int = 2, opened_at: str = "2026-11-24T10:00:00.000Z") -> Release:
    """A release that has just been opened and waits for people."""
    return Release(
        release_id=f"{group}-v{version}-a1",
        model_package_group=group,
        version=version,
        attempt=1,
        model_package_arn=f"arn:aws:sagemaker:{REGION}:123456789012:model-package/{group}/{version}",
        status=Status.AWAITING_APPROVAL,
        stage="RequestStagingApproval",
        reason="asked Ada Lindqvist; 1 must approve by 2026-11-27T10:00:00.000Z",
        opened_at=opened_at,
        author="grace@example.com",
    )


def promoted_release() -> Release:
    """A release at its end, with every kind of fact."""
    artifact = Pin("s3://sagemaker-wages/model.tar.gz", f"s3://ledger-files/artifacts/{'a' * 64}/x", "a" * 64, 1200)
    return waiting_release(version=1, opened_at="2026-11-23T08:00:00.000Z").with_changes(
        status=Status.PROMOTED,
        stage="CloseRelease",
        reason="serves since 2026-11-23T09:00:00.000Z",
        ended_at="2026-11-23T09:00:01.000Z",
        verdicts=(
            Verdict(
                "quality: binary_classification_metrics.accuracy.value",
                Outcome.PASSED,
                "0.7598 meets >= 0.7",
                0.75983,
                ">= 0.7",
            ),
            Verdict("contract", Outcome.INCONCLUSIVE, "no contract was given", None, None),
        ),
        approvals=(
            {
                "before": "staging",
                "approver": "Ada Lindqvist",
                "answer": "approve",
                "comment": "Evaluation looks right",
                "channel": "cli",
                "at": "2026-11-23T08:30:00.000Z",
            },
        ),
        timeline=(TimelineEntry("2026-11-23T09:00:01.000Z", "closed", "every gate passed"),),
        pins=Pins(
            (artifact,), ("img@sha256:" + "b" * 64,), {"version_id": "v7", "sha256": "c" * 64}, {"judged": "d" * 64}
        ),
        endpoints={"production": {"endpoint_name": "wages", "config_name": "lockkeeper-wages-v1-a1-production"}},
    )
