"""Every List comes in pages and filters; names are taken once; what one account has, no other account and region sees."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.service import LocalSageMaker
from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account
from tests.contract.sagemaker.in_memory_cloud import InMemoryCloud

DEFINITION = json.dumps(
    {"Version": "2020-12-01", "Steps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]}
)
TOKEN = "a-request-token-of-at-least-thirty-two-characters-{}"

Make = Callable[[Account, str], dict[str, Any]]


def group(account: Account, name: str) -> dict[str, Any]:
    return account.call("CreateModelPackageGroup", ModelPackageGroupName=name)


def package(account: Account, name: str) -> dict[str, Any]:
    return account.call("CreateModelPackage", ModelPackageName=name)


def model(account: Account, name: str) -> dict[str, Any]:
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://models/model.tar.gz"}
    return account.call("CreateModel", ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)


def config(account: Account, name: str) -> dict[str, Any]:
    if not account.call("ListModels", NameContains="base")["Models"]:
        model(account, "base")
    variant = {"VariantName": "V", "ModelName": "base", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return account.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant])


def training(account: Account, name: str) -> dict[str, Any]:
    return account.call(
        "CreateTrainingJob",
        TrainingJobName=name,
        RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": SCIKIT_LEARN, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://models/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


def processing(account: Account, name: str) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    return account.call(
        "CreateProcessingJob",
        ProcessingJobName=name,
        RoleArn=ROLE,
        AppSpecification={"ImageUri": SCIKIT_LEARN, "ContainerEntrypoint": ["python3", "-c", "pass"]},
        ProcessingResources={"ClusterConfig": cluster},
    )


def pipeline(account: Account, name: str) -> dict[str, Any]:
    return account.call(
        "CreatePipeline",
        PipelineName=name,
        PipelineDefinition=DEFINITION,
        RoleArn=ROLE,
        ClientRequestToken=TOKEN.format(name),
    )


def endpoint(account: Account, name: str) -> dict[str, Any]:
    if not account.call("ListEndpointConfigs", NameContains="base")["EndpointConfigs"]:
        config(account, "base")
    return account.call("CreateEndpoint", EndpointName=name, EndpointConfigName="base")


KINDS: dict[str, tuple[Make, str, str]] = {
    "ListModelPackageGroups": (group, "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
    "ListModelPackages": (package, "ModelPackageSummaryList", "ModelPackageArn"),
    "ListModels": (model, "Models", "ModelName"),
    "ListEndpointConfigs": (config, "EndpointConfigs", "EndpointConfigName"),
    "ListEndpoints": (endpoint, "Endpoints", "EndpointName"),
    "ListTrainingJobs": (training, "TrainingJobSummaries", "TrainingJobName"),
    "ListProcessingJobs": (processing, "ProcessingJobSummaries", "ProcessingJobName"),
    "ListPipelines": (pipeline, "PipelineSummaries", "PipelineName"),
}
"""For each list: what makes an item, the member with the items, the member with the name."""


def listed(account: Account, operation: str, **question: Any) -> list[str]:
    """The names of all pages of two, with NextToken as long as there is one."""
    _, items, name = KINDS[operation]
    found: list[str] = []
    while True:
        answer = account.call(operation, MaxResults=2, **question)
        assert len(answer[items]) <= 2
        found += [str(one[name]).rpartition("/")[2] for one in answer[items]]
        if "NextToken" not in answer:
            return found
        question["NextToken"] = answer["NextToken"]


@pytest.mark.parametrize("operation", KINDS)
def test_a_list_has_every_item_once_in_pages_in_order_and_filtered(account: Account, operation: str) -> None:
    make = KINDS[operation][0]
    names = [f"item-{number}" for number in range(5)]
    for name in names:
        make(account, name)
    contains = {} if operation == "ListPipelines" else {"NameContains": "item-"}
    sort_by = {} if operation == "ListModelPackages" else {"SortBy": "Name"}

    assert listed(account, operation, **contains, **sort_by, SortOrder="Ascending") == names
    assert listed(account, operation, **contains, **sort_by, SortOrder="Descending") == names[::-1]
    narrow = {"PipelineNamePrefix": "item-3"} if operation == "ListPipelines" else {"NameContains": "ITEM-3"}
    assert listed(account, operation, **narrow) == ["item-3"]
    before = "CreatedBefore" if operation == "ListPipelines" else "CreationTimeBefore"
    after = "CreatedAfter" if operation == "ListPipelines" else "CreationTimeAfter"
    assert listed(account, operation, **contains, **{before: time.time() - 3600}) == []
    assert set(listed(account, operation, **contains, **{after: time.time() - 3600})) == set(names)


@pytest.mark.parametrize("operation", KINDS)
def test_a_page_token_is_good_for_its_question_alone(
    account: Account, service: LocalSageMaker, cloud: InMemoryCloud, operation: str
) -> None:
    make = KINDS[operation][0]
    elsewhere = [Account(service, cloud, number="444455556666"), Account(service, cloud, region="eu-west-1")]
    for one in (account, *elsewhere):
        for number in range(3):
            make(one, f"item-{number}")
    token = account.call(operation, MaxResults=1)["NextToken"]

    assert account.call(operation, MaxResults=2, NextToken=token)
    for garbage in ("AAAA", "not base64!", token[:-4], base64.b64encode(b"[1]").decode()):
        assert account.refusal(operation, NextToken=garbage) == "ValidationException: Invalid NextToken."
    assert "Invalid NextToken" in account.refusal(operation, NextToken=token, SortOrder="Ascending")
    for one in elsewhere:
        assert "Invalid NextToken" in one.refusal(operation, NextToken=token)
    asked, start, given_at = json.loads(base64.b64decode(token))
    old = base64.b64encode(json.dumps([asked, start, given_at - 90_000]).encode()).decode()
    assert "it has expired" in account.refusal(operation, NextToken=old)
    assert "less than or equal to 100" in account.refusal(operation, MaxResults=101)


@pytest.mark.parametrize("operation", KINDS)
def test_a_name_is_taken_once(account: Account, operation: str) -> None:
    """Names that differ by their case alone share an ARN, except where ARNs keep the case."""
    make = KINDS[operation][0]
    make(account, "Taken")

    for name in ("Taken",) if operation in CASE_KEPT else ("Taken", "taken"):
        if operation == "ListPipelines":
            # The same token would be the same request.
            other = {
                "PipelineName": name,
                "PipelineDefinition": DEFINITION,
                "RoleArn": ROLE,
                "ClientRequestToken": "x" * 40,
            }
            refused = account.refusal("CreatePipeline", **other)
        else:
            refused = refusal_of(account, make, name)
        assert refused.startswith(("ValidationException", "ResourceInUse"))
        assert "exist" in refused


CASE_KEPT = {"ListModelPackageGroups", "ListModelPackages", "ListPipelines"}


def refusal_of(account: Account, make: Make, name: str) -> str:
    with pytest.raises(ApiError) as raised:
        make(account, name)
    return str(raised.value)


@pytest.mark.parametrize("operation", KINDS)
def test_what_one_account_has_no_other_account_or_region_sees(
    account: Account, service: LocalSageMaker, cloud: InMemoryCloud, operation: str
) -> None:
    make, items, _ = KINDS[operation]
    made = make(account, "mine")
    arn = next(iter(made.values()))

    for other in (Account(service, cloud, number="444455556666"), Account(service, cloud, region="eu-west-1")):
        assert other.call(operation)[items] == []
        assert "ValidationException" in other.refusal("ListTags", ResourceArn=arn)
        there = make(other, "mine")
        assert next(iter(there.values())) != arn
