"""A group whose drift trains it anew by a pipeline that takes as long as a test wants, and whose training jobs are registered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.e2e.harness import JOBS, SCIKIT_LEARN, allowing, package_request
from tests.e2e.test_a_promotion import report
from tests.e2e.test_drift import held_training, retraining, tell
from tests.e2e.test_nothing_stranded import eventually
from tests.e2e.test_training_jobs import definition, script, tags_of
from tests.faults.yard import Yard


class Trainer:
    """Pipeline and training jobs of one group. While `held`, what the pipeline trains does not end."""

    def __init__(self, yard: Yard, group: str, folder: Path) -> None:
        self.yard, self.cloud, self.group = yard, yard.cloud, group
        self._hold = folder / f"{group}-hold"
        self._told = 0

    @property
    def policy(self) -> str:
        """What the group's policy says of production's traffic: captured, looked at, and what comes of drift."""
        retrain: dict[str, Any] = {"pipeline": f"{self.group}-train", "cooldown": "0s", "give_up_after": 20}
        retrain["at_most"] = {"count": 100, "per": "7d"}
        baseline = f"s3://{self.group}-models/baseline.csv"
        monitor = {"every": "1d", "baseline": baseline, "minimum_rows": 1}
        drift = {"signals": ["event", "lockkeeper-monitor"], "retrain": retrain, "monitor": monitor}
        return f"  capture: {{percent: 100}}\ndrift: {json.dumps(drift)}\n"

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Meanwhile there is the pipeline."""
        cloud, group = self.cloud, self.group
        cloud.put(f"{group}-models", "baseline.csv", "label,a,b\n" + "7,1,2\n" * 20)
        trained = held_training(cloud, group, self._hold)
        statistics = cloud.put(f"{group}-models", "retrained/report.json", report(1.0))
        request: dict[str, Any] = package_request(group, SCIKIT_LEARN, "", statistics)
        (container,) = request["InferenceSpecification"]["Containers"]
        container["ModelDataUrl"] = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}
        steps = [
            {"Name": "Train", "Type": "Training", "Arguments": trained},
            {"Name": "Register", "Type": "RegisterModel", "Arguments": request},
        ]
        sagemaker = cloud.client("sagemaker")
        sagemaker.create_pipeline(
            PipelineName=f"{group}-train",
            PipelineDefinition=json.dumps({"Version": "2020-12-01", "Steps": steps}),
            ClientRequestToken="p" * 32,
            RoleArn=cloud.role(f"{group}-pipeline", JOBS, allowing("sagemaker:*", "iam:PassRole")),
        )
        try:
            yield
        finally:
            self.let_go()
            self.forget()
            sagemaker.delete_pipeline(PipelineName=f"{group}-train", ClientRequestToken="d" * 32)

    def forget(self) -> None:
        """Nobody looks at the group's traffic any more."""
        self.yard.apply(self.group)
        self.yard.invoke("StartDriftMonitor", {"drift_monitor": {}})

    def lose_schedules(self) -> None:
        """Somebody has taken away all schedules of looks at traffic, of every group."""
        scheduler, monitors = self.cloud.client("scheduler"), self.yard.resource("Monitors")
        for one in scheduler.list_schedules(GroupName=monitors)["Schedules"]:
            with suppress(scheduler.exceptions.ResourceNotFoundException):  # The other town has done the same.
                scheduler.delete_schedule(Name=one["Name"], GroupName=monitors)

    @property
    def next_number(self) -> int:
        """The number of the retraining that the next drift brings about."""
        return self._told + 1

    def hold(self) -> None:
        self._hold.touch()

    def let_go(self) -> None:
        self._hold.unlink(missing_ok=True)

    def drift(self) -> int:
        """Somebody says that it drifts, each time in another column; the number of the retraining that comes of it."""
        self._told += 1
        tell(self.cloud, self.group, self.finding(self._told), column=f"column-{self._told}")
        eventually(lambda: retraining(self.cloud, self.group, self._told).get("execution_arn"))
        return self._told

    def held_drift(self) -> int:
        """The same, and its pipeline goes on until somebody lets go. Who reacts to the drift has gone, also where it died before."""
        self.hold()
        number, function = self.drift(), self.yard.functions["ReactToDrift"]
        about = f'"{self.finding(number)}"'
        eventually(
            lambda: any(
                one["function"] == function and about in one["event"] and not one["cut"] and not one["error"]
                for one in self.yard.plan.invocations()
            )
        )
        return number

    def finding(self, number: int) -> str:
        """What a drift is told under."""
        return f"{self.group}-finding-{number}"

    def end_pipeline(self) -> None:
        """Let go, and wait for the end of the pipeline."""
        self.let_go()
        running = {"Executing", "Stopping"}
        eventually(lambda: not running & {one["PipelineExecutionStatus"] for one in self._executions()})

    def comes_to(self, number: int, stage: str) -> list[str]:
        """Wait for the end of a retraining; what is wrong with it, in words."""
        try:
            eventually(lambda: retraining(self.cloud, self.group, number).get("stage") == stage)
        except AssertionError:
            return [f"{self.group}-r{number} is {retraining(self.cloud, self.group, number)}, not {stage}"]
        return []

    def looks(self, about: str) -> list[str]:
        """The monitor is asked for a look, and to set every schedule right; three times, for it may die twice. What is wrong, in words."""
        problems = []
        for asked in ({"group": self.group}, {}):
            for _ in range(3):
                said = self.yard.invoke("StartDriftMonitor", {"drift_monitor": asked, "round": about})
            if "errorType" in said:
                problems.append(f"{about}: the monitor was asked three times, and ended with {said}")
        return problems

    def executions(self) -> int:
        """How often the pipeline ran."""
        return len(self._executions())

    def _executions(self) -> list[dict[str, Any]]:
        pages = self.cloud.client("sagemaker").get_paginator("list_pipeline_executions")
        found = pages.paginate(PipelineName=f"{self.group}-train")
        return [one for page in found for one in page["PipelineExecutionSummaries"]]

    def versions(self) -> int:
        """How many versions the group has."""
        pages = self.cloud.client("sagemaker").get_paginator("list_model_packages")
        found = pages.paginate(ModelPackageGroupName=self.group)
        return sum(len(page["ModelPackageSummaryList"]) for page in found)

    def train(self, number: int) -> str:
        """Somebody starts a training job whose model is to be registered; its name."""
        name = f"{self.group}-job-{number}"
        self.cloud.client("sagemaker").create_training_job(
            TrainingJobName=name,
            HyperParameters={**script(self.cloud, self.group), "constant": "6.75"},
            Tags=tags_of(self.group, {}),
            **definition(self.cloud, self.group, name),
        )
        return name
