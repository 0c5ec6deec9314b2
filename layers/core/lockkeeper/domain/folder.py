"""A folder in S3 as an artifact: what a listing says of its files, and the manifest that pins them. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lockkeeper.domain.artifact.findings import printable


@dataclass(frozen=True)
class Listed:
    """An object below a prefix, as S3 lists it: the rest of its key, its size and its ETag."""

    path: str
    bytes: int
    etag: str


@dataclass(frozen=True)
class Sealed:
    """A file that was scanned and copied: its content, the version it was read from, and the copy's ETag."""

    path: str
    bytes: int
    sha256: str
    source_etag: str
    source_version: str
    etag: str = ""


def content_digest(files: Iterable[Sealed]) -> str:
    """SHA-256 (hex) over paths, sizes and hashes: two folders with the same files have the same, whoever wrote them when."""
    content = sorted((one.path, one.bytes, one.sha256) for one in files)
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def manifest_of(source: str, pinned: str, files: Iterable[Sealed]) -> bytes:
    """What a folder is pinned by, as canonical JSON: where it was and is, and every file."""
    objects = [asdict(one) for one in sorted(files, key=lambda one: one.path)]
    document = {"source": source, "pinned": pinned, "objects": objects}
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def sealed_in(manifest: bytes) -> list[Listed]:
    """The copies that a manifest lists."""
    objects: list[dict[str, Any]] = json.loads(manifest)["objects"]
    return [Listed(one["path"], one["bytes"], one["etag"]) for one in objects]


def difference(before: Iterable[Listed], after: Iterable[Listed]) -> str:
    """What was added, removed or changed between two listings, in words; empty when nothing."""
    old, new = _by_path(before), _by_path(after)
    kinds = {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "changed": {path for path in old.keys() & new.keys() if old[path] != new[path]},
    }
    return "; ".join(f"{kind}: {_named(sorted(paths))}" for kind, paths in kinds.items() if paths)


def _by_path(listed: Iterable[Listed]) -> Mapping[str, Listed]:
    return {one.path: one for one in listed}


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(printable(path) for path in paths[:5]) + more
