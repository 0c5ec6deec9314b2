"""Handlers as Lambda calls them, on a world in memory."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from typing import Any

import lockkeeper.entry
import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.settings import Settings

from tests.unit.harbour import Harbour

Handler = Callable[[dict[str, Any], Any], Any]
Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def harbour(monkeypatch: pytest.MonkeyPatch) -> Harbour:
    world = InMemoryWorld(settings=Settings({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}))
    monkeypatch.setattr(lockkeeper.entry, "world", lambda: world)
    monkeypatch.setattr(importlib.import_module("functions.serve_web.handler"), "world", lambda: world)
    return Harbour(world=world)


def handler_of(function: str) -> Handler:
    return importlib.import_module(f"functions.{function}.handler").handler  # type: ignore[no-any-return]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the handlers log, as text."""
    written = io.StringIO()
    monkeypatch.setattr(lockkeeper.entry.logger.registered_handler, "stream", written)
    return written


@pytest.fixture
def logged(log: io.StringIO) -> Logged:
    """Every log line so far."""
    return lambda: [json.loads(line) for line in log.getvalue().splitlines()]
