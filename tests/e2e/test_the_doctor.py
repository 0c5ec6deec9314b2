"""`lockkeeper doctor`: what it finds well, and what somebody broke."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import prepare

pytestmark = pytest.mark.full

GROUP = "examined"
BROKEN = ("people", "role", "other rules")
UNKNOWN_PERSON = "{before: [staging], approvers: [{name: Nobody Yet, email: nobody.yet@example.com}]}"


def examined(cloud: Cloud, expect: int = 0) -> dict[str, dict[str, Any]]:
    """The findings, by what was looked at; other tests' groups on this laptop's AWS are not."""
    return {one["what"]: one for one in json.loads(cloud.lockkeeper("doctor", GROUP, "--json", expect=expect))}


def test_what_is_in_order_is_said_and_what_is_broken_has_a_cure(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    prepare(cloud, GROUP, tmp_path)
    found = examined(cloud)
    for what in (
        "stack",
        "event rules",
        "key",
        f"{GROUP}: policy",
        f"{GROUP}: people",
        f"{GROUP}: endpoint",
        f"{GROUP}: other rules",
        f"{GROUP}: quota of ml.m5.large",
    ):
        assert found.get(what, {}).get("state") == "ok", found.get("rules", found)

    events, role = cloud.client("events"), "arn:aws:iam::111122223333:role/NobodyMadeIt"
    pattern = json.dumps({"source": ["aws.sagemaker"], "detail": {"ModelPackageGroupName": [GROUP]}})
    events.put_rule(Name="somebody-deploys-too", EventPattern=pattern)
    events.put_targets(
        Rule="somebody-deploys-too", Targets=[{"Id": "1", "Arn": "arn:aws:sns:us-east-1:111122223333:else"}]
    )
    more = f"  execution_role_arn: {role}\n"
    text = policy_text(
        GROUP, metric="regression_metrics.mae.value", bound="at_most: 5", approval=UNKNOWN_PERSON, production=more
    )
    cloud.apply(text, tmp_path)
    try:
        with cloud.deaf("ResumeReleaseEndpointChanged"):
            broken = examined(cloud, expect=1)
    finally:
        events.remove_targets(Rule="somebody-deploys-too", Ids=["1"])
        events.delete_rule(Name="somebody-deploys-too")

    seen = {what: (one["state"], one["seen"]) for what, one in broken.items()}
    assert seen[f"{GROUP}: other rules"] == ("warning", "also hear of its versions: somebody-deploys-too")
    assert seen[f"{GROUP}: role"] == ("problem", "there is no role NobodyMadeIt")
    assert seen[f"{GROUP}: people"][0] == "warning"
    assert seen[f"{GROUP}: people"][1].endswith("it takes 2 who can be reached")
    assert seen["event rules"][0] == "problem"
    without_cure = [one["what"] for one in broken.values() if one["state"] != "ok" and not one["cure"]]
    noticed = [what for what in ("event rules", *(f"{GROUP}: {one}" for one in BROKEN)) if seen[what][0] != "ok"]
    figure(
        "the doctor: what was broken and noticed", f"{len(noticed)} of 4, {len(without_cure)} without a cure", "4, 0"
    )
    assert without_cure == []
