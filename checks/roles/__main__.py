"""`python -m checks.roles check mutate`, on the recordings of the end-to-end tests; `fresh` says whether they are of all tests."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from rich.console import Console

from checks.roles.recordings import load, not_recorded
from checks.roles.report import COMMANDS


def main(arguments: Sequence[str]) -> int:
    """Run the named checks; 0 when all are content and every end-to-end test was recorded, else 1."""
    # The SAM transform counts what it does, and complains that nobody collects the figures.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    console = Console(width=200 if not sys.stdout.isatty() else None)
    recordings = load()
    missing = not_recorded(recordings)
    if "fresh" in arguments:
        return 1 if missing else 0
    if missing:
        console.print(f"{len(missing)} end-to-end tests have not run since the last change, {missing[0]} among them.")
    content = [COMMANDS[name](recordings, console) for name in arguments]
    return 0 if all(content) and not missing else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["check", "mutate"]))
