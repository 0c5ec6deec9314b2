"""Work that goes on after an API call has been answered."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Background:
    """The threads of one LocalSageMaker, and its waits.

    Waits that AWS would spend idling are shortened by the clock scale; nothing else is.
    """

    def __init__(self, clock_scale: float) -> None:
        self.closing = threading.Event()
        self._clock_scale = clock_scale
        self._threads: set[threading.Thread] = set()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Do the work in a thread of its own; what it raises is logged."""

        def run() -> None:
            try:
                work()
            except Exception:
                logger.exception("%s ended unexpectedly", name)
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let `seconds` of AWS's time pass; returns early, with True, when `until` holds or the service is closing."""
        deadline = time.monotonic() + seconds / self._clock_scale
        while True:
            if self.closing.is_set() or until():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.closing.wait(min(left, 0.2))

    def close(self, seconds: float = 10.0) -> None:
        """Tell all work to end and wait for it, for so long at most."""
        self.closing.set()
        deadline = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
