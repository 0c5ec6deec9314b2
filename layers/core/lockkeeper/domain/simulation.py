"""What would become of a registration, and why: the decisions of a release up to its first deployment, without AWS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.approval import enough_approvers, people_needed
from lockkeeper.domain.artifact.findings import Report
from lockkeeper.domain.batch import place_in_words
from lockkeeper.domain.errors import ReleaseStopped
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, collect, sources_of
from lockkeeper.domain.gates import judge_offline, kinds_needed
from lockkeeper.domain.gates.approval import GATE as PEOPLE
from lockkeeper.domain.gates.artifact import ARTIFACT, judge_images, judge_scan
from lockkeeper.domain.gates.cost import judge_budget
from lockkeeper.domain.gates.preflight import PREFLIGHT
from lockkeeper.domain.gates.provenance import judge_author
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.hosting import hosting_from
from lockkeeper.domain.model_package import PackageName, author_of, candidate_from
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.recorded import Recorded, differences, judge_recorded
from lockkeeper.domain.registration import Ignore, PackageHint, decide_on_package, name_of, package_hint
from lockkeeper.domain.release import Outcome, Verdict

Read = Callable[[str], bytes]


@dataclass(frozen=True)
class Known:
    """What registry and ledger would answer: the package (None: it is gone), its earlier release, what serves, what is held."""

    description: dict[str, Any] | None
    existing_release: str | None = None
    champion: ChampionEvidence | None = None
    held: str = ""
    artifact: Report | None = None
    """What a scan of the artifact says; None where nobody has scanned it."""
    recorded: Recorded | None = None
    """The release of this version, if it has been released already."""


@dataclass(frozen=True)
class Simulation:
    """How far a release would come: `ignored`, `stopped` (before a gate said anything), `judged`; and what would follow."""

    step: str
    why: str
    release_id: str = ""
    verdicts: tuple[Verdict, ...] = ()
    then: tuple[str, ...] = field(default=())
    differences: tuple[str, ...] | None = None
    """Where its verdicts are not those of the recorded release; None without one."""

    @property
    def goes_on(self) -> bool:
        """Whether the version would be deployed to staging, people willing."""
        return self.step == "judged" and worst(self.verdicts) is Outcome.PASSED

    def to_json(self) -> dict[str, Any]:
        verdicts = [{**asdict(verdict), "verdict": str(verdict.verdict)} for verdict in self.verdicts]
        return {
            "step": self.step,
            "why": self.why,
            "release_id": self.release_id,
            "goes_on": self.goes_on,
            "verdicts": verdicts,
            "then": list(self.then),
            "differences": None if self.differences is None else list(self.differences),
        }


def simulate(event: dict[str, Any], policy: Policy, known: Known, read: Read) -> Simulation:
    """Decide as the functions do, from the event to the last gate of which there is evidence: reports, scan, measurements."""
    hint = package_hint(event)
    if isinstance(hint, Ignore):
        return Simulation("ignored", hint.reason)
    here = Accounts(hint.account, registry=hint.account, staging=hint.account, production=hint.account)
    name = name_of(hint, here)
    if isinstance(name, Ignore):
        return Simulation("ignored", name.reason)
    return _simulate_release(hint, name, policy, known, read)


def _simulate_release(hint: PackageHint, name: PackageName, policy: Policy, known: Known, read: Read) -> Simulation:
    champion_version = known.champion.version if known.champion else None
    start = decide_on_package(hint, name, known.description, known.existing_release, champion_version)
    if isinstance(start, Ignore):
        return Simulation("ignored", start.reason)
    if policy.model_package_group != name.group:
        why = f"the policy is about group {policy.model_package_group}, the version about {name.group}"
        return Simulation("stopped", why, start.release_id)
    if known.held:
        return Simulation("stopped", f"version {name.version} is held: {known.held}", start.release_id)
    description = known.description or {}
    author = author_of(description, policy.approval.author_from)
    try:
        candidate = candidate_from(description)
        enough_approvers(policy.approval, author)
    except ReleaseStopped as stopped:
        return Simulation("stopped", str(stopped), start.release_id)
    verdicts = _judge(name, [one.image for one in candidate.containers], policy, known, read)
    passed = worst(verdicts) is Outcome.PASSED
    then = tuple(_following(policy, author, known)) if passed else ("the release ends as failed",)
    differ = differences(known.recorded.verdicts, verdicts) if known.recorded else None
    return Simulation("judged", explain(verdicts), start.release_id, verdicts, then, differ)


def _judge(name: PackageName, images: Sequence[str], policy: Policy, known: Known, read: Read) -> tuple[Verdict, ...]:
    """Verdicts in the order of a release, up to the state in which one of them ends it."""
    verdicts: tuple[Verdict, ...] = (judge_images(images, policy.gates.artifact.images),)
    if worst(verdicts) is Outcome.PASSED:
        verdicts += _scanned(known)
    if worst(verdicts) is not Outcome.PASSED:
        return verdicts
    evidence = _evidence(name, policy, known, read)
    verdicts += judge_offline(policy.gates, evidence, known.champion)
    verdicts += judge_author(policy.approval.author_from, evidence)
    hosted = (
        policy.hosted(hosting_from(known.recorded.hosting)) if known.recorded and known.recorded.hosting else policy
    )
    verdicts += judge_budget(hosted.production)
    # Who has confirmed what is nothing that a dossier or an event tells: what was found then stands.
    people = known.recorded.verdict_of(PEOPLE) if known.recorded and policy.approval.before else None
    verdicts += (people,) if people else ()
    # Nor can anybody look once more at production as it was then.
    verdicts += (
        tuple(one for one in known.recorded.verdicts if one.gate.startswith(PREFLIGHT)) if known.recorded else ()
    )
    if known.recorded is None or not known.recorded.tested or worst(verdicts) is not Outcome.PASSED:
        return verdicts
    return (*verdicts, *judge_recorded(policy.staging.tests, known.recorded))


def _scanned(known: Known) -> tuple[Verdict, ...]:
    if known.artifact is not None:
        return (judge_scan(known.artifact),)
    recorded = known.recorded.verdict_of(ARTIFACT) if known.recorded else None
    return (recorded,) if recorded else ()


def _evidence(name: PackageName, policy: Policy, known: Known, read: Read) -> Evidence:
    description = known.description or {}
    if known.recorded is None:
        sources = sources_of(description, policy.gates.reports, name.group, name.version)
        return Evidence(*collect(sources, kinds_needed(policy.gates), read), description)
    kinds = kinds_needed(policy.gates)
    reports = {kind: report for kind, report in known.recorded.reports.items() if kind in kinds}
    absent = {kind: f"the dossier has no {kind} report: nobody asked for it then" for kind in kinds}
    return Evidence(reports, {**absent, **known.recorded.missing}, description)


def _following(policy: Policy, author: str, known: Known) -> list[str]:
    """What would follow, in the order in which it would."""
    asked = f"{people_needed(policy.approval, author)} of {', '.join(one.name for one in policy.approval.approvers)}"
    question = f"{asked} would be asked; {author or 'nobody known'} made the version and may not decide"
    steps = [question] if "staging" in policy.approval.before else []
    if known.recorded is None or not known.recorded.tested:
        steps.append(f"staging would be deployed on {policy.staging_fleet.in_words} and tested")
    steps += [question] if "production" in policy.approval.before else []
    return [*steps, f"{place_in_words(policy.production.endpoint_name)} would be brought to the version and watched"]
