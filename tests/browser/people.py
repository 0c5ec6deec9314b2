"""What the people of these stories have before them: a version that waits for Ada, and the link in her mail."""

from __future__ import annotations

from pathlib import Path

from cli.story.letter import open_page, press, wait_for_link
from tests.e2e.harness import Cloud
from tests.e2e.test_a_promotion import prepare, register

ADA = "{name: Ada, email: ada@example.com, slack_user: U0ADA0ADA}"
BEN = "{name: Ben, email: ben@example.com}"


class House:
    """A laptop's AWS where versions of models wait for people."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self._folder = folder

    def asks(self, group: str, approvers: str = f"[{ADA}]", more: str = "") -> str:
        """A new group whose first version waits for these people; returns the release's name."""
        prepare(self.cloud, group, self._folder, approval=f"{{before: [staging], approvers: {approvers}{more}}}")
        register(self.cloud, group, 1.0)
        self.cloud.wait_for(f"{group}-v1-a1", "awaiting-approval")
        return f"{group}-v1-a1"

    def next_version(self, group: str, version: int) -> str:
        """A further version of the group, once it waits; returns the release's name."""
        register(self.cloud, group, float(version))
        self.cloud.wait_for(f"{group}-v{version}-a1", "awaiting-approval")
        return f"{group}-v{version}-a1"

    def link(self, group: str, version: int = 1, address: str = "ada@example.com") -> str:
        """The link in somebody's newest mail about a version."""
        return wait_for_link(self.cloud.running.mailbox, address, f"{group} version {version} ")[1]

    def press(self, group: str, version: int, button: str, address: str = "ada@example.com") -> int:
        """Somebody presses a button on the page behind their link, elsewhere; the status of the answer."""
        return press(open_page(self.link(group, version, address)), button, {"comment": "as always"}).status

    def expire(self, release_id: str) -> None:
        """The time that a question had is over."""
        self.cloud.client("dynamodb").update_item(
            TableName=self.cloud.outputs["TableName"],
            Key={"pk": {"S": f"RELEASE#{release_id}"}, "sk": {"S": "APPROVAL#staging"}},
            UpdateExpression="SET expires_at = :then",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":then": {"S": "2020-01-01T00:00:00Z"}},
        )
