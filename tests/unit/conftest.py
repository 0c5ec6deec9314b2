"""Unit tests open no sockets: what needs one is no unit."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_sockets(socket_disabled: None) -> None:
    """Every socket that a unit test opens is an error."""
