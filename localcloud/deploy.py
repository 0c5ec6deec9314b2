"""Deploys the real template to the laptop's AWS, as `sam build` and `sam deploy` would to AWS."""

import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from samtranslator.yaml_helper import yaml_parse

from localcloud.packaging import function_archive, layer_archive
from localcloud.settings import HUB_ACCOUNT_ID, PROJECT_FOLDER, REGION, SECRET_ACCESS_KEY

ACCOUNT_TEMPLATE = PROJECT_FOLDER / "environments" / "account.yaml"
HUB_OUTPUTS = {"BucketName": "Bucket", "KeyArn": "KeyArn", "BroadcastTopicArn": "BroadcastTopicArn"}
"""Outputs of the hub's stack, by the parameters of a joining account's that take them."""
DEPLOY_SECONDS = 300.0
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
NOTHING_CHANGED = "No updates are to be performed"

Report = Callable[[str], None]
Template = dict[str, Any]


class DeployError(Exception):
    """The stack failed. `reasons` lists the failed resources, each as `LogicalId (Type): reason`."""

    def __init__(self, message: str, reasons: list[str]) -> None:
        super().__init__("\n  ".join([message, *reasons]))
        self.reasons = reasons


def quiet(_message: str) -> None:
    """Report nothing."""


def deploy(
    endpoint_url: str,
    stack_name: str = "lockkeeper",
    parameters: Mapping[str, str] | None = None,
    *,
    template: Path = PROJECT_FOLDER / "template.yaml",
    account_id: str = HUB_ACCOUNT_ID,
    report: Report = quiet,
) -> dict[str, str]:
    """Build, upload, create or update the stack; returns its outputs.

    Parameters that are left out get the template's defaults, but `PythonRuntime` and `Architecture` those of this
    machine, because compiled dependencies fit one of each only. Raises DeployError when the stack fails.
    """
    session = boto3.Session(aws_access_key_id=account_id, aws_secret_access_key=SECRET_ACCESS_KEY, region_name=REGION)
    config = Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}, inject_host_prefix=False)
    parsed: Template = yaml_parse(template.read_text())
    uploader = Uploader(session.client("s3", endpoint_url=endpoint_url, config=config), account_id)
    report("Building functions and layers")
    packaged = package(parsed, template.parent, uploader)
    body = json.dumps(packaged)
    url = f"{endpoint_url}/{uploader.bucket}/{uploader.upload(body.encode(), 'json')}"
    report(f"Deploying the stack {stack_name}")
    stack = Stack(session.client("cloudformation", endpoint_url=endpoint_url, config=config), stack_name)
    return stack.deploy(url, complete_parameters(parsed, parameters or {}))


def deploy_hub(
    endpoint_url: str,
    parameters: Mapping[str, str],
    joined: Mapping[str, str],
    *,
    stack_name: str = "lockkeeper",
    joined_parameters: Mapping[str, Mapping[str, str]] | None = None,
    report: Report = quiet,
) -> dict[str, str]:
    """Deploy the hub, then the accounts that join it: `joined` has their ids by kind (`registry`, `staging`, `production`).

    `joined_parameters` has further parameters of an account's stack, by kind. Returns the hub's outputs. Raises DeployError
    when one of the stacks fails.
    """
    accounts = {f"{kind.capitalize()}Account": account_id for kind, account_id in joined.items()}
    outputs = deploy(endpoint_url, stack_name, {**parameters, **accounts}, report=report)
    taken = {ours: outputs[theirs] for theirs, ours in HUB_OUTPUTS.items()}
    shared = {name: parameters[name] for name in ("ExternalId", "ModelBuckets") if name in parameters}
    for kind, account_id in joined.items():
        own = {"Kind": kind, "HubAccount": HUB_ACCOUNT_ID, "HubStackName": stack_name}
        deploy(
            endpoint_url,
            f"{stack_name}-{kind}",
            {**own, **taken, **shared, **(joined_parameters or {}).get(kind, {})},
            template=ACCOUNT_TEMPLATE,
            account_id=account_id,
            report=report,
        )
    return outputs


