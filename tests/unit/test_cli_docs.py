"""The README and docs/commands.md name what the command has, and nothing that it has not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lockkeeper.domain.release import Status
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app
from tests.unit.cli_stage import promoted_release

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
OF_TYPER = {"--help", "--install-completion", "--show-completion"}


def commands(group: Any, words: tuple[str, ...] = ("lockkeeper",)) -> Iterator[tuple[str, Any]]:
    """Every command as it is typed, with what is behind it; those that load later are loaded."""
    context = Context(group, info_name=words[-1])
    for name in group.list_commands(context):
        _, command, _ = group.resolve_command(context, [name])
        if isinstance(command, TyperGroup):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands(get_command(app)))


def documented() -> dict[str, str]:
    """Each command of the page's table with the line that it is written on."""
    lines = (re.match(r"\| `(lockkeeper(?: [a-z][a-z-]*)+)([^`]*)`", line) for line in PAGE.splitlines())
    return {line[1]: line[2] for line in lines if line}


def options_of(command: Any) -> set[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return {name for one in shown for name in one.opts if name.startswith("--")} - OF_TYPER


def test_the_page_has_every_command_and_no_other() -> None:
    assert set(documented()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_every_option_and_no_other(name: str) -> None:
    assert set(re.findall(r"--[a-z-]+", documented()[name])) == options_of(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    assert COMMANDS[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", readme), f"README.md does not name `{name}`"


def test_the_readme_names_no_command_that_is_not_there() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    typed = set(re.findall(r"`(lockkeeper [a-z][a-z-]*(?: [a-z]+)?)", readme)) | set(
        re.findall(r"^(?:\$ )?(lockkeeper [a-z][a-z-]*(?: [a-z]+)?)", readme, re.MULTILINE)
    )
    known = {" ".join(name.split()[:length]) for name in COMMANDS for length in (2, 3)}
    unknown = {one for one in typed if one not in known and " ".join(one.split()[:2]) not in known - grouped()}
    assert not unknown


def grouped() -> set[str]:
    """Words that only begin a command: `lockkeeper policy`."""
    return {" ".join(name.split()[:2]) for name in COMMANDS if len(name.split()) == 3}


def test_the_page_has_every_key_of_a_release_and_no_other() -> None:
    document = json.loads(json.dumps(promoted_release().to_json()))
    table = PAGE[PAGE.index("## A release in JSON") :]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| [a-z]+ \| (.*) \|$", table, re.MULTILINE))
    assert set(rows) == set(document)
    for key in ("verdicts", "approvals", "timeline"):
        assert set(document[key][0]) <= set(re.findall(r"`([a-z_]+)`", rows[key]))
    for key in ("pins", "cost", "endpoints"):
        assert set(document[key]) <= set(re.findall(r"`([a-z_]+)`", rows[key]))


def test_the_page_has_every_status() -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith("| `status`"))
    assert set(re.findall(r"`([a-z-]+)`", row)) - {"status"} == {str(status) for status in Status}
