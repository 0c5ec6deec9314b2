"""An artifact on its way to the job that will look into it: copied and hashed as it passes, and not sealed before it was seen."""

from __future__ import annotations

from lockkeeper.domain.artifact.errand import Artifact, Copied
from lockkeeper.domain.artifact.findings import MEGABYTE, Report
from lockkeeper.domain.artifact.passing import Passing
from lockkeeper.domain.folder import Listed, Sealed
from lockkeeper.domain.model_package import Container
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.release import Pin
from lockkeeper.ports import World
from lockkeeper.use_cases.copy_archive import limits_of, too_large
from lockkeeper.use_cases.copy_folder import HELD, files_of, find_bad_listing, seal_folder, size_of, still_listed


def fetch(place: str, container: Container, rule: ArtifactRule, world: World) -> tuple[Artifact | None, Report]:
    """The copy, below the key `place`; none where it can be seen from outside that it will not pass.

    Raises `EvidenceMissing` where there is nothing, or what is there changes while it is read.
    """
    take = _folder if container.is_folder else _archive
    return take(place, container.artifact_uri, rule, world)


def seal(name: str, place: str, artifact: Artifact, world: World) -> Pin:
    """Give the versions that were copied their write-once keys: what anybody put over them since is not taken."""

    def seal_version(number: int, key: str) -> str:
        return world.objects.seal_version(f"{place}/{number}", artifact.files[number].version, key)

    if artifact.is_archive:
        (file,) = artifact.files
        pinned = seal_version(0, f"artifacts/{file.sha256}/model.tar.gz")
        return Pin(source=artifact.source, pinned=pinned, sha256=file.sha256, bytes=file.bytes)
    copies = [Sealed(one.path, one.bytes, one.sha256, one.source_etag, one.source_version) for one in artifact.files]
    return seal_folder(name, artifact.source, copies, seal_version, world)


def discard(place: str, artifact: Artifact, world: World) -> None:
    """Remove the copies."""
    for number in range(len(artifact.files)):
        world.objects.discard(f"{place}/{number}")


def _archive(place: str, uri: str, rule: ArtifactRule, world: World) -> tuple[Artifact | None, Report]:
    stream = world.objects.stream(uri)
    limits = limits_of(stream.total, rule, in_a_job=True)
    report = Report(limits)
    if stream.total > rule.max_mb * MEGABYTE:
        too_large(report, "model.tar.gz", stream.total, rule)
        return None, report
    with world.objects.keep(f"{place}/0") as write:
        passing = Passing(stream.chunks, write)
        passing.finish()
    file = Copied("", passing.size, passing.sha256, write.version, source_version=stream.version)
    return Artifact(uri, limits, (file,)), report


def _folder(place: str, uri: str, rule: ArtifactRule, world: World) -> tuple[Artifact | None, Report]:
    listed = files_of(uri, rule, world)
    limits = limits_of(size_of(listed), rule, in_a_job=True)
    report = Report(limits)
    find_bad_listing(report, listed, rule)
    if report.findings:
        return None, report
    files = tuple(_file(f"{place}/{number}", uri, one, world) for number, one in enumerate(listed))
    still_listed(uri, listed, rule, world)
    return Artifact(uri, limits, files), report


def _file(key: str, uri: str, one: Listed, world: World) -> Copied:
    """Copy exactly the version that was listed; in parts where it is too large to be held."""
    stream = world.objects.stream(uri + one.path, etag=one.etag)
    if one.bytes <= HELD:
        held = bytearray()
        passing = Passing(stream.chunks, held.extend)
        passing.finish()
        version = world.objects.write_version(key, bytes(held))
    else:
        with world.objects.keep(key) as write:
            passing = Passing(stream.chunks, write)
            passing.finish()
        version = write.version
    return Copied(one.path, passing.size, passing.sha256, version, one.etag, stream.version)
