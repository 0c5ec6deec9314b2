"""What a policy says about production before anything changes it: a budget, and windows in which nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import answer_of, prepare, register
from tests.e2e.test_nothing_stranded import keep_house

pytestmark = pytest.mark.full


def policy_of(group: str, more: str = "", production: str = "") -> str:
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", production=production)
    return f"{text}{more}"


def test_what_costs_more_than_its_budget_is_stopped_before_anybody_is_asked(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "dear", tmp_path)
    cloud.apply(policy_of("dear", production="  monthly_budget_usd: 1\n"), tmp_path)
    register(cloud, "dear", 1.0)
    release = cloud.wait_for("dear-v1-a1", "failed")
    assert "cost: budget" in release["reason"]
    assert release["endpoints"]["staging"] is None
    assert release["cost"]["endpoint_monthly_usd"] > 1
    cloud.apply(policy_of("dear", production="  monthly_budget_usd: 100000\n"), tmp_path)
    cloud.lockkeeper("replay", "dear/1")
    cloud.wait_for("dear-v1-a2", "promoted")


def test_what_comes_in_while_a_window_is_open_waits_and_goes_on_when_the_policy_closes_it(
    cloud: Cloud, tmp_path: Path
) -> None:
    prepare(cloud, "windowed", tmp_path)
    window = '{cron: "* * * * *", lasts: 64h, reason: the audit}'
    cloud.apply(policy_of("windowed", f"freeze: [{window}]\n"), tmp_path)
    register(cloud, "windowed", 1.0)
    waiting = cloud.wait_for("windowed-v1-a1", "waiting-for-lock")
    assert "windowed is frozen: the audit, a freeze window of the policy" in waiting["timeline"][-1]["why"]
    keep_house(cloud)
    assert cloud.release_status("windowed-v1-a1") == "waiting-for-lock"
    cloud.apply(policy_of("windowed"), tmp_path)
    register(cloud, "windowed", 2.0)
    cloud.wait_for("windowed-v2-a1", "promoted")
    assert "superseded" in cloud.wait_for("windowed-v1-a1", "superseded")["reason"]
    assert answer_of(cloud, "windowed") == "2.0"
