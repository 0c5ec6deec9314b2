"""Keep verdicts with everything that they rest on as a sealed dossier, and publish them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from lockkeeper.domain.dossier import canonical_json, dossier, seal
from lockkeeper.domain.gates.verdicts import explain
from lockkeeper.domain.release import Release, Verdict, with_verdicts
from lockkeeper.ports import World
from lockkeeper.use_cases.pinned import facts_of


def keep_dossier(
    release: Release, verdicts: tuple[Verdict, ...], evidence: dict[str, Any], kind: str, world: World
) -> None:
    """Seal the dossier `kind` of a release; its verdicts so far are in it, too."""
    every = with_verdicts(release, *verdicts)
    # A second try finds the seal of the first: a dossier does not contain itself, so both have the same seal.
    before = {name: known for name, known in release.pins.seals.items() if name != kind}
    document = dossier(replace(release, pins=replace(release.pins, seals=before)), every, evidence, kind)
    digest = seal(document)
    world.objects.write(f"dossiers/{release.release_id}/{kind}.json", canonical_json(document), "application/json")
    pins = replace(release.pins, seals={**before, kind: digest})
    world.ledger.record(release.release_id, f"sealed {kind}", explain(verdicts), verdicts=every, pins=pins)
    publish_verdicts(release, verdicts, world)


def publish_verdicts(release: Release, verdicts: tuple[Verdict, ...], world: World) -> None:
    """Tell what each gate has said."""
    for verdict in verdicts:
        world.publisher.publish(
            "Gate Judged",
            {**facts_of(release), "gate": verdict.gate, "verdict": str(verdict.verdict), "reason": verdict.reason},
        )


def registry_facts(description: dict[str, Any]) -> dict[str, Any]:
    """DescribeModelPackage's answer as plain JSON: it has times in it, and how the answer came to us."""
    told = {key: value for key, value in description.items() if key != "ResponseMetadata"}
    facts: dict[str, Any] = json.loads(json.dumps(told, default=str))
    return facts
