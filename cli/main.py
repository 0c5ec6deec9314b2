"""The `lockkeeper` command."""

from __future__ import annotations

import typer

from cli import (
    adopt_command,
    brake_commands,
    doctor_command,
    init_command,
    policy_commands,
    release_commands,
    replay_commands,
    simulate_command,
)
from cli.groups import Later, LockkeeperGroup


class Root(LockkeeperGroup):
    """What runs on the laptop alone needs packages of the `local` extra, and loads when it is used."""

    later = {
        "local": Later("cli.local", "app", "Start and stop an emulated AWS on this machine, with Lockkeeper in it."),
        "demo": Later("cli.demo", "demo", "Play the wages story on this machine and write a report."),
    }


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Moves machine-learning models from SageMaker's registry to production, through gates, under people's eyes.",
)
app.add_typer(policy_commands.app, name="policy", help="Validate, apply and show the policies of model package groups.")
app.add_typer(init_command.app)
app.add_typer(adopt_command.app)
app.add_typer(doctor_command.app)
app.add_typer(release_commands.app)
app.add_typer(brake_commands.app)
app.add_typer(replay_commands.app)
app.add_typer(simulate_command.app)
