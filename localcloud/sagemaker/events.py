"""The events SageMaker puts on the account's default bus, with the quirks of each kind.

Endpoint statuses are upper case with underscores and their times epoch milliseconds; model packages carry ISO times;
training jobs carry epoch milliseconds as text; pipelines speak camelCase. Shapes: AWS's EventBridge events reference
for SageMaker.
"""

import re
from datetime import UTC, datetime

from localcloud.sagemaker.cloud import Cloud, JsonObject, Place

TRAINING_MEMBERS = (
    "TrainingJobName", "TrainingJobArn", "TrainingJobStatus", "SecondaryStatus", "HyperParameters",
    "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "VpcConfig",
    "StoppingCondition", "SecondaryStatusTransitions", "ModelArtifacts",
)  # fmt: skip
TUNING_MEMBERS = (
    "HyperParameterTuningJobName", "HyperParameterTuningJobArn", "TrainingJobDefinition", "HyperParameterTuningJobStatus",
    "TrainingJobStatusCounters", "ObjectiveStatusCounters",
)  # fmt: skip
PROCESSING_MEMBERS = (
    "ProcessingInputs", "ProcessingOutputConfig", "ProcessingJobName", "ProcessingResources", "StoppingCondition",
    "AppSpecification", "NetworkConfig", "RoleArn", "ExperimentConfig", "ProcessingJobArn", "ProcessingJobStatus",
    "ExitMessage",
)  # fmt: skip
VARIANT_COUNTERS = ("CurrentWeight", "DesiredWeight", "CurrentInstanceCount", "DesiredInstanceCount")


def iso(moment: float) -> str:
    """Seconds since the epoch as `2021-02-24T17:00:14Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def upper_status(status: str) -> str:
    """`InService` as endpoint events spell it: `IN_SERVICE`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


