"""Running the steps of a pipeline execution, one after another, through SageMaker's own operations."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localcloud.sagemaker.background import Background
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.errors import ApiError, WorkFailedError
from localcloud.sagemaker.events import EventPublisher, iso
from localcloud.sagemaker.pipeline_definitions import needs
from localcloud.sagemaker.pipeline_values import Values
from localcloud.sagemaker.store import Store, new_id

Perform = Callable[[Place, str, JsonObject, str], JsonObject]
"""Calls an operation of this SageMaker: place, operation, parameters, caller's ARN."""

LONGEST_NAME = 63
LARGEST_REASON, LARGEST_STEP_REASON = 1300, 1024
POLL_SECONDS = 0.1


class StoppedError(Exception):
    """The execution was stopped while a step ran."""


@dataclass
class PipelineRun:
    """One execution under way."""

    store: Store
    cloud: Cloud
    events: EventPublisher
    background: Background
    perform: Perform
    place: Place
    role_arn: str
    execution: JsonObject
    parameters: dict[str, Any]
    values: Values = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        arn: str = self.execution["PipelineExecutionArn"]
        started = iso(self.execution["CreationTime"])
        visible = {
            "PipelineExecutionId": arn.rpartition("/")[2],
            "PipelineExecutionArn": arn,
            "PipelineName": arn.split("/")[1],
            "PipelineArn": self.execution["PipelineArn"],
            "StartDateTime": started,
            "CurrentDateTime": started,
        }
        self.values = Values(self.parameters, visible, lambda uri: self.cloud.read(self.place, uri))

    @property
    def caller_arn(self) -> str:
        """Steps call SageMaker under the pipeline's role."""
        account, role = self.role_arn.split(":")[4], self.role_arn.rpartition("/")[2]
        return f"arn:aws:sts::{account}:assumed-role/{role}/SageMaker"

    def stop(self) -> None:
        """Ask the execution to end; the job of the present step is stopped."""
        self._enter("Stopping")
        self._stopping.set()

    def run(self, steps: list[JsonObject]) -> None:
        """Run the steps to the end of the execution."""
        try:
            self._run_all(steps)
        except StoppedError:
            self._enter("Stopped")
        except WorkFailedError as error:
            reason = f"Step failure: One or multiple steps failed. {error}"[:LARGEST_REASON]
            self._enter("Failed", FailureReason=reason, PipelineExecutionFailureReason=reason)
        else:
            self._enter("Succeeded")

    def _run_all(self, steps: list[JsonObject]) -> None:
        """Run those steps whose needs are met, in the definition's order, until none is left.

        A step that needs one of a branch not taken is never ready and does not run.
        """
        waiting = list(steps)
        while ready := next((step for step in waiting if needs(step) <= set(self.values.steps)), None):
            waiting.remove(ready)
            self._run_step(ready)

    def _run_step(self, step: JsonObject) -> None:
        if self._stopping.is_set():
            raise StoppedError
        record: JsonObject = {
            "StepName": step["Name"],
            "StepType": step["Type"],
            "StartTime": self.cloud.now(),
            "Metadata": {},
            "AttemptCount": 1,
        }
        for member, key in (("DisplayName", "StepDisplayName"), ("Description", "StepDescription")):
            if step.get(member):
                record[key] = step[member]
        self._set_step(record, "Executing", None, is_new=True)
        runners = {
            "Training": self._train,
            "Processing": self._process,
            "RegisterModel": self._register,
            "Condition": self._decide,
            "Fail": self._fail,
        }
        try:
            self.values.steps[step["Name"]] = runners[step["Type"]](step, record)
        except StoppedError:
            self._set_step(record, "Stopped", "Executing")
            raise
        except (WorkFailedError, ApiError) as error:
            reason = error.message if isinstance(error, ApiError) else str(error)
            record["FailureReason"] = reason[:LARGEST_STEP_REASON]
            self._set_step(record, "Failed", "Executing")
            raise WorkFailedError(f"{step['Name']}: {reason}") from None
        self._set_step(record, "Succeeded", "Executing")
        if step["Type"] == "Condition":
            self._run_all(self._branch(step, record))

    def _train(self, step: JsonObject, record: JsonObject) -> JsonObject:
        name = self._job_name(step)
        arguments = {**self.values.resolve(step["Arguments"]), "TrainingJobName": name}
        arn = self._call("CreateTrainingJob", arguments)["TrainingJobArn"]
        self._tag(arn, step)
        record["Metadata"] = {"TrainingJob": {"Arn": arn}}
        return self._wait("TrainingJob", name)

    def _process(self, step: JsonObject, record: JsonObject) -> JsonObject:
        name = self._job_name(step)
        arguments = {**self.values.resolve(step["Arguments"]), "ProcessingJobName": name}
        arn = self._call("CreateProcessingJob", arguments)["ProcessingJobArn"]
        self._tag(arn, step)
        record["Metadata"] = {"ProcessingJob": {"Arn": arn}}
        job = self._wait("ProcessingJob", name)
        outputs = {
            output["OutputName"]: output["S3Output"]["S3Uri"].rstrip("/")
            for output in job.get("ProcessingOutputConfig", {}).get("Outputs", [])
            if "S3Output" in output
        }
        for described in step.get("PropertyFiles", []):
            uri = f"{outputs.get(described['OutputName'], '')}/{described['FilePath'].lstrip('/')}"
            self.values.property_files[step["Name"], described["PropertyFileName"]] = uri
        return job

    def _register(self, step: JsonObject, record: JsonObject) -> JsonObject:
        arguments = _without_empty(self.values.resolve(step["Arguments"]))
        generated = {"GeneratedBy": self.execution["PipelineExecutionArn"], **arguments.get("MetadataProperties", {})}
        arguments["MetadataProperties"] = generated
        group = arguments.get("ModelPackageGroupName")
        # The step makes the group it registers into, as AWS's does.
        if group and group not in self.store.world(self.place).groups and not group.startswith("arn:"):
            self._call("CreateModelPackageGroup", {"ModelPackageGroupName": group})
        arn = self._call("CreateModelPackage", arguments)["ModelPackageArn"]
        record["Metadata"] = {"RegisterModel": {"Arn": arn}}
        return self._call("DescribeModelPackage", {"ModelPackageName": arn})

    def _tag(self, arn: str, step: JsonObject) -> None:
        """Jobs of a pipeline say by tags whose they are."""
        own = {"execution-arn": self.execution["PipelineExecutionArn"], "step-name": step["Name"]}
        with self.store.lock:
            self.store.world(self.place).tags[arn] |= {
                f"sagemaker:pipeline-{name}": value for name, value in own.items()
            }

    def _decide(self, step: JsonObject, record: JsonObject) -> JsonObject:
        outcome = all(self.values.holds(condition) for condition in step["Arguments"]["Conditions"])
        record["Metadata"] = {"Condition": {"Outcome": str(outcome)}}
        return {"Outcome": str(outcome)}

    def _branch(self, step: JsonObject, record: JsonObject) -> list[JsonObject]:
        taken = "IfSteps" if record["Metadata"]["Condition"]["Outcome"] == "True" else "ElseSteps"
        branch: list[JsonObject] = step["Arguments"].get(taken, [])
        return branch

    def _fail(self, step: JsonObject, record: JsonObject) -> JsonObject:
        message = str(self.values.resolve(step["Arguments"]["ErrorMessage"]))
        record["Metadata"] = {"Fail": {"ErrorMessage": message}}
        raise WorkFailedError(message)

    def _wait(self, kind: str, name: str) -> JsonObject:
        """Wait for a job; returns its description. Raises WorkFailedError with its reason, or StoppedError."""
        told_to_stop = False
        while True:
            job = self._call(f"Describe{kind}", {f"{kind}Name": name})
            status = job[f"{kind}Status"]
            if status == "Completed":
                return job
            if status == "Stopped" and told_to_stop:
                raise StoppedError
            if status in ("Failed", "Stopped"):
                raise WorkFailedError(job.get("FailureReason", f"ClientError: the job {name} was stopped."))
            if (self._stopping.is_set() or self.background.closing.is_set()) and not told_to_stop:
                told_to_stop = True
                if status == "InProgress":
                    self._call(f"Stop{kind}", {f"{kind}Name": name})
            # Whichever of the two is still to come ends the pause early.
            (self.background.closing if told_to_stop else self._stopping).wait(POLL_SECONDS)

    def _call(self, operation: str, parameters: JsonObject) -> JsonObject:
        return self.perform(self.place, operation, parameters, self.caller_arn)

    def _job_name(self, step: JsonObject) -> str:
        """The name SageMaker gives to a step's job: pipelines-EXECUTION-STEP-SUFFIX, cut to its limit."""
        execution = self.values.execution["PipelineExecutionId"]
        head = f"pipelines-{execution}-{step['Name'].replace('_', '-').replace(' ', '-')}"
        return f"{head[: LONGEST_NAME - 11]}-{new_id(10)}"

    def _set_step(self, record: JsonObject, status: str, previous: str | None, *, is_new: bool = False) -> None:
        with self.store.lock:
            record["StepStatus"] = status
            if status != "Executing":
                record["EndTime"] = self.cloud.now()
            if is_new:
                self.execution["Steps"].append(record)
        self.events.step_changed(self.place, self.execution, record, previous)

    def _enter(self, status: str, **changes: object) -> None:
        with self.store.lock:
            previous = self.execution["PipelineExecutionStatus"]
            now = self.cloud.now()
            self.execution |= {"PipelineExecutionStatus": status, "LastModifiedTime": now, **changes}
        self.events.execution_changed(self.place, self.execution, previous)


def _without_empty(value: Any) -> Any:
    """The value without empty objects, which the SDK writes for everything that a person leaves out."""
    if isinstance(value, dict):
        cleaned = {name: _without_empty(item) for name, item in value.items()}
        return {name: item for name, item in cleaned.items() if item not in ({}, None)}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value
