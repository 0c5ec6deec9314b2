"""`lockkeeper policy`: validate, apply, show, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_STACK, StackName

if TYPE_CHECKING:
    from cli.policies import AppliedPolicy

app = typer.Typer(no_args_is_help=True)

PolicyFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True, help="The policy, as YAML.")
]


@app.command()
def validate(file: PolicyFile) -> None:
    """Check a policy file, without AWS. Every mistake is said with its line."""
    from cli.policies import read_policy
    from cli.policy_table import draw_policy
    from cli.terminal import console

    policy = read_policy(file).policy
    out = console()
    out.print(f"[green]✓[/green] The policy of {policy.model_package_group} is valid.")
    out.print(draw_policy(policy))


@app.command()
def apply(file: PolicyFile, stack_name: StackName = DEFAULT_STACK) -> None:
    """Put a policy in force and subscribe its approvers to their mails."""
    from cli.policies import apply_policy, read_policy
    from cli.stack import find_stack

    # A mistake in the file is said before AWS is asked anything.
    read_policy(file)
    _tell(apply_policy(file, find_stack(stack_name)))


@app.command()
def show(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="A model package group.")],
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Print the policy in force. Version, hash and author go to standard error, so that the text can be redirected."""
    from lockkeeper.domain.policy import fingerprint
    from rich.console import Console

    from cli.policies import sources_of
    from cli.stack import find_stack
    from cli.terminal import clean, plain, table

    stored = find_stack(stack_name).world.policies.load(group)
    about = table("", "", header=False)
    about.add_row("version", plain(stored.version_id))
    about.add_row("sha256", fingerprint(stored.text))
    about.add_row("changed", plain(f"{stored.changed_at} by {stored.changed_by or 'somebody unrecorded'}"))
    for where, sha256 in sources_of(stored.text):
        about.add_row("from", plain(f"{where} {sha256}"))
    Console(stderr=True, highlight=False).print(about)
    typer.echo(clean(stored.text), nl=not stored.text.endswith("\n"))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    from cli.policy_schema import schema_text

    typer.echo(schema_text(), nl=False)


def _tell(applied: AppliedPolicy) -> None:
    from cli.terminal import console, plain, table

    out = console()
    group = applied.policy.model_package_group
    said = "is in force" if applied.changed else "was in force already"
    out.print(f"[green]✓[/green] The policy of {group} {said}.")
    facts = table("", "", header=False)
    facts.add_row("version", plain(applied.stored.version_id))
    facts.add_row("sha256", applied.sha256)
    for file in applied.policy.resolved_from.files if applied.policy.resolved_from else ():
        facts.add_row("from", plain(f"{file.file} {file.sha256}"))
    for one in applied.subscribed:
        sentence = f"{one.address} ({one.change}) for {', '.join(one.names)}"
        if not one.confirmed:
            sentence += "; gets nothing before the link in AWS's confirmation mail is followed"
        facts.add_row("mails", plain(sentence))
    for approver in applied.policy.approval.approvers:
        if not approver.email:
            facts.add_row("no mail", plain(f"{approver.name} decides with `lockkeeper approve` or `reject`"))
    for address in applied.others.mended:
        facts.add_row("mails", plain(f"{address} (changed), whom an earlier version subscribed by name"))
    out.print(facts)
    if applied.others.mended or any(one.change == "changed" for one in applied.subscribed):
        out.print("AWS may take 15 minutes to go by a changed filter: until then a letter may reach nobody.")
    for other in applied.others.sharing:
        out.print(plain(f"warning: {other.address} may get other people's mails", "bold yellow"))
        out.print(plain(f"  to end it: aws sns unsubscribe --subscription-arn {other.arn}", "dim"))
