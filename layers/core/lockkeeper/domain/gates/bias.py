"""Is the model fair enough: Clarify's bias metrics by facet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.evidence import Evidence, number
from lockkeeper.domain.gate_rules import PRE_TRAINING_BIAS, BiasRule
from lockkeeper.domain.gates.verdicts import bound_text, decided, holds, inconclusive
from lockkeeper.domain.release import Verdict

KIND = "bias"
PRE, POST = "pre_training_bias_metrics", "post_training_bias_metrics"


def judge_bias(rules: tuple[BiasRule, ...], evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict for each rule: of a facet's values the one furthest outside its bounds."""
    return tuple(_judge(rule, evidence) for rule in rules)


def _judge(rule: BiasRule, evidence: Evidence) -> Verdict:
    gate = f"bias: {rule.metric}({rule.facet}{f' = {rule.value}' if rule.value else ''})"
    required = bound_text(*rule.bounds)
    report = evidence.reports.get(KIND)
    if report is None:
        return inconclusive(gate, evidence.why_missing(KIND), required)
    found = list(_metrics(report, rule))
    if not found:
        block = PRE if rule.metric in PRE_TRAINING_BIAS else POST
        return inconclusive(gate, f"the report has no {rule.metric} of {rule.facet} in {block}", required)
    numbers: list[tuple[str, float]] = []
    for value, measured, why in found:
        if isinstance(measured, str):
            return inconclusive(gate, f"{rule.facet} = {value}: {measured}{f' ({why})' if why else ''}", required)
        numbers.append((value, measured))
    value, worst = max(numbers, key=lambda one: _outside(one[1], *rule.bounds))
    return decided(gate, worst, required, holds(worst, *rule.bounds), f"{rule.facet} = {value}: ")


def _outside(measured: float, smallest: float | None, largest: float | None) -> float:
    """How far outside of its bounds a value is; negative inside."""
    below = smallest - measured if smallest is not None else float("-inf")
    above = measured - largest if largest is not None else float("-inf")
    return max(below, above)


def _metrics(report: Any, rule: BiasRule) -> Iterator[tuple[str, float | str, str]]:
    """(facet value, the metric or why it is none, the report's own error) for each value that the rule is about."""
    block = report.get(PRE if rule.metric in PRE_TRAINING_BIAS else POST) if isinstance(report, dict) else None
    facets = block.get("facets") if isinstance(block, dict) else None
    entries = facets.get(rule.facet) if isinstance(facets, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        value = str(entry.get("value_or_threshold")) if isinstance(entry, dict) else ""
        if not isinstance(entry, dict) or (rule.value is not None and value != rule.value):
            continue
        metrics = entry.get("metrics")
        for metric in metrics if isinstance(metrics, list) else []:
            if isinstance(metric, dict) and metric.get("name") == rule.metric:
                yield value, number(metric.get("value"), rule.metric), str(metric.get("error") or "")[:200]
