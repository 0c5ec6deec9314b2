"""How good the versions of a group were, one after the other: the first quality gate's measurements, for a plot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lockkeeper.domain.release import Outcome, Release

QUALITY = "quality: "
_BOUND = re.compile(r"(?:>=|<=) (-?[0-9.]+(?:e[-+]?[0-9]+)?)")


@dataclass(frozen=True)
class Measurement:
    """What a gate measured of one version."""

    version: int
    release_id: str
    value: float
    verdict: Outcome


@dataclass(frozen=True)
class QualitySeries:
    """Measurements by version, oldest first, and the bound that the newest had to keep (None where it is no single number)."""

    metric: str
    measurements: tuple[Measurement, ...]
    bound: float | None


def first_quality_series(releases: Iterable[Release]) -> QualitySeries | None:
    """The first quality metric that the newest judged release has, over all of them; None where none was measured.

    Of several attempts at one version the latest counts.
    """
    newest_first = sorted(releases, key=lambda one: (one.version, one.attempt), reverse=True)
    gate, bound = next(
        (
            (verdict.gate, verdict.required)
            for release in newest_first
            for verdict in release.verdicts
            if verdict.gate.startswith(QUALITY) and _number(verdict.measured) is not None
        ),
        ("", None),
    )
    found: dict[int, Measurement] = {}
    for release in newest_first:
        for verdict in release.verdicts:
            value = _number(verdict.measured)
            if verdict.gate == gate and value is not None and release.version not in found:
                found[release.version] = Measurement(release.version, release.release_id, value, verdict.verdict)
    if not found:
        return None
    matched = _BOUND.fullmatch(bound or "")
    measurements = tuple(found[version] for version in sorted(found))
    return QualitySeries(gate.removeprefix(QUALITY), measurements, float(matched[1]) if matched else None)


def _number(measured: float | str | None) -> float | None:
    return float(measured) if isinstance(measured, (int, float)) and abs(measured) < float("inf") else None
