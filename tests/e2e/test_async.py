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
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_shifts import ASKS, STRATEGIES

pytestmark = pytest.mark.full

FAILURES = "{metric: {namespace: AWS/SageMaker, name: InvocationFailures, statistic: Sum, above: 0}}"


@dataclass
class Queue:
    """Inputs that a client has put into a bucket and asked for; answers are what is there under its outputs."""

    cloud: Cloud
    endpoint: str
    outputs: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def bucket(self) -> str:
        return f"{self.endpoint}-models"

    def ask(self) -> None:
        runtime = self.cloud.client("sagemaker-runtime", "production")
        while not self.ended.is_set():
            where = self.cloud.put(self.bucket, f"inputs/{len(self.outputs)}.csv", "1,2")
            told = runtime.invoke_endpoint_async(
                EndpointName=self.endpoint, InputLocation=where, ContentType="text/csv", Accept="text/csv"
            )
            self.outputs.append(told["OutputLocation"])
            self.ended.wait(0.05)

    def written(self, folder: str) -> list[str]:
        """Addresses of what was written under a folder of the bucket."""
        pages = self.cloud.client("s3", "registry").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=f"{folder}/")
        return [f"s3://{self.bucket}/{one['Key']}" for page in found for one in page.get("Contents", [])]

    def answers(self) -> Counter[str]:
        """What was answered so far, each answer with its number."""
        s3 = self.cloud.client("s3", "registry")
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


def allow_the_model(cloud: Cloud, bucket: str) -> None:
    """The role that models run under reads the inputs and writes the answers of a bucket that is not Lockkeeper's."""
    role = cloud.client("iam").get_role(RoleName=cloud.physical_name("EndpointExecutionRole"))["Role"]["Arn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("s3", "registry").put_bucket_policy(Bucket=bucket, Policy=policy)


def queued(cloud: Cloud, group: str, folder: Path, strategy: str, **more: str) -> None:
    """A policy of an asynchronous endpoint of two instances."""
    places = f"{{output: s3://{group}-models/answers, failures: s3://{group}-models/failures}}"
    text = policy_text(
        group,
        metric="regression_metrics.mae.value",
        bound="at_most: 5",
        staging="{target: real-time, startup_timeout: 24h}",
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
    allow_the_model(cloud, f"{group}-models")
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
        release = cloud.wait_for(f"{group}-v2-a1", "promoted")
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
    assert release["cost"]["transitions"] == 10
