"""The offline gates: from evidence and policy to a verdict with a reason, the measured and the required value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lockkeeper.domain.policy import QualityRule
from lockkeeper.domain.release import Outcome, Verdict

LOWER_IS_BETTER = frozenset(
    {"mae", "mse", "rmse", "false_positive_rate", "false_negative_rate", "log_loss", "weighted_false_positive_rate"}
)
"""Metrics of SageMaker's model-quality reports where a smaller value is the better one; for all others a larger one is."""


def judge_quality(
    rules: Iterable[QualityRule], report: Any, champion_report: Any | None, champion_version: int | None
) -> tuple[Verdict, ...]:
    """Judge every rule on a model-quality report (parsed JSON of any shape; nothing in it can raise)."""
    return tuple(_judge_rule(rule, report, champion_report, champion_version) for rule in rules)


def _judge_rule(rule: QualityRule, report: Any, champion_report: Any | None, champion_version: int | None) -> Verdict:
    gate = f"quality: {rule.metric}" + (" against the champion" if rule.no_worse_than_champion_by is not None else "")
    measured = number_at(report, rule.metric)
    if isinstance(measured, str):
        return Verdict(
            gate, Outcome.INCONCLUSIVE, f"{measured}; put the value into the model-quality report", None, _text(rule)
        )
    if rule.at_least is not None:
        return _bound(gate, measured, f">= {rule.at_least:g}", measured >= rule.at_least)
    if rule.at_most is not None:
        return _bound(gate, measured, f"<= {rule.at_most:g}", measured <= rule.at_most)
    return _against_champion(gate, rule, measured, champion_report, champion_version)


def _against_champion(
    gate: str, rule: QualityRule, measured: float, champion_report: Any | None, champion_version: int | None
) -> Verdict:
    allowed = rule.no_worse_than_champion_by or 0.0
    if champion_version is None:
        return Verdict(gate, Outcome.PASSED, "no champion yet: nothing to compare with", measured, _text(rule))
    champion = number_at(champion_report, rule.metric)
    if isinstance(champion, str):
        reason = f"the champion (version {champion_version}) has no such value: {champion}"
        return Verdict(gate, Outcome.INCONCLUSIVE, reason, measured, _text(rule))
    lower = lower_is_better(rule.metric)
    worse_by = measured - champion if lower else champion - measured
    required = (
        f"{'<=' if lower else '>='} {champion + allowed if lower else champion - allowed:.4g} (champion {champion:.4g})"
    )
    # Rounding: 0.76 - 0.75 is a little more than 0.01 in binary floating point, and nobody means that.
    return _bound(gate, measured, required, worse_by <= allowed + 1e-12)


def _bound(gate: str, measured: float, required: str, holds: bool) -> Verdict:
    outcome = Outcome.PASSED if holds else Outcome.FAILED
    verb = "meets" if holds else "does not meet"
    return Verdict(gate, outcome, f"{measured:.4g} {verb} {required}", measured, required)


def _text(rule: QualityRule) -> str:
    if rule.at_least is not None:
        return f">= {rule.at_least:g}"
    if rule.at_most is not None:
        return f"<= {rule.at_most:g}"
    return f"no worse than the champion by {rule.no_worse_than_champion_by:g}"


def lower_is_better(metric: str) -> bool:
    """Direction of a metric by the last word of its path (`regression_metrics.mae.value` is `mae`)."""
    words = [word for word in metric.split(".") if word != "value"]
    return bool(words) and words[-1] in LOWER_IS_BETTER


def number_at(document: Any, path: str) -> float | str:
    """The finite number at a dotted path, or a sentence that says why there is none."""
    value = document
    walked: list[str] = []
    for part in path.split("."):
        walked.append(part)
        if not isinstance(value, dict) or part not in value:
            return f"the report has nothing at {'.'.join(walked)}"
        value = value[part]
    if value is None:
        return f"the report has null at {path}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"the report has {str(value)[:60]!r} at {path}, which is no number"
    try:
        number = float(value)
    except OverflowError:
        return f"the report has a number out of range at {path}"
    return number if math.isfinite(number) else f"the report has {number} at {path}"


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """Failed if any failed, else inconclusive if any was, else passed. No verdict at all is inconclusive."""
    outcomes = {verdict.verdict for verdict in verdicts}
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED
    return Outcome.PASSED if outcomes == {Outcome.PASSED} else Outcome.INCONCLUSIVE


def explain(verdicts: Iterable[Verdict]) -> str:
    """One sentence that names every gate that did not pass."""
    return (
        "; ".join(f"{v.gate}: {v.reason}" for v in verdicts if v.verdict is not Outcome.PASSED) or "every gate passed"
    )
