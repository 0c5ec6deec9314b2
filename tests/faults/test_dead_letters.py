"""Dead letters of every kind come back: nothing is lost, and nothing doubled when they are played twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import Figure
from tests.faults.lost_events import (
    KINDS,
    Lost,
    bake_with_alarm,
    lose_one_of_each,
    lost,
    swallow,
    without_limits,
)
from tests.faults.yard import Yard
from tests.patience import PATIENCE

ASKS = "{before: [staging], approvers: [{name: Ada, email: ada@example.com}]}"
Letter = dict[str, Any]


def registration(yard: Yard, group: str) -> Lost:
    """A version is registered, and no release opened."""
    yard.prepare(group)
    fault = swallow(yard, group, "ReactToRegistry", f'model-package/{group}/1"')
    release_id = yard.register(group, 1)
    lost(yard, fault)
    return release_id, "promoted"


def notification(yard: Yard, group: str) -> Lost:
    """A version is promoted, and nobody is told."""
    yard.prepare(group)
    fault = swallow(yard, group, "Notify", f'"{group}-v1-a1"', "Release Promoted")
    release_id = yard.register(group, 1)
    lost(yard, fault)
    return release_id, "promoted"


def letters(yard: Yard) -> list[Letter]:
    """All dead letters as they would be sent again; they stay where they are."""
    queue, url = yard.cloud.client("sqs"), yard.cloud.outputs["DeadLettersUrl"]
    found: list[Letter] = []
    while messages := queue.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
    for one in found:
        queue.change_message_visibility(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"], VisibilityTimeout=0)
    return [
        {"MessageBody": one["Body"], "MessageAttributes": attributes(one.get("MessageAttributes", {}))} for one in found
    ]


def attributes(received: dict[str, Any]) -> dict[str, Any]:
    return {name: {key: one[key] for key in ("DataType", "StringValue")} for name, one in received.items()}


def letter_about(yard: Yard, *about: str, seconds: float = PATIENCE) -> None:
    """Wait until a dead letter says all of this."""
    until = time.monotonic() + seconds
    while not any(all(text in one["MessageBody"] for text in about) for one in letters(yard)):
        assert time.monotonic() < until, f"no dead letter is about {about}"
        time.sleep(0.3)


def play(yard: Yard) -> None:
    """A person brings all of them back, and does it once more."""
    for _ in range(2):
        yard.cloud.lockkeeper("replay", "--dead-letters")


def play_again(yard: Yard, played: list[Letter]) -> None:
    """Queues deliver at least once: what was played is found in the queue a second time."""
    for one in played:
        yard.cloud.client("sqs").send_message(QueueUrl=yard.cloud.outputs["DeadLettersUrl"], **one)
    play(yard)


def effects(yard: Yard, releases: dict[str, str]) -> dict[str, Any]:
    """What would differ if something had been done twice."""
    mails = yard.cloud.mails("ada@example.com")

    def of(release_id: str) -> tuple[Any, ...]:
        group = release_id.rpartition("-v")[0]
        return (
            replace(yard.release(release_id), meters={}),
            yard.production_changes(group),
            yard.staging_changes(group),
            len(yard.ledger.releases(group)),
            sum(f"{group} version " in mail for mail in mails),
        )

    return {release_id: of(release_id) for release_id in releases}


def play_twice(yard: Yard, prefix: str, wanted: dict[str, str], row: str, figure: Figure) -> list[Letter]:
    """Every release becomes what it should have been, and stays so; returns the letters."""
    # What a letter does not bring about, the house's schedule is not to make up for.
    with yard.cloud.without_house_keeping():
        played = letters(yard)
        play(yard)
        problems = [one for release_id, status in wanted.items() for one in yard.ends_as(release_id, status)]
    before = effects(yard, wanted)
    # A notification that comes twice is told twice, as SNS itself may do: everything else has effects of its own.
    play_again(yard, [one for one in played if '"source": "lockkeeper"' not in one["MessageBody"]])
    after = effects(yard, wanted)
    doubled = [name for name in before if before[name] != after[name]]
    problems += yard.nothing_left(prefix) + [f"left: {one}" for one in letters(yard)]
    figure(row, f"{len(played)} letters, {len(problems)} lost, {len(doubled)} doubled", "0 lost, 0 doubled")
    assert problems == []
    assert doubled == [], [(before[name], after[name]) for name in doubled]
    return played


@pytest.mark.long
def test_what_functions_gave_up_comes_back_once(yard: Yard, figure: Figure) -> None:
    """A letter of every kind of event that a function is called with asynchronously, and of each schedule."""
    wanted = lose_one_of_each(yard, "dead", (*KINDS, registration, notification))
    swallow(yard, "dead-house", "KeepHouse", "housekeeping")
    letter_about(yard, "housekeeping")
    yard.plan.clear()
    played = play_twice(yard, "dead-", wanted, "dead letters of functions, played twice", figure)
    assert len(played) > len(wanted)


@contextmanager
def out_of_reach(yard: Yard, functions: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> Iterator[None]:
    """Meanwhile rules may not call these functions, and whoever has these roles may do nothing but bury letters."""
    client, iam = yard.cloud.client("lambda"), yard.cloud.client("iam")
    forbidden, taken = [], []
    for name in (yard.functions[function] for function in functions):
        for one in json.loads(client.get_policy(FunctionName=name)["Policy"])["Statement"]:
            if one["Principal"] == {"Service": "events.amazonaws.com"}:
                client.remove_permission(FunctionName=name, StatementId=one["Sid"])
                forbidden.append((name, one))
    for role in (yard.resource(logical) for logical in roles):
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            less = [one for one in document["Statement"] if one["Action"] == "sqs:SendMessage"]
            less = less or [{**document["Statement"][0], "Effect": "Deny"}]
            put(iam, role, policy, {**document, "Statement": less})
            taken.append((role, policy, document))
    try:
        yield
    finally:
        for name, one in forbidden:
            client.add_permission(
                FunctionName=name,
                StatementId=one["Sid"],
                Action=one["Action"],
                Principal="events.amazonaws.com",
                SourceArn=one["Condition"]["ArnLike"]["AWS:SourceArn"],
            )
        for role, policy, document in taken:
            put(iam, role, policy, document)


def put(iam: Any, role: str, policy: str, document: dict[str, Any]) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def not_forwarded(yard: Yard) -> Lost:
    yard.prepare("shut-bus")
    with out_of_reach(yard, roles=("ForwardRole",)):
        release_id = yard.register("shut-bus", 1)
        letter_about(yard, 'model-package/shut-bus/1"')
    return release_id, "promoted"


def no_registry_event(yard: Yard) -> Lost:
    yard.prepare("shut-registry")
    with out_of_reach(yard, ("ReactToRegistry",)):
        release_id = yard.register("shut-registry", 1)
        letter_about(yard, 'model-package/shut-registry/1"')
    return release_id, "promoted"


def no_endpoint_event(yard: Yard) -> Lost:
    yard.prepare("shut-endpoint")
    with out_of_reach(yard, ("ResumeRelease", "ReapRelease")):
        release_id = yard.register("shut-endpoint", 1)
        letter_about(yard, "shut-endpoint-v1-a1-staging", "IN_SERVICE")
    return release_id, "promoted"


def no_alarm(yard: Yard) -> Lost:
    yard.prepare("shut-alarm")
    release_id = bake_with_alarm(yard, "shut-alarm", 1)
    with out_of_reach(yard, ("ResumeRelease",)):
        yard.alarm("shut-alarm-5xx")
        letter_about(yard, "shut-alarm-5xx")
    return release_id, "rolled-back"


def no_dead_execution(yard: Yard, group: str, *, functions: tuple[str, ...] = (), roles: tuple[str, ...] = ()) -> Lost:
    yard.prepare(group, approval=ASKS)
    release_id = yard.register(group, 1)
    yard.is_(release_id, "awaiting-approval")
    with out_of_reach(yard, functions, roles):
        yard.stop(release_id)
        letter_about(yard, release_id, "ABORTED")
    return release_id, "failed"


def no_news(yard: Yard) -> Lost:
    yard.prepare("shut-news")
    with out_of_reach(yard, ("Notify",)):
        release_id = yard.register("shut-news", 1)
        letter_about(yard, release_id, "Release Promoted")
    return release_id, "promoted"


def no_schedules(yard: Yard) -> Lost:
    yard.prepare("shut-schedules")
    with out_of_reach(yard, roles=("DeadlinesRole", "HouseKeepingRole")):
        release_id = yard.register("shut-schedules", 1)
        letter_about(yard, release_id, "deadline")
        letter_about(yard, "housekeeping")
    return release_id, "promoted"


UNDELIVERED: tuple[Callable[[Yard], Lost], ...] = (
    not_forwarded,
    no_registry_event,
    no_endpoint_event,
    no_alarm,
    lambda yard: no_dead_execution(yard, "shut-reaper", functions=("ReapRelease",)),
    lambda yard: no_dead_execution(yard, "shut-deaths", roles=("ForwardRole",)),
    no_news,
    no_schedules,
)


@pytest.mark.long
def test_what_rules_and_schedules_could_not_deliver_comes_back_once(yard: Yard, figure: Figure) -> None:
    """One after the other, because what is out of reach is so for every release."""
    with yard.executions(without_limits):
        wanted = dict(scene(yard) for scene in UNDELIVERED)
    played = play_twice(yard, "shut-", wanted, "dead letters of rules and schedules, played twice", figure)
    assert len(played) > len(wanted)
