"""Where the story is played: the deployed stack as the command sees it, AWS clients, and the mailbox."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from lockkeeper.domain.errors import UnknownRelease

from cli.policies import AppliedPolicy, apply_policy
from cli.stack import Stack


@dataclass(frozen=True)
class Account:
    """One account of the laptop's AWS: its id, and a session of its root user."""

    account_id: str
    session: boto3.Session

    @cached_property
    def sagemaker(self) -> Any:
        return self.session.client("sagemaker")

    @cached_property
    def sagemaker_runtime(self) -> Any:
        return self.session.client("sagemaker-runtime")


@dataclass(frozen=True)
class Stage:
    """A deployed Lockkeeper, the accounts it works in, the folder that holds a folder of mails for each address, and Slack's stand-in."""

    stack: Stack
    mailbox: Path
    accounts: tuple[Account, ...]
    slack_url: str

    @property
    def production(self) -> Account:
        """The account that is production."""
        wanted = self.stack.outputs["ProductionAccount"]
        return next(account for account in self.accounts if account.account_id == wanted)

    @cached_property
    def s3(self) -> Any:
        return self.stack.session.client("s3")

    @cached_property
    def iam(self) -> Any:
        return self.stack.session.client("iam")

    @cached_property
    def sagemaker(self) -> Any:
        return self.stack.session.client("sagemaker")

    @cached_property
    def step_functions(self) -> Any:
        return self.stack.session.client("stepfunctions")

    def apply_policy(self, text: str) -> AppliedPolicy:
        """Put a policy in force as `lockkeeper policy apply` does."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "policy.yaml"
            file.write_text(text, encoding="utf-8")
            return apply_policy(file, self.stack)

    def read_release(self, release_id: str) -> dict[str, Any] | None:
        """A release as `lockkeeper show --json` gives it, or None while there is none."""
        try:
            return self.stack.world.ledger.get(release_id).to_json()
        except UnknownRelease:
            return None

    def read_policy(self, group: str) -> str:
        """The policy as Lockkeeper's bucket holds it."""
        return self.read(f"s3://{self.stack.outputs['BucketName']}/policies/{group}.yaml").decode("utf-8")

    def read_json(self, uri: str) -> Any:
        """A JSON document at `s3://bucket/key`."""
        return json.loads(self.read(uri))

    def sha256(self, uri: str) -> str:
        """SHA-256 (hex) of the bytes at `s3://bucket/key`."""
        return hashlib.sha256(self.read(uri)).hexdigest()

    def upload(self, body: bytes, bucket: str, key: str) -> str:
        """Put bytes into a bucket; returns their address."""
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def read(self, uri: str) -> bytes:
        """The bytes at `s3://bucket/key`."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
