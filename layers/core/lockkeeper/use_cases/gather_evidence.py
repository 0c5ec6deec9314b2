"""Read the reports that a candidate is judged on and keep them, so that the next candidate can be held against them."""

from __future__ import annotations

import json
from typing import Any

from lockkeeper.domain.evidence import ChampionEvidence, Evidence, collect, sources_of
from lockkeeper.domain.gates import kinds_needed
from lockkeeper.domain.policy import Gates
from lockkeeper.domain.release import Release
from lockkeeper.ports import World

MAX_REPORT_BYTES = 16 << 20


def gather_evidence(release: Release, description: dict[str, Any], gates: Gates, world: World) -> Evidence:
    """What the gates of the policy need; of what cannot be read, why not."""
    group, version = release.model_package_group, release.version
    sources = sources_of(description, gates.reports, group, version)
    reports, missing = collect(
        sources, kinds_needed(gates), lambda uri: world.objects.read(uri, max_bytes=MAX_REPORT_BYTES)
    )
    for kind, report in reports.items():
        world.objects.write(_key(release.release_id, kind), json.dumps(report).encode(), "application/json")
    return Evidence(reports, missing, description)


def champion_evidence(group: str, gates: Gates, world: World) -> ChampionEvidence | None:
    """The reports that the version in production was judged on; None where nothing serves yet, or what nobody judged."""
    champion = world.ledger.champion(group)
    if champion is None or champion.adopted:
        return None
    kept = {kind: world.objects.read_own(_key(champion.release_id, kind)) for kind in kinds_needed(gates)}
    return ChampionEvidence(champion.version, {kind: _kept(raw) for kind, raw in kept.items() if raw})


def _kept(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _key(release_id: str, kind: str) -> str:
    return f"dossiers/{release_id}/{kind}.json"
