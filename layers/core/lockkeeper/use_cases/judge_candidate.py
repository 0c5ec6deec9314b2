"""Judge the candidate by every offline gate and seal the dossier `judged`."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

from lockkeeper.domain.dossier import canonical_json, dossier, seal
from lockkeeper.domain.errors import EvidenceMissing, GateFailed, GateInconclusive
from lockkeeper.domain.gates import explain, judge_quality, worst
from lockkeeper.domain.release import Outcome, Release, Verdict, with_verdicts
from lockkeeper.ports import World
from lockkeeper.use_cases.pinned import current_candidate, facts_of, pinned_policy

MAX_REPORT_BYTES = 10_000_000


CURES = {
    "judged": "train a better version and register it",
    "tested": "mend what the test names (the serving code, the recorded request or the model) and register a new version",
}


def judge_candidate(release_id: str, world: World) -> tuple[Verdict, ...]:
    """Judge on the model-quality report; a verdict that is not `passed` ends the release with every reason."""
    release = world.ledger.get(release_id)
    world.ledger.record(release_id, "judging the candidate", "", stage="JudgeCandidate")
    policy = pinned_policy(release, world)
    candidate = current_candidate(release, world)
    raw = world.objects.read(candidate.quality_report_uri, max_bytes=MAX_REPORT_BYTES)
    world.objects.write(_report_key(release_id), raw, "application/json")
    report = _parse(raw, candidate.quality_report_uri)
    champion = world.ledger.champion(release.model_package_group)
    champion_report = _champion_report(champion.release_id, world) if champion else None
    verdicts = judge_quality(policy.gates.quality, report, champion_report, champion.version if champion else None)
    return seal_verdicts(release, verdicts, {"model_quality": report}, "judged", world)


def seal_verdicts(
    release: Release, verdicts: tuple[Verdict, ...], evidence: dict[str, Any], kind: str, world: World
) -> tuple[Verdict, ...]:
    """Keep the verdicts with the evidence as a sealed dossier, publish them, and stop the release unless all passed."""
    every = with_verdicts(release, *verdicts)
    # A second try finds the seal of the first: a dossier does not contain itself, so both have the same seal.
    before = {name: known for name, known in release.pins.seals.items() if name != kind}
    document = dossier(replace(release, pins=replace(release.pins, seals=before)), every, evidence, kind)
    digest = seal(document)
    world.objects.write(f"dossiers/{release.release_id}/{kind}.json", canonical_json(document), "application/json")
    pins = replace(release.pins, seals={**before, kind: digest})
    world.ledger.record(release.release_id, f"sealed {kind}", explain(verdicts), verdicts=every, pins=pins)
    for verdict in verdicts:
        world.publisher.publish(
            "Gate Judged",
            {**facts_of(release), "gate": verdict.gate, "verdict": str(verdict.verdict), "reason": verdict.reason},
        )
    outcome = worst(verdicts) if verdicts else Outcome.PASSED
    if outcome is Outcome.FAILED:
        raise GateFailed(explain(verdicts), cure=CURES[kind])
    if outcome is Outcome.INCONCLUSIVE:
        raise GateInconclusive(explain(verdicts), cure="supply what is missing and register the version again")
    return verdicts


def _report_key(release_id: str) -> str:
    return f"dossiers/{release_id}/model_quality.json"


def _champion_report(release_id: str, world: World) -> Any:
    raw = world.objects.read_own(_report_key(release_id))
    try:
        return json.loads(raw) if raw else {}
    except ValueError:
        return {}


def _parse(raw: bytes, uri: str) -> Any:
    def finite(text: str) -> float | str:
        # NaN, Infinity and 1e999 are no numbers of JSON; as text they become "inconclusive" where a gate needs them.
        number = float(text)
        return number if math.isfinite(number) else text

    try:
        return json.loads(raw, parse_constant=finite, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise EvidenceMissing(
            f"the model-quality report {uri} is no JSON: {error}",
            cure="write SageMaker's model-quality statistics as JSON and register the version again",
        ) from error
