"""A scan that takes longer than a Lambda may: a Processing job of the hub looks into copies, and its end is waited for.

`ScanArtifact` is entered again at the job's end, and whenever it is tried again, and goes by what it finds: no job yet, one that
runs, or one that has ended. In S3 under `scans/RELEASE/`, `job/` is what the job reads and `report/` what it writes; the copies
are removed when it was judged, the rest expires.
"""

from __future__ import annotations

from typing import NoReturn

from lockkeeper.domain.artifact.errand import Artifact, Asked, Looked
from lockkeeper.domain.artifact.findings import MEGABYTE, Report, Weight
from lockkeeper.domain.errors import GateInconclusive
from lockkeeper.domain.job import JobState, WantedJob
from lockkeeper.domain.model_package import Container
from lockkeeper.domain.policy import IN_PLACE_MB, ArtifactRule, ScanJob
from lockkeeper.domain.release import Pin, Release, resource_name
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.copy_archive import limits_of
from lockkeeper.use_cases.copy_folder import size_of
from lockkeeper.use_cases.deploy_to_staging import tags_of
from lockkeeper.use_cases.fetch_artifact import discard, fetch, seal
from lockkeeper.use_cases.run_job import digest, failed, start_job, vouched_for, wake_at_end

STATE = "ScanArtifact"
Found = list[tuple[Pin | None, Report]]
"""What became of each artifact, in the order of the containers; without a pin (the last of them) it is refused."""


def job_for(containers: tuple[Container, ...], rule: ArtifactRule, world: World) -> ScanJob | Report | None:
    """The job that these artifacts need together; None where they need none, what to refuse where the policy names no job."""
    if rule.job is None and len(containers) == 1:
        return None  # The policy's own bound on one artifact is what a Lambda can look into.
    limit = rule.job.above_mb if rule.job else IN_PLACE_MB
    size = sum(_size(container, rule, world) for container in containers)
    if size <= limit * MEGABYTE:
        return None
    if rule.job:
        return rule.job
    report = Report(limits_of(size, rule))
    why = f"{size / MEGABYTE:.0f} MB of {len(containers)} containers, more than the {limit} MB that are looked into at once"
    cure = "name an image under gates.artifact.job, so that a Processing job can look into them"
    report.find("the artifacts", "too much", why, Weight.ESCAPES, cure)
    return report


def scan_by_job(
    release: Release, containers: tuple[Container, ...], rule: ArtifactRule, job: ScanJob, token: str, world: World
) -> Found | None:
    """What the job has found, once it has ended; None while it is waited for. `GateInconclusive` where there is nothing to rely on."""
    release_id = release.release_id
    name = resource_name(release_id, "scan")
    state = world.scan_jobs.look(name)
    if state is None:
        asked = _fetch_all(release_id, containers, rule, world)
        if isinstance(asked, Report):
            return [(None, asked)]
        _start(release, name, asked, job, token, world)
        return None
    before = world.ledger.wait_of(release_id, STATE)
    if before is None or "asked_sha256" not in before.details:
        raise GateInconclusive(f"{name} was not started for this release", cure="see who did, then replay the release")
    if state.ended:
        return _judge(release_id, name, state, before.details["asked_sha256"], world)
    wait = _wait(release_id, name, before.details["asked_sha256"], token, world)
    world.ledger.store_wait(wait)
    # It may have ended between the look and this.
    wake_at_end(wait, world.scan_jobs, world)
    return None


def _size(container: Container, rule: ArtifactRule, world: World) -> int:
    most = rule.max_members + 1 if container.is_folder else 1
    listed = world.objects.listing(container.artifact_uri, most=most)
    # An archive's own key is the first of those that begin like it.
    return size_of(one for one in listed if container.is_folder or not one.path)


