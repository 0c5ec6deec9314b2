"""Copies of what is kept: who reads may change what was read, as with a table."""

from __future__ import annotations

import pickle
from typing import TypeVar

T = TypeVar("T")


def copied(value: T) -> T:
    """A copy that shares nothing. By way of bytes, which is ten times faster than `deepcopy` and what a table does."""
    copy: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled here, a moment ago
    return copy
