"""The dossiers of a release: read from the bucket, and held against the seals that the ledger keeps."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.brakes import Brake
from lockkeeper.domain.release import Release
from lockkeeper.ports import World


@dataclass(frozen=True)
class Dossier:
    """What was known when a seal was set; `document` is None where it is gone or no JSON any more."""

    kind: str
    seal_holds: bool
    document: dict[str, Any] | None

    @property
    def evidence(self) -> dict[str, Any]:
        found = (self.document or {}).get("evidence")
        return found if isinstance(found, dict) else {}


def read_dossiers(release: Release, world: World) -> tuple[Dossier, ...]:
    """Each dossier that the release has a seal of, in the order in which they were sealed."""
    return tuple(_read(release, kind, seal, world) for kind, seal in sorted(release.pins.seals.items()))


def _read(release: Release, kind: str, seal: str, world: World) -> Dossier:
    # Dossiers are kept in the one byte form that seals are made of.
    raw = world.objects.read_own(f"dossiers/{release.release_id}/{kind}.json")
    if raw is None:
        return Dossier(kind, False, None)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        document = None
    holds = hashlib.sha256(raw).hexdigest() == seal
    return Dossier(kind, holds, document if isinstance(document, dict) else None)


def to_json(release: Release, dossiers: tuple[Dossier, ...], brakes: dict[str, Brake | None]) -> dict[str, Any]:
    """The release as `lockkeeper show --json` gives it: with its dossiers by kind, and the brakes that are on now."""
    found = {one.kind: {"seal_holds": one.seal_holds, "document": one.document} for one in dossiers}
    on = {name: brake.to_json() if brake else None for name, brake in brakes.items()}
    return {**release.to_json(), "dossiers": found, "brakes": on}