def _fetch_all(release_id: str, containers: tuple[Container, ...], rule: ArtifactRule, world: World) -> Asked | Report:
    fetched: list[Artifact] = []
    for number, container in enumerate(containers, 1):
        artifact, report = fetch(_place(release_id, number), container, rule, world)
        if artifact is None:
            _discard_all(release_id, fetched, world)
            return report
        fetched.append(artifact)
    return Asked(tuple(fetched), rule.allow_globals)


def _start(release: Release, name: str, asked: Asked, job: ScanJob, token: str, world: World) -> None:
    release_id, raw = release.release_id, asked.to_bytes()
    world.objects.write(_asked_key(release_id), raw, "application/json")
    archive = world.objects.write(f"scans/{release_id}/job/scan.zip", world.scan_code, "application/zip")
    size = sum(file.bytes for artifact in asked.artifacts for file in artifact.files)
    wanted = WantedJob(
        name,
        folder=archive.rpartition("/job/")[0],
        archive="scan.zip",
        results="report",
        image=job.image,
        instance_type=job.instance_type,
        seconds=job.max_runtime,
        tags=tags_of(release),
        volume_gb=10 + -(-size // (1000 * MEGABYTE)),
        isolated=True,
    )
    start_job(_wait(release_id, name, digest(raw), token, world), wanted, world.scan_jobs, world)


def _wait(release_id: str, name: str, asked_sha256: str, token: str, world: World) -> Wait:
    details = {"job_name": name, "asked_sha256": asked_sha256}
    resources = (world.scan_jobs.arn_of(name),)
    return Wait(release_id, STATE, token, resources=resources, details=details, interruptible=True)


def _judge(release_id: str, name: str, job: JobState, asked_sha256: str, world: World) -> Found:
    raw = world.objects.read_own(_asked_key(release_id)) or b""
    if digest(raw) != asked_sha256:
        _rely_on_nothing(f"what {name} was asked is not in Lockkeeper's bucket as it was left there")
    asked = Asked.from_bytes(raw)
    looked = _looked(release_id, name, job, world)
    if looked.asked_sha256 != asked_sha256:
        _rely_on_nothing(f"{name} was asked something else")
    found: Found = []
    for number, (artifact, seen) in enumerate(zip(asked.artifacts, looked.seen, strict=False), 1):
        if not seen.is_of(artifact.files):
            _rely_on_nothing(f"{name} looked into something else than what was copied from {artifact.source}")
        if seen.report.findings:
            found.append((None, seen.report))
            break
        place = _place(release_id, number)
        found.append((seal(f"{release_id}/{number}", place, artifact, world), seen.report))
    if len(found) < len(asked.artifacts) and all(pin for pin, _ in found):
        _rely_on_nothing(f"{name} looked into {len(found)} of {len(asked.artifacts)} artifacts")
    _discard_all(release_id, asked.artifacts, world)
    return found


def _looked(release_id: str, name: str, job: JobState, world: World) -> Looked:
    """What the job saw, if it ended well and vouches for it."""
    if why := failed(name, job):
        _rely_on_nothing(why)
    left = f"scans/{release_id}/report/"
    # Asked first what is there: S3 does not tell what is missing to who may not list everything.
    there = world.objects.own_listing(left, most=1)
    raw = world.objects.read_own(f"{left}report.json") if there else None
    if raw is None or not vouched_for(raw, job):
        _rely_on_nothing(f"the report that {name} left is not the one that it vouches for")
    try:
        return Looked.from_bytes(raw)
    except ValueError as error:
        _rely_on_nothing(f"{name} left {error}")


def _rely_on_nothing(why: str) -> NoReturn:
    raise GateInconclusive(why)


def _discard_all(release_id: str, artifacts: tuple[Artifact, ...] | list[Artifact], world: World) -> None:
    for number, artifact in enumerate(artifacts, 1):
        discard(_place(release_id, number), artifact, world)


def _place(release_id: str, number: int) -> str:
    return f"scans/{release_id}/job/{number}"


def _asked_key(release_id: str) -> str:
    return f"scans/{release_id}/job/asked.json"
