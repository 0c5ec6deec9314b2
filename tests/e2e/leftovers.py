"""What is left in an account that Lockkeeper should not have left: a listing of every service that it creates things in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from localcloud.settings import HUB_ACCOUNT_ID
from tests.e2e.harness import Cloud
from tests.inventory import accounts, alarms_of_releases, inventory, letters, served
from tests.patience import PATIENCE


def after_a_while(listed: Callable[[], list[str]], seconds: float = PATIENCE) -> list[str]:
    """What is still listed when endpoints have had the time to be deleted, and executions to end."""
    until = time.monotonic() + seconds
    while (found := listed()) and time.monotonic() < until:
        time.sleep(0.3)
    return found


def nothing_left(cloud: Cloud, *, about: str = "", seconds: float = PATIENCE) -> list[str]:
    """What is left of releases after a while, whose name contains `about`; in words, sorted.

    What serves a champion, and what served before it, is not left over: that is production and the way back.
    """

    def left() -> list[str]:
        serving = _serving(cloud)
        found = [*of_releases(cloud)]
        for account in accounts(cloud.running.logs):
            listed = [*served(cloud.client, account), *alarms_of_releases(cloud.client, account)]
            found += [f"{account}: {one}" for one in listed if one.split(" ", 1)[1] not in serving]
        return sorted(one for one in found if about in one)

    return after_a_while(left, seconds)


def everything(cloud: Cloud) -> list[str]:
    """All that is there, in every account that was ever called, in the services in which Lockkeeper and its tests make things."""
    found = [*of_releases(cloud)]
    for account in accounts(cloud.running.logs):
        found += inventory(cloud.client, account)
    return found


def of_releases(cloud: Cloud) -> Iterator[str]:
    """What the hub has of releases that have not ended, or not orderly."""
    for listing in (_in_the_ledger, _in_the_bucket, _executions, _deadlines):
        yield from listing(cloud)
    yield from letters(cloud.client, HUB_ACCOUNT_ID)


def items(cloud: Cloud) -> list[dict[str, Any]]:
    """The whole ledger; each attribute in DynamoDB's form without its type."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs["TableName"])
    return [
        {name: next(iter(value.values())) for name, value in item.items()} for page in pages for item in page["Items"]
    ]


def _serving(cloud: Cloud) -> set[str]:
    """Names of endpoints, configurations and models of all that served, and of the release whose version serves."""
    served = [item for item in items(cloud) if item["sk"] == "CHAMPION" or item["sk"].startswith("SERVED#")]
    names = {item[name] for item in served for name in ("endpoint_name", "config_name") if name in item}
    return names | {item["release_id"] for item in served if item["sk"] == "CHAMPION"}


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
    for name in running_executions(cloud):
        yield f"running execution {name}"


def running_executions(cloud: Cloud) -> list[str]:
    """Names of the executions that have not ended."""
    pages = cloud.client("stepfunctions").get_paginator("list_executions")
    asked = pages.paginate(stateMachineArn=cloud.outputs["StateMachineArn"], statusFilter="RUNNING")
    return [one["name"] for page in asked for one in page["executions"]]


def _deadlines(cloud: Cloud) -> Iterator[str]:
    for page in cloud.client("scheduler").get_paginator("list_schedules").paginate():
        for one in page["Schedules"]:
            if one["GroupName"] != "default":
                yield f"schedule {one['Name']}"
