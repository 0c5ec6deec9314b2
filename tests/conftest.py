"""Figures: what a test measured and what is required, printed as a table at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests import tidiness

# How long one example takes says something about the machine: it is busy with other tests.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

HERE = Path(__file__).parent
MARKERS = {HERE / "faults": pytest.mark.full, HERE / "browser": pytest.mark.browser}
"""What every test of a folder is: nobody can forget the marker there."""
PROPERTY = "figure"
Figure = Callable[[str, object, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for folder, marker in MARKERS.items():
            if folder in item.path.parents:
                item.add_marker(marker)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """`figure(row, measured, required)` adds a line to the table; both are said in words with their unit."""

    def add(row: str, measured: object, required: str) -> None:
        record_property(PROPERTY, [row, str(measured), required])

    return add


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was shared by many tests ends after the last of them, and travels with its report."""
    report = yield
    if report.when == "teardown":
        report.user_properties += [(tidiness.PROPERTY, counts) for counts in tidiness.ENDED]
        tidiness.ENDED.clear()
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Properties travel with the reports, so the table is whole however many processes ran the tests."""
    stats = terminalreporter.stats
    reports = [one for kind in ("passed", "failed") for one in stats.get(kind, [])]
    figures = sorted(tuple(value) for one in reports for name, value in one.user_properties if name == PROPERTY)
    endings = [one for kind in ("", "error") for one in stats.get(kind, []) if one.when == "teardown"]
    left = [tuple(value) for one in endings for name, value in one.user_properties if name == tidiness.PROPERTY]
    if figures or left:
        terminalreporter.section("figures")
    for row, measured, required in figures:
        terminalreporter.write_line(f"{row}: {measured} (required: {required})")
    if left:
        terminalreporter.write_line(tidiness.summary(left))
