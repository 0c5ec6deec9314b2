"""Lockkeeper's pages as people see them: `make test-browser` runs these, with a browser that it installs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.people import House
from tests.browser.window import DESK, Window, window
from tests.e2e.tidy import tidy_cloud


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The real template on a laptop's AWS of its own."""
    with tidy_cloud(tmp_path_factory.mktemp("local"), slack=True) as cloud:
        yield House(cloud, tmp_path_factory.mktemp("policies"))


@pytest.fixture(scope="session")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with window(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def browser(_browser: Window) -> Iterator[Window]:
    """A window at a desk; at its end it is an error if the browser complained about any page."""
    _browser.sized(DESK)
    _browser.forget()
    yield _browser
    assert _browser.complaints() == []