class EventPublisher:
    """Puts SageMaker's events on the bus of the place they happen in."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def model_package_changed(self, place: Place, package: JsonObject, updated: list[str] | None = None) -> None:
        """A version was registered (`updated` is None) or some of its fields were changed."""
        detail = {
            name: value
            for name, value in package.items()
            if name not in ("ModelPackageName", "CreatedBy", "LastModifiedBy", "Tags")
        }
        for name in ("CreationTime", "LastModifiedTime"):
            if name in detail:
                detail[name] = iso(detail[name])
        if updated is not None:
            detail["UpdatedModelPackageFields"] = updated
        self._cloud.emit(place, "SageMaker Model Package State Change", detail, [package["ModelPackageArn"]])

    def endpoint_changed(self, place: Place, endpoint: JsonObject, tags: dict[str, str]) -> None:
        """The endpoint entered a status."""
        detail = _endpoint_detail(endpoint, tags)
        detail["ProductionVariants"] = [
            {name: float(variant[name]) for name in ("DesiredWeight", "DesiredInstanceCount") if name in variant}
            for variant in endpoint.get("ProductionVariants", [])
        ]
        for name in ("CreationTime", "LastModifiedTime"):
            detail[name] = float(detail[name])
        self._cloud.emit(place, "SageMaker Endpoint State Change", detail, [endpoint["EndpointArn"]])

    def deployment_changed(self, place: Place, endpoint: JsonObject, tags: dict[str, str]) -> None:
        """A deployment to the endpoint entered a stage; `PendingDeploymentSummary` says which."""
        detail = _endpoint_detail(endpoint, tags)
        detail["ProductionVariants"] = [_variant_detail(one) for one in endpoint.get("ProductionVariants", [])]
        pending = endpoint.get("PendingDeploymentSummary")
        if pending:
            detail["PendingDeploymentSummary"] = {
                "EndpointConfigName": pending["EndpointConfigName"],
                "StartTime": int(pending["StartTime"] * 1000),
                "ProductionVariants": [_variant_detail(one) for one in pending.get("ProductionVariants", [])],
            }
        self._cloud.emit(place, "SageMaker Endpoint Deployment State Change", detail, [endpoint["EndpointArn"]])

    def training_job_changed(self, place: Place, job: JsonObject, tags: dict[str, str]) -> None:
        """The job entered a status or a secondary status."""
        detail: JsonObject = {name: job[name] for name in TRAINING_MEMBERS if name in job}
        detail.setdefault("VpcConfig", {})
        detail["FailureReason"] = job.get("FailureReason")
        detail["SecondaryStatusTransitions"] = [
            {
                name: int(value * 1000) if name.endswith("Time") else value
                for name, value in transition.items()
                if value is not None
            }
            for transition in job.get("SecondaryStatusTransitions", [])
        ]
        for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
            detail[name] = str(int(job[name] * 1000)) if name in job else None
        detail["Tags"] = tags
        self._cloud.emit(place, "SageMaker Training Job State Change", detail, [job["TrainingJobArn"]])

    def tuning_job_changed(self, place: Place, job: JsonObject, tags: dict[str, str]) -> None:
        """The job entered a status."""
        detail: JsonObject = {name: job[name] for name in TUNING_MEMBERS if name in job}
        for name in ("CreationTime", "LastModifiedTime"):
            detail[name] = int(job[name] * 1000)
        detail["Tags"] = tags
        arn = job["HyperParameterTuningJobArn"]
        self._cloud.emit(place, "SageMaker HyperParameter Tuning Job State Change", detail, [arn])

    def processing_job_changed(self, place: Place, job: JsonObject, tags: dict[str, str]) -> None:
        """The job entered a status."""
        detail: JsonObject = {name: job[name] for name in PROCESSING_MEMBERS if name in job}
        detail.setdefault("ExperimentConfig", {})
        detail["FailureReason"] = job.get("FailureReason")
        for name in ("CreationTime", "ProcessingStartTime", "ProcessingEndTime", "LastModifiedTime"):
            if name in job:
                detail[name] = int(job[name] * 1000)
        detail["Tags"] = tags
        self._cloud.emit(place, "SageMaker Processing Job State Change", detail, [job["ProcessingJobArn"]])

    def execution_changed(self, place: Place, execution: JsonObject, previous: str | None) -> None:
        """The pipeline execution entered a status."""
        detail: JsonObject = {
            "pipelineExecutionDisplayName": execution.get("PipelineExecutionDisplayName"),
            "currentPipelineExecutionStatus": execution["PipelineExecutionStatus"],
            "previousPipelineExecutionStatus": previous,
            "executionStartTime": iso(execution["CreationTime"]),
            "pipelineExecutionDescription": execution.get("PipelineExecutionDescription"),
            "pipelineArn": execution["PipelineArn"],
            "pipelineExecutionArn": execution["PipelineExecutionArn"],
        }
        if execution["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped"):
            detail["executionEndTime"] = iso(execution["LastModifiedTime"])
        resources = [execution["PipelineArn"], execution["PipelineExecutionArn"]]
        self._cloud.emit(place, "SageMaker Model Building Pipeline Execution Status Change", detail, resources)

    def step_changed(self, place: Place, execution: JsonObject, step: JsonObject, previous: str | None) -> None:
        """A step of a pipeline execution entered a status."""
        metadata = {
            name[0].lower() + name[1:]: {key[0].lower() + key[1:]: item for key, item in value.items()}
            for name, value in step.get("Metadata", {}).items()
        }
        detail: JsonObject = {
            "metadata": metadata,
            "stepStartTime": iso(step["StartTime"]),
            "stepName": step["StepName"],
            "stepType": step["StepType"],
            "previousStepStatus": previous,
            "currentStepStatus": step["StepStatus"],
            "pipelineArn": execution["PipelineArn"],
            "pipelineExecutionArn": execution["PipelineExecutionArn"],
        }
        if "EndTime" in step:
            detail["stepEndTime"] = iso(step["EndTime"])
        if "FailureReason" in step:
            detail["failureReason"] = step["FailureReason"]
        resources = [execution["PipelineArn"], execution["PipelineExecutionArn"]]
        self._cloud.emit(place, "SageMaker Model Building Pipeline Execution Step Status Change", detail, resources)


def _endpoint_detail(endpoint: JsonObject, tags: dict[str, str]) -> JsonObject:
    detail: JsonObject = {
        "EndpointName": endpoint["EndpointName"],
        "EndpointArn": endpoint["EndpointArn"],
        "EndpointConfigName": endpoint["EndpointConfigName"],
        "ProductionVariants": [],
        "EndpointStatus": upper_status(endpoint["EndpointStatus"]),
        "CreationTime": int(endpoint["CreationTime"] * 1000),
        "LastModifiedTime": int(endpoint["LastModifiedTime"] * 1000),
        "Tags": tags,
    }
    if endpoint.get("FailureReason"):
        detail["FailureReason"] = endpoint["FailureReason"]
    return detail


def _variant_detail(variant: JsonObject) -> JsonObject:
    detail: JsonObject = {"VariantName": variant["VariantName"]}
    detail |= {name: variant[name] for name in VARIANT_COUNTERS if name in variant}
    if variant.get("VariantStatus"):
        detail["VariantStatus"] = [
            {name: int(value * 1000) if name == "StartTime" else value for name, value in status.items()}
            for status in variant["VariantStatus"]
        ]
    return detail
