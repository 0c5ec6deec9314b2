"""Two of three have to approve, and one of the three made the version: refused in every channel, while the other two decide."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from lockkeeper.adapters.aws import SystemClock
from lockkeeper.adapters.dynamodb import DynamoDBLedger
from lockkeeper.adapters.dynamodb.table import Table
from lockkeeper.domain.approval import PersonalLink, link_digest, new_link_name

from cli.story.letter import Page, open_page, press, wait_for_link
from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud, package_request
from tests.e2e.test_a_promotion import constant_model, prepare, report
from tests.e2e.test_decisions_in_the_registry import described, set_status
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_slack import body_of, send, told

pytestmark = pytest.mark.full

GROUP, RELEASE = "two-of-three", "two-of-three-v1-a1"
AUTHOR_IN_SLACK = "U0AUTHOR1"
ROLES = {name: f"QuorumOf{name}" for name in ("Ada", "Grace", "Lin")}


def approvers() -> str:
    """Ada can be met in every channel; Grace and Lin get mails and have an AWS identity."""
    arn = "aws_principal: 'arn:aws:iam::111122223333:role/{}'"
    people = [
        f"{{name: {name}, email: {name.lower()}-of-three@example.com, {arn.format(role)}{more}}}"
        for (name, role), more in zip(
            ROLES.items(),
            (f", slack_user: {AUTHOR_IN_SLACK}, studio_profile: d-local/ada-of-three", "", ""),
            strict=True,
        )
    ]
    return f"{{before: [staging], quorum: 2, author_from: metadata.author, approvers: [{', '.join(people)}]}}"


def registered_by_ada(cloud: Cloud, folder: Path) -> str:
    prepare(cloud, GROUP, folder, approval=approvers())
    artifact = cloud.put(f"{GROUP}-models", "model.tar.gz", constant_model(1.0))
    statistics = cloud.put(f"{GROUP}-models", "report.json", report(1.0))
    request = package_request(
        GROUP,
        SCIKIT_LEARN,
        artifact,
        statistics,
        CustomerMetadataProperties={"author": "Ada", "reason": "a better one"},
    )
    arn = str(cloud.client("sagemaker", "registry").create_model_package(**request)["ModelPackageArn"])
    cloud.wait_for(RELEASE, "awaiting-approval")
    return arn


def stolen_link(cloud: Cloud, approver: str) -> str:
    """The page of a link in somebody's name, as if one had been sent."""
    ledger = DynamoDBLedger(Table(cloud.client("dynamodb"), cloud.outputs["TableName"]), SystemClock())
    request = ledger.request_of(RELEASE, "staging")
    assert request is not None
    name = new_link_name()
    link = PersonalLink(link_digest(name), RELEASE, "staging", approver, request.expires_at, request.seal, "2026")
    ledger.table.put({"pk": f"LINK#{link.sha256}", "sk": "LINK", **asdict(link)})
    return f"{cloud.running.web_url}/approvals/{name}"


def mailed_page(cloud: Cloud, name: str) -> Page:
    _, link = wait_for_link(cloud.running.mailbox, f"{name.lower()}-of-three@example.com", GROUP)
    return open_page(link)


def test_the_author_is_refused_in_every_channel_and_the_other_two_promote(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    arn = registered_by_ada(cloud, tmp_path)
    people = {name: cloud.person(role) for name, role in ROLES.items()}
    assert cloud.mails("ada-of-three@example.com") == [], "who made it is not asked"

    assert press(open_page(stolen_link(cloud, "Ada")), "approve", {}).status == 403
    refused = cloud.lockkeeper("approve", RELEASE, "--comment", "mine", expect=1, person=people["Ada"])
    assert "Ada made this version" in refused
    question = told(cloud, RELEASE, "may it go to staging?")
    assert send(cloud, body_of(question, AUTHOR_IN_SLACK))[1]["refused"] == "NotPermitted"
    set_status(cloud, arn, "ada-of-three", "Approved")
    eventually(lambda: "Ada made this version" in described(cloud, arn).get("ApprovalDescription", ""))
    release = cloud.release(RELEASE)
    figure(
        "the author, through link, CLI, Slack and registry", f"{len(release['approvals'])} of 4 accepted", "0 accepted"
    )
    assert (release["approvals"], release["status"]) == ([], "awaiting-approval")
    assert "made this version" in cloud.lockkeeper("revoke", RELEASE, expect=1, person=people["Ada"])

    page = mailed_page(cloud, "Grace")
    assert "a better one" in page.text
    assert press(page, "approve", {"comment": "one of two"}).status == 200
    assert press(page, "approve", {"comment": "two of two?"}).status == 409
    before = mailed_page(cloud, "Lin")
    assert "are void" in cloud.lockkeeper("revoke", RELEASE, "--approver", "Lin", person=people["Grace"])
    assert [open_page(before.url).status, press(before, "approve", {}).status] == [410, 410]
    assert cloud.release(RELEASE)["status"] == "awaiting-approval"
    cloud.lockkeeper("approve", RELEASE, "--comment", "two of two", person=people["Lin"])
    release = cloud.wait_for(RELEASE, "promoted")
    assert [(one["approver"], one["channel"]) for one in release["approvals"]] == [("Grace", "link"), ("Lin", "cli")]
