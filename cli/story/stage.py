"""Where the story is played: AWS clients, what the deployed stack is called, and the mailbox."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3


@dataclass(frozen=True)
class Stage:
    """A deployed Lockkeeper on an AWS, with the two of its own commands that the story uses.

    `outputs` are the stack's outputs by name, `mailbox` is a folder with a folder of mails for each address,
    `apply_policy` takes a policy's text and returns its version, `read_release` gives a release in its JSON form or
    None.
    """

    session: boto3.Session
    outputs: dict[str, str]
    mailbox: Path
    apply_policy: Callable[[str], str]
    read_release: Callable[[str], dict[str, Any] | None]

    @cached_property
    def s3(self) -> Any:
        return self.session.client("s3")

    @cached_property
    def iam(self) -> Any:
        return self.session.client("iam")

    @cached_property
    def sagemaker(self) -> Any:
        return self.session.client("sagemaker")

    @cached_property
    def sagemaker_runtime(self) -> Any:
        return self.session.client("sagemaker-runtime")

    @cached_property
    def step_functions(self) -> Any:
        return self.session.client("stepfunctions")

    def read_policy(self, group: str) -> str:
        """The policy as Lockkeeper's bucket holds it."""
        return self._read(f"s3://{self.outputs['BucketName']}/policies/{group}.yaml").decode("utf-8")

    def read_json(self, uri: str) -> Any:
        """A JSON document at `s3://bucket/key`."""
        return json.loads(self._read(uri))

    def sha256(self, uri: str) -> str:
        """SHA-256 (hex) of the bytes at `s3://bucket/key`."""
        return hashlib.sha256(self._read(uri)).hexdigest()

    def _read(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return bytes(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
