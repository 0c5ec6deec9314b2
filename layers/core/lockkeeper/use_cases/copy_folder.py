"""A folder in S3 on its way from where it was registered to its sealed place: each file is read once, scanned and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import MEGABYTE, Report, Weight
from lockkeeper.domain.artifact.folder import FolderScan, find_bad_names
from lockkeeper.domain.artifact.passing import Passing
from lockkeeper.domain.errors import EvidenceMissing, PinBroken
from lockkeeper.domain.folder import Listed, Sealed, content_digest, difference, manifest_of
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.release import Pin
from lockkeeper.ports import World
from lockkeeper.use_cases.copy_archive import limits_of, too_large
from lockkeeper.use_cases.still_sealed import TAMPERED

HELD = 8 << 20
"""Bytes of a file that is held and written at once; larger ones are written in parts."""


def copy_folder(name: str, uri: str, rule: ArtifactRule, world: World) -> tuple[Pin | None, Report]:
    """The folder's pin and what its scan says; no pin, and nothing kept, where that found anything.

    `name` tells the copies of one release apart. Raises `EvidenceMissing` where nothing is below the prefix, or what is there
    changes while it is read.
    """
    listed = files_of(uri, rule, world)
    scan = FolderScan(limits_of(size_of(listed), rule), Allowed(rule.allow_globals), world.pickle_opinion)
    find_bad_listing(scan.report, listed, rule)
    copies: list[Sealed] = []
    for number, one in enumerate(listed):
        if scan.report.findings:
            break
        copies.append(_copy_file(f"incoming/{name}/{number}", uri, one, scan, world))
    if scan.report.findings:
        for number in range(len(copies)):
            world.objects.discard(f"incoming/{name}/{number}")
        return None, scan.report
    still_listed(uri, listed, rule, world)

    def seal(number: int, key: str) -> None:
        world.objects.seal_as(f"incoming/{name}/{number}", key)

    return seal_folder(name, uri, copies, seal, world), scan.report


def files_of(uri: str, rule: ArtifactRule, world: World) -> list[Listed]:
    """What is below the prefix, one more than allowed at most; `EvidenceMissing` where that is nothing."""
    listed = world.objects.listing(uri, most=rule.max_members + 1)
    if not listed:
        raise EvidenceMissing(
            f"nothing is below {uri}", cure="upload the model's files, then register the version again"
        )
    return listed


def size_of(listed: Iterable[Listed]) -> int:
    """Bytes of all of it."""
    return sum(one.bytes for one in listed)


def still_listed(uri: str, listed: list[Listed], rule: ArtifactRule, world: World) -> None:
    """Raise `EvidenceMissing` where there is something else now than what was listed."""
    changed = difference(listed, world.objects.listing(uri, most=rule.max_members + 1))
    if changed:
        raise EvidenceMissing(
            f"{uri} changed while it was scanned ({changed})",
            cure="register the version again when nobody writes there any more",
        )


def find_bad_listing(report: Report, listed: list[Listed], rule: ArtifactRule) -> None:
    """Find what can be seen without reading a file: too much of it, and names that are none."""
    size = size_of(listed)
    if size > rule.max_mb * MEGABYTE:
        too_large(report, "the folder", size, rule)
    if len(listed) > rule.max_members:
        why = f"more than {rule.max_members} objects (gates.artifact.max_members)"
        report.find("the folder", "too much", why, Weight.ESCAPES, "pack it as model.tar.gz, or raise the cap")
    find_bad_names(report, listed)


def _copy_file(temporary: str, uri: str, one: Listed, scan: FolderScan, world: World) -> Sealed:
    """Scan, hash and copy one file of exactly the version that was listed."""
    stream = world.objects.stream(uri + one.path, etag=one.etag)
    if one.bytes <= HELD:
        held = bytearray()
        copy = Passing(stream.chunks, held.extend)
        scan.file(one.path, copy.pull)
        copy.finish()
        world.objects.write(temporary, bytes(held), "application/octet-stream")
    else:
        with world.objects.keep(temporary) as write:
            copy = Passing(stream.chunks, write)
            scan.file(one.path, copy.pull)
            copy.finish()
    return Sealed(one.path, copy.size, copy.sha256, one.etag, stream.version)


def seal_folder(name: str, uri: str, copies: list[Sealed], seal: Callable[[int, str], object], world: World) -> Pin:
    """Give the copies their place, which their content names; whatever else lies there is refused.

    `seal` takes the number of a copy and the key that it is to have.
    """
    folder = f"artifacts/{content_digest(copies)}/model/"
    for number, one in enumerate(copies):
        seal(number, folder + one.path)
    there = world.objects.own_listing(folder, most=len(copies) + 1)
    etags = {one.path: one.etag for one in there}
    sealed = [replace(one, etag=etags.get(one.path, "")) for one in copies]
    strange = difference([Listed(one.path, one.bytes, one.etag) for one in sealed], there)
    if strange:
        raise PinBroken(f"what is kept of {uri} is not what was scanned ({strange})", cure=TAMPERED)
    pinned = world.objects.address_of(folder)
    manifest = manifest_of(uri, pinned, sealed)
    kept = world.objects.write(
        f"artifacts/{content_digest(copies)}/manifests/{name.replace('/', '-')}.json", manifest, "application/json"
    )
    return Pin(
        source=uri,
        pinned=pinned,
        sha256=hashlib.sha256(manifest).hexdigest(),
        bytes=sum(one.bytes for one in sealed),
        objects=len(sealed),
        manifest=kept,
    )
