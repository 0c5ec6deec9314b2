"""A member's bytes as a file that is read once, and what is looked for in all of them on the way."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from lockkeeper.domain.artifact.findings import Unreadable

BLOCK = 1 << 18
HEAD = 1 << 16
HDF5 = b"\x89HDF\r\n\x1a\n"
END_OF_ZIP = b"PK\x05\x06"
ZIP_TAIL = 22 + 65_535
"""Where the end of a zip is looked for: its record, and the longest comment after it."""


class _Watched(io.RawIOBase):
    """Counts what passes, keeps its tail, and remembers where an HDF5 file begins inside of it."""

    def __init__(self, pull: Callable[[int], bytes]) -> None:
        super().__init__()
        self._pull = pull
        self.passed = 0
        self.tail = b""
        self.hdf5_at = -1

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.passed

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            block = self._pull(len(view) - filled)
            if not block:
                break
            view[filled : filled + len(block)] = block
            filled += len(block)
        self._look_at(bytes(view[:filled]))
        return filled

    def _look_at(self, block: bytes) -> None:
        if self.hdf5_at < 0:
            at = (self.tail[-len(HDF5) + 1 :] + block).find(HDF5)
            if at >= 0:
                self.hdf5_at = self.passed - min(len(self.tail), len(HDF5) - 1) + at
        self.passed += len(block)
        self.tail = block[-ZIP_TAIL:] if len(block) >= ZIP_TAIL else (self.tail + block)[-ZIP_TAIL:]


class MemberFile:
    """What the readers of this package read from. `read` gives fewer bytes at the end only; `exactly` never does."""

    def __init__(self, pull: Callable[[int], bytes]) -> None:
        self._watched = _Watched(pull)
        self._file = io.BufferedReader(self._watched, BLOCK)
        self.read = self._file.read
        self.readline = self._file.readline

    def head(self) -> bytes:
        """The next bytes, 64 KiB unless there are fewer, without taking them. Only before anything was read."""
        return self._file.peek(HEAD)[:HEAD]

    def tell(self) -> int:
        return self._file.tell()

    def at_end(self) -> bool:
        return not self._file.peek(1)

    def exactly(self, size: int) -> bytes:
        taken = self._file.read(size)
        if len(taken) < size:
            raise Unreadable("it ends early")
        return taken

    def skip(self, size: int) -> None:
        """Pass over so many bytes, holding one block of them at a time."""
        while size > 0:
            size -= len(self.exactly(min(size, BLOCK)))

    def drain(self) -> None:
        while self._file.read(BLOCK):
            pass

    @property
    def hidden(self) -> str:
        """What was seen inside of the bytes that passed, beside what they begin with; empty when nothing."""
        if self._watched.hdf5_at > 0:
            return "an HDF5 file begins in the middle of it"
        tail = self._watched.tail
        at = tail.rfind(END_OF_ZIP)
        while at >= 0:
            if len(tail) - at >= 22 and int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail) - at - 22:
                return "it ends as a zip archive, which loaders would find"
            at = tail.rfind(END_OF_ZIP, 0, at)
        return ""
