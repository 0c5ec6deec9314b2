"""Zip archives (torch, npz, Keras), held in memory and strictly laid out: one meaning for every reader, or none.

Some readers of zip go by the directory at the end, others by the headers on the way; some search for the end, others
forgive a wrong checksum. Here every byte of the file belongs to one member, in order, or the file is refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.artifact.findings import Unreadable
from lockkeeper.domain.artifact.stream import END_OF_ZIP
from lockkeeper.domain.artifact.tar import Member

ZIP = b"PK\x03\x04"
IN_DIRECTORY = b"PK\x01\x02"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
DESCRIPTOR = 0x8
DESCRIPTOR_SIZES = (12, 16, 20, 24)
"""Sizes of what may follow a member: with and without a signature, with sizes of four or eight bytes."""


class Held(io.RawIOBase):
    """A buffer as a file, without a copy of it."""

    def __init__(self, body: memoryview) -> None:
        super().__init__()
        self._body = body
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, len(self._body))[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        block = self._body[self._at : self._at + len(buffer)]
        buffer[: len(block)] = block
        self._at += len(block)
        return len(block)


def members_of(whole: bytearray, most: int) -> Iterator[Member]:
    """The files of a zip; raises `Unreadable` where readers could disagree, also on a checksum at a member's end."""
    if whole.count(IN_DIRECTORY) > most:
        raise Unreadable(f"a zip archive with more than {most} members")
    body = memoryview(whole)
    try:
        archive = zipfile.ZipFile(io.BufferedReader(Held(body)))
        entries = sorted(archive.infolist(), key=lambda one: one.header_offset)
        _one_layout(body, entries, archive.start_dir)
        for entry in entries:
            if entry.is_dir() and entry.file_size:
                raise Unreadable("a folder with content")
            if not entry.is_dir():
                with archive.open(entry) as file:
                    yield Member(entry.filename, entry.file_size, _Guarded(file))
    except (
        zipfile.BadZipFile,
        RuntimeError,  # Also what zipfile raises for a compression that it lacks.
        ValueError,
        struct.error,
        OSError,
        EOFError,
    ) as error:
        raise Unreadable(f"the zip archive is broken: {error}") from error


class _Guarded:
    """Reads a member; what is wrong with it is `Unreadable`."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __call__(self, size: int) -> bytes:
        try:
            return bytes(self._file.read(size))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
            raise Unreadable(f"the zip archive is broken: {error}") from error


def _one_layout(body: memoryview, entries: list[zipfile.ZipInfo], directory: int) -> None:
    if bytes(body[-22:-18]) != END_OF_ZIP:
        raise Unreadable("a zip archive with a comment or something else behind its end")
    if len({entry.filename for entry in entries}) != len(entries):
        raise Unreadable("a zip archive with one name twice")
    at = 0
    for number, entry in enumerate(entries):
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
            raise Unreadable(f"member {number + 1} is encrypted, or compressed in an unusual way")
        if entry.header_offset != at or "\0" in entry.orig_filename:
            raise Unreadable("a zip archive with something between its members")
        at = _end_of(body, entry, entries[number + 1].header_offset if number + 1 < len(entries) else directory)
    if at != directory:
        raise Unreadable("a zip archive with something before its directory")


def _end_of(body: memoryview, entry: zipfile.ZipInfo, following: int) -> int:
    """Where a member ends; its own header has to say the same as the directory."""
    header = bytes(body[entry.header_offset : entry.header_offset + 30])
    magic, _, flags, method, _, _, _, packed, plain, name, extra = struct.unpack("<4sHHHHHIIIHH", header)
    if magic != ZIP or method != entry.compress_type or (flags ^ entry.flag_bits) & (ENCRYPTED | DESCRIPTOR):
        raise Unreadable("a zip archive whose headers contradict its directory")
    exact = (entry.compress_size, entry.file_size)
    if not flags & DESCRIPTOR and (packed, plain) != exact and 0xFFFFFFFF not in (packed, plain):
        raise Unreadable("a zip archive whose headers contradict its directory")
    end: int = entry.header_offset + 30 + name + extra + entry.compress_size
    if flags & DESCRIPTOR and following - end in DESCRIPTOR_SIZES:
        return following
    return end
