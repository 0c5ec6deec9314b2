"""Bytes on their way from one place to another: each is hashed and handed on once, in order, whoever pulls them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

BLOCK = 1 << 20


class Passing:
    """`write` is given every byte that passes."""

    def __init__(self, chunks: Iterator[bytes], write: Callable[[bytes], object] | None = None) -> None:
        self.size = 0
        self._chunks = chunks
        self._write = write
        self._sha256 = hashlib.sha256()
        self._rest = memoryview(b"")

    def pull(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end only."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self.size += len(chunk)
            self._sha256.update(chunk)
            if self._write:
                self._write(chunk)
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def finish(self) -> None:
        """Whatever nobody pulled."""
        while self.pull(BLOCK):
            pass

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()
