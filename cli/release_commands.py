"""`lockkeeper releases`, `show`, `approve`, `reject` and `revoke`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_STACK, AsJson, StackName

if TYPE_CHECKING:
    from lockkeeper.domain.approval import Answer

    from cli.stack import Stack

app = typer.Typer()

Shown = Annotated[
    str,
    typer.Argument(
        metavar="RELEASE",
        help="A release's id, GROUP/VERSION for its latest attempt, or GROUP for what serves it and its drift.",
    ),
]
ReleaseName = Annotated[
    str, typer.Argument(metavar="RELEASE", help="A release's id, or GROUP/VERSION for its latest attempt.")
]
Comment = Annotated[str, typer.Option("--comment", help="Why; kept with the decision, at most 1,024 characters.")]

Before = Annotated[
    str, typer.Option("--before", help="The question that is meant, staging or production; else the one that is open.")
]


@app.command()
def releases(
    group: Annotated[str | None, typer.Option("--group", help="Only this model package group.")] = None,
    as_json: AsJson = False,
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """List releases, newest first; below them, what was adopted and serves still, and what is held or frozen."""
    from lockkeeper.use_cases.braked import brakes_of_group

    from cli.release_tables import draw_releases
    from cli.stack import find_stack
    from cli.terminal import console, plain

    world = find_stack(stack_name).world
    found = world.ledger.releases(group)
    if as_json:
        typer.echo(json.dumps([release.to_json() for release in found], indent=2))
        return
    if found:
        console().print(draw_releases(found, world.clock.now()))
    else:
        typer.echo("No release yet. One opens when a version is registered in a model package group.", err=True)
    for group_name in sorted({release.model_package_group for release in found} | ({group} if group else set())):
        champion = world.ledger.champion(group_name)
        if champion and champion.adopted:
            console().print(plain(f"{group_name} serves {champion.words}, since {champion.since[:10]}"))
        for words in brakes_of_group(group_name, world):
            console().print(plain(words, "bold red"))


@app.command()
def show(release_name: Shown, as_json: AsJson = False, stack_name: StackName = DEFAULT_STACK) -> None:
    """Show a release (verdicts with small plots, approvals, timeline, pins, endpoints, cost; --json has its dossiers) or a group."""
    from lockkeeper.domain.drift import RELEASE_NAME
    from lockkeeper.use_cases.braked import brakes_on
    from lockkeeper.use_cases.read_dossiers import read_dossiers, to_json

    from cli.release_tables import draw_release
    from cli.stack import find_stack
    from cli.terminal import console, plain

    stack = find_stack(stack_name)
    if "/" not in release_name and not RELEASE_NAME.fullmatch(release_name):
        _show_group(release_name, stack, as_json=as_json)
        return
    release = stack.world.ledger.get(release_id_of(release_name, stack))
    dossiers, brakes = read_dossiers(release, stack.world), brakes_on(release, stack.world)
    if as_json:
        typer.echo(json.dumps(to_json(release, dossiers, brakes), indent=2))
        return
    for name, brake in brakes.items():
        if brake:
            console().print(plain(f"{name}: {brake.words}", "bold red"))
    if made_by := stack.world.ledger.retraining_of(release.model_package_group, release.version):
        console().print(plain(f"trained anew, {made_by.retraining_id}: {made_by.words}"))
    console().print(*draw_release(release, stack.world.clock.now(), dossiers), sep="\n")


def _show_group(group: str, stack: Stack, *, as_json: bool) -> None:
    from lockkeeper.use_cases.braked import brakes_of_group
    from lockkeeper.use_cases.show_board import group_document

    from cli.drift_tables import draw_drift
    from cli.terminal import console, plain

    document = group_document(group, stack.world)
    if as_json:
        typer.echo(json.dumps(document, indent=2))
        return
    champion = stack.world.ledger.champion(group)
    console().print(plain(f"{group} serves {champion.words}" if champion else f"{group}: nothing serves yet", "bold"))
    for words in brakes_of_group(group, stack.world):
        console().print(plain(words, "bold red"))
    retrainings, signals = stack.world.ledger.retrainings(group, 20), stack.world.ledger.signals(group, 20)
    console().print(*draw_drift(retrainings, signals), sep="\n")


@app.command()
def approve(
    release_name: ReleaseName, comment: Comment, before: Before = "", stack_name: StackName = DEFAULT_STACK
) -> None:
    """Approve a release that waits for a decision, as the AWS identity that runs this."""
    from lockkeeper.domain.approval import Answer

    _decide(release_name, Answer.APPROVE, comment, before, stack_name)


@app.command()
def reject(
    release_name: ReleaseName, comment: Comment, before: Before = "", stack_name: StackName = DEFAULT_STACK
) -> None:
    """Reject a release that waits for a decision, as the AWS identity that runs this."""
    from lockkeeper.domain.approval import Answer

    _decide(release_name, Answer.REJECT, comment, before, stack_name)


@app.command()
def revoke(
    release_name: ReleaseName,
    approver: Annotated[str, typer.Option("--approver", help="Whose links; everybody's where nobody is named.")] = "",
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Make personal links of a release void, as the AWS identity that runs this: one of the policy's approvers."""
    from cli.decisions import revoke as revoke_links
    from cli.stack import find_stack
    from cli.terminal import console, plain

    stack = find_stack(stack_name)
    revoked = revoke_links(stack, release_id_of(release_name, stack), approver)
    console().print(plain(f"The links of {', '.join(revoked['revoked'])} to {revoked['release_id']} are void.", "bold"))
    due = revoked["next_reminder"]
    anew = (
        f"The next reminder, at {due[:16].replace('T', ' ')} UTC, has new ones."
        if due
        else "No reminder comes any more."
    )
    console().print(plain(anew))


def release_id_of(release_name: str, stack: Stack) -> str:
    """A release's id is taken as it is: who may only decide need not be able to read the ledger."""
    from cli.problems import CommandRefused

    group, slash, version = release_name.partition("/")
    if not slash:
        return release_name
    if not version.isdecimal():
        raise CommandRefused(f"{release_name!r} names no version", cure="write GROUP/VERSION, for example wages/3")
    release_id = stack.world.ledger.release_of(group, int(version))
    if release_id is None:
        raise CommandRefused(
            f"version {version} of {group} was never released", cure="`lockkeeper releases` lists what was"
        )
    return release_id


def _decide(release_name: str, answer: Answer, comment: str, before: str, stack_name: str) -> None:
    from cli.decisions import decide
    from cli.stack import find_stack
    from cli.terminal import console, plain

    stack = find_stack(stack_name)
    decided = decide(stack, release_id_of(release_name, stack), answer, comment, before)
    did = "approved" if decided["answer"] == "approve" else "rejected"
    console().print(plain(f"{decided['approver']} {did} {decided['release_id']}.", "bold"))
    if decided["status"] == "pending":
        console().print("More people must approve before it goes on.")
