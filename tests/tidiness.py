"""A laptop's AWS of which nothing stays: in its accounts at its end, on this machine after it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcloud import janitor, supervisor
from localcloud.supervisor import Running
from tests.inventory import unlisted

PROPERTY = "left behind"
ENDED: list[tuple[int, int, int]] = []
"""Things, processes and folders that each laptop's AWS left which has ended since the last report of a test."""


@dataclass
class Watched:
    """A running laptop's AWS. Who uses it lists in `things`, at the end, what is left in its accounts, in words.

    It is an error when nobody has listed.
    """

    running: Running
    things: list[str] | None = None


@contextmanager
def watched(folder: Path, clock_scale: float) -> Iterator[Watched]:
    """Start a laptop's AWS and stop it; an error names whatever is left of it, and where.

    What this process makes in the temporary folder meanwhile counts as well.
    """
    temporary = folder / "temporary"
    temporary.mkdir()
    usual, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        laptop = Watched(supervisor.start(0, clock_scale, state_folder=folder))
        try:
            yield laptop
            things = unlisted(laptop.running.logs)
        finally:
            supervisor.stop(laptop.running, folder)
    finally:
        tempfile.tempdir = usual
    assert laptop.things is not None, f"nobody has listed what is left in the accounts of {folder}"
    things += laptop.things
    processes = list(janitor.left_behind(laptop.running.run_folder, laptop.running.pid))
    folders = [path.name for path in temporary.iterdir()]
    ENDED.append((len(things), len(processes), len(folders)))
    where = {
        f"the accounts of {laptop.running.endpoint_url}": things,
        f"the process table, from {laptop.running.run_folder}": processes,
        str(temporary): folders,
    }
    left = {place: found for place, found in where.items() if found}
    assert not left, f"something is left: {left}"


def summary(counts: list[tuple[int, int, int]]) -> str:
    """The line about all of them."""
    things, processes, folders = (sum(column) for column in zip(*counts, strict=True))
    return (
        f"nothing stays: {len(counts)} laptop's AWSs ended, things left {things}, processes {processes}, "
        f"folders {folders} (required: 0, 0, 0)"
    )
