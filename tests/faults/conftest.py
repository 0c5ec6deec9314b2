"""Faults take minutes: `make test-full` runs them, `make test` leaves them out."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nobody can forget the marker in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.full)
