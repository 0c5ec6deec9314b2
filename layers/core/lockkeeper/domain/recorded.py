"""What a release's dossiers say, judged once more: by its own policy, which must come to the same, or by another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lockkeeper.domain.evidence import ChampionEvidence
from lockkeeper.domain.gates.verdicts import inconclusive
from lockkeeper.domain.online.latency import judge_latency
from lockkeeper.domain.release import Outcome, Verdict
from lockkeeper.domain.staging_rules import StagingTests

REGISTRY, CHAMPION, MISSING = "registry", "champion", "missing"
"""Keys of the evidence of a dossier `judged`, beside its reports by kind."""
WATCH = "bake:"
"""What the gates of production's watch are called. Alarms and traffic of then are nothing that anybody can judge again."""
ONLINE = ("contract", "replay", "latency", "load", "safety")


@dataclass(frozen=True)
class Recorded:
    """A release as its ledger and dossiers have it.

    `verdicts` up to production's watch; `reports` by kind, and `missing`, why others could not be had; `milliseconds` of each
    request of the latency test, `unasked`, how many there was no time for; `hosting` as the release is pinned to it.
    """

    model_package_arn: str
    verdicts: tuple[Verdict, ...]
    description: dict[str, Any]
    reports: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    champion: ChampionEvidence | None = None
    milliseconds: tuple[float, ...] = ()
    unasked: int = 0
    tested: bool = False
    hosting: dict[str, Any] = field(default_factory=dict)

    def verdict_of(self, gate: str) -> Verdict | None:
        return next((one for one in self.verdicts if one.gate == gate), None)


def recorded_from(shown: Any) -> Recorded:
    """Read the output of `lockkeeper show RELEASE --json`; a `ValueError` says what it lacks."""
    try:
        documents = {kind: one["document"] or {} for kind, one in shown["dossiers"].items()}
        judged = documents["judged"]["evidence"]
        latency = documents.get("tested", {}).get("evidence", {}).get("latency", {})
        champion = judged.get(CHAMPION)
        return Recorded(
            model_package_arn=shown["model_package_arn"],
            verdicts=tuple(_verdict(one) for one in shown["verdicts"] if not one["gate"].startswith(WATCH)),
            description=judged[REGISTRY],
            reports={key: value for key, value in judged.items() if key not in (REGISTRY, CHAMPION, MISSING)},
            missing=judged.get(MISSING, {}),
            champion=ChampionEvidence(int(champion["version"]), champion["reports"]) if champion else None,
            milliseconds=tuple(float(one) for one in latency.get("each", ())),
            unasked=int(latency.get("unasked", 0)),
            tested="tested" in documents,
            hosting=shown.get("pins", {}).get("hosting", {}),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"no release with a dossier ({type(error).__name__}: {error})") from error


def _verdict(told: dict[str, Any]) -> Verdict:
    return Verdict(told["gate"], Outcome(told["verdict"]), told["reason"], told["measured"], told["required"])


def judge_recorded(tests: StagingTests, recorded: Recorded) -> tuple[Verdict, ...]:
    """The verdicts on the staging endpoint, as far as what was measured then answers what the policy asks now.

    Latency is judged anew from every single measurement. Other tests stand as they were judged where the policy asks the
    same; where it asks something else, what it asks was not measured.
    """
    return tuple(_verdicts(tests, recorded))


def _verdicts(tests: StagingTests, recorded: Recorded) -> Iterator[Verdict]:
    bounds = dict(_bounds(tests))
    for kind in (kind for kind in ONLINE if getattr(tests, kind)):
        if tests.latency and kind == "latency":
            yield from judge_latency(recorded.milliseconds, tests.latency.bounds, recorded.unasked)
            continue
        for verdict in (one for one in recorded.verdicts if one.gate.split(":")[0] == kind):
            required = bounds.pop(verdict.gate, verdict.required)
            why = f"it was measured against {verdict.required}; test a version under this policy"
            yield verdict if required == verdict.required else inconclusive(verdict.gate, why, required)
    for gate, required in bounds.items():
        yield inconclusive(gate, "it was not measured; test a version under this policy", required)


def _bounds(tests: StagingTests) -> Iterator[tuple[str, str]]:
    """Gates whose requirement is a number of the policy, with that requirement as their verdicts have it."""
    if tests.replay:
        rows = f"on at least {tests.replay.minimum_rows} rows"
        yield from ((f"replay: {name}", f">= {bound:g} {rows}") for name, bound in tests.replay.at_least.items())
        yield from ((f"replay: {name}", f"<= {bound:g} {rows}") for name, bound in tests.replay.at_most.items())
    if tests.load:
        yield "load", f"errors below {tests.load.errors_below:g} of {tests.load.planned} requests"


def differences(then: tuple[Verdict, ...], now: tuple[Verdict, ...]) -> tuple[str, ...]:
    """One sentence for each gate that says something else now, or that only one of the two has."""
    before, after = ({one.gate: one for one in verdicts} for verdicts in (then, now))
    return tuple(
        f"{gate}: {_told(before.get(gate))} then, {_told(after.get(gate))} now"
        for gate in dict.fromkeys([*before, *after])
        if before.get(gate) != after.get(gate)
    )


def _told(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not judged"
    return f"{verdict.verdict} ({verdict.reason})"
