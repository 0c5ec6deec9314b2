"""After a rollback: ask what serves again for an answer that it is known to give."""

from __future__ import annotations

import time

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.pinned import served_with

TRIES = 3
PAUSE = 1.0
"""Seconds between two tries: a fleet that has just come back may stumble once."""


def ask_what_serves(wait: Wait, world: World) -> str:
    """Send a request of its staging tests to what a rollback has restored; returns what came of it, in words.

    Raises:
        DeploymentFailed: it is InService and does not answer as it did in staging.
    """
    if is_parameter(wait.details["endpoint_name"]):
        return "jobs that read it from now on run that"
    release = world.ledger.get(wait.release_id)
    champion = served_with(wait.details["config_name"], release.model_package_group, world)
    request = world.ledger.get(champion.release_id).probe if champion and not champion.adopted else {}
    if not request:
        return "nobody knows a request that it answers, so it was not asked"
    endpoint_name = wait.details["endpoint_name"]
    if release.endpoints["production"].get("target") == ASYNC:
        return "it answers through its queue alone, so it was not asked"
    for remaining in reversed(range(TRIES)):
        answered = world.production.invoke(endpoint_name, request["body"], request["content_type"], request["accept"])
        if answered.status == 200:
            return "it answers a request of its staging tests with status 200"
        if remaining:
            time.sleep(PAUSE)
    raise DeploymentFailed(
        f"endpoint {endpoint_name} is InService with {wait.details['config_name']} again, but answers a request of its staging tests with "
        f"status {answered.status}: {answered.body[:200]}",
        cure="look at the endpoint's log group in CloudWatch, and at what its model needs at run time",
    )
