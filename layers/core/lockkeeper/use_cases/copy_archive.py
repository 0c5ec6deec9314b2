"""An archive on its way from where it was registered to its write-once key: read once, scanned and hashed as it passes."""

from __future__ import annotations

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import MEGABYTE, Limits, Report, Weight
from lockkeeper.domain.artifact.passing import Passing
from lockkeeper.domain.artifact.scan import scan
from lockkeeper.domain.policy import ArtifactRule
from lockkeeper.domain.release import Pin
from lockkeeper.ports import World


class Stopped(Exception):
    """Something was found: what was copied so far is given up."""


def copy_archive(name: str, uri: str, rule: ArtifactRule, world: World) -> tuple[Pin | None, Report]:
    """The archive's pin and what its scan says; no pin, and nothing kept, where that found anything.

    `name` tells the copies of one release apart. Raises `EvidenceMissing` where there is no such object.
    """
    stream = world.objects.stream(uri)
    limits = limits_of(stream.total, rule)
    if stream.total > rule.max_mb * MEGABYTE:
        report = Report(limits)
        too_large(report, "model.tar.gz", stream.total, rule)
        return None, report
    temporary = f"incoming/{name}"
    try:
        with world.objects.keep(temporary) as write:
            copy = Passing(stream.chunks, write)
            report = scan(copy.pull, limits, Allowed(rule.allow_globals), world.pickle_opinion)
            if report.findings:
                raise Stopped
            copy.finish()
    except Stopped:
        return None, report
    pinned = world.objects.seal_as(temporary, f"artifacts/{copy.sha256}/model.tar.gz")
    return Pin(source=uri, pinned=pinned, sha256=copy.sha256, bytes=copy.size), report


def limits_of(size: int, rule: ArtifactRule, *, in_a_job: bool = False) -> Limits:
    """The policy's caps for an artifact of so many bytes."""
    limits = Limits.of(size, rule.max_ratio, rule.max_mb * MEGABYTE, rule.max_members)
    return limits.in_a_job(rule.max_mb * MEGABYTE) if in_a_job else limits


def too_large(report: Report, member: str, size: int, rule: ArtifactRule) -> None:
    """Find that an artifact is larger than the policy allows."""
    why = f"{size / MEGABYTE:.0f} MB, more than the {rule.max_mb} MB of the policy"
    report.find(member, "too much", why, Weight.ESCAPES, "make it smaller, or raise gates.artifact.max_mb")
