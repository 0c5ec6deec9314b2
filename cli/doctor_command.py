"""`lockkeeper doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_STACK, AsJson, StackName

if TYPE_CHECKING:
    from cli.doctor import Finding

OneGroup = Annotated[
    str | None,
    typer.Argument(metavar="[GROUP]", help="Look at this group's policy only; all of them if none is named."),
]

app = typer.Typer()


@app.command()
def doctor(group: OneGroup = None, as_json: AsJson = False, stack_name: StackName = DEFAULT_STACK) -> None:
    """Look at what releases need: rules, key, people, roles, quotas, endpoints. Says what is missing and how to mend it."""
    from cli.doctor import State, examine
    from cli.stack import find_stack

    findings = examine(find_stack(stack_name), stack_name, group)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in findings], indent=2))
    else:
        _tell(findings)
    if any(one.state is State.PROBLEM for one in findings):
        raise typer.Exit(1)


def _tell(findings: list[Finding]) -> None:
    from rich.text import Text

    from cli.doctor import State
    from cli.terminal import console, plain, table

    signs = {
        State.OK: ("✓", "green"),
        State.WARNING: ("!", "yellow"),
        State.PROBLEM: ("✗", "bold red"),
        State.UNKNOWN: ("?", "dim"),
    }
    drawn = table("", "what", "seen, and what to do")
    for one in findings:
        said = [plain(one.seen)] + (
            [plain(f"→ {one.cure}", "dim" if one.state is State.UNKNOWN else "bold")] if one.cure else []
        )
        drawn.add_row(Text(*signs[one.state]), plain(one.what), Text("\n").join(said))
    console().print(drawn)
