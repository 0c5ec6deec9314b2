"""Taking out of service what a test has released: what an owner does who gives a group of models up."""

from __future__ import annotations

import time
from contextlib import suppress

from lockkeeper.domain.batch import is_parameter

from tests.e2e.harness import ENDED, Cloud
from tests.e2e.leftovers import items, of_releases, running_executions
from tests.patience import PATIENCE
from tests.removal import remove_bucket, remove_group, unsubscribe_all


def retire(cloud: Cloud, group: str, account: str) -> None:
    """End a group's releases, take its models out of service, and remove the group with its versions, alarms and buckets.

    A group in an account that is not the registry's is removed, and nothing else: no release is about it.
    """
    if account == cloud.account("registry"):
        end_releases(cloud, group)
        take_out_of_service(cloud, group)
        remove_alarms(cloud, group)
        for name in (group, f"{group}-models"):
            remove_bucket(cloud.client("s3", account), name)
    remove_group(cloud.client("sagemaker", account), group)


def unsubscribe(cloud: Cloud) -> None:
    """End the subscriptions of approvers, which `policy apply` has made: an owner does it who takes Lockkeeper away."""
    unsubscribe_all(cloud.client("sns"), cloud.outputs["PersonalTopicArn"])


def end_releases(cloud: Cloud, group: str, seconds: float = PATIENCE) -> None:
    """Stop the executions of a group's releases that have not ended, and wait until Lockkeeper has cleaned up after them."""
    until = time.monotonic() + seconds
    while alive := [one for one in of_releases(cloud) if f" {group}-v" in one or f"#{group}-v" in one]:
        assert time.monotonic() < until, f"releases of {group} do not end: {alive}"
        for name in running_executions(cloud):
            # An execution whose release has ended ends by itself.
            if name.startswith(f"{group}-v") and cloud.release_status(name) not in ENDED:
                cloud.stop(name)
        time.sleep(0.1)


def take_out_of_service(cloud: Cloud, group: str) -> None:
    """Delete what serves a group's champion or names it to jobs, and every configuration and model that ever served."""
    sagemaker = cloud.client("sagemaker", "production")
    served = [item for item in items(cloud) if item["pk"] == f"GROUP#{group}"]
    places = {item["endpoint_name"] for item in served if "endpoint_name" in item}
    for name in [place for place in places if is_parameter(place)]:
        ssm = cloud.client("ssm", "production")
        with suppress(ssm.exceptions.ParameterNotFound):
            ssm.delete_parameter(Name=name)
    endpoints = {place for place in places if not is_parameter(place)}
    configs = {item["config_name"] for item in served if "config_name" in item}
    deletions = [(sagemaker.delete_endpoint, "EndpointName", name) for name in endpoints]
    deletions += [(sagemaker.delete_endpoint_config, "EndpointConfigName", name) for name in configs]
    deletions += [(sagemaker.delete_model, "ModelName", name) for name in configs]
    for delete, parameter, name in deletions:
        with suppress(sagemaker.exceptions.ClientError):  # Lockkeeper took it away, or a test did.
            delete(**{parameter: name})


def remove_alarms(cloud: Cloud, group: str) -> None:
    """Delete the alarms that are called after a group, and those that watch its champion.

    Of another release one is left only where its rollback failed; a test of that has to remove it.
    """
    serving = {
        item["release_id"] for item in items(cloud) if (item["pk"], item["sk"]) == (f"GROUP#{group}", "CHAMPION")
    }
    mine = tuple(f"Lockkeeper {release_id}: " for release_id in serving)
    for kind in ("staging", "production"):
        cloudwatch = cloud.client("cloudwatch", kind)
        pages = cloudwatch.get_paginator("describe_alarms").paginate()
        listed = [one for page in pages for one in page["MetricAlarms"]]
        found = [
            one["AlarmName"]
            for one in listed
            if one["AlarmName"].startswith(f"{group}-") or one.get("AlarmDescription", "").startswith(mine)
        ]
        if found:
            cloudwatch.delete_alarms(AlarmNames=found)
