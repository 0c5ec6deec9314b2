"""The dead letter queues, played again: each message to the functions that it was for, deleted when they have taken it.

The hub has one, and each joined account has one of what did not reach the hub.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.replay import DeadLetter, read_letter
from rich.table import Table
from rich.text import Text

from cli.problems import CommandRefused, explain
from cli.stack import Stack
from cli.terminal import plain, shorten, table

HIDDEN_SECONDS = 900
"""How long a received message is nobody else's: longer than ten functions take."""
PATIENCE = Config(read_timeout=300, retries={"total_max_attempts": 1, "mode": "standard"})
"""A function's own time limit is shorter; nothing is called twice because an answer was slow."""

NO_SUCH_QUEUE_CODES = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
"""SQS says the same in two ways: by the protocol of today and by that of before."""
POLL_SECONDS = 2
"""How long one look for messages takes at most; a long poll asks all of the queue's servers."""
REASON_CHARACTERS = 120


@dataclass(frozen=True)
class Replayed:
    """What became of one message: `done` when it was taken and deleted."""

    message_id: str
    about: str
    why: str
    outcome: str
    done: bool


def replay_dead_letters(stack: Stack, stack_name: str) -> Iterator[Replayed]:
    """Play every message once. What a function refuses, and what nobody understands, stays in its queue."""
    queue = stack.session.client("sqs")
    urls = [_own_queue(stack, stack_name)]
    for kind, account in stack.joined.items():
        found = _joined_queue(queue, f"{stack_name}-{kind}-dead-letters", account)
        if isinstance(found, Replayed):
            yield found
        else:
            urls.append(found)
    functions = stack.session.client("lambda", config=PATIENCE)
    cloudformation = stack.session.client("cloudformation")

    @cache
    def name_of(function: str) -> str:
        described = cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId=function)
        return str(described["StackResourceDetail"]["PhysicalResourceId"])

    for url in urls:
        yield from _replay_queue(queue, url, functions, name_of)


def _own_queue(stack: Stack, stack_name: str) -> str:
    url = stack.outputs.get("DeadLettersUrl")
    if not url:
        raise CommandRefused(
            f"stack {stack_name!r} has no output DeadLettersUrl", cure="deploy this version's template"
        )
    return url


def _joined_queue(queue: Any, name: str, account: str) -> str | Replayed:
    """Address of a joined account's queue, or what to say of one that cannot be reached."""
    try:
        return str(queue.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
    except ClientError as error:
        refusal = explain(error) or CommandRefused(str(error))
        gone = error.response["Error"]["Code"] in NO_SUCH_QUEUE_CODES
        cure = (
            "deploy environments/account.yaml there"
            if gone
            else refusal.cure or "look at that account, then run it again"
        )
        return Replayed(account, f"queue {name}", cure, f"not looked at: {refusal.message}", done=False)


def _replay_queue(queue: Any, url: str, functions: Any, name_of: Callable[[str], str]) -> Iterator[Replayed]:
    kept: list[str] = []
    try:
        for message in _messages(queue, url):
            attributes = {name: one["StringValue"] for name, one in message.get("MessageAttributes", {}).items()}
            letter = read_letter(message["Body"], attributes)
            if isinstance(letter, Unusable):
                kept.append(message["ReceiptHandle"])
                yield Replayed(message["MessageId"], "?", letter.reason, "kept: nobody's", done=False)
                continue
            names = _narrowed({one: name_of(one) for one in letter.recipients}, attributes)
            refusal = _play(letter, names, functions)
            if refusal:
                kept.append(message["ReceiptHandle"])
            else:
                queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            outcome = refusal or f"taken by {', '.join(names)}"
            yield Replayed(message["MessageId"], letter.about, letter.why, outcome, done=not refusal)
    finally:
        for receipt in kept:
            queue.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)


def draw(replayed: Iterable[Replayed]) -> Table:
    """One message a row: what it is and why it was dead, and what became of it."""
    drawn = table("message", "event", "what became of it")
    for one in replayed:
        event = Text("\n").join([plain(one.about, "bold"), plain(shorten(one.why, REASON_CHARACTERS), "dim")])
        drawn.add_row(plain(one.message_id[:12]), event, plain(one.outcome, "green" if one.done else "bold red"))
    return drawn


def _messages(queue: Any, url: str) -> Iterator[Any]:
    """Every message once: they stay hidden while this runs."""
    while True:
        answer = queue.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            WaitTimeSeconds=POLL_SECONDS,
            VisibilityTimeout=HIDDEN_SECONDS,
        )
        if not answer.get("Messages"):
            return
        yield from answer["Messages"]


def _narrowed(names: dict[str, str], attributes: dict[str, str]) -> dict[str, str]:
    """Physical names by logical ID. EventBridge says which function it did not reach; Lambda does not say which one failed."""
    missed = attributes.get("TARGET_ARN", "").rpartition(":function:")[2]
    return {function: name for function, name in names.items() if name == missed} or names


def _play(letter: DeadLetter, names: dict[str, str], functions: Any) -> str:
    """Call each function; the reason of the first that did not take it, or nothing."""
    for function, name in names.items():
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(letter.event).encode())
        if answer.get("FunctionError"):
            said = json.loads(answer["Payload"].read() or b"{}")
            return f"kept: {function} failed: {said.get('errorMessage', said)}"
    return ""
