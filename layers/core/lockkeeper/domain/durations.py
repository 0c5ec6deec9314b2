"""Durations as policies write them: `30s`, `10m`, `72h`, `7d`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

DURATION = re.compile(r"^(\d+)(s|m|h|d)$")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(duration: object) -> int:
    """Seconds of `30s`, `10m`, `72h` or `7d`; a `ValueError` otherwise."""
    match = DURATION.match(str(duration))
    if not match or isinstance(duration, bool):
        raise ValueError(f"{duration!r} is no duration; write a whole number with a unit: 30s, 10m, 72h or 7d")
    return int(match.group(1)) * SECONDS[match.group(2)]


_WRITTEN = WithJsonSchema({"type": "string", "pattern": DURATION.pattern})
Duration = Annotated[int, BeforeValidator(seconds_of), _WRITTEN]
"""Seconds; written as `10m` in the file."""


def _bearable(seconds: int) -> int:
    """Step Functions takes no timeout of zero, and a creation that hangs for a day will not end."""
    if not 60 <= seconds <= 86400:
        raise ValueError("it must be between 1m and 24h")
    return seconds


StartupTimeout = Annotated[int, BeforeValidator(seconds_of), AfterValidator(_bearable), _WRITTEN]
"""Seconds that creating or updating an endpoint, or a job, may take."""
