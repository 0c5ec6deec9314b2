"""What is left in an account that Lockkeeper should not have left: a listing of every service that it creates things in."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from localcloud import janitor
from localcloud.settings import HUB_ACCOUNT_ID
from tests.e2e.harness import Cloud, running_cloud


@contextmanager
def tidy_cloud(folder: Path) -> Iterator[Cloud]:
    """A laptop's AWS that is an error when something is left: in an account at the end, or on this machine after it."""
    temporary = folder / "temporary"
    temporary.mkdir()
    usual, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        with running_cloud(folder) as cloud:
            yield cloud
            retire_champions(cloud)
            leftovers = nothing_left(cloud)
            assert not leftovers, leftovers
    finally:
        tempfile.tempdir = usual
    running = cloud.running
    processes = list(janitor.left_behind(running.run_folder, running.pid))
    assert not processes, f"processes of the laptop's AWS go on: {processes}"
    folders = [path.name for path in temporary.iterdir()]
    assert not folders, f"folders of the laptop's AWS stay: {folders}"


def retire_champions(cloud: Cloud) -> None:
    """What an owner does who takes models out of service: endpoints that serve, configurations and models that served."""
    sagemaker = cloud.client("sagemaker", "production")
    served = [item for item in items(cloud) if item["sk"] == "CHAMPION" or item["sk"].startswith("SERVED#")]
    for name in {item["endpoint_name"] for item in served}:
        with suppress(sagemaker.exceptions.ClientError):  # Somebody did it before.
            sagemaker.delete_endpoint(EndpointName=name)
    for name in {item["config_name"] for item in served}:
        with suppress(sagemaker.exceptions.ClientError):
            sagemaker.delete_endpoint_config(EndpointConfigName=name)
            sagemaker.delete_model(ModelName=name)


def nothing_left(cloud: Cloud, *, about: str = "", seconds: float = 30) -> list[str]:
    """What is left after a while in which endpoints may be deleted and executions end."""
    until = time.monotonic() + seconds
    while (found := left(cloud, about=about)) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def left(cloud: Cloud, *, about: str = "") -> list[str]:
    """Everything left, in every account that was ever called, whose name contains `about`; in words, sorted.

    What serves a champion, and what served before it, is not left over: that is production and the way back.
    """
    called = (cloud.running.logs / "calls.jsonl").read_text()
    accounts = set(re.findall(r'"account": "(\d{12})"', called)) | {HUB_ACCOUNT_ID}
    serving = _serving(cloud)
    found = [*_in_the_ledger(cloud), *_in_the_bucket(cloud), *_executions(cloud), *_schedules(cloud), *_letters(cloud)]
    for account in sorted(accounts):
        found += [f"{account}: {one}" for one in _in_sagemaker(cloud, account) if one.split(" ", 1)[1] not in serving]
    return sorted(one for one in found if about in one)


def items(cloud: Cloud) -> list[dict[str, Any]]:
    """The whole ledger; each attribute in DynamoDB's form without its type."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs["TableName"])
    return [
        {name: next(iter(value.values())) for name, value in item.items()} for page in pages for item in page["Items"]
    ]


def _serving(cloud: Cloud) -> set[str]:
    """Names of endpoints, configurations and models of all that served."""
    served = [item for item in items(cloud) if item["sk"] == "CHAMPION" or item["sk"].startswith("SERVED#")]
    return {item[name] for item in served for name in ("endpoint_name", "config_name") if name in item}


def _in_sagemaker(cloud: Cloud, account: str) -> Iterator[str]:
    sagemaker = cloud.client("sagemaker", account)
    for operation, key, name in (
        ("list_endpoints", "Endpoints", "EndpointName"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        ("list_models", "Models", "ModelName"),
    ):
        for page in sagemaker.get_paginator(operation).paginate():
            for one in page[key]:
                yield f"{name} {one[name]}"


def _in_the_ledger(cloud: Cloud) -> Iterator[str]:
    for item in items(cloud):
        place = f"{item['pk']} {item['sk']}"
        if item["sk"].startswith("WAIT#") and not item["delivered"]:
            yield f"wait not delivered: {place}"
        elif item["sk"] == "LOCK" and item["owner"]:
            yield f"lock of {item['owner']}: {place}"
        elif item["sk"].startswith("QUEUE#") or item["pk"].startswith("RESOURCE#"):
            yield f"still waits: {place}"
        elif item["sk"] == "RELEASE" and "unfinished" in item:
            yield f"unfinished: {place}"


def _in_the_bucket(cloud: Cloud) -> Iterator[str]:
    s3, bucket = cloud.client("s3"), cloud.outputs["BucketName"]
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="incoming/"):
        for one in page.get("Contents", []):
            yield f"object {one['Key']}"
    for one in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        yield f"open upload {one['Key']}"


def _executions(cloud: Cloud) -> Iterator[str]:
    pages = (
        cloud.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=cloud.outputs["StateMachineArn"], statusFilter="RUNNING")
    )
    for page in pages:
        for one in page["executions"]:
            yield f"running execution {one['name']}"


def _schedules(cloud: Cloud) -> Iterator[str]:
    for page in cloud.client("scheduler").get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            if one["GroupName"] != "default":
                yield f"schedule {one['Name']}"


def _letters(cloud: Cloud) -> Iterator[str]:
    sqs = cloud.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", []):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        if any(int(counts[name]) for name in names):
            yield f"messages in {url}"
