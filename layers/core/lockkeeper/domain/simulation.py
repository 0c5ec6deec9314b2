"""What would become of a registration, and why: the decisions of a release up to its first deployment, without AWS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.approval import enough_approvers
from lockkeeper.domain.errors import ReleaseStopped
from lockkeeper.domain.evidence import ChampionEvidence, Evidence, collect, sources_of
from lockkeeper.domain.gates import judge_offline, kinds_needed
from lockkeeper.domain.gates.provenance import judge_author
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.model_package import PackageName, allow_image, author_of, candidate_from
from lockkeeper.domain.policy import Policy
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


@dataclass(frozen=True)
class Simulation:
    """How far a release would come: `ignored`, `stopped` (before a gate said anything), `judged`; and what would follow."""

    step: str
    why: str
    release_id: str = ""
    verdicts: tuple[Verdict, ...] = ()
    then: tuple[str, ...] = field(default=())

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
        }


def simulate(event: dict[str, Any], policy: Policy, known: Known, read: Read) -> Simulation:
    """Decide as the functions do, from the event to the verdicts of the offline gates. The artifact itself is not scanned."""
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
        for container in candidate.containers:
            allow_image(container.image, policy.gates.artifact.images)
    except ReleaseStopped as stopped:
        return Simulation("stopped", str(stopped), start.release_id)
    sources = sources_of(description, policy.gates.reports, name.group, name.version)
    evidence = Evidence(*collect(sources, kinds_needed(policy.gates), read), description)
    verdicts = (
        *judge_offline(policy.gates, evidence, known.champion),
        *judge_author(policy.approval.author_from, evidence),
    )
    then = tuple(_following(policy, author)) if worst(verdicts) is Outcome.PASSED else ("the release ends as failed",)
    return Simulation("judged", explain(verdicts), start.release_id, verdicts, then)


def _following(policy: Policy, author: str) -> list[str]:
    """What would follow, in the order in which it would."""
    asked = f"{policy.approval.quorum} of {', '.join(one.name for one in policy.approval.approvers)}"
    question = f"{asked} would be asked; {author or 'nobody known'} made the version and may not decide"
    steps = [question] if "staging" in policy.approval.before else []
    steps.append(f"staging would be deployed on {policy.staging_instance_type} and tested")
    steps += [question] if "production" in policy.approval.before else []
    return [*steps, f"endpoint {policy.production.endpoint_name} would be brought to the version and watched"]
