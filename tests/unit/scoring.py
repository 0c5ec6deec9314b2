"""A group whose model only jobs run: its policy, and its journeys, in which a Processing job compares."""

from __future__ import annotations

import copy
from typing import Any

from lockkeeper.domain.job import JobState
from lockkeeper.domain.online.rows import Answered

from tests.unit.harbour import ALARM, Harbour, policy_document
from tests.unit.test_replay_by_job import IMAGE, end, work

PARAMETER = "/lockkeeper/wages/champion"
SUITE = "label,a\n" + "".join(f"1,{row}\n" for row in range(120))


def batch_document(**production: Any) -> dict[str, Any]:
    """A policy of target batch that asks Ada or Grace before staging, and watches one alarm for ten minutes."""
    document = copy.deepcopy(policy_document())
    replay = {"dataset": "s3://models/suite.csv", "at_least": {"accuracy": 0.5}, "job": {"image": IMAGE}}
    document["staging"] = {"instance_type": "ml.m5.large", "tests": {"replay": replay}}
    document["production"] = {"target": "batch", "strategy": {"bake": "10m"}, "alarms": [ALARM], **production}
    return document


def for_jobs(harbour: Harbour) -> None:
    """The group of the harbour becomes one of target batch; its suite is there, and its models know every answer."""
    harbour.world.objects.stored["s3://models/suite.csv"] = SUITE.encode()
    answering(harbour, right=120)
    harbour.apply(batch_document())


def answering(harbour: Harbour, right: int) -> None:
    """What is in staging from now on answers so many of the suite's 120 rows as they are labelled."""

    def serve(body: str, content_type: str) -> Answered:
        del content_type
        rows = [int(line) for line in body.splitlines()]
        return Answered(200, "text/csv", "\n".join("1" if row < right else "0" for row in rows))

    harbour.world.staging.serving = serve


def compared(harbour: Harbour, version: int) -> None:
    """Registered and approved; its job has sent the suite, and has ended."""
    harbour.register(version)
    harbour.approve()
    name = f"lockkeeper-wages-v{version}-a1-replay"
    end(harbour, JobState("Completed", exit_message=work(harbour, name)), name)


def promoted(harbour: Harbour, version: int) -> None:
    """A whole undisturbed journey."""
    compared(harbour, version)
    harbour.pass_time(minutes=11)


def named(harbour: Harbour) -> str | None:
    """The model that jobs are told to run; None where there is no such parameter."""
    state = harbour.world.production.look(PARAMETER)
    return state.config_name if state else None
