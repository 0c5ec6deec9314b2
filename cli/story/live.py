"""Clients that ask an endpoint without a pause, while something happens to it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from botocore.exceptions import ClientError

CLIENTS = 2
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Asked:
    """One request: when its answer came (monotonic seconds), which request it was, and the answer or, for none, its error's code."""

    at: float
    request: int
    answer: str
    failed: bool


class LiveTraffic:
    """Asks from several threads for as long as its `with` block lasts, and keeps what came back, in order.

    Args:
        ask: Sends the request of this number and returns the answer; `ClientError` where there is none.
        requests: How many different requests there are; their numbers begin with 0.
    """

    def __init__(self, ask: Callable[[int], str], requests: int = 1) -> None:
        self.requests = requests
        self._ask = ask
        self._ended = threading.Event()
        self._clients = [threading.Thread(target=self._run, args=(client,)) for client in range(CLIENTS)]
        self.asked: list[Asked] = []

    def __enter__(self) -> LiveTraffic:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._ended.set()
        for client in self._clients:
            client.join()

    def between(self, since: float = 0.0, until: float = float("inf")) -> list[Asked]:
        """What was answered in this time."""
        return [one for one in list(self.asked) if since <= one.at < until]

    def counted(self, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
        """How often each answer came in this time."""
        return Counter(one.answer for one in self.between(since, until))

    def wait_for(self, more: int, timeout: float) -> float:
        """Wait for so many answers from now on; returns since when.

        Raises:
            TimeoutError: they did not come.
        """
        since = time.monotonic()
        while len(self.between(since)) < more:
            if time.monotonic() > since + timeout:
                raise TimeoutError(f"{len(self.between(since))} of {more} answers after {timeout:.0f} s")
            time.sleep(PAUSE_SECONDS)
        return since

    def _run(self, client: int) -> None:
        number = client * self.requests // CLIENTS
        while not self._ended.is_set():
            try:
                answer, failed = self._ask(number), False
            except ClientError as error:
                answer, failed = str(error.response["Error"]["Code"]), True
            self.asked.append(Asked(time.monotonic(), number, answer, failed))
            number = (number + 1) % self.requests
            self._ended.wait(PAUSE_SECONDS)
