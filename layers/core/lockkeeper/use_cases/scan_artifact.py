"""Read the artifact once: look into it, hash it, copy it to its write-once key, pin it."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import MEGABYTE, Limits, Report, Weight
from lockkeeper.domain.artifact.scan import scan
from lockkeeper.domain.errors import ArtifactRefused
from lockkeeper.domain.policy import ArtifactRule, Policy
from lockkeeper.domain.release import Outcome, Pin, Release, Status, Verdict, with_verdicts
from lockkeeper.ports import Stream, World
from lockkeeper.use_cases.pinned import current_candidate, facts_of, pinned_policy

BLOCK = 1 << 20


def scan_artifact(release_id: str, world: World) -> None:
    """Pins artifact and image; raises `ArtifactRefused` or `EvidenceMissing`. The verdict is recorded either way."""
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "scanning the artifact", "", stage="ScanArtifact", status=Status.OPEN)
    policy = pinned_policy(release, world)
    candidate = current_candidate(release, world)
    _allow_image(candidate.image, policy)
    rule = policy.gates.artifact
    pin, report = _copy_once(release, candidate.artifact_uri, rule, world)
    pins = replace(
        release.pins, artifacts=(pin,), images=(candidate.pinned_image,), environments=(candidate.environment,)
    )
    verdicts = with_verdicts(release, _verdict(report, Outcome.PASSED))
    world.ledger.record(release_id, "artifact pinned", pin.sha256, pins=pins, verdicts=verdicts)
    world.publisher.publish("Gate Judged", {**facts_of(release), "gate": "artifact", "verdict": "passed"})


def _allow_image(image: str, policy: Policy) -> None:
    patterns = policy.gates.artifact.images
    if not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        raise ArtifactRefused(
            f"container image {image} is not allowed by the policy (gates.artifact.images: {', '.join(patterns)})",
            cure="use an allowed image, or add its pattern to the policy",
        )


def _verdict(report: Report, outcome: Outcome) -> Verdict:
    return Verdict("artifact", outcome, report.reason, float(len(report.findings)), "0 findings")


def _copy_once(release: Release, uri: str, rule: ArtifactRule, world: World) -> tuple[Pin, Report]:
    stream = world.objects.stream(uri)
    max_bytes = rule.max_mb * MEGABYTE
    limits = Limits.of(stream.total, rule.max_ratio, max_bytes, rule.max_members)
    if stream.total > max_bytes:
        report = Report(limits)
        why = f"{stream.total / MEGABYTE:.0f} MB, more than the {rule.max_mb} MB of the policy"
        report.find("model.tar.gz", "too much", why, Weight.ESCAPES, "make it smaller, or raise gates.artifact.max_mb")
        _refuse(release, uri, report, world)
    temporary = f"incoming/{release.release_id}"
    with world.objects.keep(temporary) as write:
        copy = Copy(stream, write)
        report = scan(copy.pull, limits, Allowed(rule.allow_globals), world.pickle_opinion)
        if report.findings:
            # Refused inside: what was copied so far is given up.
            _refuse(release, uri, report, world)
        copy.finish()
    pinned = world.objects.seal_as(temporary, f"artifacts/{copy.sha256}/model.tar.gz")
    return Pin(source=uri, pinned=pinned, sha256=copy.sha256, bytes=copy.size), report


def _refuse(release: Release, uri: str, report: Report, world: World) -> NoReturn:
    verdict = _verdict(report, Outcome.FAILED)
    world.ledger.record(
        release.release_id, "artifact refused", verdict.reason, verdicts=with_verdicts(release, verdict)
    )
    world.publisher.publish("Gate Judged", {**facts_of(release), "gate": "artifact", "verdict": "failed"})
    raise ArtifactRefused(f"{uri}: {report.reason}", cure=report.cure)


class Copy:
    """The source's bytes on their way through: each is hashed and written once, in order, whoever pulls them."""

    def __init__(self, stream: Stream, write: Callable[[bytes], None]) -> None:
        self.size = 0
        self._chunks = stream.chunks
        self._write = write
        self._sha256 = hashlib.sha256()
        self._rest = memoryview(b"")

    def pull(self, size: int) -> bytes:
        """The next bytes, at most so many; none at the end only."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self.size += len(chunk)
            self._sha256.update(chunk)
            self._write(chunk)
            self._rest = memoryview(chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def finish(self) -> None:
        """Whatever nobody pulled."""
        while self.pull(BLOCK):
            pass

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()
