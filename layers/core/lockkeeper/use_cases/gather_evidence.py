"""Read the reports that a candidate is judged on and keep them, so that the next candidate can be held against them."""

from __future__ import annotations

import json
from typing import Any

from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.evidence import CURES, ChampionEvidence, Evidence, Source, laid_over, parse_report, sources_of
from lockkeeper.domain.gates import kinds_needed
from lockkeeper.domain.policy import Gates
from lockkeeper.domain.release import Release
from lockkeeper.ports import World

MAX_REPORT_BYTES = 16 << 20


def gather_evidence(release: Release, description: dict[str, Any], gates: Gates, world: World) -> Evidence:
    """What the gates of the policy need; of what cannot be read, why not."""
    group, version = release.model_package_group, release.version
    sources = sources_of(description, gates.reports, group, version)
    reports: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for kind in kinds_needed(gates):
        if kind not in sources:
            missing[kind] = f"the version has no {kind.replace('_', '-')} report; {CURES[kind]}"
            continue
        try:
            reports[kind] = _read(sources[kind], world)
        except EvidenceMissing as error:
            missing[kind] = str(error)
            continue
        world.objects.write(_key(release.release_id, kind), json.dumps(reports[kind]).encode(), "application/json")
    return Evidence(reports, missing, description)


def champion_evidence(group: str, gates: Gates, world: World) -> ChampionEvidence | None:
    """The reports that the version in production was judged on; None where nothing serves yet."""
    champion = world.ledger.champion(group)
    if champion is None:
        return None
    kept = {kind: world.objects.read_own(_key(champion.release_id, kind)) for kind in kinds_needed(gates)}
    return ChampionEvidence(champion.version, {kind: _kept(raw) for kind, raw in kept.items() if raw})


def _read(source: Source, world: World) -> Any:
    if source.document is not None:
        return source.document
    documents = []
    for uri in source.uris:
        raw = world.objects.read(uri, max_bytes=MAX_REPORT_BYTES)
        try:
            documents.append(parse_report(raw))
        except (ValueError, RecursionError) as error:
            raise EvidenceMissing(
                f"{uri} ({source.where}) is no JSON: {error}", cure="write it again and register the version again"
            ) from error
    return laid_over(documents)


def _kept(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _key(release_id: str, kind: str) -> str:
    return f"dossiers/{release_id}/{kind}.json"
