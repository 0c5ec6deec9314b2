"""`lockkeeper init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
    better: Annotated[
        Literal["higher", "lower"] | None,
        typer.Option(
            "--better", help="Which values of the metric are better; known of the metrics of SageMaker's reports."
        ),
    ] = None,
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
    from cli.starting_policy import look, metric_of, policy_for, refuse_without_a_direction

    # What would be in the way at the end is found before AWS is asked.
    refuse_if_unwritable(out)
    refuse_without_a_direction(metric, better)
    people = tuple(person(one) for one in approver or ())
    session = boto3.Session()
    deployed = look(endpoint, session)
    known = metric or metric_of(group, session)
    if not known:
        raise CommandRefused(
            f"no version of {group} has a model-quality report that these credentials can read",
            cure="say what to judge by, such as --metric binary_classification_metrics.accuracy.value",
        )
    text = policy_for(group, deployed, known, people, better)
    if out is None:
        typer.echo(text, nl=False)
        return
    write(out, text)
    typer.echo(f"{out} is written. Read it, then `lockkeeper policy apply {out}`.", err=True)


def refuse_if_unwritable(out: Path | None) -> None:
    """CommandRefused for a file that is there already, or that is to be in no folder."""
    from cli.problems import CommandRefused

    if out and out.exists():
        raise CommandRefused(f"{out} is there already", cure="name another file with --out, or move that one away")
    if out and not out.parent.is_dir():
        raise CommandRefused(f"there is no folder {out.parent}", cure="make it, or name another file with --out")


def write(out: Path, text: str) -> None:
    """Write the policy, or say why that cannot be done."""
    from cli.problems import CommandRefused

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandRefused(
            f"{out} cannot be written: {error.strerror}", cure="name another file with --out"
        ) from error


def person(written: str) -> tuple[str, str]:
    """A name and an address of `NAME=EMAIL`."""
    name, mark, mail = written.partition("=")
    if not (name.strip() and mark and "@" in mail):
        raise typer.BadParameter(f"{written!r} is not NAME=EMAIL, such as 'Ada Lindqvist=ada@example.com'")
    return name.strip(), mail.strip()
