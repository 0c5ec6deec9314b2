"""The clock scale: how many seconds of AWS's waiting pass in one second on the laptop.

Only waits are scaled: Wait states, retry pauses, callback deadlines, schedules, alarm periods. Work takes the time it
takes, and every timestamp is real.
"""

from dataclasses import dataclass


@dataclass
class Clock:
    """The clock of one server process. `scale` is at least 1; 60 makes a minute's wait last a second."""

    scale: float = 1.0

    def shorten(self, seconds: float) -> float:
        """How many real seconds a wait of `seconds` lasts."""
        return seconds / self.scale


CLOCK = Clock()
"""The process's clock. The server sets its scale once, before anything can wait."""
