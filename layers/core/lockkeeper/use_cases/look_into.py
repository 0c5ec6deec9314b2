"""Look into artifacts that were copied into a folder before: the same look as on their way in, where it takes longer. Runs in a job.

The folder has `asked.json`, and below the number of each artifact its files by their numbers: names of an artifact stay names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.errand import Artifact, Asked, Looked, Seen
from lockkeeper.domain.artifact.findings import Opinion
from lockkeeper.domain.artifact.folder import FolderScan
from lockkeeper.domain.artifact.passing import BLOCK, Passing
from lockkeeper.domain.artifact.scan import scan


def look_into(given: Path, opinion: Opinion) -> Looked:
    """What is seen of each artifact, up to and with the first that has to be refused."""
    raw = (given / "asked.json").read_bytes()
    asked = Asked.from_bytes(raw)
    allowed = Allowed(asked.allow_globals)
    seen: list[Seen] = []
    for number, artifact in enumerate(asked.artifacts, 1):
        look = _archive if artifact.is_archive else _folder
        seen.append(look(artifact, given / str(number), allowed, opinion))
        if seen[-1].report.findings:
            break
    return Looked(hashlib.sha256(raw).hexdigest(), tuple(seen))


def _archive(artifact: Artifact, given: Path, allowed: Allowed, opinion: Opinion) -> Seen:
    passing = Passing(_blocks(given / "0"))
    report = scan(passing.pull, artifact.limits, allowed, opinion)
    passing.finish()
    return Seen(report, (passing.sha256,))


def _folder(artifact: Artifact, given: Path, allowed: Allowed, opinion: Opinion) -> Seen:
    look, hashes = FolderScan(artifact.limits, allowed, opinion), []
    for number, file in enumerate(artifact.files):
        passing = Passing(_blocks(given / str(number)))
        look.file(file.path, passing.pull)
        passing.finish()
        hashes.append(passing.sha256)
        if look.report.findings:
            break
    return Seen(look.report, tuple(hashes))


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