def complete_parameters(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """The given parameters, and this machine's Python and processor where the template asks for them."""
    machine = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    local = {"PythonRuntime": f"python{sys.version_info[0]}.{sys.version_info[1]}", "Architecture": machine}
    known = template.get("Parameters") or {}
    return {name: value for name, value in local.items() if name in known} | dict(given)


class Uploader:
    """Puts archives into the deployment bucket under names made of their content."""

    def __init__(self, s3: Any, account_id: str) -> None:
        self._s3 = s3
        # Names of buckets are the whole world's.
        self.bucket = f"lockkeeper-deployments-{account_id}"
        try:
            s3.create_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def upload(self, content: bytes, suffix: str) -> str:
        """Upload `content`; returns its key."""
        key = f"{hashlib.sha256(content).hexdigest()}.{suffix}"
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return key


def package(template: Template, project: Path, uploader: Uploader) -> Template:
    """The template with its local paths replaced by places in S3, as `sam package` does."""
    for resource in template["Resources"].values():
        properties = resource.get("Properties") or {}
        kind = resource["Type"]
        if kind == "AWS::Serverless::Function" and isinstance(properties.get("CodeUri"), str):
            build = (resource.get("Metadata") or {}).get("BuildProperties") or {}
            content = function_archive(project, properties["CodeUri"], build.get("ParentPackages"))
            properties["CodeUri"] = f"s3://{uploader.bucket}/{uploader.upload(content, 'zip')}"
        elif kind == "AWS::Serverless::LayerVersion" and isinstance(properties.get("ContentUri"), str):
            content = layer_archive(project, properties["ContentUri"])
            properties["ContentUri"] = f"s3://{uploader.bucket}/{uploader.upload(content, 'zip')}"
        elif kind == "AWS::Serverless::StateMachine" and isinstance(properties.get("DefinitionUri"), str):
            content = (project / properties["DefinitionUri"]).read_bytes()
            properties["DefinitionUri"] = {"Bucket": uploader.bucket, "Key": uploader.upload(content, "asl.yaml")}
    return template


class Stack:
    """One CloudFormation stack."""

    def __init__(self, cloudformation: Any, name: str) -> None:
        self._cloudformation = cloudformation
        self._name = name

    def deploy(self, template_url: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Create or update the stack and wait for its end; returns its outputs."""
        request = {
            "StackName": self._name,
            "TemplateURL": template_url,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            "Capabilities": CAPABILITIES,
        }
        try:
            if self._describe() is None:
                self._cloudformation.create_stack(**request)
            else:
                self._cloudformation.update_stack(**request)
        except ClientError as error:
            message = error.response["Error"]["Message"]
            if NOTHING_CHANGED not in message:
                raise DeployError(f"The stack {self._name} was refused: {message}", []) from error
        return self._wait()

    def _describe(self) -> Template | None:
        try:
            stacks = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"]
        except ClientError:
            return None
        return stacks[0] if stacks and stacks[0]["StackStatus"] != "DELETE_COMPLETE" else None

    def _wait(self) -> dict[str, str]:
        deadline = time.monotonic() + DEPLOY_SECONDS
        while time.monotonic() < deadline:
            described = self._describe() or {"StackStatus": "CREATE_FAILED"}
            status = described["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                break
            time.sleep(0.1)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reason = described.get("StackStatusReason", "")
            raise DeployError(f"The stack {self._name} ended as {status}. {reason}".strip(), self._failures())
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def _failures(self) -> list[str]:
        events = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event.get('ResourceStatusReason', '')}"
            for event in reversed(events)
            if event["ResourceStatus"].endswith("_FAILED") and event["ResourceType"] != "AWS::CloudFormation::Stack"
        ]
