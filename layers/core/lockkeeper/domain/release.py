"""The release: the journey of one model package, and the names it gives to what it creates."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a release stands, as `lockkeeper releases` shows it."""

    WAITING_FOR_LOCK = "waiting-for-lock"
    OPEN = "open"
    AWAITING_APPROVAL = "awaiting-approval"
    DEPLOYING = "deploying"
    TESTING = "testing"
    PROMOTING = "promoting"
    BAKING = "baking"
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    ROLLED_BACK = "rolled-back"
    OBSERVED = "observed"


ENDED = frozenset(
    {
        Status.PROMOTED,
        Status.REJECTED,
        Status.FAILED,
        Status.SUPERSEDED,
        Status.EXPIRED,
        Status.ROLLED_BACK,
        Status.OBSERVED,
    }
)


class Outcome(StrEnum):
    """What a gate can say. Inconclusive is not passed."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Verdict:
    """One gate's answer: measured against required, with a reason a person can act on."""

    gate: str
    verdict: Outcome
    reason: str
    measured: float | str | None = None
    required: str | None = None


@dataclass(frozen=True)
class Pin:
    """An artifact by its content: where it was registered, where it is kept, and what it is known by.

    Of a folder `manifest` is the address of the list of its files, `sha256` that list's hash and `objects` their number.
    """

    source: str
    pinned: str
    sha256: str
    bytes: int = 0
    objects: int = 1
    manifest: str = ""


@dataclass(frozen=True)
class Pins:
    """Everything a release is bound to. `policy` has `version_id` and `sha256`, `seals` has `judged` and `tested`.

    `hosting` is how production hosts the version (`domain.hosting`), empty until its candidate is judged.
    """

    artifacts: tuple[Pin, ...] = ()
    images: tuple[str, ...] = ()
    policy: dict[str, str] = field(default_factory=dict)
    seals: dict[str, str] = field(default_factory=dict)
    environments: tuple[dict[str, str], ...] = ()
    hosting: dict[str, Any] = field(default_factory=dict)

    def ships_the_same(self, other: Pins) -> bool:
        """Whether both would run the same bytes: artifacts by their hash, images by digest, and the containers' variables."""
        ours, theirs = ([pin.sha256 for pin in pins.artifacts] for pins in (self, other))
        same = ours == theirs and self.images == other.images and self.environments == other.environments
        return bool(ours) and same


@dataclass(frozen=True)
class TimelineEntry:
    """`at` is ISO 8601 in UTC, `what` a few words, `why` the reason."""

    at: str
    what: str
    why: str


@dataclass(frozen=True)
class Release:
    """One release as the ledger keeps it."""

    release_id: str
    model_package_group: str
    version: int
    attempt: int
    model_package_arn: str
    status: Status = Status.OPEN
    stage: str = "OpenRelease"
    reason: str = ""
    opened_at: str = ""
    ended_at: str = ""
    execution_arn: str = ""
    author: str = ""
    weakened: tuple[str, ...] = ()
    """Rules of its policy that ask for less than those of the champion's, in words."""
    about: dict[str, Any] = field(default_factory=dict)
    """What JudgeCandidate found in the registry: texts by what they are about, and `endpoint cost` (`domain.about`)."""
    measured: dict[str, Any] = field(default_factory=dict)
    """What TestStaging measured: `latency` (`domain.about`)."""
    made_by: str = ""
    """The retraining that made its version, and why; empty for none, and until somebody has found out."""
    probe: dict[str, str] = field(default_factory=dict)
    """A request of its staging tests that it is known to answer: `body`, `content_type`, `accept`, and `uri` where a queue reads it."""
    verdicts: tuple[Verdict, ...] = ()
    approvals: tuple[dict[str, Any], ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    pins: Pins = field(default_factory=Pins)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    meters: dict[str, float] = field(default_factory=dict)
    ending: dict[str, Any] = field(default_factory=dict)
    """The `Ending` that CloseRelease began with; empty before."""
    unfinished: bool = True
    """Whether something of it is still to be done: until the last step of CloseRelease, which comes after its status."""

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def is_closing(self) -> bool:
        """Whether CloseRelease has begun with it, or is through with it."""
        return bool(self.ending) or not self.unfinished

    @property
    def may_stamp(self) -> bool:
        """Whether its version in the registry is Lockkeeper's to write: not without a policy, nor under one that only observes."""
        return bool(self.pins.policy) and self.pins.policy.get("mode") != "observe"

    @property
    def told(self) -> dict[str, Any]:
        """What people are told beside the verdicts. What is found out at different times has a field each: nobody overwrites another's."""
        return {**self.about, **self.measured, **({"retraining": self.made_by} if self.made_by else {})}

    @property
    def endpoint_monthly_usd(self) -> float | None:
        """What its production endpoint costs a month; None where nobody knows, or it was not judged."""
        known: float | None = self.about.get("endpoint cost", {}).get("monthly_usd")
        return known

    def with_changes(self, **changes: Any) -> Release:
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """The release as other people's scripts read it: plain JSON types, cost in US dollars at list prices."""
        from lockkeeper.domain.cost import cost_of

        document = asdict(self)
        document["cost"] = {**cost_of(self.meters), "endpoint_monthly_usd": self.endpoint_monthly_usd}
        document["about"] = self.told
        for inner in ("meters", "ending", "unfinished", "probe", "measured", "made_by"):
            del document[inner]
        document["status"] = str(self.status)
        document["verdicts"] = [{**verdict, "verdict": str(verdict["verdict"])} for verdict in document["verdicts"]]
        for name in ("approvals", "timeline", "weakened"):
            document[name] = list(document[name])
        document["pins"]["artifacts"] = list(document["pins"]["artifacts"])
        document["pins"]["images"] = list(document["pins"]["images"])
        document["pins"]["environments"] = list(document["pins"]["environments"])
        document["endpoints"].setdefault("staging", None)
        document["endpoints"].setdefault("production", None)
        return document


def release_id_for(group: str, version: int, attempt: int) -> str:
    """Name of a release and of its execution: the same for every event about the same registration, at most 80 characters.

    The group comes first and the rest is read from the right, so no two (group, version, attempt) share a name.
    """
    return f"{group}-v{version}-a{attempt}"


def resource_name(release_id: str, purpose: str) -> str:
    """Name of a SageMaker resource of a release: deterministic, at most 63 characters, `lockkeeper-` in front."""
    name = f"lockkeeper-{release_id}-{purpose}"
    # SageMaker compares endpoint names without case: groups `Wages` and `wages` must not share one.
    if len(name) <= 63 and name == name.lower():
        return name
    digest = hashlib.sha256(release_id.encode()).hexdigest()[:10]
    tail = f"-{digest}-{purpose}"
    return name[: 63 - len(tail)].rstrip("-") + tail


RELEASE_TAG = "lockkeeper:release"
MODEL_PACKAGE_TAG = "lockkeeper:model-package"
"""The tag of everything a release creates, with the release's id as its value."""


def is_staging_name(endpoint_name: str) -> bool:
    """Whether an endpoint's name is one that `resource_name` gives to a staging endpoint."""
    return endpoint_name.startswith("lockkeeper-") and endpoint_name.endswith("-staging")


def with_verdicts(release: Release, *verdicts: Verdict) -> tuple[Verdict, ...]:
    """The release's verdicts with these added; a gate that is judged again replaces its earlier verdict."""
    judged = {verdict.gate for verdict in verdicts}
    return (*(verdict for verdict in release.verdicts if verdict.gate not in judged), *verdicts)
