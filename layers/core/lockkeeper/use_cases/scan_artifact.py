"""Read the artifact once: hash it, check that it is what it says, copy it to its write-once key, pin it."""

from __future__ import annotations

import fnmatch
import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import IO, cast

from lockkeeper.domain.errors import ArtifactRefused, ReleaseStopped
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Outcome, Pin, Status, Verdict, with_verdicts
from lockkeeper.ports import World
from lockkeeper.use_cases.pinned import current_candidate, facts_of, pinned_policy

MEGABYTE = 1_000_000
MAX_MEMBERS = 100_000
BLOCK = 1 << 20


def scan_artifact(release_id: str, world: World) -> None:
    """Pins artifact and image; raises `ArtifactRefused` or `EvidenceMissing`."""
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "scanning the artifact", "", stage="ScanArtifact", status=Status.OPEN)
    policy = pinned_policy(release, world)
    candidate = current_candidate(release, world)
    _allow_image(candidate.image, policy)
    pin = _copy_once(release_id, candidate.artifact_uri, policy.gates.artifact.max_mb * MEGABYTE, world)
    verdict = Verdict(
        "artifact",
        Outcome.PASSED,
        f"a readable archive of {pin.bytes} bytes, pinned by its content",
        pin.bytes / MEGABYTE,
        f"<= {policy.gates.artifact.max_mb} MB",
    )
    pins = replace(
        release.pins, artifacts=(pin,), images=(candidate.pinned_image,), environments=(candidate.environment,)
    )
    world.ledger.record(release_id, "artifact pinned", pin.sha256, pins=pins, verdicts=with_verdicts(release, verdict))
    world.publisher.publish("Gate Judged", {**facts_of(release), "gate": "artifact", "verdict": "passed"})


def _allow_image(image: str, policy: Policy) -> None:
    patterns = policy.gates.artifact.images
    if not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        raise ArtifactRefused(
            f"container image {image} is not allowed by the policy (gates.artifact.images: {', '.join(patterns)})",
            cure="use an allowed image, or add its pattern to the policy",
        )


def _copy_once(release_id: str, uri: str, max_bytes: int, world: World) -> Pin:
    stream = world.objects.stream(uri)
    if stream.total > max_bytes:
        raise ArtifactRefused(
            f"{uri} has {stream.total / MEGABYTE:.0f} MB, more than the {max_bytes / MEGABYTE:.0f} MB of the policy",
            cure="make the artifact smaller, or raise gates.artifact.max_mb",
        )
    reader = TarWatcher(stream.chunks, uri, max_bytes)
    temporary = f"incoming/{release_id}"
    world.objects.keep(iter(reader), temporary)
    digest = reader.digest()
    pinned = world.objects.seal_as(temporary, f"artifacts/{digest}/model.tar.gz")
    return Pin(source=uri, pinned=pinned, sha256=digest, bytes=reader.size)


class TarWatcher:
    """Passes an archive's bytes through, hashing them and reading the archive's members on the way: one pass, flat memory."""

    def __init__(self, chunks: Iterator[bytes], source: str, max_bytes: int) -> None:
        self.size = 0
        self._unpacked = 0
        self._chunks = chunks
        self._source = source
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self._passed: list[bytes] = []
        self._rest = memoryview(b"")

    def __iter__(self) -> Iterator[bytes]:
        """Yield every byte of the source, in order; raises `ArtifactRefused` when it is no readable archive."""
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", self), mode="r|gz") as archive:
                for number, member in enumerate(archive):
                    self._check(number, member)
                    yield from self._take()
                    # Read here: to leave it to tarfile to skip a member would hold all of its bytes at once.
                    content = archive.extractfile(member)
                    while content and content.read(BLOCK):
                        yield from self._take()
        except ReleaseStopped:
            raise
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise ArtifactRefused(
                f"{self._source} is no readable .tar.gz: {error}", cure="pack the model again: tar czf model.tar.gz ..."
            ) from error
        while self.read(BLOCK):
            yield from self._take()
        yield from self._take()

    def read(self, size: int) -> bytes:
        """What tarfile reads from: the next bytes of the source, remembered for whoever iterates."""
        if not self._rest:
            chunk = next(self._chunks, b"")
            self.size += len(chunk)
            self._sha256.update(chunk)
            if chunk:
                self._passed.append(chunk)
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def digest(self) -> str:
        """SHA-256 (hex) of what passed."""
        return self._sha256.hexdigest()

    def _take(self) -> Iterator[bytes]:
        passed, self._passed = self._passed, []
        yield from passed

    def _check(self, number: int, member: tarfile.TarInfo) -> None:
        parts = member.name.split("/")
        self._unpacked += member.size
        if member.name.startswith("/") or ".." in parts:
            problem = f"member {member.name!r} leaves the archive"
        elif member.islnk() or member.issym() or member.isdev():
            problem = f"member {member.name!r} is a link or a device"
        elif self._unpacked > 10 * self._max_bytes:
            problem = f"it unpacks to more than {10 * self._max_bytes} bytes"
        elif number >= MAX_MEMBERS:
            problem = f"it has more than {MAX_MEMBERS} members"
        else:
            return
        raise ArtifactRefused(f"{self._source}: {problem}", cure="pack only plain files with relative names")
