"""Requests are held against SageMaker's own model; worlds are kept apart; lists come in pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.sagemaker.cloud import Place
from localcloud.sagemaker.service import LocalSageMaker
from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account
from tests.contract.sagemaker.in_memory_cloud import InMemoryCloud

CONTAINER = {"Image": SCIKIT_LEARN, "ModelDataUrl": "s3://models/model.tar.gz"}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "1 validation error detected: Value null at 'modelName' failed to satisfy constraint: Member must not be"),
        ({"ModelName": "under_score"}, "Value 'under_score' at 'modelName' failed to satisfy constraint: Member must"),
        ({"ModelName": "a" * 64}, "Member must have length less than or equal to 63"),
        ({"ModelName": "m", "Colour": "red"}, "Unknown parameter 'Colour'"),
        ({"ModelName": 7}, "SerializationException: 'modelName' must be of type string"),
        (
            {"ModelName": "m", "Containers": [{"Mode": "Many"}]},
            "Value 'Many' at 'containers.1.member.mode' failed to satisfy constraint: Member must satisfy enum value set",
        ),
    ],
)
def test_malformed_requests_are_refused_in_awss_words(account: Account, parameters: dict[str, Any], said: str) -> None:
    assert said in account.refusal("CreateModel", **parameters)


def test_numbers_keep_their_bounds(account: Account) -> None:
    variant = {"VariantName": "V", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 0}

    refusal = account.refusal("CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[variant])

    assert "Member must have value greater than or equal to 1" in refusal


def test_metadata_takes_letters_of_any_language_but_no_json(account: Account) -> None:
    account.call("CreateModelPackageGroup", ModelPackageGroupName="g")

    def create(value: str) -> dict[str, Any]:
        return {"ModelPackageGroupName": "g", "CustomerMetadataProperties": {"author": value}}

    assert account.call("CreateModelPackage", **create("Zoë Großmann-Ēriksen"))
    assert "must satisfy regular expression pattern" in account.refusal("CreateModelPackage", **create('{"a": 1}'))


def test_operations_that_are_not_there_say_so(account: Account) -> None:
    refused = account.refusal("CreateNotebookInstance")
    assert refused.startswith("UnsupportedOperationException")
    assert "docs/local-sagemaker.md" in refused
    assert account.refusal("MakeCoffee").startswith("UnknownOperationException")


def test_models_and_configs_are_made_once_of_what_exists(account: Account) -> None:
    account.add_model("wages", "s3://models/model.tar.gz", SCIKIT_LEARN)
    account.add_variants("wages")
    arn = "arn:aws:sagemaker:us-east-1:111122223333"

    def model(name: str, image: str = SCIKIT_LEARN) -> dict[str, Any]:
        return {"ModelName": name, "PrimaryContainer": {**CONTAINER, "Image": image}, "ExecutionRoleArn": ROLE}

    variant = {"VariantName": "V", "ModelName": "gone", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    assert f'Cannot create already existing model "{arn}:model/wages"' in account.refusal(
        "CreateModel", **model("wages")
    )
    assert "is neither registry/repository:tag nor" in account.refusal("CreateModel", **model("other", "scikit"))
    assert f'Could not find model "{arn}:model/gone"' in account.refusal(
        "CreateEndpointConfig", EndpointConfigName="c", ProductionVariants=[variant]
    )
    assert f'Could not find endpoint configuration "{arn}:endpoint-config/gone"' in account.refusal(
        "CreateEndpoint", EndpointName="e", EndpointConfigName="gone"
    )
    assert f'Could not find endpoint "{arn}:endpoint/gone"' in account.refusal("DescribeEndpoint", EndpointName="gone")
    account.cloud.strangers.add(ROLE)
    assert "Could not assume role" in account.refusal("CreateModel", **model("stranger"))


def test_an_endpoint_name_is_taken_in_any_case(account: Account) -> None:
    account.add_config("double")
    account.serve("Wages", "double")

    assert "Cannot create already existing endpoint" in account.refusal(
        "CreateEndpoint", EndpointName="wages", EndpointConfigName="double"
    )


def test_accounts_and_regions_are_worlds_of_their_own(
    service: LocalSageMaker, cloud: InMemoryCloud, account: Account
) -> None:
    account.add_model("wages", "s3://models/model.tar.gz", SCIKIT_LEARN)
    elsewhere = [Account(service, cloud, number="444455556666"), Account(service, cloud, region="eu-west-1")]

    for other in elsewhere:
        assert other.call("ListModels")["Models"] == []
        assert "Could not find model" in other.refusal("DescribeModel", ModelName="wages")
        other.add_model("wages", "s3://models/model.tar.gz", SCIKIT_LEARN)


def test_lists_come_in_pages(account: Account) -> None:
    for number in range(25):
        account.add_model(f"m{number:02d}", "s3://models/model.tar.gz", SCIKIT_LEARN)

    found, token = [], None
    while True:
        more = {"NextToken": token} if token else {}
        answer = account.call("ListModels", SortBy="Name", SortOrder="Ascending", MaxResults=10, **more)
        found += [one["ModelName"] for one in answer["Models"]]
        token = answer.get("NextToken")
        if token is None:
            break

    assert found == [f"m{number:02d}" for number in range(25)]
    assert len(account.call("ListModels")["Models"]) == 10
    assert [one["ModelName"] for one in account.call("ListModels", NameContains="M07")["Models"]] == ["m07"]
    assert "Invalid NextToken" in account.refusal("ListModels", NextToken="AAAA")


def test_tags_are_added_listed_and_removed(account: Account) -> None:
    account.add_model("Wages", "s3://models/model.tar.gz", SCIKIT_LEARN)
    arn = account.call("DescribeModel", ModelName="Wages")["ModelArn"]

    account.call("AddTags", ResourceArn=arn, Tags=[{"Key": "team", "Value": "pay"}, {"Key": "cost", "Value": "1"}])
    account.call("DeleteTags", ResourceArn=arn, TagKeys=["cost"])

    assert account.call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "pay"}]
    assert "Could not find resource" in account.refusal("ListTags", ResourceArn=arn + "x")


def test_what_is_kept_can_be_written_as_json(account: Account, service: LocalSageMaker) -> None:
    account.add_config("double")
    account.serve("endpoint", "double")

    world = service.store.world(Place(account.number, account.region))

    assert json.loads(json.dumps([world.models, world.configs, world.endpoints, world.tags]))
