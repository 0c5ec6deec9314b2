"""`lockkeeper hold`, `lift-hold`, `freeze`, `unfreeze`, `rollback`, `resume-retraining`: the brakes, under the caller's AWS identity."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import DEFAULT_STACK, StackName

app = typer.Typer()

Group = Annotated[str, typer.Argument(metavar="GROUP", help="The model package group.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="The version in the registry.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept, and read by whoever meets the brake.")]

WITHOUT_A_WEB = {
    "hold": "set the version's ModelApprovalStatus to Rejected: that stops it before its release begins, and while an approver whom the "
    "policy knows is asked; else deploy the stack with WebAccess=links",
    "lift-hold": "a hold is lifted over the web API alone: deploy the stack with WebAccess=links, or register another model (the same "
    "content stays held)",
    "freeze": "apply a policy with a window under `freeze`, see docs/policy.md",
    "unfreeze": "a freeze that Lockkeeper put on by itself is lifted over the web API alone: deploy the stack with WebAccess=links",
    "rollback": "set the serving version's ModelApprovalStatus to Rejected, as an approver whom the policy knows: that takes it back",
    "resume-retraining": "apply a policy with a higher give_up_after under `drift.retrain`, or start the pipeline yourself",
}
"""What else a person can do where the stack has no web API, by command."""


@app.command()
def hold(group: Group, version: Version, reason: Reason, stack_name: StackName = DEFAULT_STACK) -> None:
    """Hold a version: nothing ships it until the hold is lifted."""
    _brake("hold", group, {"version": version, "reason": reason}, stack_name)


@app.command("lift-hold")
def lift_hold(group: Group, version: Version, reason: Reason, stack_name: StackName = DEFAULT_STACK) -> None:
    """Lift the hold of a version, and say what ships it."""
    _brake("lift-hold", group, {"version": version, "reason": reason}, stack_name)


@app.command()
def freeze(
    group: Group,
    reason: Reason,
    until: Annotated[
        str, typer.Option("--until", help="When it ends by itself: a time with its zone, or a duration such as 64h.")
    ] = "",
    stack_name: StackName = DEFAULT_STACK,
) -> None:
    """Freeze a group: no change of production begins; going back is possible all the time."""
    _brake("freeze", group, {"reason": reason, "until": until}, stack_name)


@app.command()
def unfreeze(group: Group, reason: Reason, stack_name: StackName = DEFAULT_STACK) -> None:
    """Take a freeze off: what waits goes on."""
    _brake("unfreeze", group, {"reason": reason}, stack_name)


@app.command()
def rollback(group: Group, reason: Reason, stack_name: StackName = DEFAULT_STACK) -> None:
    """Bring back what served before: the version that serves, or is being brought to production, is held."""
    _brake("rollback", group, {"reason": reason}, stack_name)


@app.command("resume-retraining")
def resume_retraining(group: Group, reason: Reason, stack_name: StackName = DEFAULT_STACK) -> None:
    """Let drift start retrainings again, after some in a row did not help."""
    _brake("resume-retraining", group, {"reason": reason}, stack_name)


def _brake(what: str, group: str, body: dict[str, object], stack_name: str) -> None:
    from cli.decisions import act_on_group
    from cli.stack import find_stack
    from cli.terminal import console, plain

    done = act_on_group(find_stack(stack_name), group, what, body, WITHOUT_A_WEB[what])
    version = f", version {done['version']}" if "version" in done else ""
    until = f", until {done['until'][:16].replace('T', ' ')} UTC" if done["until"] else ""
    console().print(plain(f"{done['model_package_group']}{version}: {done['did']} by {done['by']}{until}.", "bold"))
    console().print(plain(done["note"]))
