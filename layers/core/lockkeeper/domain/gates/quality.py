"""Is the model good enough: bounds on the model-quality report, slice by slice where asked, and against the champion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.evidence import ChampionEvidence, Evidence, number_at
from lockkeeper.domain.gate_rules import ChampionRule, QualityRule
from lockkeeper.domain.gates.verdicts import bound_text, decided, holds, inconclusive
from lockkeeper.domain.release import Outcome, Verdict

KIND = "model_quality"
ITEMS = "dataset.item_count"
ROUNDING = 1e-12
"""0.76 - 0.75 is a little more than 0.01 in binary floating point, and nobody means that."""


def judge_quality(
    rules: tuple[QualityRule, ...], compare: ChampionRule, evidence: Evidence, champion: ChampionEvidence | None
) -> tuple[Verdict, ...]:
    """One verdict for each rule and, unless the policy says otherwise, one against the champion for each bounded metric."""
    report = evidence.reports.get(KIND)
    if report is None:
        why = evidence.why_missing(KIND)
        return tuple(inconclusive(_name(rule), why, _required(rule)) for rule in rules)
    verdicts = [_judge(rule, report, champion) for rule in rules]
    asked = {rule.metric for rule in rules if rule.no_worse_than_champion_by is not None}
    for rule in rules:
        if compare.compare and rule.direction and not rule.slices and rule.metric not in asked:
            asked.add(rule.metric)
            verdicts.append(_compare(rule, compare.worse_by_at_most, report, champion))
    return tuple(verdicts)


def _name(rule: QualityRule) -> str:
    against = " against the champion" if rule.no_worse_than_champion_by is not None else ""
    return f"quality: {rule.metric}{f' by {rule.slices}' if rule.slices else ''}{against}"


def _required(rule: QualityRule) -> str:
    if rule.no_worse_than_champion_by is not None:
        return f"no worse than the champion by {rule.no_worse_than_champion_by:g}"
    return bound_text(rule.at_least, rule.at_most)


def _judge(rule: QualityRule, report: Any, champion: ChampionEvidence | None) -> Verdict:
    if rule.slices:
        return _judge_slices(rule, report, champion)
    too_few = _too_few(rule, report, ITEMS)
    return inconclusive(_name(rule), too_few, _required(rule)) if too_few else _judge_at(rule, "", report, champion)


def _judge_at(
    rule: QualityRule, prefix: str, report: Any, champion: ChampionEvidence | None, about: str = ""
) -> Verdict:
    path = f"{prefix}{rule.metric}"
    measured = number_at(report, path)
    if isinstance(measured, str):
        return inconclusive(_name(rule), f"{measured}; put the value into the model-quality report", _required(rule))
    if rule.no_worse_than_champion_by is not None:
        return _against(_name(rule), rule, path, measured, rule.no_worse_than_champion_by, champion, about)
    passed = holds(measured, rule.at_least, rule.at_most)
    return decided(_name(rule), measured, _required(rule), passed, about)


def _compare(rule: QualityRule, share: float, report: Any, champion: ChampionEvidence | None) -> Verdict:
    """The comparison that nobody asked for: a share of the champion's value is given away, so that noise stops nobody."""
    gate = f"quality: {rule.metric} against the champion"
    measured = number_at(report, rule.metric)
    if isinstance(measured, str):
        return inconclusive(gate, measured, f"no worse than the champion by {share:.0%}")
    served = number_at(champion.reports.get(KIND), rule.metric) if champion else 0.0
    allowed = share * abs(served) if isinstance(served, float) else 0.0
    return _against(gate, rule, rule.metric, measured, allowed, champion, "")


def _against(
    gate: str,
    rule: QualityRule,
    path: str,
    measured: float,
    allowed: float,
    champion: ChampionEvidence | None,
    about: str,
) -> Verdict:
    if champion is None:
        return Verdict(gate, Outcome.PASSED, "no champion yet: nothing to compare with", measured, _required(rule))
    served = number_at(champion.reports.get(KIND), path)
    if isinstance(served, str):
        why = f"{about}the champion (version {champion.version}) has no such value: {served}"
        return inconclusive(gate, why, _required(rule), measured)
    lower = rule.direction == "lower"
    worse_by = measured - served if lower else served - measured
    edge = served + allowed if lower else served - allowed
    required = f"{'<=' if lower else '>='} {edge:.4g} (champion {served:.4g})"
    return decided(gate, measured, required, worse_by <= allowed + ROUNDING, about)


def _too_few(rule: QualityRule, report: Any, path: str) -> str:
    """Why the report rests on too few rows, or nothing."""
    if not rule.minimum_rows:
        return ""
    rows = number_at(report, path)
    if isinstance(rows, str):
        return f"{rows}; at least {rule.minimum_rows} rows are asked for"
    return (
        ""
        if rows >= rule.minimum_rows
        else f"{rows:g} rows at {path}, fewer than {rule.minimum_rows}: evaluate on more"
    )


def _judge_slices(rule: QualityRule, report: Any, champion: ChampionEvidence | None) -> Verdict:
    """The worst slice decides; slices that cannot be decided come before those that fail only where none fails."""
    slices = _slices(report, rule.slices or "")
    if not slices:
        why = f"the report has no slices by {rule.slices}; evaluate with that column as a slice"
        return inconclusive(_name(rule), why, _required(rule))
    verdicts = list(_slice_verdicts(rule, slices, champion))
    return next(
        one
        for outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)
        for one in sorted(verdicts, key=lambda one: _badness(rule, one))
        if one.verdict is outcome
    )


def _slices(report: Any, column: str) -> dict[str, Any]:
    """The parts of a report by the values of a column; empty where it has none."""
    every = report.get("slices") if isinstance(report, dict) else None
    found = every.get(column) if isinstance(every, dict) else None
    return found if isinstance(found, dict) else {}


def _slice_verdicts(rule: QualityRule, slices: dict[str, Any], champion: ChampionEvidence | None) -> Iterator[Verdict]:
    for value in sorted(slices):
        about = f"{rule.slices} = {value}: "
        too_few = _too_few(rule, slices[value], "item_count")
        if too_few:
            yield inconclusive(_name(rule), about + too_few, _required(rule))
            continue
        served = _slice_of(champion, rule.slices or "", value)
        judged = _judge_at(rule, "", slices[value], served, about)
        missing = judged.verdict is Outcome.INCONCLUSIVE and not judged.reason.startswith(about)
        yield inconclusive(_name(rule), about + judged.reason, judged.required) if missing else judged


def _slice_of(champion: ChampionEvidence | None, column: str, value: str) -> ChampionEvidence | None:
    if champion is None:
        return None
    slices = _slices(champion.reports.get(KIND), column)
    return ChampionEvidence(champion.version, {KIND: slices.get(value)})


def _badness(rule: QualityRule, verdict: Verdict) -> float:
    measured = verdict.measured if isinstance(verdict.measured, float) else 0.0
    return measured if rule.at_most is None and rule.direction != "lower" else -measured
