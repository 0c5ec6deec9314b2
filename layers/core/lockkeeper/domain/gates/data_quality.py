"""Is the data as it was: Model Monitor's violations, counted by the kind of check."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lockkeeper.domain.evidence import Evidence
from lockkeeper.domain.gate_rules import DataQualityRule
from lockkeeper.domain.gates.verdicts import inconclusive
from lockkeeper.domain.release import Outcome, Verdict

KIND = "data_quality"
NAMED = 5
"""Features that a reason names; a report may have thousands."""


def judge_data_quality(rule: DataQualityRule | None, evidence: Evidence) -> tuple[Verdict, ...]:
    """One verdict for each kind of check that has violations or a bound; one that passed where there is neither."""
    if rule is None:
        return ()
    report = evidence.reports.get(KIND)
    if report is None:
        return (inconclusive("data quality", evidence.why_missing(KIND), None),)
    violations = report.get("violations") if isinstance(report, dict) else None
    if not isinstance(violations, list):
        return (inconclusive("data quality", "the report has no list at violations", None),)
    found = Counter(_check_of(violation) for violation in violations)
    kinds = sorted(set(found) | set(rule.at_most))
    if not kinds:
        return (Verdict("data quality", Outcome.PASSED, "no violations", 0.0, "<= 0"),)
    return tuple(_judge(kind, found[kind], rule.at_most.get(kind, 0), violations) for kind in kinds)


def _judge(kind: str, count: int, allowed: int, violations: list[Any]) -> Verdict:
    outcome = Outcome.PASSED if count <= allowed else Outcome.FAILED
    features = sorted({_feature_of(one) for one in violations if _check_of(one) == kind})
    named = ", ".join(features[:NAMED]) + (f" and {len(features) - NAMED} more" if len(features) > NAMED else "")
    reason = f"{count} violations{f' ({named})' if named else ''}, {allowed} allowed"
    return Verdict(f"data quality: {kind}", outcome, reason, float(count), f"<= {allowed}")


def _check_of(violation: Any) -> str:
    kind = violation.get("constraint_check_type") if isinstance(violation, dict) else None
    return kind[:60] if isinstance(kind, str) and kind else "unknown check"


def _feature_of(violation: Any) -> str:
    return str(violation.get("feature_name", "?"))[:60] if isinstance(violation, dict) else "?"
