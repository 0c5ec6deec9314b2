"""The deployed stack: found by its name, known by its outputs, used through the core's own adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.settings import Settings

from cli.problems import LOCAL_CURE, CommandRefused

if TYPE_CHECKING:
    from lockkeeper.ports import World

KINDS = ("registry", "staging", "production")
"""What an account may be to the hub; `environments/account.yaml` has the same words."""

SETTINGS_OF_OUTPUTS = {
    "TableName": "TABLE_NAME",
    "BucketName": "BUCKET_NAME",
    "BusName": "BUS_NAME",
    "StateMachineArn": "STATE_MACHINE_ARN",
    "PersonalTopicArn": "PERSONAL_TOPIC_ARN",
    "BroadcastTopicArn": "BROADCAST_TOPIC_ARN",
    "WebUrl": "WEB_URL",
    "SlackChannel": "SLACK_CHANNEL",
}
"""The stack's outputs, by the names under which the core's settings know the same things."""
NOT_EVERYWHERE = frozenset({"WebUrl", "SlackChannel"})
"""Outputs that a stack without a web API, or without Slack, has not."""


@dataclass(frozen=True)
class Stack:
    """A deployed Lockkeeper: its outputs by name, whose credentials are used, and the core's adapters on it."""

    outputs: dict[str, str]
    session: boto3.Session
    world: World

    @property
    def joined(self) -> dict[str, str]:
        """Ids of the accounts that joined the stack's own, by kind: registry, staging, production."""
        hub = self.outputs["StateMachineArn"].split(":")[4]
        accounts = {kind: self.outputs.get(f"{kind.capitalize()}Account", hub) for kind in KINDS}
        return {kind: account for kind, account in accounts.items() if account != hub}

    def caller(self) -> str:
        """ARN of the AWS identity that runs the command."""
        return str(self.session.client("sts").get_caller_identity()["Arn"])


def find_stack(name: str, session: boto3.Session | None = None) -> Stack:
    """Find the stack in the account and region of the session (by default of the environment's credentials).

    Raises:
        CommandRefused: there is no such stack, or it is not a Lockkeeper.
    """
    session = session or boto3.Session()
    # One look, and nobody waits a minute to hear that nothing listens.
    patience = Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 2, "mode": "standard"})
    return stack_of(read_outputs(name, session.client("cloudformation", config=patience)), session)


def stack_of(outputs: dict[str, str], session: boto3.Session) -> Stack:
    """The stack behind outputs that are known already."""
    known = {setting: outputs[output] for output, setting in SETTINGS_OF_OUTPUTS.items() if output in outputs}
    world = AwsWorld(Settings(known))
    world.session = session
    return Stack(outputs, session, world)


def read_outputs(name: str, cloudformation: Any) -> dict[str, str]:
    """The outputs of a stack, by name."""
    try:
        described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        refused = error.response["Error"]
        if refused["Code"] == "ValidationError" and "does not exist" in refused["Message"]:
            raise CommandRefused(
                f"there is no stack {name!r} in {cloudformation.meta.region_name}",
                cure=f"look at --stack (or LOCKKEEPER_STACK) and AWS_DEFAULT_REGION, or deploy with `sam deploy`; "
                f"without an account, {LOCAL_CURE}",
            ) from error
        raise
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    missing = sorted(set(SETTINGS_OF_OUTPUTS) - set(outputs) - NOT_EVERYWHERE)
    if missing:
        status = described["StackStatus"]
        raise CommandRefused(
            f"stack {name!r} is {status} and has no output {', '.join(missing)}",
            cure=f"name Lockkeeper's stack with --stack; if it is this one, {_cure_of(status)}",
        )
    return outputs


def _cure_of(status: str) -> str:
    """What to do about a stack without Lockkeeper's outputs. Only one that something still happens to is worth a wait."""
    if status == "REVIEW_IN_PROGRESS":
        return "execute its change set, which was made and never executed"
    if status.startswith(("DELETE_", "ROLLBACK_")) and status.endswith("_IN_PROGRESS"):
        return "wait until that has ended, then delete what is left of it and deploy again"
    if status.endswith("_IN_PROGRESS"):
        return "wait until it is deployed"
    if status.startswith(("CREATE_", "UPDATE_", "IMPORT_")) and status.endswith("_COMPLETE"):
        return "deploy this version's template"
    if status.startswith(("UPDATE_", "IMPORT_")):
        # It ran once, and its ledger is in it: never to be deleted.
        return "mend what its events name, then `aws cloudformation continue-update-rollback` or deploy again"
    return "look at its events for what failed, delete it and deploy again"
