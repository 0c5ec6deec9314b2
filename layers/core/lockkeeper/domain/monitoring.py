"""The monitor of a production endpoint: what its job is asked, what it is called, and whose data it holds traffic against."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import GROUP_NAME, SERVING_CHANGED, Unusable, shown
from lockkeeper.domain.gate_rules import POST_TRAINING_BIAS
from lockkeeper.domain.monitor_rules import Monitor
from lockkeeper.domain.policy import Policy

PROBLEMS = {
    "binary_classification_metrics": "BinaryClassification",
    "multiclass_classification_metrics": "MulticlassClassification",
    "regression_metrics": "Regression",
}
"""Kinds of models, by the block of a report that their metrics are in."""

STOCK_IMAGE = "/sagemaker-scikit-learn"
OLDEST = timedelta(days=2)
"""How late a schedule's call may come and still be about its own time: Scheduler tries for a day."""


@dataclass(frozen=True)
class Look:
    """Somebody, or a schedule, wants a group's traffic looked at; `at` is the time that it is due for, None for now."""

    group: str
    at: datetime | None


@dataclass(frozen=True)
class Align:
    """What is watched may have changed: of one group, or (empty) of every group."""

    group: str


def what_is_asked(event: dict[str, Any], accounts: Accounts, now: datetime) -> Look | Align | Unusable:
    """Read a call of a schedule, or an event of Lockkeeper's bus; nothing else of it counts than what to look at."""
    asked = event.get("drift_monitor")
    if isinstance(asked, dict) and "source" not in event:
        if not asked:
            return Align("")
        group = asked.get("group")
        if not isinstance(group, str) or not GROUP_NAME.fullmatch(group):
            return Unusable(f"{shown(group)} is no name of a model package group")
        return Look(group, _due(asked.get("at"), now))
    kind, detail = event.get("detail-type"), event.get("detail")
    if event.get("source") != "lockkeeper" or not isinstance(kind, str) or kind not in SERVING_CHANGED:
        return Unusable(f"{shown(event.get('source'))} {shown(kind)} changes nothing that is watched")
    if event.get("account") != accounts.hub:
        return Unusable(f"account {shown(event.get('account'))} is not the hub, where releases run")
    group = detail.get("model_package_group") if isinstance(detail, dict) else None
    if not isinstance(group, str) or not GROUP_NAME.fullmatch(group):
        return Unusable("the event names no model package group")
    return Align(group)


def _due(told: Any, now: datetime) -> datetime | None:
    """The time a schedule was due at; None where it does not say, or says one that cannot be."""
    try:
        at = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)
    return at if now - OLDEST <= at <= now else None


def job_name(group: str, at: datetime) -> str:
    """One job for a group and the end of its window: whoever asks again gets the same. At most 63 characters."""
    moment = f"{at.astimezone(UTC):%Y%m%d%H%M%S}"
    # SageMaker compares names of jobs without case.
    if len(group) <= 28 and group == group.lower():
        return f"lockkeeper-monitor-{group}-{moment}"
    digest = hashlib.sha256(group.encode()).hexdigest()[:10]
    return f"lockkeeper-monitor-{group[:17].rstrip('-').lower()}-{digest}-{moment}"


def schedule_name(group: str) -> str:
    """At most 64 characters; schedules tell groups apart by case."""
    return group if len(group) <= 63 else hashlib.sha256(group.encode()).hexdigest()[:63]


def image_of(monitor: Monitor, images: tuple[str, ...]) -> str:
    """The image of the job: the policy's, or the version's own where that is the stock one; empty where it is neither."""
    return monitor.image or next((one for one in images if STOCK_IMAGE in one), "")


def problem_of(policy: Policy, monitor: Monitor) -> str:
    """Of which kind the model is: as the policy says, or as its quality gates do; empty where neither does."""
    if monitor.problem_type:
        return monitor.problem_type
    blocks = {rule.metric.partition(".")[0] for rule in policy.gates.quality}
    kinds = {PROBLEMS[block] for block in blocks if block in PROBLEMS}
    return kinds.pop() if len(kinds) == 1 else ""


def bounds_of(policy: Policy, monitor: Monitor) -> tuple[dict[str, float], dict[str, float]]:
    """What metrics have to be at least and at most: as the policy says for production, or else as its quality gates ask."""
    if monitor.at_least or monitor.at_most:
        return dict(monitor.at_least), dict(monitor.at_most)
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    for rule in policy.gates.quality:
        block, _, rest = rule.metric.partition(".")
        name = rest.removesuffix(".value")
        if block not in PROBLEMS or rest == name or "." in name or rule.slices:
            continue
        if rule.at_least is not None:
            least[name] = max(rule.at_least, least.get(name, -math.inf))
        if rule.at_most is not None:
            most[name] = min(rule.at_most, most.get(name, math.inf))
    return least, most


def bias_of(policy: Policy) -> list[dict[str, Any]]:
    """The gates' bounds on bias metrics of predictions."""
    return [
        {
            "metric": rule.metric,
            "facet": rule.facet,
            "value": rule.value,
            "least": rule.bounds[0],
            "most": rule.bounds[1],
        }
        for rule in policy.gates.bias
        if rule.metric in POST_TRAINING_BIAS
    ]


METHODS = {"robust": "Robust", "simple": "Simple", "l-infinity": "LInfinity", "chi-squared": "ChiSquared"}
"""Model Monitor's names of what policies write in small letters."""


def asked_of_job(policy: Policy, monitor: Monitor, capture: str, baseline: dict[str, Any]) -> dict[str, Any]:
    """`monitor.json`: what the job is asked.

    Args:
        policy: the rules that count now.
        monitor: their section about the monitor.
        capture: `s3://` folder of the hours of the endpoint's variant.
        baseline: `baseline_release` with `baseline_sha256`, or `no_baseline` with the reason.
    """
    least, most = bounds_of(policy, monitor)
    kind = problem_of(policy, monitor)
    said = {
        "method": METHODS.get(monitor.method or ""),
        "categorical_method": METHODS.get(monitor.categorical_method or ""),
        "distance": monitor.distance,
        "p_value": monitor.p_value,
    }
    return {
        "capture": capture,
        **baseline,
        "ignore": list(monitor.ignore),
        "minimum_rows": monitor.minimum_rows,
        "ground_truth": monitor.ground_truth,
        "ground_truth_delay": monitor.ground_truth_delay,
        "question": {"problem_type": kind, "positive_label": monitor.positive_label} if kind else None,
        "at_least": least,
        "at_most": most,
        "bias": bias_of(policy) if kind and kind != "Regression" else [],
        "limits": {name: value for name, value in said.items() if value is not None},
    }
