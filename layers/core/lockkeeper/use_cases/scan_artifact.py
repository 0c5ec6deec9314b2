"""Read every container's artifact once: look into it, hash it, copy it to its write-once place, pin it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from lockkeeper.domain.artifact.findings import Report
from lockkeeper.domain.errors import ArtifactRefused
from lockkeeper.domain.gates.artifact import ARTIFACT, judge_images, judge_scan
from lockkeeper.domain.model_package import Container, candidate_from
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.recorded import REGISTRY
from lockkeeper.domain.release import Outcome, Pin, Release, Status, Verdict, with_verdicts
from lockkeeper.ports import World
from lockkeeper.use_cases.copy_archive import copy_archive
from lockkeeper.use_cases.copy_folder import copy_folder
from lockkeeper.use_cases.keep_dossier import keep_dossier, publish_verdicts, registry_facts
from lockkeeper.use_cases.pinned import current_description, pinned_policy


def scan_artifact(release_id: str, world: World) -> None:
    """Pins artifacts and images; raises `ArtifactRefused` or `EvidenceMissing`. The verdicts are recorded either way."""
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "scanning the artifact", "", stage="ScanArtifact", status=Status.OPEN)
    rule = pinned_policy(release, world).gates.artifact
    description = current_description(release, world)
    containers = candidate_from(description).containers
    images = judge_images([container.image for container in containers], rule.images)
    if images.verdict is not Outcome.PASSED:
        cure = "use an allowed image, or add its pattern to the policy"
        _refuse(release, (images,), description, world, ArtifactRefused(images.reason, cure=cure))
    artifacts: list[Pin] = []
    reasons: list[str] = []
    for number, container in enumerate(containers, 1):
        which = f"container {number}: " if len(containers) > 1 else ""
        pin, report = _copy_once(f"{release_id}/{number}", container, rule, world)
        reasons.append(which + report.reason)
        if pin is None:
            why = ArtifactRefused(f"{which}{container.artifact_uri}: {report.reason}", cure=report.cure)
            _refuse(release, (images, judge_scan(report, which)), description, world, why)
        artifacts.append(pin)
    pins = replace(
        release.pins,
        artifacts=tuple(artifacts),
        images=tuple(container.pinned_image for container in containers),
        environments=tuple(container.environment for container in containers),
    )
    verdicts = (images, Verdict(ARTIFACT, Outcome.PASSED, "; ".join(reasons), 0.0, "0 findings"))
    hashes = ", ".join(pin.sha256 for pin in artifacts)
    world.ledger.record(release_id, "artifact pinned", hashes, pins=pins, verdicts=with_verdicts(release, *verdicts))
    publish_verdicts(release, verdicts, world)


def _copy_once(name: str, container: Container, rule: ArtifactRule, world: World) -> tuple[Pin | None, Report]:
    copy = copy_folder if container.is_folder else copy_archive
    return copy(name, container.artifact_uri, rule, world)


def _refuse(
    release: Release,
    verdicts: tuple[Verdict, ...],
    description: dict[str, Any],
    world: World,
    refused: ArtifactRefused,
) -> NoReturn:
    """What was refused has a dossier like every release: no gate after this one will seal it."""
    keep_dossier(release, verdicts, {REGISTRY: registry_facts(description)}, "judged", world)
    raise refused
