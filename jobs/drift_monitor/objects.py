"""Where captured data and ground truth are read: S3, or a folder with one folder for each bucket, to try the monitor by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Iterator, Union

from jobs.drift_monitor.errors import MonitorError

HOUR = timedelta(hours=1)


class S3Objects:
    """Objects by their `s3://bucket/key`, read as streams."""

    def __init__(self) -> None:
        import boto3

        self._client: Any = boto3.client("s3")

    def below(self, uri: str) -> Iterator[str]:
        """The addresses of all objects that begin with this one, in the order of their keys."""
        from botocore.exceptions import ClientError

        bucket, prefix = split(uri)
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for one in page.get("Contents", []):
                    yield f"s3://{bucket}/{one['Key']}"
        except ClientError as error:
            raise MonitorError(f"{uri} cannot be listed: {error}") from error

    def open(self, uri: str) -> Any:
        """A stream of the object's bytes; a MonitorError where it cannot be read, or breaks off."""
        from botocore.exceptions import ClientError

        bucket, key = split(uri)
        try:
            return _Body(self._client.get_object(Bucket=bucket, Key=key)["Body"], uri)
        except ClientError as error:
            raise MonitorError(f"{uri} cannot be read: {error}") from error


class _Body:
    """An object on its way: the network may fail in the middle of it."""

    def __init__(self, body: Any, uri: str) -> None:
        self._body = body
        self._uri = uri

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_error: object) -> None:
        self._body.close()

    def read(self, size: int) -> bytes:
        from botocore.exceptions import BotoCoreError

        try:
            read: bytes = self._body.read(size)
        except (BotoCoreError, OSError) as error:
            raise MonitorError(f"{self._uri} broke off: {error}") from error
        return read


class FolderObjects:
    """The same of files: `s3://bucket/key` is ROOT/bucket/key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def below(self, uri: str) -> Iterator[str]:
        bucket, prefix = split(uri)
        folder = self._root / bucket
        for path in sorted(folder.rglob("*")):
            key = path.relative_to(folder).as_posix()
            if path.is_file() and key.startswith(prefix):
                yield f"s3://{bucket}/{key}"

    def open(self, uri: str) -> IO[bytes]:
        try:
            return (self._root / uri[len("s3://") :]).open("rb")
        except OSError as error:
            raise MonitorError(f"{uri} cannot be read: {error}") from error


Objects = Union[S3Objects, FolderObjects]


def split(uri: str) -> list[str]:
    """Bucket and key of an address."""
    bucket, _, key = uri[len("s3://") :].partition("/")
    return [bucket, key]


def hours(first: datetime, last: datetime) -> Iterator[str]:
    """`yyyy/mm/dd/hh/` of every hour that the time from `first` to `last` (both inclusive) touches."""
    hour = first.replace(minute=0, second=0, microsecond=0)
    while hour <= last:
        yield hour.strftime("%Y/%m/%d/%H/")
        hour += HOUR


MOST_OF_A_LINE = 32 << 20
"""Bytes of the longest line that is read: SageMaker takes requests of 25 MB at most."""


def lines_of(stream: Any) -> Iterator[bytes]:
    """The lines of a stream, with as much memory as one line. A line that is too long comes as its beginning, which is no JSON."""
    held = b""
    too_long = False
    while True:
        chunk = stream.read(1 << 20)
        if not chunk:
            break
        parts = (held + chunk).split(b"\n")
        held = parts.pop()
        for number, line in enumerate(parts):
            yield line[:1024] if too_long and number == 0 else line
        too_long = (too_long and not parts) or len(held) > MOST_OF_A_LINE
        if too_long:
            held = held[:1024]
    if held:
        yield held
