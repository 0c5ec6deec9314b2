"""Kinds of models that this version does not release are refused by name, with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from lockkeeper.domain.errors import CandidateInvalid, ModelUnsupported
from lockkeeper.domain.model_package import Candidate, candidate_from

from tests.unit.harbour import IMAGE, IMAGE_DIGEST, package_arn

ARCHIVE = "s3://models/wages/1/model.tar.gz"
FOLDER = {"S3Uri": "s3://models/wages/1/", "S3DataType": "S3Prefix", "CompressionType": "None"}


def described(container: dict[str, Any], **more: Any) -> dict[str, Any]:
    """DescribeModelPackage's answer for one container, an archive's unless it says otherwise."""
    whole = {"Image": IMAGE, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": ARCHIVE, **container}
    named = {name: value for name, value in whole.items() if value is not None}
    return {"ModelPackageArn": package_arn(1), "InferenceSpecification": {"Containers": [named]}, **more}


def folder(**more: Any) -> dict[str, Any]:
    return {"ModelDataUrl": None, "ModelDataSource": {"S3DataSource": {**FOLDER, **more}}}


def read(container: dict[str, Any], **more: Any) -> Candidate:
    return candidate_from(described(container, **more))


@pytest.mark.parametrize(
    ("container", "package", "what", "cure"),
    [
        (
            {},
            {"SourceAlgorithmSpecification": {"SourceAlgorithms": [{}]}},
            "made of an algorithm",
            "what training wrote",
        ),
        ({}, {"CertifyForMarketplace": True}, "certified for AWS Marketplace", "without CertifyForMarketplace"),
        ({}, {"ManagedStorageType": "Restricted"}, "storage that SageMaker manages", "a bucket of yours"),
        ({"ProductId": "prod-abc"}, {}, "a product of AWS Marketplace", "an image and an artifact of your own"),
        ({"Mode": "MultiModel"}, {}, "multi-model", "a group of its own"),
        ({"Environment": {"SAGEMAKER_MULTI_MODEL": "true"}}, {}, "multi-model", "a group of its own"),
        ({"BaseModel": {"HubContentName": "x"}}, {}, "takes its model from a hub", "a bucket of yours"),
        (folder(HubAccessConfig={"HubContentArn": "arn:..."}), {}, "takes its model from a hub", "a bucket of yours"),
        (folder(ModelAccessConfig={"AcceptEula": True}), {}, "whose licence is accepted", "accept the licence"),
        (folder(ManifestS3Uri="s3://models/list.csv"), {}, "in a manifest", "under one prefix"),
        ({"AdditionalModelDataSources": [{"ChannelName": "draft"}]}, {}, "reads further data", "beside the model"),
        ({"AdditionalS3DataSource": {"S3Uri": "s3://b/k"}}, {}, "reads further data", "beside the model"),
        ({"IsCheckpoint": True}, {}, "a checkpoint", "what the training wrote at its end"),
        ({"Environment": {"HF_MODEL_ID": "team/model"}}, {}, "from Hugging Face's hub", "ModelDataSource"),
        ({"Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/code.tar.gz"}}, {}, "code from S3", "code inside"),
        (folder(S3DataType="S3Object", S3Uri="s3://models/model.bin"), {}, "one object that is no archive", "S3Prefix"),
        ({"ModelDataUrl": "s3://models/wages/1/"}, {}, "is not a .tar.gz object", "ModelDataSource"),
        ({"ModelDataUrl": "https://models.example.com/model.tar.gz"}, {}, "is not a .tar.gz object", "s3:// address"),
    ],
)
def test_each_kind_is_refused_by_name_with_a_cure(
    container: dict[str, Any], package: dict[str, Any], what: str, cure: str
) -> None:
    with pytest.raises(ModelUnsupported, match=what) as refused:
        read(container, **package)
    assert cure in refused.value.cure


@pytest.mark.parametrize(
    ("container", "what"),
    [
        (folder(S3Uri="s3://models/wages/1"), "is no folder in S3"),
        (folder(S3Uri="s3://models/"), "is no folder in S3"),
        ({"ModelDataUrl": None}, "names no model artifact"),
        ({"Image": None}, "names no container image"),
        ({"ImageDigest": None}, "gives no digest"),
    ],
)
def test_what_is_not_complete_is_refused(container: dict[str, Any], what: str) -> None:
    with pytest.raises(CandidateInvalid, match=what):
        read(container)


def test_a_package_without_a_container_is_refused() -> None:
    with pytest.raises(CandidateInvalid, match="no container"):
        candidate_from({"ModelPackageArn": package_arn(1), "InferenceSpecification": {}})


def test_the_second_containers_kind_is_refused_under_its_number() -> None:
    description = described({})
    containers = description["InferenceSpecification"]["Containers"]
    containers.append({**containers[0], "ProductId": "prod-abc"})
    with pytest.raises(ModelUnsupported, match="container 2 is a product"):
        candidate_from(description)


@pytest.mark.parametrize(
    ("container", "uri"),
    [
        ({}, ARCHIVE),
        (folder(), "s3://models/wages/1/"),
        (folder(S3DataType="S3Object", CompressionType="Gzip", S3Uri=ARCHIVE), ARCHIVE),
        ({"Environment": {"HF_MODEL_ID": "/opt/ml/model"}}, ARCHIVE),
        ({"Environment": {"SAGEMAKER_MULTI_MODEL": "false"}}, ARCHIVE),
    ],
)
def test_archives_and_folders_are_read(container: dict[str, Any], uri: str) -> None:
    (one,) = read(container).containers
    assert one.artifact_uri == uri
    assert one.is_folder == uri.endswith("/")
