"""The artifact is read once, whatever its size, and only a well-formed archive passes."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from collections.abc import Iterator

import pytest
from lockkeeper.domain.errors import ArtifactRefused
from lockkeeper.use_cases.scan_artifact import TarWatcher

from tests.unit.harbour import archive

MEGABYTE = 1_000_000


def in_chunks(body: bytes, size: int = 65_536) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def watched(body: bytes, size: int = 65_536, max_bytes: int = 100 * MEGABYTE) -> TarWatcher:
    return TarWatcher(in_chunks(body, size), "s3://models/model.tar.gz", max_bytes)


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_every_byte_passes_in_order_and_is_hashed(size: int) -> None:
    body = archive(random.Random(1).randbytes(20_000)) + b"trailing bytes"
    watcher = watched(body, size)
    assert b"".join(watcher) == body
    assert watcher.digest() == hashlib.sha256(body).hexdigest()
    assert watcher.size == len(body)


def test_a_large_member_is_not_held_in_memory() -> None:
    body = archive(random.Random(2).randbytes(20 * MEGABYTE))
    watcher = watched(body)
    most = max(len(watcher._passed) * 65_536 for _ in watcher)
    assert watcher.size == len(body) > 20 * MEGABYTE
    assert most <= 3 * MEGABYTE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no archive",
        archive()[:40],
        archive(random.Random(3).randbytes(50_000))[:30_000],
        gzip.compress(b"not a tar", mtime=0),
        archive().replace(b"\x1f\x8b", b"\x1f\x8c", 1),
    ],
    ids=["empty", "text", "cut in its header", "cut in its member", "gzip of text", "no gzip"],
)
def test_what_is_no_archive_is_refused(body: bytes) -> None:
    with pytest.raises(ArtifactRefused, match=r"no readable \.tar\.gz"):
        list(watched(body))


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../b"])
def test_a_member_that_leaves_the_archive_is_refused(name: str) -> None:
    with pytest.raises(ArtifactRefused, match="leaves the archive"):
        list(watched(archive(name=name)))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("odd")
        member.type, member.linkname = kind, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(ArtifactRefused, match="link or a device"):
        list(watched(packed.getvalue()))


def test_an_archive_that_unpacks_to_much_more_is_refused() -> None:
    with pytest.raises(ArtifactRefused, match="unpacks to more than 1000000 bytes"):
        list(watched(archive(b"\0" * 1_000_001), max_bytes=100_000))


def test_folders_are_fine() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        folder = tarfile.TarInfo("code")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    body = packed.getvalue()
    assert b"".join(watched(body)) == body
