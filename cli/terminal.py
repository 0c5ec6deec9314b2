"""How things look on a terminal: clean text, times, colours. Nothing that a model or a comment says is markup here."""

from __future__ import annotations

from datetime import datetime

from lockkeeper.domain.release import Outcome, Status
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

STATUS_STYLES = {
    Status.PROMOTED: "bold green",
    Status.AWAITING_APPROVAL: "bold yellow",
    Status.REJECTED: "red",
    Status.FAILED: "bold red",
    Status.EXPIRED: "red",
    Status.ROLLED_BACK: "bold red",
    Status.SUPERSEDED: "dim",
    Status.OBSERVED: "bold blue",
}
OUTCOME_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.INCONCLUSIVE: "yellow"}


def console() -> Console:
    """Standard output; text that looks like a number or a path is not coloured by itself."""
    return Console(highlight=False)


def clean(text: object) -> str:
    """Text without control characters: a comment or a name may try to write escape sequences to a terminal."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)
    )


def plain(text: object, style: str = "") -> Text:
    return Text(clean(text), style)


def shorten(text: str, characters: int) -> str:
    """On one line and at most so long."""
    line = " ".join(clean(text).split())
    return line if len(line) <= characters else f"{line[: characters - 1].rstrip()}…"


def status_text(status: Status) -> Text:
    return Text(str(status), STATUS_STYLES.get(status, "cyan"))


def outcome_text(outcome: Outcome) -> Text:
    return Text(str(outcome), OUTCOME_STYLES[outcome])


def moment(timestamp: str) -> str:
    """`2026-11-24 02:38:05` of an ISO 8601 time in UTC; a dash for none."""
    return f"{datetime.fromisoformat(timestamp):%Y-%m-%d %H:%M:%S}" if timestamp else "-"


def age(timestamp: str, now: datetime) -> str:
    """How long ago an ISO 8601 time was: `42 s`, `7 min`, `3 h`, `12 d`; a dash for none."""
    if not timestamp:
        return "-"
    seconds = max(0, int((now - datetime.fromisoformat(timestamp)).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def table(*columns: str, title: str = "", header: bool = True) -> Table:
    """A table as all of the command's are."""
    made = Table(
        box=box.SIMPLE_HEAD if header else None,
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style="bold dim",
        show_header=header,
        show_edge=False,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made
