"""The registry, models and endpoint configurations, as any client may ask of them."""

from __future__ import annotations

import io
import tarfile
from typing import Any

import pytest

from tests.contract.aws.target import Target, document, refusal


@pytest.fixture(scope="module")
def sagemaker(target: Target) -> Any:
    return target.client("sagemaker")


@pytest.fixture(scope="module")
def group(target: Target, sagemaker: Any) -> str:
    name = target.unique()
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    return name


def register(sagemaker: Any, group: str, **more: Any) -> str:
    return str(
        sagemaker.create_model_package(ModelPackageGroupName=group, **specification(more.pop("image", None)), **more)[
            "ModelPackageArn"
        ]
    )


def specification(image: str | None) -> dict[str, Any]:
    if image is None:
        return {}
    container = {"Image": image, "ModelDataUrl": "s3://lockkeeper-contract/model.tar.gz"}
    types = {"SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    return {"InferenceSpecification": {"Containers": [container], **types}}


def test_a_group_is_made_once(target: Target, sagemaker: Any, group: str) -> None:
    code, message = refusal(lambda: sagemaker.create_model_package_group(ModelPackageGroupName=group))

    assert (code, "already exists" in message) == ("ValidationException", True)
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupArn"] == target.arn("sagemaker", f"model-package-group/{group}")
    assert described["ModelPackageGroupStatus"] == "Completed"


def test_versions_are_numbered_and_listed_in_pages(target: Target, sagemaker: Any) -> None:
    group = target.unique()
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arns = [register(sagemaker, group, image=target.image) for _ in range(3)]

    assert arns == [target.arn("sagemaker", f"model-package/{group}/{number}") for number in (1, 2, 3)]
    first = sagemaker.list_model_packages(ModelPackageGroupName=group, MaxResults=2, SortOrder="Ascending")
    token = first["NextToken"]
    rest = sagemaker.list_model_packages(
        ModelPackageGroupName=group, MaxResults=2, SortOrder="Ascending", NextToken=token
    )
    listed = first["ModelPackageSummaryList"] + rest["ModelPackageSummaryList"]
    assert [one["ModelPackageArn"] for one in listed] == arns
    assert "NextToken" not in rest
    described = sagemaker.describe_model_package(ModelPackageName=arns[0])
    assert described["ModelPackageStatus"] == "Completed"
    assert described["ModelApprovalStatus"] == "PendingManualApproval"
    assert described["CreatedBy"]


def test_a_version_is_stamped_and_keeps_what_it_was_not_told(target: Target, sagemaker: Any, group: str) -> None:
    arn = register(sagemaker, group, image=target.image, CustomerMetadataProperties={"author": "lin"})
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="agreed",
        CustomerMetadataProperties={"lockkeeper:release": "wages-v1-a1"},
        ModelLifeCycle={"Stage": "Production", "StageStatus": "Promoted"},
    )

    described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["CustomerMetadataProperties"] == {"author": "lin", "lockkeeper:release": "wages-v1-a1"}
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "agreed")
    assert described["ModelLifeCycle"]["Stage"] == "Production"
    assert described["LastModifiedBy"]


@pytest.mark.parametrize(
    "stamp",
    [
        {"ModelApprovalStatus": "Maybe"},
        {"ApprovalDescription": "x" * 1025},
        {"CustomerMetadataProperties": {"author": '{"a": 1}'}},
        {"CustomerMetadataProperties": {"author": "x" * 257}},
        {"CustomerMetadataProperties": {f"key{number}": "x" for number in range(51)}},
        {"ModelLifeCycle": {"Stage": "in production", "StageStatus": "Promoted"}},
    ],
    ids=lambda stamp: next(iter(stamp)),
)
def test_a_stamp_has_its_bounds(target: Target, sagemaker: Any, group: str, stamp: dict[str, Any]) -> None:
    arn = register(sagemaker, group, image=target.image)

    assert refusal(lambda: sagemaker.update_model_package(ModelPackageArn=arn, **stamp))[0] == "ValidationException"


def test_what_is_not_in_the_registry_does_not_exist(target: Target, sagemaker: Any, group: str) -> None:
    missing = target.arn("sagemaker", f"model-package/{group}/999999")

    code, message = refusal(lambda: sagemaker.describe_model_package(ModelPackageName=missing))
    assert (code, "does not exist" in message) == ("ValidationException", True)
    code, message = refusal(lambda: sagemaker.describe_model_package_group(ModelPackageGroupName=target.unique()))
    assert (code, "does not exist" in message) == ("ValidationException", True)


def test_a_group_with_versions_stays(target: Target, sagemaker: Any, group: str) -> None:
    register(sagemaker, group, image=target.image)

    refused = refusal(lambda: sagemaker.delete_model_package_group(ModelPackageGroupName=group))
    assert refused[0] in ("ConflictException", "ValidationException")


