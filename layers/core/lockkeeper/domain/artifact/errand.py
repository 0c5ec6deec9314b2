"""What a job is asked to look into, and what it saw: as JSON, because a bucket lies between who asks and who looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lockkeeper.domain.artifact.findings import Finding, Limits, Report, Weight


@dataclass(frozen=True)
class Copied:
    """A file that was copied and hashed, and not looked into yet. `version` is the copy's; an archive has no path."""

    path: str
    bytes: int
    sha256: str
    version: str
    source_etag: str = ""
    source_version: str = ""


@dataclass(frozen=True)
class Artifact:
    """A container's artifact: one archive, or the files of a folder, and the caps for all of it."""

    source: str
    limits: Limits
    files: tuple[Copied, ...]

    @property
    def is_archive(self) -> bool:
        return self.files[0].path == ""


@dataclass(frozen=True)
class Asked:
    """The artifacts of one release, in the order of its containers, and what the policy lets their pickles name."""

    artifacts: tuple[Artifact, ...]
    allow_globals: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        return _json(asdict(self))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Asked:
        plain = json.loads(raw)
        return cls(tuple(_artifact(one) for one in plain["artifacts"]), tuple(plain["allow_globals"]))


@dataclass(frozen=True)
class Seen:
    """What was seen of one artifact, and the SHA-256 of each of its files that was read, in their order."""

    report: Report
    sha256: tuple[str, ...]

    def is_of(self, files: Sequence[Copied]) -> bool:
        """Whether these files were read: all of them, or as many as it took to find something."""
        hashes = tuple(one.sha256 for one in files)
        if self.report.findings:
            return 0 < len(self.sha256) <= len(hashes) and hashes[: len(self.sha256)] == self.sha256
        return hashes == self.sha256


@dataclass(frozen=True)
class Looked:
    """What a job brings back: whose errand it ran, and what it saw, up to the first artifact that has to be refused."""

    asked_sha256: str
    seen: tuple[Seen, ...]

    def to_bytes(self) -> bytes:
        return _json(asdict(self))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Looked:
        """`ValueError` where it is nothing of the kind."""
        try:
            plain = json.loads(raw)
            seen = tuple(Seen(_report(one["report"]), tuple(one["sha256"])) for one in plain["seen"])
            return cls(plain["asked_sha256"], seen)
        except (ValueError, LookupError, TypeError) as error:
            raise ValueError(f"no report of a scan: {type(error).__name__}: {error}") from error


def _json(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def _artifact(plain: dict[str, Any]) -> Artifact:
    files = tuple(Copied(**one) for one in plain["files"])
    return Artifact(plain["source"], Limits(**plain["limits"]), files)


def _report(plain: dict[str, Any]) -> Report:
    findings = [Finding(**{**one, "weight": Weight(one["weight"])}) for one in plain["findings"]]
    return Report(**{**plain, "limits": Limits(**plain["limits"]), "findings": findings})
