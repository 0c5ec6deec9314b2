"""`lockkeeper adopt`: what serves already becomes the champion, as the AWS identity that runs this."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_STACK, StackName

app = typer.Typer()

WITHOUT_A_WEB = (
    "release over it all the same: a promotion keeps what the policy leaves out, and its own way back is what served; "
    "or deploy the stack with WebAccess=links, which an endpoint of a CloudFormation stack needs"
)


@app.command()
def adopt(
    group: Annotated[
        str, typer.Argument(metavar="GROUP", help="A model package group whose policy names the endpoint.")
    ],
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also where the endpoint belongs to a CloudFormation stack.")
    ] = False,
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Take over the endpoint that serves a group already: its exact configuration becomes the champion, without an update."""
    from cli.decisions import act_on_group
    from cli.stack import find_stack
    from cli.terminal import console, plain

    done = act_on_group(find_stack(stack_name), group, "adopt", {"take_over": take_over}, WITHOUT_A_WEB)
    console().print(plain(f"{done['model_package_group']}: {done['did']} by {done['by']}: {done['reason']}.", "bold"))
    console().print(plain(done["note"]))
