"""What the end-to-end tests do to the laptop's AWS: always through the doors that a user has (AWS CLI, boto3, `lockkeeper`)."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from lockkeeper.domain.errors import GroupFrozen

from localcloud.settings import HUB_ACCOUNT_ID
from localcloud.sign_in_app import sign_in_parameters
from localcloud.supervisor import Running
from tests.e2e import commander
from tests.patience import ALL_DAY, PATIENCE
from tests.removal import remove_role

IMAGES = "683313688378.dkr.ecr.us-east-1.amazonaws.com"
SCIKIT_LEARN = f"{IMAGES}/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST = f"{IMAGES}/sagemaker-xgboost:1.7-1"
ENDED = {"promoted", "rejected", "failed", "superseded", "expired", "rolled-back"}


DECIDES = ("execute-api:Invoke", "cloudformation:DescribeStacks")

Statement = dict[str, Any]
Statements = Statement | list[Statement]
"""What a policy says."""


def trusting(**principal: str) -> Statement:
    """Who may take a role: `Service="sagemaker.amazonaws.com"`, or `AWS=` an ARN."""
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}


def allowing(*actions: str, on: str = "*") -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


JOBS = trusting(Service="sagemaker.amazonaws.com")
"""What roles of models, jobs and pipelines trust."""


@dataclass
class Cloud:
    """A running laptop's AWS with Lockkeeper deployed."""

    running: Running
    outputs: dict[str, str]
    joined: dict[str, str] = field(default_factory=dict)
    """Ids of the accounts that are not the hub, by kind: registry, staging, production."""
    made: list[tuple[str, str]] = field(default_factory=list)
    """Groups that tests have made, and the account of each: see `tests.e2e.retiring`."""
    at_the_end: list[Callable[[], object]] = field(default_factory=list)
    """What takes away what else tests have made."""
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.running.environment()}

    def account(self, kind: str) -> str:
        """Id of the account that is the `registry`, `staging` or `production`; an id is its own."""
        return kind if kind.isdigit() else self.joined.get(kind, HUB_ACCOUNT_ID)

    def client(self, service: str, kind: str = "hub") -> Any:
        """A client of the hub's account, or of the account that is of this kind. They are dear to make; threads may share them."""
        place = (service, self.account(kind))
        if place not in self._clients:
            settings = self.running.environment(place[1])
            self._clients[place] = boto3.session.Session().client(
                service,
                endpoint_url=self.running.endpoint_url,
                region_name=settings["AWS_DEFAULT_REGION"],
                aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
                config=boto3.session.Config(
                    inject_host_prefix=False, retries={"total_max_attempts": 2}, max_pool_connections=20
                ),
            )
        return self._clients[place]

    def aws(self, *arguments: str, person: dict[str, str] | None = None) -> Any:
        """The plain AWS CLI, as root or as a `person`; its JSON answer (None where it prints nothing)."""
        command = [str(Path(sys.executable).parent / "aws"), *arguments, "--output", "json"]
        environment = {**self.environment, **(person or {})}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"aws {' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else None

    def lockkeeper(self, *arguments: str, expect: int = 0, person: dict[str, str] | None = None) -> str:
        """The `lockkeeper` command, as root or as a `person`; what it prints, or says on standard error where it is refused."""
        code, out, err = commander.run(arguments, {**self.environment, **(person or {})})
        assert code == expect, f"lockkeeper {' '.join(arguments)}: {out}{err}"
        return out if expect == 0 or out else err

    def role(self, name: str, trust: Statements, may: Statements, kind: str = "hub") -> str:
        """A role of an account, which is there until the tests have ended; its ARN."""
        iam = self.client("iam", kind)
        says = [one if isinstance(one, list) else [one] for one in (trust, may)]
        documents = [json.dumps({"Version": "2012-10-17", "Statement": one}) for one in says]
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=documents[0])["Role"]["Arn"]
        self.at_the_end.append(partial(remove_role, iam, name))
        iam.put_role_policy(RoleName=name, PolicyName="May", PolicyDocument=documents[1])
        return str(arn)

    def person(self, role: str, session: str = "person", actions: tuple[str, ...] = DECIDES) -> dict[str, str]:
        """Credentials of somebody who may do this and nothing else, such as call the decision route: a session of a new role."""
        arn = self.role(role, trusting(AWS="arn:aws:iam::111122223333:root"), allowing(*actions))
        granted = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": granted["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": granted["SecretAccessKey"],
            "AWS_SESSION_TOKEN": granted["SessionToken"],
        }

    def release(self, release_id: str) -> dict[str, Any]:
        return json.loads(self.lockkeeper("show", release_id, "--json"))

    def cost(self, release_id: str) -> dict[str, Any]:
        """What a release cost. Its last state counts itself once it has said how the release ended, so the execution has to be over."""
        self.ended_execution(release_id)
        return dict(self.release(release_id)["cost"])

    def release_status(self, release_id: str) -> str:
        """A release's status as the ledger has it, or `not opened`."""
        return self._status_and_whether_closed(release_id)[0]

    def _status_and_whether_closed(self, release_id: str) -> tuple[str, bool]:
        key = {"pk": {"S": f"RELEASE#{release_id}"}, "sk": {"S": "RELEASE"}}
        found = self.client("dynamodb").get_item(TableName=self.outputs["TableName"], Key=key, ConsistentRead=True)
        if "Item" not in found:
            return "not opened", False
        item = found["Item"]
        # What a freeze stopped stays unfinished until the freeze has ended.
        stopped_by_freeze = GroupFrozen.__name__ in json.dumps(item.get("ending"))
        return str(item["status"]["S"]), "unfinished" not in item or stopped_by_freeze

    def wait_for(self, release_id: str, *statuses: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The release once it has one of these statuses (default: any in which it has ended).

        One that has ended is closed as well: its status is written before its lock is handed on and people are told.
        """
        wanted, until = set(statuses) or ENDED, time.monotonic() + seconds
        status = "not opened"
        while time.monotonic() < until:
            status, closed = self._status_and_whether_closed(release_id)
            if status in wanted and (closed or status not in ENDED):
                return self.release(release_id)
            if status in ENDED and closed:
                break
            time.sleep(0.1)
        shown = self.release(release_id) if status != "not opened" else {}
        raise AssertionError(f"{release_id} is {status}, not one of {sorted(wanted)}: {json.dumps(shown, indent=1)}")

    def is_closed_as(self, release_id: str, status: str) -> bool:
        """Whether a release has ended so, also one that had ended otherwise before."""
        return self._status_and_whether_closed(release_id) == (status, True)

    def execution_arn(self, release_id: str) -> str:
        return f"{self.outputs['StateMachineArn'].replace(':stateMachine:', ':execution:')}:{release_id}"

    def stop(self, release_id: str) -> None:
        """Somebody stops a release's execution."""
        client = self.client("stepfunctions")
        client.stop_execution(executionArn=self.execution_arn(release_id), cause="stopped by hand")

    def ended_execution(self, release_id: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The release's execution once it has ended, with its history under `events`."""
        client, until = self.client("stepfunctions"), time.monotonic() + seconds
        arn = self.execution_arn(release_id)
        while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < until, f"{release_id}'s execution is still running"
            time.sleep(0.1)
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return {**execution, "events": [event for page in pages for event in page["events"]]}

    def calls(self) -> list[dict[str, Any]]:
        """Every AWS call so far, in order."""
        lines = (self.running.logs / "calls.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def mailed(self, address: str, words: str) -> str:
        """The newest mail to somebody that has these words, once it is there: a status is written before its mail is sent."""
        until = time.monotonic() + PATIENCE
        while not (found := [mail for mail in self.mails(address) if words in mail]):
            assert time.monotonic() < until, f"no mail with {words!r} reached {address}"
            time.sleep(0.1)
        return found[-1]

    def mails(self, address: str) -> list[str]:
        folder = self.running.mailbox / address
        return [path.read_text() for path in sorted(folder.glob("*.eml"))] if folder.is_dir() else []

    def physical_name(self, logical_id: str) -> str:
        """What the stack called its resource."""
        found = self.client("cloudformation").describe_stack_resource(
            StackName="lockkeeper", LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    @contextmanager
    def deaf(self, *rules: str) -> Iterator[None]:
        """Meanwhile these rules of Lockkeeper's bus, by their logical ids, see nothing."""
        events, bus = self.client("events"), self.outputs["BusName"]
        names = [self.physical_name(rule).rpartition("|")[2] for rule in rules]
        for name in names:
            events.disable_rule(Name=name, EventBusName=bus)
        try:
            yield
        finally:
            for name in names:
                events.enable_rule(Name=name, EventBusName=bus)

    @contextmanager
    def without_house_keeping(self) -> Iterator[None]:
        """Meanwhile no schedule calls KeepHouse, which makes up for what is not told."""
        scheduler, schedules = self.client("scheduler"), []
        for logical_id in ("HouseKeeping", "CleaningUp"):
            kept = scheduler.get_schedule(Name=self.physical_name(logical_id))
            keys = ("Name", "Description", "ScheduleExpression", "FlexibleTimeWindow", "Target")
            schedules.append({key: kept[key] for key in keys})
        for given in schedules:
            scheduler.update_schedule(**given, State="DISABLED")
        try:
            yield
        finally:
            for given in schedules:
                scheduler.update_schedule(**given, State="ENABLED")

    def bucket(self, name: str) -> str:
        self.client("s3", "registry").create_bucket(Bucket=name)
        return name

    def put(self, bucket: str, key: str, body: bytes | str) -> str:
        self.client("s3", "registry").put_object(
            Bucket=bucket, Key=key, Body=body.encode() if isinstance(body, str) else body
        )
        return f"s3://{bucket}/{key}"

    def group(self, name: str, kind: str = "registry") -> None:
        self.client("sagemaker", kind).create_model_package_group(ModelPackageGroupName=name)
        self.remember(name, kind)

    def remember(self, group: str, kind: str = "registry") -> None:
        """A group that somebody else makes for a test: it goes, with all that came of it, when the test has ended."""
        self.made.append((group, self.account(kind)))

    def apply(self, policy: str, folder: Path) -> None:
        path = folder / "policy.yaml"
        path.write_text(policy)
        self.lockkeeper("policy", "apply", str(path))


def models_own_role(account_id: str) -> str:
    """ARN of a role that policies may name beside the stack's own; a test that wants it makes it."""
    return f"arn:aws:iam::{account_id}:role/a-models-own"


def parameters_of(running: Running) -> dict[str, str]:
    """What the template is deployed with."""
    own = {"ExternalId": "an-external-id-of-the-tests", "ModelBuckets": "*", "WebUrl": running.web_url}
    return {**own, **sign_in_parameters(running)}


def model_archive(files: dict[str, bytes | str]) -> bytes:
    """A model.tar.gz of these files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def package_request(group: str, image: str, artifact: str, report: str | None, **more: Any) -> dict[str, Any]:
    """A CreateModelPackage request of one container."""
    request: dict[str, Any] = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": image, "ModelDataUrl": artifact}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        **more,
    }
    if report:
        statistics = {"ContentType": "application/json", "S3Uri": report}
        request["ModelMetrics"] = {"ModelQuality": {"Statistics": statistics}}
    return request


def policy_text(group: str, *, metric: str, bound: str, **more: str) -> str:
    """A small policy: nobody is asked unless `approval` says so, and endpoints have a day to start."""
    approval = more.get("approval", "{before: []}")
    staging = more.get("staging", ALL_DAY["staging"])
    production = more.get("production", ALL_DAY["production"])
    artifact = more.get("artifact", "{}")
    return f"""\
model_package_group: {group}
gates:
  quality:
    - {{metric: {metric}, {bound}}}
  artifact: {artifact}
approval: {approval}
staging: {staging}
production:
  endpoint_name: {group}
  instance_type: ml.m5.large
  strategy: {{bake: 1m}}
{production}"""
