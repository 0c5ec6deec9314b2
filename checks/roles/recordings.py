"""Recordings: what one laptop's AWS was asked, and the roles that were deployed to it, kept for the checks.

A recording counts for the sources it was made with and for no others: whoever changes a function, the template, the laptop's AWS
or a test has to run the tests again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from localcloud.settings import PROJECT_FOLDER, REGION, SECRET_ACCESS_KEY

Document = dict[str, Any]

FOLDER = PROJECT_FOLDER / "build" / "roles"
"""Where recordings are kept, one folder each. `LOCKKEEPER_RECORDINGS` names another place."""

SOURCES = (
    "template.yaml",
    "environments/*.yaml",
    "statemachines/*.yaml",
    "functions/**/*.py",
    "layers/core/**/*.py",
    "jobs/**/*.py",
    "cli/**/*.py",
    "constraints.txt",
    "localcloud/**/*.py",
    "tests/e2e/**/*.py",
    "tests/faults/**/*.py",
)


@dataclass(frozen=True)
class DeployedRole:
    """A role as one stack made it. `policies` are the documents written into it; managed policies of AWS are not among them."""

    template: str
    """The template's description, and the kind of account where it has one: alike wherever the template is deployed."""
    logical_id: str
    arn: str
    policies: dict[str, Document]
    trust: Document
    names: dict[str, str]
    """Physical ids of the stack's resources, with their logical ids: what makes an ARN readable."""

    @property
    def name(self) -> str:
        """What the role is called, whichever stack made it."""
        return f"{self.logical_id} ({kind})" if (kind := self.template.partition("\n")[2]) else self.logical_id


@dataclass(frozen=True)
class Recording:
    """What was asked, and of which roles."""

    roles: tuple[DeployedRole, ...]
    calls: tuple[Document, ...]
    decisions: tuple[Document, ...]
    tests: tuple[str, ...] = ()


def recordings_folder() -> Path:
    """Where recordings are kept."""
    return Path(os.environ.get("LOCKKEEPER_RECORDINGS") or FOLDER)


def sources_digest(project: Path = PROJECT_FOLDER) -> str:
    """SHA-256 over everything a recording depends on."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in project.glob(pattern)}):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def keep(endpoint_url: str, logs: Path, accounts: Iterable[str], sources: str, tests: Sequence[str]) -> Path:
    """Keep the logs of a laptop's AWS that is still running, with the roles of these accounts' stacks. Returns the folder.

    `sources` is the digest that the sources had when it was started, `tests` are the tests that have run, as `file::function`.
    Recordings of other sources are removed.
    """
    folder = recordings_folder()
    for known in folder.glob("*/sources.txt"):
        if known.read_text() != sources:
            shutil.rmtree(known.parent, ignore_errors=True)
    kept = folder / uuid.uuid4().hex
    kept.mkdir(parents=True)
    roles = [vars(role) for account in accounts for role in roles_of(endpoint_url, account)]
    (kept / "roles.json").write_text(json.dumps(roles, indent=1))
    (kept / "tests.json").write_text(json.dumps(tests))
    for name in ("calls.jsonl", "decisions.jsonl"):
        shutil.copyfile(logs / name, kept / name)
    # Last, because a folder without it is no recording.
    (kept / "sources.txt").write_text(sources)
    return kept


def load() -> list[Recording]:
    """The recordings that were made with the sources as they are now."""
    sources = sources_digest()
    return [_read(path.parent) for path in recordings_folder().glob("*/sources.txt") if path.read_text() == sources]


def _read(folder: Path) -> Recording:
    roles = tuple(DeployedRole(**role) for role in json.loads((folder / "roles.json").read_text()))
    tests = tuple(json.loads((folder / "tests.json").read_text()))
    return Recording(roles, _lines(folder / "calls.jsonl"), _lines(folder / "decisions.jsonl"), tests)


def not_recorded(recordings: Iterable[Recording], folder: Path = PROJECT_FOLDER / "tests" / "e2e") -> list[str]:
    """The end-to-end tests, as `file::function`, that no recording is of."""
    written = {
        f"{path.name}::{one.name}"
        for path in folder.glob("test_*.py")
        for one in ast.parse(path.read_text()).body
        if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")
    }
    return sorted(written - {test for recording in recordings for test in recording.tests})


def _lines(path: Path) -> tuple[Document, ...]:
    return tuple(json.loads(line) for line in path.read_text().splitlines())


def roles_of(endpoint_url: str, account: str) -> Iterator[DeployedRole]:
    """The roles of every stack in an account."""
    session = boto3.Session(aws_access_key_id=account, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION)
    stacks, iam = (session.client(name, endpoint_url=endpoint_url) for name in ("cloudformation", "iam"))
    for page in stacks.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            resources = stacks.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
            names = {one["PhysicalResourceId"]: one["LogicalResourceId"] for one in resources}
            kind = [one["ParameterValue"] for one in stack.get("Parameters", []) if one["ParameterKey"] == "Kind"]
            template = "\n".join([stack.get("Description", ""), *kind])
            for one in resources:
                if one["ResourceType"] == "AWS::IAM::Role":
                    yield _role(iam, template, one["LogicalResourceId"], one["PhysicalResourceId"], names)


def _role(iam: Any, template: str, logical_id: str, name: str, names: dict[str, str]) -> DeployedRole:
    described = iam.get_role(RoleName=name)["Role"]
    policies = {
        policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    }
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        if arn.startswith("arn:aws:iam::aws:"):
            continue
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        policies[attached["PolicyName"]] = document
    trust = described["AssumeRolePolicyDocument"]
    return DeployedRole(template, logical_id, described["Arn"], policies, trust, names)
