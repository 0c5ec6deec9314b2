"""`lockkeeper init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def init(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A model package group.")],
    endpoint: Annotated[str, typer.Option("--endpoint", help="The endpoint that serves the group's champion now.")],
    metric: Annotated[
        str,
        typer.Option("--metric", help="What the first quality rule is on; else read from the newest version's report."),
    ] = "",
    approver: Annotated[
        list[str] | None,
        typer.Option("--approver", metavar="NAME=EMAIL", help="Who decides; may be given several times."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="The file to write; else standard output.")
    ] = None,
) -> None:
    """Write a first policy for an endpoint that is there already. It observes only; nothing in AWS is changed."""
    import boto3

    from cli.problems import CommandRefused
    from cli.starting_policy import look, metric_of, policy_for

    if out and out.exists():
        raise CommandRefused(f"{out} is there already", cure="name another file with --out, or move that one away")
    session = boto3.Session()
    deployed = look(endpoint, session)
    known = metric or metric_of(group, session)
    if not known:
        raise CommandRefused(
            f"no version of {group} has a model-quality report that these credentials can read",
            cure="say what to judge by, such as --metric binary_classification_metrics.accuracy.value",
        )
    text = policy_for(group, deployed, known, tuple(person(one) for one in approver or ()))
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out} is written. Read it, then `lockkeeper policy apply {out}`.", err=True)


def person(written: str) -> tuple[str, str]:
    """A name and an address of `NAME=EMAIL`."""
    name, mark, mail = written.partition("=")
    if not (name.strip() and mark and "@" in mail):
        raise typer.BadParameter(f"{written!r} is not NAME=EMAIL, such as 'Ada Lindqvist=ada@example.com'")
    return name.strip(), mail.strip()
