"""Read every container's artifact once: look into it, hash it, copy it to its write-once place, pin it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NoReturn

from lockkeeper.domain.artifact.findings import Report
from lockkeeper.domain.errors import ArtifactRefused, GateInconclusive, ReleaseStopped
from lockkeeper.domain.gates.artifact import ARTIFACT, NO_FINDINGS, judge_images, judge_scan
from lockkeeper.domain.model_package import Container, candidate_from
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.recorded import REGISTRY
from lockkeeper.domain.release import Outcome, Pin, Release, Status, Verdict, with_verdicts
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.braked import refuse_if_content_is_held
from lockkeeper.use_cases.copy_archive import copy_archive
from lockkeeper.use_cases.copy_folder import copy_folder
from lockkeeper.use_cases.keep_dossier import keep_dossier, publish_verdicts, registry_facts
from lockkeeper.use_cases.pinned import current_description, pinned_policy
from lockkeeper.use_cases.scan_by_job import STATE, Found, job_for, scan_by_job
from lockkeeper.use_cases.settle_wait import NOBODY, complete_own_wait


def scan_artifact(release_id: str, token: str, world: World) -> None:
    """Pins artifacts and images; raises `ArtifactRefused`, `EvidenceMissing`, `GateInconclusive` or `VersionHeld`. Verdicts are recorded.

    The wait is over at once, except for artifacts that a job looks into: then this is called again when the job has ended.
    """
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "scanning the artifact", "", stage=STATE, status=Status.OPEN)
    rule = pinned_policy(release, world).gates.artifact
    description = current_description(release, world)
    containers = candidate_from(description).containers
    images = judge_images([container.image for container in containers], rule.images)
    if images.verdict is not Outcome.PASSED:
        cure = "use an allowed image, or add its pattern to the policy"
        _refuse(release, (images,), description, world, ArtifactRefused(images.reason, cure=cure))
    try:
        found = _look(release, containers, rule, token, world)
    except GateInconclusive as unknown:
        verdict = Verdict(ARTIFACT, Outcome.INCONCLUSIVE, unknown.message, None, NO_FINDINGS)
        _refuse(release, (images, verdict), description, world, unknown)
    if found is None:
        return
    artifacts: list[Pin] = []
    reasons: list[str] = []
    for number, (pin, report) in enumerate(found, 1):
        which = f"container {number}: " if len(containers) > 1 else ""
        reasons.append(which + report.reason)
        if pin is None:
            uri = containers[number - 1].artifact_uri
            why = ArtifactRefused(f"{which}{uri}: {report.reason}", cure=report.cure)
            _refuse(release, (images, judge_scan(report, which)), description, world, why)
        artifacts.append(pin)
    verdicts = (images, Verdict(ARTIFACT, Outcome.PASSED, "; ".join(reasons), 0.0, NO_FINDINGS))
    _pin(release, containers, tuple(artifacts), verdicts, world)
    refuse_if_content_is_held(world.ledger.get(release_id), world)
    wait = Wait(release_id, STATE, token, resources=_waited_for(release_id, rule, world))
    world.ledger.store_wait(wait)
    complete_own_wait(wait, {}, world)


def _look(
    release: Release, containers: tuple[Container, ...], rule: ArtifactRule, token: str, world: World
) -> Found | None:
    # Who gives no token goes on when this returns, so everything has to have been looked into by then.
    job = job_for(containers, rule, world) if token != NOBODY else None
    if isinstance(job, Report):
        return [(None, job)]
    if job:
        return scan_by_job(release, containers, rule, job, token, world)
    found: Found = []
    for number, container in enumerate(containers, 1):
        copy = copy_folder if container.is_folder else copy_archive
        found.append(copy(f"{release.release_id}/{number}", container.artifact_uri, rule, world))
        if found[-1][0] is None:
            break
    return found


def _waited_for(release_id: str, rule: ArtifactRule, world: World) -> tuple[str, ...]:
    """What an earlier try waited for can be found in the ledger until a wait for the same is over."""
    before = world.ledger.wait_of(release_id, STATE) if rule.job else None
    return before.resources if before else ()


def _pin(
    release: Release,
    containers: tuple[Container, ...],
    artifacts: tuple[Pin, ...],
    verdicts: tuple[Verdict, ...],
    world: World,
) -> None:
    pins = replace(
        release.pins,
        artifacts=artifacts,
        images=tuple(container.pinned_image for container in containers),
        environments=tuple(container.environment for container in containers),
    )
    hashes = ", ".join(pin.sha256 for pin in artifacts)
    every = with_verdicts(release, *verdicts)
    world.ledger.record(release.release_id, "artifact pinned", hashes, pins=pins, verdicts=every)
    publish_verdicts(release, verdicts, world)


def _refuse(
    release: Release,
    verdicts: tuple[Verdict, ...],
    description: dict[str, Any],
    world: World,
    refused: ReleaseStopped,
) -> NoReturn:
    """What was refused has a dossier like every release: no gate after this one will seal it."""
    keep_dossier(release, verdicts, {REGISTRY: registry_facts(description)}, "judged", world)
    raise refused
