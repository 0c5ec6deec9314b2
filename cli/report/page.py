"""Draws the demo's report page.

Every value passes through Jinja2's escaping; the page loads nothing and runs no script, and its content security policy
says so to the browser.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cli.report import figures


def write_report(facts: dict[str, Any], folder: Path) -> Path:
    """Write `report.json` (the facts as they are) and `report.html` (the page) into `folder`.

    Returns:
        The path of the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    page = folder / "report.html"
    page.write_text(render(facts), encoding="utf-8")
    return page


def render(facts: dict[str, Any]) -> str:
    """Render the page; chapters that never ran and figures that were never measured leave their sections out."""
    environment = Environment(
        loader=PackageLoader("cli.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, percent=percent, short=short, count=count)
    return environment.get_template("report.html.j2").render(facts=facts, figures=figures)


def duration(seconds: float) -> str:
    """Write seconds as people say them: `240 ms`, `1.2 s`, `2 min 03 s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def percent(share: float) -> str:
    """Write a share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def count(number: float) -> str:
    """Write a whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", "\u202f")


def short(text: str, length: int = 12) -> str:
    """Shorten a hash or a long name; the page keeps the whole in a title."""
    return text if len(text) <= length else f"{text[:length]}…"
