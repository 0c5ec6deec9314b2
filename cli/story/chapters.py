"""Chapters of a story: each ends with checks of facts that were read out of the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape


class StoryEnded(Exception):
    """A chapter did not end as it should; the chapters after it are not played."""


@dataclass(frozen=True)
class Check:
    """One fact: what was looked at, what was found, and whether that is as it should be."""

    what: str
    found: str
    ok: bool


@dataclass
class Chapter:
    """One chapter while it is played and after."""

    title: str
    ok: bool = False
    seconds: float = 0.0
    problem: str | None = None
    checks: list[Check] = field(default_factory=list)

    def check(self, what: str, found: object, ok: bool) -> None:
        """Record a fact; `AssertionError` ends the chapter when it is not as it should be."""
        self.checks.append(Check(what, str(found), ok))
        if not ok:
            raise AssertionError(f"{what}: found {found}")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Book:
    """Plays chapters, tells about them on the console and keeps what they found."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.chapters: list[Chapter] = []

    @property
    def ok(self) -> bool:
        """Every chapter that was begun ended as it should."""
        return bool(self.chapters) and all(chapter.ok for chapter in self.chapters)

    @contextmanager
    def chapter(self, title: str) -> Iterator[Chapter]:
        """Play one chapter. Whatever goes wrong inside is kept as its problem and ends the story (`StoryEnded`)."""
        chapter = Chapter(title)
        self.chapters.append(chapter)
        self.console.print(f"\n[bold]{len(self.chapters)}. {escape(title)}[/bold]")
        began = time.monotonic()
        try:
            yield chapter
            chapter.ok = True
        except Exception as error:
            chapter.problem = (
                f"{type(error).__name__}: {error}" if not isinstance(error, AssertionError) else str(error)
            )
            raise StoryEnded(f"{title}: {chapter.problem}") from error
        except KeyboardInterrupt:
            chapter.problem = "interrupted"
            raise
        finally:
            chapter.seconds = round(time.monotonic() - began, 3)
            self._tell(chapter)

    def _tell(self, chapter: Chapter) -> None:
        for check in chapter.checks:
            mark = "[green]✓[/green]" if check.ok else "[red]✗[/red]"
            self.console.print(
                f"   {mark} {escape(check.what)}: [cyan]{escape(check.found)}[/cyan]", highlight=False, soft_wrap=True
            )
        if chapter.problem and all(check.ok for check in chapter.checks):
            self.console.print(f"   [red]✗ {escape(chapter.problem)}[/red]", highlight=False, soft_wrap=True)
        self.console.print(f"   [dim]{chapter.seconds:.1f} s[/dim]", highlight=False, soft_wrap=True)
