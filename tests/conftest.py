"""Figures: what a test measured and what is required, printed as a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PROPERTY = "figure"
Figure = Callable[[str, object, str], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """`figure(row, measured, required)` adds a line to the table; both are said in words with their unit."""

    def add(row: str, measured: object, required: str) -> None:
        record_property(PROPERTY, [row, str(measured), required])

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Properties travel with the reports, so the table is whole however many processes ran the tests."""
    reports = [one for kind in ("passed", "failed") for one in terminalreporter.stats.get(kind, [])]
    figures = sorted(tuple(value) for one in reports for name, value in one.user_properties if name == PROPERTY)
    if figures:
        terminalreporter.section("figures")
        for row, measured, required in figures:
            terminalreporter.write_line(f"{row}: {measured} (required: {required})")
