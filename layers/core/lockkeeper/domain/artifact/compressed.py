"""Compressed streams, unpacked a block at a time: every stream of a file, and not a byte that is none."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

from lockkeeper.domain.artifact.findings import Unreadable

Pull = Callable[[int], bytes]
"""Gives at most so many bytes, and none at the end only."""

BLOCK = 1 << 18
LZMA_MEMORY = 128 << 20
"""An xz file names its dictionary's size, and a liar must not have gigabytes."""


class _Engine(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """zlib's object with the interface of those of bz2 and lzma."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        unpacked = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        # A full block may be followed by more that needs no further input.
        self.needs_input = not self._inner.unconsumed_tail and len(unpacked) < max_length
        return unpacked


ENGINES: dict[str, Callable[[], _Engine]] = {
    "gzip": lambda: _Zlib(31),
    "zlib": lambda: _Zlib(15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=LZMA_MEMORY),
}


class Unpacked:
    """What a compressed stream unpacks to. Files of several streams (as loaders read them) are followed to their end.

    Raises `Unreadable` where a stream is broken, cut, or followed by something else than padding; `count` gets the number of
    bytes of every block as soon as it is unpacked.
    """

    def __init__(self, pull: Pull, kind: str, count: Callable[[int], None]) -> None:
        self._pull = pull
        self._kind = kind
        self._count = count
        self._input = b""
        self._broken = ""
        self._engine: _Engine | None = ENGINES[kind]()

    def __call__(self, size: int) -> bytes:
        while self._engine is not None:
            if self._broken:
                raise Unreadable(self._broken)
            if self._engine.eof:
                self._next_stream(self._engine.unused_data)
                continue
            block = self._step(self._engine, min(size, BLOCK))
            if block:
                self._count(len(block))
                return block
        return b""

    def _step(self, engine: _Engine, size: int) -> bytes:
        packed = b""
        if engine.needs_input:
            packed = self._input or self._pull(BLOCK)
            self._input = b""
            if not packed:
                raise Unreadable(f"the {self._kind} stream ends early")
        try:
            return engine.decompress(packed, size)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, MemoryError) as error:
            self._broken = f"the {self._kind} stream is broken: {error}"
            raise Unreadable(self._broken) from error

    def _next_stream(self, rest: bytes) -> None:
        self._engine = None
        while not rest.lstrip(b"\0"):
            rest = self._pull(BLOCK)
            if not rest:
                return
        if rest[:1] == b"\0":
            raise Unreadable(f"bytes follow the padding of the {self._kind} stream")
        self._engine, self._input = ENGINES[self._kind](), rest
