"""`lockkeeper replay`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_STACK, StackName

app = typer.Typer()


@app.command()
def replay(
    release_name: Annotated[
        str | None, typer.Argument(metavar="[RELEASE]", help="A release's id, or GROUP/VERSION for its latest attempt.")
    ] = None,
    dead_letters: Annotated[
        bool, typer.Option("--dead-letters", help="Play again what could not be delivered, instead of a release.")
    ] = False,
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Try a release again that ended without a promotion, or bring back what could not be delivered."""
    if dead_letters == bool(release_name):
        raise typer.BadParameter("name a release, or say --dead-letters")
    if release_name:
        _replay_release(release_name, stack_name)
    else:
        _replay_dead_letters(stack_name)


def _replay_release(release_name: str, stack_name: str) -> None:
    from lockkeeper.use_cases.replay_release import replay_release, replay_unopened

    from cli.release_commands import release_id_of
    from cli.stack import find_stack
    from cli.terminal import console, plain

    stack = find_stack(stack_name)
    group, slash, version = release_name.partition("/")
    if slash and version.isdecimal() and stack.world.ledger.release_of(group, int(version)) is None:
        following = replay_unopened(group, int(version), stack.world)
    else:
        following = replay_release(release_id_of(release_name, stack), stack.world)
    console().print(plain(f"{following} has started.", "bold"))


def _replay_dead_letters(stack_name: str) -> None:
    from cli.dead_letters import draw, replay_dead_letters
    from cli.stack import find_stack
    from cli.terminal import console

    replayed = list(replay_dead_letters(find_stack(stack_name), stack_name))
    if not replayed:
        typer.echo("The dead letter queue is empty.", err=True)
        return
    console().print(draw(replayed))
    if not all(one.done for one in replayed):
        raise typer.Exit(1)
