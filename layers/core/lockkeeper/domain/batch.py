"""Models that only jobs run: a parameter says which one is the champion, and what has an endpoint for its sake is refused.

Whatever has a name of an endpoint in a release has the parameter's name here: it begins with a slash, as no endpoint's does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lockkeeper.domain.cleanup import IDLE_ENDPOINT

if TYPE_CHECKING:
    from lockkeeper.domain.policy import Policy, Production

BATCH = "batch"
OF_ENDPOINTS = (
    "endpoint_name",
    "instance_type",
    "initial_instances",
    "hourly_usd",
    "monthly_budget_usd",
    "startup_timeout",
    "autoscaling",
    "serverless",
    "asynchronous",
    "capture",
    "kms_key",
)
"""Keys of production that say how an endpoint is, and what it costs."""


def parameter_of(group: str) -> str:
    """The name of the parameter (of Systems Manager, in the production account) that says what a group's jobs are to run."""
    return f"/lockkeeper/{group}/champion"


def is_parameter(name: str) -> bool:
    """Whether a place that production has is such a parameter, and no endpoint."""
    return name.startswith("/")


def place_in_words(name: str) -> str:
    """The endpoint or the parameter of this name, as people are told."""
    return f"parameter {name}" if is_parameter(name) else f"endpoint {name}"


def champion_document(model_name: str, model_package_arn: str, release_id: str, since: str) -> str:
    """What the parameter holds (JSON): the model's name, and where it is from. `since` is ISO 8601 in UTC."""
    return json.dumps(
        {
            "model_name": model_name,
            "release_id": release_id,
            "version": int(model_package_arn.rpartition("/")[2]),
            "model_package_arn": model_package_arn,
            "since": since,
        }
    )


def model_named_in(text: str) -> str:
    """The model that a parameter's text names; empty where it is none that a release has made."""
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    name = found.get("model_name") if isinstance(found, dict) else None
    return name if isinstance(name, str) and name.startswith("lockkeeper-") else ""


def problems_of_batch(production: Production) -> Iterator[str]:
    """What no job could have of a production with an endpoint, each with its cure."""
    for name in OF_ENDPOINTS:
        if name in production.model_fields_set:
            yield f"{name} with target batch, which has no endpoint; remove it"
    if shift := production.strategy.shift:
        yield f"{shift.kind} with target batch: there is no traffic that could be moved; remove {shift.kind}"
    if production.strategy.shadow:
        yield "shadow with target batch: there are no requests that it could be sent copies of; remove shadow"
    if production.strategy.minimum_invocations:
        yield "minimum_invocations with target batch: nobody counts what jobs are asked; remove it"
    if made := production.made_alarms:
        yield (
            f"the alarm {made[0].what} with target batch: it would be made for an endpoint; "
            "name an alarm of your own on what your jobs report"
        )


def check_comparison(policy: Policy) -> None:
    """`ValueError` unless a job is sure to compare the version with the champion before jobs are told of it."""
    if policy.production.target != BATCH:
        return
    replay = policy.staging.tests.replay
    if replay is None or replay.job is None:
        raise ValueError(
            "target batch without a comparison: a job has to hold the version against the champion before jobs run it; "
            "add staging.tests.replay with a dataset, bounds and job: {image: ...}"
        )
    if not replay.champion.compare:
        raise ValueError(
            "staging.tests.replay.champion.compare: false with target batch, whose versions are brought in by that "
            "comparison alone; remove it"
        )
    if "above_rows" in replay.job.model_fields_set:
        raise ValueError(
            "staging.tests.replay.job.above_rows with target batch, where the job sends every suite; remove it"
        )
    if IDLE_ENDPOINT in policy.cleanup.remove:
        raise ValueError(f"cleanup.remove has {IDLE_ENDPOINT}, and target batch has no endpoint; remove it")
