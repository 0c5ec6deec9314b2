"""What the pictures of the wages story are drawn from."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.policy import parse_policy

from cli.story.takeovers import Takeover
from cli.story.traffic import Traffic

Evaluations = dict[int, dict[str, Any]]
"""Evaluation reports by version."""
CLASSES = ("below 800", "800 or more")


def _metrics(evaluations: Evaluations, version: int) -> dict[str, Any]:
    metrics: dict[str, Any] = evaluations[version]["binary_classification_metrics"]
    return metrics


def quality(evaluations: Evaluations, policy_text: str) -> dict[str, Any]:
    """What each version of the pipeline was worth, beside what the policy asks for."""
    policy = parse_policy(policy_text, source="policy.yaml")
    required = next(rule.at_least for rule in policy.gates.quality if rule.at_least is not None)
    first = _metrics(evaluations, min(evaluations))
    bars = [
        [f"version {version}", _metrics(evaluations, version)["accuracy"]["value"]] for version in sorted(evaluations)
    ]
    bars.append(["always the same answer", first["accuracy_best_constant_classifier"]["value"]])
    rows = evaluations[min(evaluations)]["dataset"]["item_count"]
    return {
        "required": required,
        "bars": [[label, value, value >= required] for label, value in bars],
        "note": f"Accuracy on {rows} rows of people whom no version was trained on. Version 1 reads eight columns, version "
        "2 weeks worked and region only: that is no better than to give everybody the same answer. Version 3 is told sex, "
        "marriage and colour too: more accurate, and stopped for what it does to women. Version 4 is a forest of "
        "2,000 trees, stopped because it answers too slowly. Version 6 was trained on later years, and is measured on them.",
    }


def year_after(traffic: Traffic) -> dict[str, Any]:
    """What production answered people of the year after those that it learned from."""
    return {
        "rows": len(traffic.answers),
        "accuracy": traffic.accuracy,
        "majority_share": traffic.majority_share,
        "confusion_matrix": traffic.confusion_matrix,
        "classes": list(CLASSES),
        "latencies_ms": list(traffic.latencies_ms),
        "variants": list(traffic.variants),
        "note": f"All {len(traffic.answers)} people of 1979, one request each: dollars a week, as answered by the "
        f"endpoint and as earned. Accuracy {traffic.accuracy:.3f}; always the same answer: "
        f"{traffic.majority_share:.3f}.",
        "drift_note": "The model learned in 1976 to 1978. By 1979 inflation had lifted many people over 800 dollars, "
        "and the model still answers as if it had not: this is what drift looks like.",
    }


def around(takeover: Takeover) -> dict[str, Any]:
    """When each request around a change of production was answered, in seconds, and by which version."""
    began = takeover.asked[0].at
    answers = list(zip(takeover.asked, takeover.kinds, strict=True))
    answered = {
        kind: [round(one.at - began, 3) for one, its in answers if its == kind] for kind in ("old", "new", "failed")
    }
    return {"version": takeover.version, "answered": answered, "note": takeover.note}
