"""What the use cases need of S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from lockkeeper.domain.folder import Listed


class Objects(Protocol):
    """S3, by `s3://bucket/key`."""

    def read(self, uri: str, *, max_bytes: int) -> bytes:
        """The object's bytes; `EvidenceMissing` says why it cannot be read."""
        ...

    def stream(self, uri: str, *, etag: str = "") -> Stream:
        """An object to be read once; with `etag`, that version of it and no other (`EvidenceMissing`)."""
        ...

    def listing(self, uri: str, *, most: int) -> list[Listed]:
        """The objects below an address that ends with a `/`, in the order of their keys; at most so many are listed."""
        ...

    def own_listing(self, prefix: str, *, most: int) -> list[Listed]:
        """The same for a prefix of Lockkeeper's bucket."""
        ...

    def keep(self, temporary_key: str) -> AbstractContextManager[Writing]:
        """An object of Lockkeeper's bucket that is written in pieces; left with an error, it is not there."""
        ...

    def write_version(self, key: str, body: bytes) -> str:
        """Write an object of Lockkeeper's bucket; returns its version."""
        ...

    def seal_version(self, key: str, version: str, final_key: str) -> str:
        """Give this version of an object its write-once key (done already is fine); returns its `s3://` address."""
        ...

    def seal_as(self, temporary_key: str, final_key: str) -> str:
        """Give an uploaded stream its write-once key (done already is fine); returns its `s3://` address."""
        ...

    def discard(self, temporary_key: str) -> None:
        """Remove what was written under a temporary key."""
        ...

    def address_of(self, key: str) -> str:
        """The `s3://` address of a key of Lockkeeper's bucket."""
        ...

    def key_of(self, uri: str) -> str:
        """The key of an address in Lockkeeper's bucket."""
        ...

    def write(self, key: str, body: bytes, content_type: str) -> str:
        """Write an object of Lockkeeper's bucket; returns its `s3://` address."""
        ...

    def own_lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object of Lockkeeper's bucket, as they are read; none where there is no such object."""
        ...

    def read_own(self, key: str) -> bytes | None:
        """An object of Lockkeeper's bucket, or None."""
        ...


class Writing(Protocol):
    """Takes the next piece of an object; `version` is known once it is complete."""

    version: str

    def __call__(self, piece: bytes) -> None: ...


@dataclass(frozen=True)
class Stream:
    """A source that is read once: chunks of bytes, and the total the store announces."""

    chunks: Iterator[bytes]
    total: int
    version: str = ""
    """The version that is read, where the bucket keeps versions."""
