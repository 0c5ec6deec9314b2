"""After a rollback: ask what serves again for an answer that it is known to give."""

from __future__ import annotations

import time
from uuid import uuid4

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.online.rows import Answered
from lockkeeper.domain.release import resource_name
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.pinned import served_with

ANSWER_SECONDS = 40
"""How long an answer is waited for: a function has a minute for everything."""
STUMBLE_SECONDS = 5.0
"""What has failed later than that is not asked again: there may be no time for another answer."""
TRIES = 3
PAUSE = 1.0
"""Seconds between two tries: a fleet that has just come back may stumble once."""
LOOKS = 20
"""How often an answer through a queue is looked for, all tries together: a function has a minute for everything."""


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
        return _ask_queue(wait, request, world)
    began, why = time.monotonic(), ""
    answered: Answered | None = None
    for remaining in reversed(range(TRIES)):
        try:
            answered = world.production.invoke(
                endpoint_name, request["body"], request["content_type"], request["accept"], seconds=ANSWER_SECONDS
            )
        except TryAgain as passing:
            # Mostly of too many requests, which it answers: what did not come to the model says nothing of it.
            why = f"it could not be asked: {passing.message}"
        if answered and answered.status == 200:
            return "it answers a request of its staging tests with status 200"
        if not remaining or time.monotonic() - began > STUMBLE_SECONDS:
            break
        time.sleep(PAUSE)
    if answered is None:
        return why
    raise _silent(wait, f"with status {answered.status}: {answered.body[:200]}")


def _ask_queue(wait: Wait, request: dict[str, str], world: World) -> str:
    """The same of an asynchronous endpoint. Other people's requests may be before this one, so that silence proves nothing.

    Only a failure that it wrote is one: what Lockkeeper may not ask or read says nothing of the model.
    """
    if not (kept := request.get("uri")):
        return "no request was kept where its queue could read it, so it was not asked"
    production, failure, where = world.production, "", ""
    looks = iter(range(LOOKS))
    for _ in range(TRIES):
        # Each request has a name of its own: several may look at the same wait.
        name = f"{resource_name(wait.release_id, 'asks')[:55]}-{uuid4().hex[:8]}"
        try:
            asked = production.enqueue(
                wait.details["endpoint_name"], kept, request["content_type"], request["accept"], name
            )
        except DeploymentFailed as refused:
            return f"it could not be asked: {refused.message}"
        found = None
        for _ in looks:
            if production.written(asked.answer) is not None:
                return f"it answers a request of its staging tests through its queue, at {asked.answer}"
            found = production.written(asked.failure) if asked.failure else None
            if found is not None:
                break
            time.sleep(PAUSE)
        if found is None:
            return (
                f"it was asked through its queue, and has left nothing that Lockkeeper may read at {asked.answer} yet"
            )
        failure, where = found, asked.failure
    raise _silent(wait, f"through its queue with a failure, at {where}: {failure[:200]}")


def _silent(wait: Wait, what: str) -> DeploymentFailed:
    return DeploymentFailed(
        f"endpoint {wait.details['endpoint_name']} is InService with {wait.details['config_name']} again, "
        f"but answers a request of its staging tests {what}",
        cure="look at the endpoint's log group in CloudWatch, and at what its model needs at run time",
    )
