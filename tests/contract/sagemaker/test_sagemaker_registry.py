"""The registry: groups, versions, their approval and their metadata."""

from __future__ import annotations

import json
from typing import Any

from localcloud.sagemaker.service import LocalSageMaker
from tests.contract.sagemaker.account import REGISTRY, ROLE, SCIKIT_LEARN, Account
from tests.contract.sagemaker.in_memory_cloud import InMemoryCloud

EVENT = "SageMaker Model Package State Change"
GROUP_ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-package-group/wages"
VERSION_ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-package/wages/1"


def register(account: Account, image: str = SCIKIT_LEARN, **changes: Any) -> str:
    specification = {
        "Containers": [{"Image": image, "ModelDataUrl": "s3://models/model.tar.gz"}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    if "wages" not in {
        one["ModelPackageGroupName"] for one in account.call("ListModelPackageGroups")["ModelPackageGroupSummaryList"]
    }:
        account.call("CreateModelPackageGroup", ModelPackageGroupName="wages")
    request = {"ModelPackageGroupName": "wages", "InferenceSpecification": specification, **changes}
    return str(account.call("CreateModelPackage", **request)["ModelPackageArn"])


def test_versions_are_counted_and_never_given_twice(account: Account) -> None:
    first, second = register(account), register(account)
    account.call("DeleteModelPackage", ModelPackageName=second)

    assert first == VERSION_ARN
    assert register(account).endswith("/wages/3")


def test_a_version_says_who_made_it_and_waits_for_approval(account: Account) -> None:
    described = account.call("DescribeModelPackage", ModelPackageName=register(account))

    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["ModelPackageStatus"] == "Completed"
    assert described["CreatedBy"]["IamIdentity"]["Arn"] == account.caller
    assert described["CreatedBy"]["IamIdentity"]["PrincipalId"].startswith("AIDA")


def test_an_images_digest_is_the_same_every_time(account: Account) -> None:
    def digest(arn: str) -> str:
        described = account.call("DescribeModelPackage", ModelPackageName=arn)
        return str(described["InferenceSpecification"]["Containers"][0].get("ImageDigest", ""))

    first, second = digest(register(account)), digest(register(account))
    other = digest(register(account, f"{REGISTRY}/sagemaker-xgboost:1.7-1"))
    account.cloud.digests[f"{REGISTRY}/team/own:7"] = "sha256:" + "a" * 64

    assert first == second != other
    assert first.startswith("sha256:")
    assert digest(register(account, f"{REGISTRY}/team/own:7")) == "sha256:" + "a" * 64
    assert digest(register(account, f"{REGISTRY}/team/unknown:7")) == ""


def test_registration_events_have_the_shape_of_aws(account: Account) -> None:
    arn = register(account)
    account.call("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")

    created, approved = account.cloud.details(EVENT)

    assert created["ModelPackageVersion"] == 1
    assert created["CreationTime"].endswith("Z")
    assert "UpdatedModelPackageFields" not in created
    assert approved["ModelApprovalStatus"] == "Approved"
    assert approved["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert account.cloud.events[-1].resources == [arn]


def test_metadata_is_merged_and_its_event_names_only_the_metadata(account: Account) -> None:
    arn = register(account, CustomerMetadataProperties={"author": "ada", "run": "1"})

    account.call(
        "UpdateModelPackage",
        ModelPackageArn=arn,
        CustomerMetadataProperties={"run": "2"},
        CustomerMetadataPropertiesToRemove=["author"],
    )

    assert account.call("DescribeModelPackage", ModelPackageName=arn)["CustomerMetadataProperties"] == {"run": "2"}
    assert account.cloud.details(EVENT)[-1]["UpdatedModelPackageFields"] == ["CustomerMetadataProperties"]
    many = {f"key{number}": "value" for number in range(51)}
    assert "may hold 50 pairs" in account.refusal(
        "UpdateModelPackage", ModelPackageArn=arn, CustomerMetadataProperties={**dict(list(many.items())[:50])}
    )


def test_registry_refusals_are_worded_as_on_aws(account: Account) -> None:
    register(account)

    assert account.refusal("CreateModelPackageGroup", ModelPackageGroupName="wages") == (
        f"ValidationException: Model Package Group already exists: {GROUP_ARN}"
    )
    assert "does not exist" in account.refusal("DescribeModelPackage", ModelPackageName=VERSION_ARN[:-1] + "9")
    assert "does not exist" in account.refusal("CreateModelPackage", ModelPackageGroupName="nobody")
    assert account.refusal("DeleteModelPackageGroup", ModelPackageGroupName="wages").startswith("ConflictException")
    assert "Tags cannot be added" in account.refusal(
        "CreateModelPackage", ModelPackageGroupName="wages", Tags=[{"Key": "a", "Value": "b"}]
    )


def test_a_client_token_registers_one_version(account: Account) -> None:
    assert register(account, ClientToken="once") == register(account, ClientToken="once")


def test_versions_are_listed_by_status_newest_first(account: Account) -> None:
    arns = [register(account) for _ in range(3)]
    account.call("UpdateModelPackage", ModelPackageArn=arns[1], ModelApprovalStatus="Approved")

    def listed(**filters: Any) -> list[int]:
        found = account.call("ListModelPackages", ModelPackageGroupName="wages", **filters)
        return [one["ModelPackageVersion"] for one in found["ModelPackageSummaryList"]]

    assert listed() == [3, 2, 1]
    assert listed(SortOrder="Ascending") == [1, 2, 3]
    assert listed(ModelApprovalStatus="Approved") == [2]


def test_a_model_is_made_of_approved_packages_only(account: Account) -> None:
    arn = register(account)
    request = {"ModelName": "m", "PrimaryContainer": {"ModelPackageName": arn}, "ExecutionRoleArn": ROLE}

    assert "must be Approved to deploy" in account.refusal("CreateModel", **request)
    account.call("UpdateModelPackage", ModelPackageArn=arn, ModelApprovalStatus="Approved")

    assert account.call("CreateModel", **request)["ModelArn"].endswith(":model/m")


def test_another_account_sees_a_version_when_the_groups_policy_says_so(
    service: LocalSageMaker, cloud: InMemoryCloud, account: Account
) -> None:
    arn = register(account)
    other = Account(service, cloud, number="444455556666", caller="arn:aws:iam::444455556666:user/bob")
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "444455556666"}}]})

    assert other.refusal("DescribeModelPackage", ModelPackageName=arn).startswith("AccessDeniedException")
    account.call("PutModelPackageGroupPolicy", ModelPackageGroupName="wages", ResourcePolicy=policy)
    cloud.policy = lambda text, caller, action, resource: (
        text == policy and caller == other.caller and action == "sagemaker:DescribeModelPackage" and resource == arn
    )

    assert other.call("DescribeModelPackage", ModelPackageName=arn)["ModelPackageVersion"] == 1
    assert other.refusal("DeleteModelPackage", ModelPackageName=arn).startswith("AccessDeniedException")
    assert account.call("GetModelPackageGroupPolicy", ModelPackageGroupName="wages") == {"ResourcePolicy": policy}
    account.call("DeleteModelPackageGroupPolicy", ModelPackageGroupName="wages")
    assert "Cannot find resource policy" in account.refusal("GetModelPackageGroupPolicy", ModelPackageGroupName="wages")