def test_a_groups_policy_is_kept(target: Target, sagemaker: Any, group: str) -> None:
    statement = {
        "Sid": "Read",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{target.account}:root"},
        "Action": ["sagemaker:DescribeModelPackage"],
        "Resource": [target.arn("sagemaker", f"model-package/{group}/*")],
    }
    sagemaker.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=document(statement))

    kept = sagemaker.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"]
    assert "sagemaker:DescribeModelPackage" in kept


@pytest.mark.parametrize(
    "operation", ["list_models", "list_endpoint_configs", "list_endpoints", "list_model_package_groups"]
)
def test_a_page_token_that_is_none_is_refused(sagemaker: Any, operation: str) -> None:
    assert refusal(lambda: getattr(sagemaker, operation)(NextToken="AAAA"))[0] == "ValidationException"


def model_data(target: Target) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        script = b"def model_fn(folder):\n    return 1\n\ndef predict_fn(rows, model):\n    return rows\n"
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(script)
        archive.addfile(member, io.BytesIO(script))
    target.client("s3").put_object(Bucket=target.bucket, Key="model.tar.gz", Body=packed.getvalue())
    return f"s3://{target.bucket}/model.tar.gz"


@pytest.fixture(scope="module")
def model(target: Target, sagemaker: Any) -> dict[str, Any]:
    """The request of a model that exists."""
    container = {"Image": target.image, "ModelDataUrl": model_data(target)}
    request = {"ModelName": target.unique(), "PrimaryContainer": container, "ExecutionRoleArn": target.role_arn}
    sagemaker.create_model(**request)
    return request


def variant(model: str, **more: Any) -> dict[str, Any]:
    return {
        "VariantName": "AllTraffic",
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        **more,
    }


@pytest.fixture(scope="module")
def config(target: Target, sagemaker: Any, model: dict[str, Any]) -> str:
    name = target.unique()
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant(model["ModelName"])])
    return name


def test_a_model_is_made_once(target: Target, sagemaker: Any, model: dict[str, Any]) -> None:
    arn = target.arn("sagemaker", f"model/{model['ModelName']}")

    code, message = refusal(lambda: sagemaker.create_model(**model))

    assert code == "ValidationException"
    assert f'Cannot create already existing model "{arn}"' in message
    assert sagemaker.describe_model(ModelName=model["ModelName"])["ModelArn"] == arn


def test_a_configuration_is_made_once_of_a_model_that_exists(target: Target, sagemaker: Any, config: str) -> None:
    code, message = refusal(
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName=target.unique(), ProductionVariants=[variant("gone")]
        )
    )
    assert (code, 'Could not find model "' in message) == ("ValidationException", True)
    request = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    again = {
        "EndpointConfigName": config,
        "ProductionVariants": [variant(request["ProductionVariants"][0]["ModelName"])],
    }
    code, message = refusal(lambda: sagemaker.create_endpoint_config(**again))
    assert (code, "Cannot create already existing endpoint configuration" in message) == ("ValidationException", True)


def test_an_endpoint_needs_a_configuration_that_exists(target: Target, sagemaker: Any) -> None:
    missing = target.unique()

    code, message = refusal(lambda: sagemaker.create_endpoint(EndpointName=target.unique(), EndpointConfigName=missing))

    assert code == "ValidationException"
    assert f'Could not find endpoint configuration "{target.arn("sagemaker", f"endpoint-config/{missing}")}"' in message


def test_an_endpoint_that_is_not_there_is_not_found(target: Target, sagemaker: Any, config: str) -> None:
    missing = target.unique()
    arn = target.arn("sagemaker", f"endpoint/{missing}")

    for ask in (
        lambda: sagemaker.describe_endpoint(EndpointName=missing),
        lambda: sagemaker.delete_endpoint(EndpointName=missing),
        lambda: sagemaker.update_endpoint(EndpointName=missing, EndpointConfigName=config),
    ):
        code, message = refusal(ask)
        assert (code, f'Could not find endpoint "{arn}"' in message) == ("ValidationException", True)


@pytest.mark.parametrize(
    "parameters",
    [
        {"EndpointName": "under_score", "EndpointConfigName": "c"},
        {"EndpointName": "a" * 64, "EndpointConfigName": "c"},
    ],
)
def test_a_name_keeps_to_its_pattern(sagemaker: Any, parameters: dict[str, str]) -> None:
    code, message = refusal(lambda: sagemaker.create_endpoint(**parameters))

    assert code == "ValidationException"
    assert "failed to satisfy constraint" in message


@pytest.mark.costs
def test_an_endpoint_that_is_changing_takes_no_other_change(target: Target, sagemaker: Any, config: str) -> None:
    name = target.unique()
    arn = sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)["EndpointArn"]

    code, message = refusal(lambda: sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config))

    assert arn == target.arn("sagemaker", f"endpoint/{name}")
    assert (code, f'Cannot update in-progress endpoint "{arn}"' in message) == ("ValidationException", True)
    assert (
        refusal(lambda: sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config))[0]
        == "ValidationException"
    )
