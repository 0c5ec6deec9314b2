"""`python -m checks.roles check mutate`, on the recordings of the end-to-end tests; `fresh` says whether there are any."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from rich.console import Console

from checks.roles.recordings import load, recordings_folder
from checks.roles.report import COMMANDS


def main(arguments: Sequence[str]) -> int:
    """Run the named checks; 0 when all are content, 1 when one is not, 2 when there is nothing to check."""
    # The SAM transform counts what it does, and complains that nobody collects the figures.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    console = Console(width=200 if not sys.stdout.isatty() else None)
    recordings = load()
    if not recordings:
        console.print(
            f"There are no recordings of these sources in {recordings_folder()}: run the end-to-end tests first."
        )
        return 2
    content = [COMMANDS[name](recordings, console) for name in arguments if name in COMMANDS]
    if not all(content):
        console.print("Only what ran since the last change counts: `pytest tests/e2e` walks every path.")
    return 0 if all(content) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["check", "mutate"]))
