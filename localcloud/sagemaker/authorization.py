"""What IAM has to know of SageMaker: which ARN a call is about, which roles it passes, what conditions may ask.

Source: Actions, resources, and condition keys for Amazon SageMaker (AWS service authorization reference).
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from localcloud.sagemaker.cloud import JsonObject, Place

SERVICE_PRINCIPAL = "sagemaker.amazonaws.com"

RESOURCES = (
    # The member that names the resource, its type in ARNs, whether ARNs have its name in lower case.
    ("EndpointName", "endpoint", True),
    ("EndpointConfigName", "endpoint-config", True),
    ("ModelName", "model", True),
    ("TrainingJobName", "training-job", True),
    ("HyperParameterTuningJobName", "hyper-parameter-tuning-job", True),
    ("ProcessingJobName", "processing-job", True),
    ("PipelineName", "pipeline", False),
    ("MonitoringScheduleName", "monitoring-schedule", True),
)
ARN_MEMBERS = ("ResourceArn", "PipelineExecutionArn", "ModelPackageArn")
ROLE_MEMBERS = ("ExecutionRoleArn", "RoleArn")
LISTS_WITHOUT_RESOURCE = ("List", "Search")
LISTS_OF_ONE = frozenset({"ListPipelineExecutions"})
"""Lists that are about one resource, and are granted for it."""
CONDITIONS = {
    "sagemaker:ModelApprovalStatus": ("ModelApprovalStatus",),
    "sagemaker:ModelLifeCycle:stage": ("ModelLifeCycle", "Stage"),
    "sagemaker:ModelLifeCycle:stageStatus": ("ModelLifeCycle", "StageStatus"),
}


def parameters_of(body: bytes) -> JsonObject:
    """The request's parameters; nothing for a body that is not a JSON object."""
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parameters if isinstance(parameters, dict) else {}


def resource_arn(operation: str, parameters: JsonObject, place: Place) -> str:
    """The ARN that a policy's Resource is held against, or `*` where the operation has none."""
    for member in ARN_MEMBERS:
        if isinstance(parameters.get(member), str):
            return str(parameters[member])
    if operation.startswith(LISTS_WITHOUT_RESOURCE) and operation not in LISTS_OF_ONE:
        return "*"
    if "ModelPackage" in operation:
        return _registry_arn(operation, parameters, place)
    for member, kind, lowered in RESOURCES:
        name = parameters.get(member)
        if isinstance(name, str):
            return name if name.startswith("arn:") else place.arn(f"{kind}/{name.lower() if lowered else name}")
    return "*"


def _registry_arn(operation: str, parameters: JsonObject, place: Place) -> str:
    group = str(parameters.get("ModelPackageGroupName", ""))
    if operation == "CreateModelPackage" and group:
        # The version is not known yet; policies name it with a wildcard.
        named = group.rpartition("/")[2] if group.startswith("arn:") else group
        return place.arn(f"model-package/{named}/*")
    if group:
        return group if group.startswith("arn:") else place.arn(f"model-package-group/{group}")
    name = str(parameters.get("ModelPackageName", ""))
    return name if name.startswith("arn:") else place.arn(f"model-package/{name}")


def endpoint_of(path: str) -> str:
    """The endpoint's name in the path of InvokeEndpoint, `/endpoints/NAME/invocations` or `.../async-invocations`."""
    return unquote(path.split("/")[2])


def further_checks(operation: str, parameters: JsonObject, place: Place) -> Iterator[tuple[str, str]]:
    """The other pairs of action and resource a call needs beside its own, iam:PassRole apart."""
    own = resource_arn(operation, parameters, place)
    if operation in ("CreateEndpoint", "UpdateEndpoint") and isinstance(parameters.get("EndpointConfigName"), str):
        config = place.arn(f"endpoint-config/{parameters['EndpointConfigName'].lower()}")
        yield f"sagemaker:{operation}", config
    if operation.startswith("Create") and parameters.get("Tags"):
        yield "sagemaker:AddTags", own


def passed_roles(parameters: JsonObject) -> Iterator[str]:
    """The roles a call hands to SageMaker, each of which needs iam:PassRole."""
    for given in (parameters, parameters.get("TrainingJobDefinition")):
        for member in ROLE_MEMBERS:
            if isinstance(given, dict) and isinstance(given.get(member), str):
                yield given[member]


def conditions(parameters: JsonObject) -> dict[str, str]:
    """SageMaker's own condition keys of a call."""
    found: dict[str, str] = {}
    for key, path in CONDITIONS.items():
        value: Any = parameters
        for member in path:
            value = value.get(member) if isinstance(value, dict) else None
        if isinstance(value, str):
            found[key] = value
    return found
