"""A laptop's AWS whose functions break as planned: small groups of models, and the cuts of their releases."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from lockkeeper.adapters.aws import SystemClock
from lockkeeper.adapters.dynamodb import DynamoDBLedger
from lockkeeper.adapters.dynamodb.table import Table
from lockkeeper.domain.errors import UnknownRelease
from lockkeeper.domain.release import Release

from cli.story.letter import wait_for_link
from localcloud.fault_plan import FIRED, Fault, FaultPlan, When
from tests.e2e.harness import ENDED, Cloud, policy_text
from tests.e2e.leftovers import nothing_left
from tests.e2e.test_a_promotion import prepare, register
from tests.patience import PATIENCE

CHANGES_ENDPOINTS = ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint")
STATES = (
    "OpenRelease",
    "ScanArtifact",
    "JudgeCandidate",
    "DeployToStaging",
    "TestStaging",
    "PromoteToProduction",
    "WatchProduction",
    "CloseRelease",
)
"""States whose function has their name; RollBack and the two questions are apart."""


class Yard:
    """What tests of faults do, beside what all end-to-end tests do."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        self.plan = FaultPlan(cloud.running.run_folder)
        self._folder = folder
        self.undisturbed: list[range] = []
        """Which invocations were made in rounds in which nothing was cut."""
        self._changes: dict[str, int] = defaultdict(int)
        self._usual_changes: dict[str, int] = {}

    @cached_property
    def _resources(self) -> list[dict[str, str]]:
        client = self.cloud.client("cloudformation")
        pages = client.get_paginator("list_stack_resources").paginate(StackName="lockkeeper")
        return [one for page in pages for one in page["StackResourceSummaries"]]

    def resource(self, logical: str) -> str:
        """Physical id of a resource of the stack."""
        return next(one["PhysicalResourceId"] for one in self._resources if one["LogicalResourceId"] == logical)

    @cached_property
    def functions(self) -> dict[str, str]:
        """Physical names of the stack's functions, by logical ID."""
        return {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in self._resources
            if one["ResourceType"] == "AWS::Lambda::Function"
        }

    @cached_property
    def logical(self) -> dict[str, str]:
        """Logical IDs of the stack's functions, by physical names."""
        return {physical: logical for logical, physical in self.functions.items()}

    @contextmanager
    def undisturbed_round(self) -> Iterator[None]:
        """Meanwhile nothing is cut: what is called now is what has to be cut later."""
        began = len(self.plan.invocations())
        yield
        self.undisturbed.append(range(began, len(self.plan.invocations())))

    @cached_property
    def ledger(self) -> DynamoDBLedger:
        """The stack's ledger, through the real adapter."""
        client = self.cloud.client("dynamodb")
        return DynamoDBLedger(Table(client, self.cloud.outputs["TableName"]), SystemClock())

    def prepare(self, group: str, **policy: str) -> None:
        """A new group with a policy that asks nobody unless `approval` says so."""
        prepare(self.cloud, group, self.folder_of(group), **policy)

    def apply(self, group: str, *, bake: str = "1m", more: str = "", **policy: str) -> None:
        """Change a group's policy."""
        text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5", **policy)
        self.cloud.apply(text.replace("bake: 1m", f"bake: {bake}") + more, self.folder_of(group))

    def folder_of(self, group: str) -> Path:
        """Where a group's policy is written: groups are prepared at the same time."""
        folder = self._folder / group
        folder.mkdir(exist_ok=True)
        return folder

    def register(self, group: str, version: int, model: bytes | None = None) -> str:
        """Register a version that answers its own number (or another model); returns the name of its first release."""
        arn = register(self.cloud, group, float(version), model=model)
        assert arn.endswith(f"/{version}"), arn
        return f"{group}-v{version}-a1"

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function and wait; returns its answer, or the error it reports as a dictionary with `errorType`."""
        answer = self.cloud.client("lambda").invoke(FunctionName=self.functions[function], Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    def release(self, release_id: str) -> Release:
        """The release as the ledger has it now."""
        return self.ledger.get(release_id)

    def ends_as(self, release_id: str, status: str, seconds: float = PATIENCE) -> list[str]:
        """Wait for the end of a release and of its execution; what is wrong with it, in words."""
        try:
            self.is_(release_id, status, seconds)
            self.cloud.ended_execution(release_id)
        except AssertionError as error:
            return [str(error)]
        return []

    def is_(self, release_id: str, status: str, seconds: float = PATIENCE) -> None:
        """Wait until a release is where a test wants it; one that ends otherwise is an error."""
        until, release = time.monotonic() + seconds, None
        while time.monotonic() < until:
            with suppress(UnknownRelease):
                release = self.release(release_id)
                if release.status == status and (release.status not in ENDED or not release.unfinished):
                    return
                if release.status in ENDED and not release.unfinished:
                    break
            time.sleep(0.1)
        said = [f"{one.what}: {one.why}" for one in release.timeline[-6:]] if release else []
        raise AssertionError(f"{release_id} is {release and release.status}, not {status}: {said}")

    def recorded(self, release_id: str, what: str, seconds: float = PATIENCE) -> None:
        """Wait until a release's timeline says that this happened."""
        until = time.monotonic() + seconds
        while what not in {one.what for one in self.release(release_id).timeline}:
            assert time.monotonic() < until, f"{release_id}: {what!r} never came"
            time.sleep(0.1)

    def nothing_left(self, about: str, seconds: float = PATIENCE) -> list[str]:
        """What is still left of a group or release after a while in which endpoints may be deleted."""
        return nothing_left(self.cloud, about=about, seconds=seconds)

    def stop(self, release_id: str) -> None:
        """Somebody stops an execution."""
        self.cloud.stop(release_id)

    @contextmanager
    def executions(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Iterator[None]:
        """Executions that are started meanwhile follow a changed definition."""
        client, arn = self.cloud.client("stepfunctions"), self.cloud.outputs["StateMachineArn"]
        definition = client.describe_state_machine(stateMachineArn=arn)["definition"]
        client.update_state_machine(stateMachineArn=arn, definition=json.dumps(change(json.loads(definition))))
        try:
            yield
        finally:
            client.update_state_machine(stateMachineArn=arn, definition=definition)

    def happened(self, fault: Fault, times: int = 1, seconds: float = PATIENCE) -> None:
        """Wait until a fault has happened so often."""
        until = time.monotonic() + seconds
        while len(self.plan.fired(fault.name)) < times:
            assert time.monotonic() < until, f"{fault.name} happened {len(self.plan.fired(fault.name))} times"
            time.sleep(0.1)

    def throw_letters_away(self) -> None:
        """Nobody will play the dead letters again."""
        self.cloud.client("sqs").purge_queue(QueueUrl=self.cloud.outputs["DeadLettersUrl"])

    def keep_house(self, **event: Any) -> Any:
        """One look at everything that is unfinished, now."""
        return self.invoke("KeepHouse", {"quiet_seconds": 0, **event})

    def link(self, release_id: str, address: str, seconds: float = PATIENCE) -> str:
        """The address of the personal page that was mailed to somebody about a release."""
        group, _, version = release_id.removesuffix("-a1").rpartition("-v")
        about = f"{group} version {version} "
        return wait_for_link(self.cloud.running.mailbox, address, about, timeout_seconds=seconds)[1]

    def alarm(self, name: str, state: str = "ALARM", *, without_data: str = "notBreaching") -> None:
        """Make an alarm of this name, if there is none, and put it into a state: for a moment, or for good where `ignore` is what it
        does without data."""
        cloudwatch = self.cloud.client("cloudwatch")
        if not cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            cloudwatch.put_metric_alarm(
                AlarmName=name, Namespace="AWS/SageMaker", MetricName="Invocation5XXErrors", Statistic="Sum", Period=60,
                EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanOrEqualToThreshold",
                TreatMissingData=without_data,
            )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")

    def production_changes(self, group: str) -> int:
        """How often somebody created or updated a group's production endpoint, and was not refused."""
        return self._changes_of(f':endpoint/{group}"')

    def staging_changes(self, group: str) -> int:
        """How often somebody created or updated a staging endpoint of the group's releases, and was not refused."""
        return self._changes_of(f":endpoint/lockkeeper-{group}-v")

    def _changes_of(self, about: str) -> int:
        lines = (self.cloud.running.logs / "calls.jsonl").read_text().splitlines()
        calls = [json.loads(line) for line in lines if about in line]
        return sum(call["action"] in CHANGES_ENDPOINTS and call["status"] == 200 for call in calls)

    def changed_as_often(self, group: str, what: str) -> list[str]:
        """Whether production was changed as often since one asked for this group as when one first asked about such rounds; else words."""
        so_far = self.production_changes(group)
        changes, self._changes[group] = so_far - self._changes[group], so_far
        usual = self._usual_changes.setdefault(what, changes)
        return (
            []
            if changes == usual
            else [f"{group}: production was changed {changes} times in a round of {what}, not {usual}"]
        )

    def cut(self, name: str, function: str, when: When, call: int, *about: str) -> Fault:
        """Cut a function once at a call, in the invocation whose event contains all of `about`."""
        fault = Fault(f"{name}.{function}", self.functions[function], when, about=about, call=call)
        self.plan.add(fault)
        return fault

    def broke(self, release_id: str) -> bool:
        """Whether any fault of a release has happened: past the last call of every function, none does."""
        return any((self.plan.folder / FIRED).glob(f"{release_id}.*"))

    def cut_role(self, name: str, function: str, when: When, *about: str) -> None:
        """Cut a function once when it takes a deploy role, which only a new sandbox does: the one that follows another cut."""
        self.plan.add(Fault(f"{name}.{function}.role", self.functions[function], when, about, 1, "sts:AssumeRole"))

    def cuts_of_a_promotion(self, release_id: str, when: When, call: int, *, roles: When | None) -> None:
        """Cut every function of an undisturbed release once, at its `call`-th call; and those that take a role, around that."""
        group, _, version = release_id.removesuffix("-a1").rpartition("-v")
        for state in STATES:
            self.cut(release_id, state, when, call, f'"{release_id}"')
        self.cut(release_id, "ReactToRegistry", when, call, f'model-package/{group}/{version}"')
        self.cut(release_id, "Notify", when, call, f'"{release_id}"', "Release Promoted")
        for before in ("staging", "production"):
            self.cut(f"{release_id}.{before}", "RequestApproval", when, call, f'"{release_id}"', f'"{before}"')
        for name, about in (
            ("staging", (f":endpoint/lockkeeper-{release_id}-staging",)),
            ("production", (f':endpoint/{group}"',)),
            ("deadline", (f'"{release_id}"', '"deadline"')),
        ):
            self.cut(f"{release_id}.{name}", "ResumeRelease", when, call, *about)
        if roles:
            for function in (
                "DeployToStaging",
                "TestStaging",
                "PromoteToProduction",
                "WatchProduction",
                "CloseRelease",
            ):
                self.cut_role(release_id, function, roles, f'"{release_id}"')
            self.cut_role(release_id, "ResumeRelease", roles, f":endpoint/lockkeeper-{release_id}-staging")
