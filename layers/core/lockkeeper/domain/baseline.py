"""Where the data is that a version's traffic is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.monitor_rules import Monitor
from lockkeeper.domain.policy import Policy

TABLE, STATISTICS, CONSTRAINTS = "baseline.csv", "statistics.json", "constraints.json"
PLACES = (("DriftCheckBaselines", "ModelDataQuality"), ("ModelMetrics", "ModelDataQuality"))
CURE = "name data in drift.monitor.baseline, or register versions with DriftCheckBaselines={ModelDataQuality: {Statistics, Constraints}}"


@dataclass(frozen=True)
class BaselineSource:
    """Files of a baseline: by the name that the monitor knows them by, their addresses; `where` says who named them."""

    where: str
    files: dict[str, str]


def baseline_source(
    description: dict[str, Any], policy: Policy, monitor: Monitor, version: int
) -> BaselineSource | None:
    """The version's own baseline where the registry names one, else the policy's data, else the replay's; None where there is none.

    What the registry names is Model Monitor's two files or, with the content type text/csv, a table as replays have it.
    """
    for place, kind in PLACES:
        named = (description.get(place) or {}).get(kind) or {}
        statistics, constraints = named.get("Statistics") or {}, named.get("Constraints") or {}
        where = f"{place} of the model package"
        if statistics.get("S3Uri") and statistics.get("ContentType") == "text/csv":
            return BaselineSource(where, {TABLE: str(statistics["S3Uri"])})
        if statistics.get("S3Uri") and constraints.get("S3Uri"):
            uris = {STATISTICS: str(statistics["S3Uri"]), CONSTRAINTS: str(constraints["S3Uri"])}
            return BaselineSource(where, uris)
    if monitor.baseline:
        group = policy.model_package_group
        uri = monitor.baseline.replace("{group}", group).replace("{version}", str(version))
        return BaselineSource("drift.monitor.baseline of the policy", {TABLE: uri})
    replay = policy.staging.tests.replay
    return BaselineSource("staging.tests.replay of the policy", {TABLE: replay.dataset}) if replay else None
