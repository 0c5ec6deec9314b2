"""Tar archives, strictly: one meaning for every reader, or none.

Readers of tar differ in what they forgive (a broken header in the middle, sizes in extended headers, names cut at a NUL).
What they would read differently is refused here.
"""

from __future__ import annotations

import re
import tarfile
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lockkeeper.domain.artifact.compressed import Pull
from lockkeeper.domain.artifact.findings import Unreadable

BLOCK = 512
LONGEST_HEADER = 1 << 16
"""Bytes of an extended header; a name and some times need a few hundred."""
LONGEST_NAME = 1024
HARMLESS = re.compile(
    r"(path|mtime|atime|ctime|uid|gid|uname|gname|comment|charset|(SCHILY|LIBARCHIVE)\.(xattr\..*|dev|ino|nlink|fflags|creationtime))"
)
"""Extended headers that change nothing about where a member's bytes are or what they are."""
BAD_NAME = "a name that leaves the archive or hides what it is"
REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
RECORD = re.compile(rb"(\d{1,6}) ([^=]{1,256})=")


@dataclass(frozen=True)
class Member:
    """One file of an archive; `pull` gives its bytes, once, until the next member is asked for."""

    name: str
    size: int
    pull: Pull


def looks_like_tar(head: bytes) -> bool:
    """Whether a file that begins so would be taken for a tar archive."""
    try:
        tarfile.TarInfo.frombuf(head[:BLOCK], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


class Tar:
    """The members of a tar archive. `refuse(name, what, why)` is told of members that are not read; reading goes on."""

    def __init__(self, pull: Pull, refuse: Callable[[str, str, str], None]) -> None:
        self._pull = pull
        self._refuse = refuse
        self._left = 0
        self._rest = b""

    def __iter__(self) -> Iterator[Member]:
        """Raises `Unreadable` where the archive is broken, cut, or followed by anything but zeros."""
        extended: dict[str, str] = {}
        while True:
            header = self._exactly(BLOCK)
            if not header.strip(b"\0"):
                self._only_zeros()
                return
            info = self._parsed(header)
            padding = -info.size % BLOCK
            if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
                further = self._extended(info)
                if set(further) & set(extended):
                    raise Unreadable("two extended headers for one member")
                extended |= further
                self._exactly(padding)
                continue
            name, extended = self._name(info, extended), {}
            self._left = info.size
            problem = name_problem(name)
            if problem:
                self._refuse(name, BAD_NAME, problem)
            elif info.type in REGULAR:
                yield Member(name, info.size, self._some)
            elif info.type != tarfile.DIRTYPE:
                kind = "a link or a device" if info.type in b"123456" else f"a member of type {info.type!r}"
                self._refuse(name, kind, "only plain files and folders are unpacked as they are")
            elif info.size:
                raise Unreadable("a folder with content")
            while self._some(1 << 18):
                pass
            self._exactly(padding)

    def _some(self, size: int) -> bytes:
        """Bytes of the member at hand."""
        block = self._take(min(size, self._left)) if self._left else b""
        if self._left and not block:
            raise Unreadable("the archive ends early")
        self._left -= len(block)
        return block

    def _take(self, size: int) -> bytes:
        if not self._rest:
            self._rest = self._pull(1 << 18)
        block, self._rest = self._rest[:size], self._rest[size:]
        return block

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size > 0:
            block = self._take(size)
            if not block:
                raise Unreadable("the archive ends early")
            parts.append(block)
            size -= len(block)
        return b"".join(parts)

    def _only_zeros(self) -> None:
        while block := self._take(1 << 18):
            if block.strip(b"\0"):
                raise Unreadable("bytes follow the end of the archive, which other programs may unpack")

    def _parsed(self, header: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise Unreadable(f"a member's header is broken: {error}") from error
        if info.size < 0:
            raise Unreadable("a member of a negative size")
        posix = header[257:263] == b"ustar\0"
        hidden = header[:100].partition(b"\0")[2] + (header[345:500].partition(b"\0")[2] if posix else header[345:500])
        if hidden.strip(b"\0"):
            # Behind a NUL, or where GNU keeps times and others the rest of a long name.
            raise Unreadable("a name that programs read differently")
        return info

    def _extended(self, info: tarfile.TarInfo) -> dict[str, str]:
        if info.size > LONGEST_HEADER:
            raise Unreadable(f"an extended header of {info.size} bytes")
        body = self._exactly(info.size)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            name, _, rest = body.partition(b"\0")
            if rest.strip(b"\0"):
                raise Unreadable("a name that goes on behind a NUL")
            return {"path": name.decode("utf-8", "surrogateescape")}
        records = dict(_records(body))
        odd = [key for key in records if not HARMLESS.fullmatch(key)]
        if odd or (info.type == tarfile.XGLTYPE and set(records) - {"comment"}):
            raise Unreadable(f"an extended header that changes what a member is: {', '.join(sorted(odd or records))}")
        return records if info.type != tarfile.XGLTYPE else {}

    def _name(self, info: tarfile.TarInfo, extended: dict[str, str]) -> str:
        return extended.get("path", info.name) or info.name


def _records(body: bytes) -> Iterator[tuple[str, str]]:
    """`28 mtime=1753000000.1234567\\n`: the length counts itself and the line's end."""
    seen: set[str] = set()
    while body.strip(b"\0"):
        found = RECORD.match(body)
        length = int(found[1]) if found else 0
        if not found or length <= found.end() or length > len(body) or body[length - 1 : length] != b"\n":
            raise Unreadable("an extended header that is broken")
        key = found[2].decode("utf-8", "surrogateescape")
        if key in seen:
            raise Unreadable(f"an extended header that says {key} twice")
        seen.add(key)
        yield key, body[found.end() : length - 1].decode("utf-8", "surrogateescape")
        body = body[length:]


def name_problem(name: str) -> str:
    """Why a member's name is not taken; empty when it is. Names that only look harmless are none."""
    plain = unicodedata.normalize("NFKC", name)
    parts = plain.replace("\\", "/").split("/")
    if name.startswith("/") or plain.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", plain):
        return "it leaves the archive"
    if "\\" in plain or any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in plain):
        return "characters that programs read differently"
    if plain.count("/") != name.count("/") or plain.count(".") != name.count("."):
        return "characters that look like others"
    if not name or len(name) > LONGEST_NAME:
        return f"empty, or longer than {LONGEST_NAME} characters"
    return ""
