"""`lockkeeper demo`: a story against the laptop's AWS, unattended, with a report at its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from cli.local import Accounts, bring_up
from cli.options import DEFAULT_STACK
from cli.report.page import write_report
from cli.stack import Stack, find_stack
from cli.story.chapters import Book, StoryEnded
from cli.story.computers import ComputersStory
from cli.story.facts import gather
from cli.story.releasing import Releasing
from cli.story.stage import Account, Stage
from cli.story.wages import WagesStory
from cli.terminal import console
from localcloud import supervisor
from localcloud.settings import HUB_ACCOUNT_ID, SECRET_ACCESS_KEY

CLOCK_SCALE = 60.0
OUTPUT = Path("build/demo")
Story = WagesStory | ComputersStory
STORIES: dict[str, type[Story]] = {"wages": WagesStory, "computers": ComputersStory}


def demo(
    story: Annotated[Literal["wages", "computers"], typer.Option(help="Which example is played.")] = "wages",
    interactive: Annotated[bool, typer.Option(help="Wait for your own click on the approval page.")] = False,
    clock_scale: Annotated[float, typer.Option(min=1, help="How many times faster waiting time runs.")] = CLOCK_SCALE,
    port: Annotated[int, typer.Option(help="Port of the laptop's AWS; 0 takes a free one.")] = 0,
    accounts: Accounts = "3",
    everything: Annotated[
        bool, typer.Option("--all", help="Also the chapters that take longer: retrainings that cannot help.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = OUTPUT,
) -> None:
    """Play a story on this machine and write a report.

    Starts the laptop's AWS, deploys the real template, trains and releases a model with a person's approval, and lets a
    gate turn a bad one back. Exit code 0 only if every chapter ended as it should.
    """
    out_console = console()
    kept = out.resolve() / "aws"
    facts = play(STORIES[story], Book(out_console), port, clock_scale, accounts, kept, interactive, everything)
    page = write_report(facts, out)
    ending = "[green]Every chapter ended as it should.[/green]" if facts["ok"] else "[red]The story broke off.[/red]"
    out_console.print(f"\n{ending} {facts['seconds']:.0f} s. Report: {page.resolve()}", soft_wrap=True)
    out_console.print(f"Logs and mails of the run: {kept / supervisor.LAST_RUN}", soft_wrap=True)
    raise typer.Exit(0 if facts["ok"] else 1)


def play(
    kind: type[Story],
    book: Book,
    port: int,
    clock_scale: float,
    accounts: Literal["1", "3"],
    kept: Path,
    interactive: bool,
    everything: bool = False,
) -> dict[str, Any]:
    """Play the story on an AWS of its own, which is gone afterwards; returns the facts of the report."""
    began = datetime.now(UTC)
    story: Releasing | None = None
    with ExitStack() as ending:
        try:
            stage = set_up(book, port, clock_scale, accounts, kept, ending)
            story = kind(stage, book, interactive, everything)
            story.play()
        except StoryEnded:
            # The chapter has told why, and the report will; what was found so far is in it.
            pass
        try:
            return gather(book, kind, story, began, clock_scale)
        except (BotoCoreError, ClientError):
            # The laptop's AWS is gone: what the chapters know is all there is.
            return gather(book, kind, None, began, clock_scale)


def set_up(
    book: Book, port: int, clock_scale: float, accounts: Literal["1", "3"], kept: Path, ending: ExitStack
) -> Stage:
    """The first chapter: start the laptop's AWS, deploy into it. What has to be undone is put onto `ending`."""
    with book.chapter("The laptop's AWS starts and Lockkeeper is deployed to it") as chapter:
        running, _ = bring_up(book.console, port, clock_scale, accounts, detach=False, state_folder=kept)
        ending.callback(supervisor.stop, running)
        ending.enter_context(aws_client_of(running))
        stack = find_stack(DEFAULT_STACK)
        accounts_of_stage = tuple(Account(one, root_of(one)) for one in account_ids(stack))
        stage = Stage(stack, running.mailbox, accounts_of_stage, running.slack_url)
        for account in stage.accounts:
            stacks = account.session.client("cloudformation").describe_stacks()["Stacks"]
            found = ", ".join(f"{one['StackName']} {one['StackStatus']}" for one in stacks)
            complete = bool(stacks) and all(one["StackStatus"] == "CREATE_COMPLETE" for one in stacks)
            chapter.check(f"account {account.account_id}", found, complete)
        machines = stage.step_functions.list_state_machines()["stateMachines"]
        found = ", ".join(machine["name"] for machine in machines)
        chapter.check("state machine", found, stage.stack.outputs["StateMachineArn"] in _arns(machines))
        return stage


def account_ids(stack: Stack) -> list[str]:
    """The hub's account, then those that joined it."""
    return [HUB_ACCOUNT_ID, *dict.fromkeys(stack.joined.values())]


def root_of(account_id: str) -> boto3.Session:
    """A session of an account's root user: on the laptop, whoever has an account's number for an access key."""
    return boto3.Session(aws_access_key_id=account_id, aws_secret_access_key=SECRET_ACCESS_KEY)


def _arns(machines: list[dict[str, Any]]) -> set[str]:
    return {machine["stateMachineArn"] for machine in machines}


@contextmanager
def aws_client_of(running: supervisor.Running) -> Iterator[None]:
    """Make this process an AWS client of the running server: its variables, and none of the developer's own."""
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for name in before:
        del os.environ[name]
    os.environ.update(running.environment())
    try:
        yield
    finally:
        for name in running.environment():
            os.environ.pop(name, None)
        os.environ.update(before)
