"""The checks' answers as tables, each with the figure that has to be 0 or 100%."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.table import Table

from checks.roles import templates
from checks.roles.actions import misfits, wrongly_mapped
from checks.roles.grants import Role, denials, roles_in, survivors, unused_grants
from checks.roles.recordings import Document, Recording

Rows = Sequence[tuple[str, ...]]


def check(recordings: Sequence[Recording], console: Console, documents: Sequence[Document] | None = None) -> bool:
    """Print what was denied, unmapped and unused. True when nothing was. `documents` are the templates, translated."""
    roles = roles_in(recordings)
    unused, grants = unused_grants(roles)
    _summary(roles, recordings, console)
    findings: tuple[tuple[str, Rows, tuple[str, ...]], ...] = (
        (
            "roles and statements that were never deployed",
            templates.never_deployed(roles, documents),
            ("role", "statement"),
        ),
        ("denied", denials(roles), ("role", "action", "resource")),
        ("unmapped calls", wrongly_mapped(recordings), ("role", "operation", "what is wrong")),
        ("actions AWS does not know so", misfits(recordings), ("action", "resource")),
        (
            f"unused of {grants} grants",
            [(one.role, one.statement, one.action, one.resource) for one in unused],
            ("role", "statement", "action", "resource"),
        ),
    )
    for title, rows, columns in findings:
        _print(title, rows, columns, console)
    return not any(rows for _, rows, _ in findings)


def mutate(recordings: Sequence[Recording], console: Console) -> bool:
    """Print which mutants nothing noticed. True when all were."""
    alive, mutants = survivors(roles_in(recordings))
    rows = [(one.role, one.statement, one.dropped) for one in alive]
    killed = mutants - len(alive)
    console.print(f"mutants killed: {killed}/{mutants} ({killed / max(mutants, 1):.1%})")
    _print("mutants that nothing noticed", rows, ("role", "statement", "dropped"), console)
    return bool(mutants) and not alive


def _summary(roles: Iterable[Role], recordings: Sequence[Recording], console: Console) -> None:
    table = Table("role", "statements", "questions", title=f"Roles, from {len(recordings)} recordings")
    merged: dict[str, tuple[int, int]] = {}
    for role in roles:
        statements, questions = merged.get(role.name, (0, 0))
        merged[role.name] = (max(statements, len(role.statements)), questions + len(role.asked))
    for name, (statements, questions) in sorted(merged.items()):
        table.add_row(name, str(statements), str(questions))
    console.print(table)


def _print(title: str, rows: Rows, columns: tuple[str, ...], console: Console) -> None:
    console.print(f"{title}: {len(rows)}")
    if rows:
        table = Table(*columns)
        for row in rows:
            table.add_row(*row)
        console.print(table)


COMMANDS: dict[str, Callable[[Sequence[Recording], Console], bool]] = {"check": check, "mutate": mutate}
