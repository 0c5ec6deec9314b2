"""Does the model decide by the same features: nDCG of its attribution ranking, held against the champion's.

The measure is the one that SageMaker Clarify's feature attribution monitor uses: 1 for the same ranking.
"""

from __future__ import annotations

import math
from typing import Any

from lockkeeper.domain.evidence import ChampionEvidence, Evidence, number
from lockkeeper.domain.gate_rules import ExplainabilityRule
from lockkeeper.domain.gates.verdicts import bound_text, decided, inconclusive
from lockkeeper.domain.release import Outcome, Verdict

KIND = "explainability"
Attributions = dict[str, float]


def judge_explainability(
    rule: ExplainabilityRule | None, evidence: Evidence, champion: ChampionEvidence | None
) -> tuple[Verdict, ...]:
    """One verdict for each label that the report has attributions of."""
    if rule is None:
        return ()
    required = bound_text(rule.minimum_ndcg, None)
    report = evidence.reports.get(KIND)
    if report is None:
        return (inconclusive("explainability", evidence.why_missing(KIND), required),)
    labels = labels_of(report)
    if isinstance(labels, str):
        return (inconclusive("explainability", labels, required),)
    if champion is None:
        reason = "no champion yet: nothing to compare with"
        return tuple(Verdict(_name(label), Outcome.PASSED, reason, None, required) for label in labels)
    served = labels_of(champion.reports.get(KIND))
    return tuple(_judge(label, labels[label], served, champion, rule) for label in sorted(labels))


def _name(label: str) -> str:
    return f"explainability: {label}"


def _judge(
    label: str,
    candidate: Attributions,
    served: dict[str, Attributions] | str,
    champion: ChampionEvidence,
    rule: ExplainabilityRule,
) -> Verdict:
    required = bound_text(rule.minimum_ndcg, None)
    who = f"the champion (version {champion.version})"
    if isinstance(served, str):
        return inconclusive(_name(label), f"{who} has no attributions: {served}", required)
    if label not in served:
        return inconclusive(_name(label), f"{who} has no attributions of {label}", required)
    measured = ndcg(served[label], candidate)
    if isinstance(measured, str):
        return inconclusive(_name(label), f"{who}: {measured}", required)
    return decided(_name(label), measured, required, measured >= rule.minimum_ndcg)


def ndcg(baseline: Attributions, current: Attributions) -> float | str:
    """How much of the baseline's attribution the current ranking finds early, 0 to 1; a sentence where it has none."""
    gains = {feature: abs(value) for feature, value in baseline.items()}
    ranking = sorted(current, key=lambda feature: (-abs(current[feature]), feature))
    ideal = _discounted(sorted(gains.values(), reverse=True))
    if ideal == 0:
        return "every attribution is zero"
    return _discounted([gains.get(feature, 0.0) for feature in ranking]) / ideal


def _discounted(gains: list[float]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def labels_of(report: Any) -> dict[str, Attributions] | str:
    """Global SHAP values by label, or a sentence that says why there are none."""
    shap = report
    for part in ("explanations", "kernel_shap"):
        shap = shap.get(part) if isinstance(shap, dict) else None
    if not isinstance(shap, dict) or not shap:
        return "the report has nothing at explanations.kernel_shap"
    found: dict[str, Attributions] = {}
    for label, one in shap.items():
        values = one.get("global_shap_values") if isinstance(one, dict) else None
        if not isinstance(values, dict) or not values:
            return f"the report has no global_shap_values of {str(label)[:60]}"
        numbers = {str(name): number(value, f"{label}.{name}") for name, value in values.items()}
        wrong = [value for value in numbers.values() if isinstance(value, str)]
        if wrong:
            return wrong[0]
        found[str(label)] = {name: value for name, value in numbers.items() if isinstance(value, float)}
    return found
