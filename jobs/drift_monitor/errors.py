"""What ends the monitor with a sentence for the person who reads it."""

from __future__ import annotations


class MonitorError(Exception):
    """What the monitor was given does not let it begin; the message says what to change."""
