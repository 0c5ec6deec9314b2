"""Read every container's artifact once: look into it, hash it, copy it to its write-once place, pin it."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from lockkeeper.domain.artifact.findings import Report
from lockkeeper.domain.errors import ArtifactRefused
from lockkeeper.domain.model_package import Container, allow_image
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.release import Outcome, Pin, Release, Status, Verdict, with_verdicts
from lockkeeper.ports import World
from lockkeeper.use_cases.copy_archive import copy_archive
from lockkeeper.use_cases.copy_folder import copy_folder
from lockkeeper.use_cases.pinned import current_candidate, facts_of, pinned_policy


def scan_artifact(release_id: str, world: World) -> None:
    """Pins artifacts and images; raises `ArtifactRefused` or `EvidenceMissing`. The verdict is recorded either way."""
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "scanning the artifact", "", stage="ScanArtifact", status=Status.OPEN)
    policy = pinned_policy(release, world)
    containers = current_candidate(release, world).containers
    for container in containers:
        allow_image(container.image, policy.gates.artifact.images)
    artifacts: list[Pin] = []
    reasons: list[str] = []
    for number, container in enumerate(containers, 1):
        which = f"container {number}: " if len(containers) > 1 else ""
        pin, report = _copy_once(f"{release_id}/{number}", container, policy.gates.artifact, world)
        reasons.append(which + report.reason)
        if pin is None:
            _refuse(release, which, container.artifact_uri, report, world)
        artifacts.append(pin)
    pins = replace(
        release.pins,
        artifacts=tuple(artifacts),
        images=tuple(container.pinned_image for container in containers),
        environments=tuple(container.environment for container in containers),
    )
    verdicts = with_verdicts(release, Verdict("artifact", Outcome.PASSED, "; ".join(reasons), 0.0, "0 findings"))
    hashes = ", ".join(pin.sha256 for pin in artifacts)
    world.ledger.record(release_id, "artifact pinned", hashes, pins=pins, verdicts=verdicts)
    world.publisher.publish("Gate Judged", {**facts_of(release), "gate": "artifact", "verdict": "passed"})


def _copy_once(name: str, container: Container, rule: ArtifactRule, world: World) -> tuple[Pin | None, Report]:
    copy = copy_folder if container.is_folder else copy_archive
    return copy(name, container.artifact_uri, rule, world)


def _refuse(release: Release, which: str, uri: str, report: Report, world: World) -> NoReturn:
    reason = which + report.reason
    verdict = Verdict("artifact", Outcome.FAILED, reason, float(len(report.findings)), "0 findings")
    world.ledger.record(release.release_id, "artifact refused", reason, verdicts=with_verdicts(release, verdict))
    world.publisher.publish("Gate Judged", {**facts_of(release), "gate": "artifact", "verdict": "failed"})
    raise ArtifactRefused(f"{which}{uri}: {report.reason}", cure=report.cure)
