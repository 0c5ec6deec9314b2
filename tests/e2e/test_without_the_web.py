"""A stack that was deployed without a web API: people are told how else to decide, and do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_decisions_in_the_registry import set_status
from tests.e2e.tidy import tidy_cloud

pytestmark = pytest.mark.full

ADDRESS = "ada.without.web@example.com"


def test_without_a_web_api_people_are_sent_to_studio_and_decide_there(tmp_path: Path) -> None:
    asks = f"{{before: [staging], approvers: [{{name: Ada, email: {ADDRESS}, studio_profile: d-local/ada}}]}}"
    with tidy_cloud(tmp_path, WebAccess="none") as cloud:
        assert "WebUrl" not in cloud.outputs
        assert cloud.client("apigatewayv2").get_apis()["Items"] == []
        prepare(cloud, "webless", tmp_path, approval=asks)
        arn = register(cloud, "webless", 1.0)
        cloud.wait_for("webless-v1-a1", "awaiting-approval")
        mail = cloud.mailed(ADDRESS, "webless version 1")
        assert "SageMaker Studio" in mail
        assert "/approvals/" not in mail
        refused = cloud.lockkeeper("approve", "webless-v1-a1", "--comment", "fine", expect=1)
        assert "without a web API" in refused
        set_status(cloud, arn, "ada", "Rejected")
        assert cloud.wait_for("webless-v1-a1", "rejected")["reason"] == "rejected by Ada"
