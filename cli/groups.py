"""How the command is put together: sub-commands that load when they are used, and errors said in one place."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.terminal import clean

OWN_PACKAGES = frozenset({"cli", "examples", "jobs", "localcloud", "lockkeeper"})


class Later(NamedTuple):
    """A sub-command in a module that is costly to import, or that needs packages which not everybody installs."""

    module: str
    attribute: str
    summary: str


class LockkeeperGroup(TyperGroup):
    """The root of the command. Every error of every sub-command comes through here."""

    later: dict[str, Later] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self.later]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """For lists of commands: what loads later is described by its summary alone."""
        later = self.later.get(cmd_name)
        return TyperCommand(cmd_name, help=later.summary) if later else super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """For running one: now it loads."""
        name, command, rest = super().resolve_command(ctx, args)
        later = self.later.get(name or "")
        return name, load(name, later) if name and later else command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except Exception as error:
            # Loaded only now: it knows botocore, and `--help` needs none of that.
            from cli.problems import explain

            problem = explain(error)
            if problem is None:
                raise
            say(problem.message, problem.cure)
            raise typer.Exit(1) from error


def load(name: str, later: Later) -> Any:
    """The command behind `later`; a package of the `local` extra that is not there is said by name."""
    from cli.problems import CommandRefused

    try:
        loaded = getattr(importlib.import_module(later.module), later.attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in OWN_PACKAGES:
            raise
        raise CommandRefused(
            f"`lockkeeper {name}` needs the package {error.name}",
            cure="install it with pip install 'lockkeeper[local]'",
        ) from error
    if not isinstance(loaded, typer.Typer):
        function, loaded = loaded, typer.Typer(add_completion=False)
        loaded.command(name)(function)
    command = get_command(loaded)
    command.name = name
    return command


def say(message: str, cure: str) -> None:
    """Print a problem on standard error. Messages of several lines have a place on each, and editors read those."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    lead = "" if "\n" in message else "error: "
    console.print(Text.assemble((lead, "bold red"), clean(message)))
    if cure:
        console.print(Text.assemble(("cure: ", "bold"), clean(cure)))
