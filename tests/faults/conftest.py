"""Faults take minutes: `make test-full` runs them, `make test` leaves them out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.tidy import tidy_cloud
from tests.faults.yard import Yard


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """The real template on a laptop's AWS of its own, where calls break as planned; what is left in it afterwards is an error."""
    with tidy_cloud(tmp_path_factory.mktemp("local"), faults=True) as cloud:
        yield Yard(cloud, tmp_path_factory.mktemp("policies"))
