"""Sixteen people press at once, some yes and some no, each through their own link: one decision counts, and one reaches the release."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from threading import Barrier

import pytest
import urllib3
from lockkeeper.domain.approval import Answer, ApprovalRequest, PersonalLink, link_digest, new_link_name
from lockkeeper.domain.form_token import form_token
from lockkeeper.domain.policy import Approver
from lockkeeper.domain.release import Pins, Release, Status
from lockkeeper.ports import Wait
from lockkeeper.use_cases.pinned import iso

from tests.conftest import Figure
from tests.e2e.harness import allowing, trusting
from tests.faults.yard import Yard
from tests.patience import PATIENCE

COMPETITORS = 16
STATE = "RequestStagingApproval"
SEAL = "5" * 64
EXPIRES = "2099-01-01T00:00:00.000Z"
PEOPLE = tuple(Approver(name=f"approver {number}", email=f"{number}@example.com") for number in range(COMPETITORS))


ENDS = {str(Answer.APPROVE): "SUCCEEDED", str(Answer.REJECT): "FAILED"}
"""How an execution ends that waited for this answer."""


@dataclass
class Tokens:
    """Real task tokens: executions of one state that waits for its answer, and hands its token to a queue."""

    yard: Yard
    machine: str
    queue: str

    def issue(self, name: str) -> tuple[str, str]:
        """An execution's ARN, and the token that it waits with."""
        client = self.yard.cloud.client
        started = client("stepfunctions").start_execution(stateMachineArn=self.machine, name=name, input="{}")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for message in client("sqs").receive_message(QueueUrl=self.queue, WaitTimeSeconds=1).get("Messages", []):
                client("sqs").delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                return str(started["executionArn"]), str(message["Body"])
        raise AssertionError(f"{name} did not hand out its token")

    def ended(self, arn: str) -> str:
        """How an execution ended."""
        until = time.monotonic() + PATIENCE
        while (status := self._describe(arn)) == "RUNNING":
            assert time.monotonic() < until, f"{arn} heard of no decision"
            time.sleep(0.02)
        return status

    def _describe(self, arn: str) -> str:
        return str(self.yard.cloud.client("stepfunctions").describe_execution(executionArn=arn)["status"])


@pytest.fixture(scope="module")
def tokens(yard: Yard) -> Iterator[Tokens]:
    client, name = yard.cloud.client, "races-of-decisions"
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    role = yard.cloud.role(name, trusting(Service="states.amazonaws.com"), allowing("sqs:SendMessage"))
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    definition = json.dumps({"StartAt": "Ask", "States": {"Ask": ask}})
    machine = client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=role)
    yield Tokens(yard, machine["stateMachineArn"], queue)
    client("stepfunctions").delete_state_machine(stateMachineArn=machine["stateMachineArn"])
    client("sqs").delete_queue(QueueUrl=queue)


def ask_everybody(yard: Yard, release_id: str, version: int, token: str) -> list[str]:
    """A question with a link for each, as `RequestApproval` leaves it in the ledger; the names of the links."""
    group = release_id.rpartition("-v")[0]
    arn = f"arn:aws:sagemaker:us-east-1:111122223333:model-package/{group}/{version}"
    pins = Pins(policy={"version_id": "1", "sha256": "6" * 64}, seals={"judged": SEAL})
    # Now: of a release that nothing was written about for minutes, and that has no execution, who keeps the house makes an end.
    now = iso(datetime.now(UTC))
    opened = yard.ledger.open(Release(release_id, group, version, 1, arn, opened_at=now, pins=pins, author="lin"))
    assert opened, "a release of an earlier race"
    yard.ledger.record(release_id, "asked", "everybody", status=Status.AWAITING_APPROVAL)
    yard.ledger.store_wait(Wait(release_id, STATE, token, interruptible=True))
    names = [new_link_name() for _ in PEOPLE]
    request = ApprovalRequest(release_id, "staging", SEAL, 1, PEOPLE, "lin", now, EXPIRES)
    links = [
        PersonalLink(link_digest(name), release_id, "staging", person.name, EXPIRES, SEAL, now)
        for name, person in zip(names, PEOPLE, strict=True)
    ]
    assert yard.ledger.ask(request, links)
    return names


def race(yard: Yard, tokens: Tokens, version: int, pool: ThreadPoolExecutor, web: urllib3.PoolManager) -> list[str]:
    """One question, sixteen answers at once; what is wrong with what came of it."""
    release_id = f"photo-finish-v{version}-a1"
    execution, token = tokens.issue(release_id)
    links = ask_everybody(yard, release_id, version, token)
    random, barrier = Random(version), Barrier(COMPETITORS)
    answers = [random.choice(list(Answer)) for _ in links]

    def press(link: str, answer: Answer) -> int:
        body = f"answer={answer}&comment=race&token={form_token(link, link_digest(link), SEAL)}"
        barrier.wait()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{yard.cloud.running.web_url}/approvals/{link}"
        return web.request("POST", url, body=body, headers=kind, retries=False, timeout=PATIENCE).status

    statuses = Counter(pool.map(press, links, answers))
    release = yard.release(release_id)
    problems = []
    if len(release.approvals) != 1 or statuses[200] != 1 or set(statuses) - {200, 409, 410}:
        problems.append(f"{release_id}: {len(release.approvals)} decisions, answers {dict(statuses)}")
    elif (outcome := tokens.ended(execution)) != ENDS[release.approvals[0]["answer"]]:
        problems.append(f"{release_id}: {release.approvals} ended its execution as {outcome}")
    yard.ledger.record(release_id, "race over", "", status=Status.REJECTED)
    yard.ledger.finish(release_id)
    return problems


def wake(yard: Yard, pool: ThreadPoolExecutor, web: urllib3.PoolManager) -> None:
    """Sixteen sandboxes that are warm: on a busy machine as many cold starts at once take longer than the function may."""
    url, until = f"{yard.cloud.running.web_url}/approvals/{new_link_name()}", time.monotonic() + PATIENCE
    while set(pool.map(lambda _: web.request("GET", url, timeout=PATIENCE).status, PEOPLE)) != {404}:
        assert time.monotonic() < until, "ServeWeb does not wake up"


def races(yard: Yard, tokens: Tokens, versions: range, figure: Figure) -> None:
    web = urllib3.PoolManager(maxsize=COMPETITORS)
    with ThreadPoolExecutor(COMPETITORS) as pool:
        wake(yard, pool, web)
        problems = [one for version in versions for one in race(yard, tokens, version, pool, web)]
    figure(
        "sixteen links at once, yes and no, over HTTP",
        f"one decision, delivered once, in {len(versions) - len(problems)} of {len(versions)} races",
        "all",
    )
    assert problems == []


def test_one_decision_in_twenty_races_of_sixteen_links(yard: Yard, tokens: Tokens, figure: Figure) -> None:
    races(yard, tokens, range(1, 21), figure)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_one_decision_in_a_thousand_races_of_sixteen_links(yard: Yard, tokens: Tokens, figure: Figure) -> None:
    races(yard, tokens, range(1001, 2001), figure)
