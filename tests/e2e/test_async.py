"""Asynchronous production while requests come in: each input gets one answer, whatever strategy brings the new version in."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.story.letter import open_page, press, wait_for_link
from tests.conftest import Figure
from tests.e2e.harness import Cloud, model_archive, policy_text
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_shifts import ASKS, STRATEGIES
from tests.removal import remove_bucket

pytestmark = pytest.mark.full

FAILURES = "{metric: {namespace: AWS/SageMaker, name: InvocationFailures, statistic: Sum, above: 0}}"

FAILS_ON_WHAT_CLIENTS_ASK = model_archive(
    {
        "constant.json": "2.0",
        "code/inference.py": CONSTANT_INFERENCE.replace("return [constant", 'assert rows != ["1,2"]; return [constant'),
    }
)
"""A model that passes the tests of staging, whose request is another one."""


@dataclass
class Queue:
    """Inputs that a client has put into a bucket and asked for; answers are what is there under its outputs."""

    cloud: Cloud
    endpoint: str
    outputs: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def bucket(self) -> str:
        return bucket_of(self.endpoint)

    def ask(self) -> None:
        runtime = self.cloud.client("sagemaker-runtime", "production")
        while not self.ended.is_set():
            key = f"inputs/{len(self.outputs)}.csv"
            self.cloud.client("s3", "production").put_object(Bucket=self.bucket, Key=key, Body=b"1,2")
            told = runtime.invoke_endpoint_async(
                EndpointName=self.endpoint,
                InputLocation=f"s3://{self.bucket}/{key}",
                ContentType="text/csv",
                Accept="text/csv",
            )
            self.outputs.append(told["OutputLocation"])
            self.ended.wait(0.05)

    def written(self, folder: str) -> list[str]:
        """Addresses of what was written under a folder of the bucket."""
        pages = self.cloud.client("s3", "production").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=f"{folder}/")
        return [f"s3://{self.bucket}/{one['Key']}" for page in found for one in page.get("Contents", [])]

    def answers(self) -> Counter[str]:
        """What was answered so far, each answer with its number."""
        s3 = self.cloud.client("s3", "production")
        keys = [uri.removeprefix(f"s3://{self.bucket}/") for uri in self.written("answers")]
        bodies = (s3.get_object(Bucket=self.bucket, Key=key)["Body"].read().decode() for key in keys)
        return Counter(body.strip() for body in bodies)


@contextmanager
def queue_on(cloud: Cloud, endpoint: str) -> Iterator[Queue]:
    """A client puts in one input after another, until the block ends."""
    queue = Queue(cloud, endpoint)
    client = threading.Thread(target=queue.ask)
    client.start()
    try:
        yield queue
    finally:
        queue.ended.set()
        client.join()


def bucket_of(endpoint: str) -> str:
    """Where an endpoint's inputs and answers are, in production's account."""
    return f"{endpoint}-queue-models"


@contextmanager
def bucket_for(cloud: Cloud, endpoint: str) -> Iterator[None]:
    """Meanwhile there is a bucket whose inputs the role that models run under may read, and in which it may answer."""
    s3, name = cloud.client("s3", "production"), bucket_of(endpoint)
    role = "lockkeeper-production-endpoint" if cloud.joined else cloud.physical_name("EndpointExecutionRole")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{cloud.account('production')}:role/{role}"},
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    s3.create_bucket(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    try:
        yield
    finally:
        remove_bucket(s3, name)


def queued(cloud: Cloud, group: str, folder: Path, strategy: str, tests: str = "", **more: str) -> None:
    """A policy of an asynchronous endpoint of two instances."""
    places = f"{{output: s3://{bucket_of(group)}/answers, failures: s3://{bucket_of(group)}/failures}}"
    text = policy_text(
        group,
        metric="regression_metrics.mae.value",
        bound="at_most: 5",
        staging=f"{{target: real-time, startup_timeout: 24h{tests}}}",
        **more,
    )
    text = text.replace("strategy: {bake: 1m}", f"initial_instances: 2\n  strategy: {{{strategy}bake: 1m}}")
    cloud.apply(f"{text}  target: async\n  asynchronous: {places}\n  alarms: [{FAILURES}]\n", folder)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_every_input_of_a_queue_is_answered_once_while_a_version_takes_over(
    cloud: Cloud, tmp_path: Path, kind: str, figure: Figure
) -> None:
    group = f"queue-{kind}"
    prepare(cloud, group, tmp_path)
    with bucket_for(cloud, group):
        is_answered_once(cloud, group, tmp_path, kind, figure)


def is_answered_once(cloud: Cloud, group: str, tmp_path: Path, kind: str, figure: Figure) -> None:
    """A version takes over under a strategy while one input after another comes."""
    queued(cloud, group, tmp_path, STRATEGIES[kind])
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    queued(cloud, group, tmp_path, STRATEGIES[kind], approval=ASKS % group)
    with queue_on(cloud, group) as queue:
        register(cloud, group, 2.0)
        cloud.wait_for(f"{group}-v2-a1", "awaiting-approval")
        _, link = wait_for_link(cloud.running.mailbox, f"{group}@example.com", f"{group}-v2-a1")
        page = open_page(link)
        unapproved = queue.answers()["2.0"]
        press(page, "approve", {})
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        eventually(lambda: queue.answers()["2.0"] > 0)
    eventually(lambda: len(queue.written("answers")) >= len(queue.outputs))

    answers = queue.answers()
    lost = len(set(queue.outputs) - set(queue.written("answers")))
    twice = answers.total() - len(queue.outputs)
    told = f"{answers['1.0']} by the old version, {answers['2.0']} by the new one"
    figure(
        f"async, {kind}: inputs without an answer, with more than one",
        f"{lost}, {twice}",
        f"0, 0 of {answers.total()}: {told}",
    )
    figure(f"async, {kind}: answered before the approval by the new version", unapproved, "0")
    assert lost == twice == unapproved == 0
    assert set(answers) == {"1.0", "2.0"}
    assert queue.written("failures") == []
    assert cloud.cost(f"{group}-v2-a1")["transitions"] == 10


def test_failures_of_a_queue_bring_the_champion_back(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    prepare(cloud, "queue-returned", tmp_path)
    with bucket_for(cloud, "queue-returned"):
        is_brought_back(cloud, "queue-returned", tmp_path, figure)


def test_failures_of_another_accounts_queue_bring_the_champion_back(
    joined_cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    prepare(joined_cloud, "queue-returned-abroad", tmp_path)
    with bucket_for(joined_cloud, "queue-returned-abroad"):
        is_brought_back(joined_cloud, "queue-returned-abroad", tmp_path, figure)


def is_brought_back(cloud: Cloud, group: str, folder: Path, figure: Figure) -> None:
    """A version that fails on what clients ask goes by its alarm, and the queue itself says that the champion answers again."""
    case = {"name": "one row", "body": "3,4", "accept": "text/csv", "expect": {"status": 200}}
    tests = f", tests: {{contract: {cloud.put(f'{group}-models', 'contract.jsonl', json.dumps(case))}}}"
    queued(cloud, group, folder, "minimum_invocations: 1, ", tests)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "baking")
    with queue_on(cloud, group) as queue:
        cloud.wait_for(f"{group}-v1-a1", "promoted")
        queued(cloud, group, folder, "", tests)
        register(cloud, group, 2.0, model=FAILS_ON_WHAT_CLIENTS_ASK)
        release = cloud.wait_for(f"{group}-v2-a1", "rolled-back")
        asked, failed = len(queue.outputs), len(queue.written("failures"))
        eventually(lambda: len(queue.outputs) > asked + 10)
    eventually(lambda: len(queue.written("answers")) + len(queue.written("failures")) > len(queue.outputs))

    late = [uri for uri in queue.outputs[asked:] if uri not in queue.written("answers")]
    figure(f"{group}: inputs that the bad version failed before it went", failed, f"of {len(queue.outputs)}, and said")
    figure(f"{group}: inputs after the rollback without an answer of the champion", len(late), "0")
    assert failed > 0
    assert late == []
    assert set(queue.answers()) == {"1.0"}
    assert f"lockkeeper-{group}-v2-a1-alarm-1-metric: it was in ALARM" in release["reason"]
    assert "it answers a request of its staging tests through its queue, at s3://" in json.dumps(release["timeline"])
    endpoint = cloud.client("sagemaker", "production").describe_endpoint(EndpointName=group)
    assert endpoint["EndpointConfigName"] == f"lockkeeper-{group}-v1-a1-production"
