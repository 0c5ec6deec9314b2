"""Judge the candidate by every offline gate and seal the dossier `judged`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockkeeper.domain.about import about_version
from lockkeeper.domain.errors import GateFailed, GateInconclusive, Observed, PreflightFailed
from lockkeeper.domain.evidence import ChampionEvidence, Evidence
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.gates.approval import GATE as PEOPLE
from lockkeeper.domain.gates.approval import addresses_of, judge_people
from lockkeeper.domain.gates.cost import GATE as COST
from lockkeeper.domain.gates.cost import cost_of_production, judge_budget
from lockkeeper.domain.gates.preflight import PREFLIGHT, judge_preflight
from lockkeeper.domain.gates.provenance import judge_author
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.policy import Approval
from lockkeeper.domain.recorded import CHAMPION, MISSING, REGISTRY
from lockkeeper.domain.release import Outcome, Release, Verdict
from lockkeeper.ports import World
from lockkeeper.use_cases.gather_evidence import champion_evidence, gather_evidence
from lockkeeper.use_cases.keep_dossier import keep_dossier, registry_facts
from lockkeeper.use_cases.look_at_production import look_at_production, preflight
from lockkeeper.use_cases.pinned import current_description, pinned_policy

REPLAY = "mend that, then `lockkeeper replay` the release"
SUPPLY = "supply what is missing and register the version again"
CURES = {
    "judged": "train a better version and register it",
    "tested": "mend what the test names (the serving code, the recorded request or the model) and register a new version",
}


def judge_candidate(release_id: str, world: World) -> tuple[Verdict, ...]:
    """Judge on what the registry and its reports say; a verdict that is not `passed` ends the release with every reason."""
    release = world.ledger.get(release_id)
    deployed, hosting = look_at_production(release, world)
    release = release.with_changes(pins=replace(release.pins, hosting=hosting.to_json()))
    policy = pinned_policy(release, world)
    description = current_description(release, world)
    about = about_version(description, cost_of_production(policy.production))
    retraining = world.ledger.retraining_of(release.model_package_group, release.version)
    made_by: dict[str, Any] = {"made_by": retraining.cause} if retraining else {}
    kept = f"of production is kept: {hosting.words}" if hosting.words else ""
    world.ledger.record(
        release_id, "judging the candidate", kept, stage="JudgeCandidate", about=about, pins=release.pins, **made_by
    )
    evidence = gather_evidence(release, description, policy.gates, world)
    champion = champion_evidence(release.model_package_group, policy.gates, world)
    verdicts = (
        *judge_offline(policy.gates, evidence, champion),
        *judge_author(policy.approval.author_from, evidence),
        *judge_budget(policy.production),
        *_judge_people(release, policy.approval, world),
        *judge_preflight(policy, hosting, preflight(release, policy, hosting, deployed, world)),
    )
    try:
        seal_verdicts(release, verdicts, _kept(evidence, champion), "judged", world)
    except (GateFailed, GateInconclusive, PreflightFailed) as stopped:
        if policy.mode == "observe":
            raise Observed(f"only observed; enforced, it would have been stopped: {stopped}") from stopped
        raise
    if policy.mode == "observe":
        raise Observed("only observed; enforced, it would have passed every offline gate")
    return verdicts


def _judge_people(release: Release, approval: Approval, world: World) -> tuple[Verdict, ...]:
    addresses = addresses_of(approval)
    confirmed = world.mail.confirmed(addresses) if addresses else addresses
    return judge_people(approval, release.author, confirmed, slack_used=world.slack_used)


def _kept(evidence: Evidence, champion: ChampionEvidence | None) -> dict[str, Any]:
    """Everything that the verdicts rest on, so that anybody can come to them again: reports, registry and champion."""
    facts = {REGISTRY: registry_facts(evidence.description), MISSING: evidence.missing}
    served = {CHAMPION: {"version": champion.version, "reports": champion.reports}} if champion else {}
    return {**evidence.reports, **facts, **served}


def seal_verdicts(
    release: Release, verdicts: tuple[Verdict, ...], evidence: dict[str, Any], kind: str, world: World
) -> tuple[Verdict, ...]:
    """Keep the verdicts with the evidence as a sealed dossier, publish them, and stop the release unless all passed."""
    keep_dossier(release, verdicts, evidence, kind, world)
    outcome = worst(verdicts) if verdicts else Outcome.PASSED
    failed = [one for one in verdicts if one.verdict is Outcome.FAILED]
    undecided = any(_of_the_version(one) for one in verdicts if one.verdict is Outcome.INCONCLUSIVE)
    if failed and not any(_of_the_version(one) for one in failed):
        raise PreflightFailed(explain(verdicts), cure=SUPPLY if undecided else REPLAY)
    if failed:
        raise GateFailed(explain(verdicts), cure=CURES[kind])
    if outcome is Outcome.INCONCLUSIVE:
        raise GateInconclusive(explain(verdicts), cure=SUPPLY if undecided else REPLAY)
    return verdicts


def _of_the_version(verdict: Verdict) -> bool:
    """Whether a gate is about the version, and not about the account, the price or the people: another version would not mend that."""
    return not verdict.gate.startswith((PREFLIGHT, COST, PEOPLE))
