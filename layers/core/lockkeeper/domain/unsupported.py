"""Kinds of models that are refused by name, before anything is read or deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lockkeeper.domain.errors import ModelUnsupported

Facts = dict[str, Any]

PACKAGES: tuple[tuple[Callable[[Facts], Any], str, str], ...] = (
    (
        lambda one: one.get("SourceAlgorithmSpecification"),
        "is made of an algorithm (SourceAlgorithmSpecification), whose image is not its own",
        "register what training wrote with an InferenceSpecification and no SourceAlgorithmSpecification",
    ),
    (
        lambda one: one.get("CertifyForMarketplace"),
        "is certified for AWS Marketplace (CertifyForMarketplace), whose containers take no guarded updates",
        "register it once more without CertifyForMarketplace",
    ),
    (
        lambda one: one.get("ManagedStorageType"),
        "has its artifacts in storage that SageMaker manages (ManagedStorageType), where nobody can read them",
        "register a model whose artifacts are in a bucket of yours",
    ),
)
CONTAINERS: tuple[tuple[Callable[[Facts], Any], str, str], ...] = (
    (
        lambda one: one.get("ProductId"),
        "is a product of AWS Marketplace (ProductId), which can be neither read nor pinned",
        "deploy it without Lockkeeper, or register an image and an artifact of your own",
    ),
    (
        lambda one: one.get("Mode") == "MultiModel" or _says_yes(one, "SAGEMAKER_MULTI_MODEL"),
        "serves many models (multi-model: Mode, SAGEMAKER_MULTI_MODEL), which it loads long after a release",
        "register each model as a version of a group of its own",
    ),
    (
        lambda one: one.get("BaseModel") or _s3(one).get("HubAccessConfig"),
        "takes its model from a hub (BaseModel, HubAccessConfig), which may change what it hands out",
        "copy the model to a bucket of yours and register it with ModelDataUrl or ModelDataSource",
    ),
    (
        lambda one: _s3(one).get("ModelAccessConfig"),
        "is a model whose licence is accepted at deployment (ModelAccessConfig)",
        "accept the licence, copy the model to a bucket of yours and register that",
    ),
    (
        lambda one: _s3(one).get("ManifestS3Uri"),
        "lists its artifacts in a manifest (ManifestS3Uri) that may name any place",
        "put the files under one prefix and register that with S3DataType S3Prefix",
    ),
    (
        lambda one: one.get("AdditionalModelDataSources") or one.get("AdditionalS3DataSource"),
        "reads further data (AdditionalModelDataSources, AdditionalS3DataSource) that nobody has scanned",
        "put that data beside the model, into the same archive or under the same prefix",
    ),
    (
        lambda one: one.get("IsCheckpoint"),
        "is a checkpoint of a training (IsCheckpoint) and no model yet",
        "register what the training wrote at its end",
    ),
    (
        lambda one: str((one.get("Environment") or {}).get("HF_MODEL_ID") or "")[:1] not in ("", "/"),
        "loads a model from Hugging Face's hub (HF_MODEL_ID), which may change what it hands out",
        "download the model, register its files with ModelDataSource, and set HF_MODEL_ID to /opt/ml/model",
    ),
    (
        lambda one: str((one.get("Environment") or {}).get("SAGEMAKER_SUBMIT_DIRECTORY") or "").startswith("s3://"),
        "takes its code from S3 (SAGEMAKER_SUBMIT_DIRECTORY), outside the pinned artifact",
        "repack the model with its code inside (code/ in the artifact) and register that",
    ),
)


def refuse_unsupported(arn: str, description: Facts) -> None:
    """Raise `ModelUnsupported` for the first thing in DescribeModelPackage's answer that this version does not release."""
    for found, what, cure in PACKAGES:
        if found(description):
            raise ModelUnsupported(f"{arn} {what}", cure=cure)
    for number, container in enumerate(_containers(description), 1):
        for found, what, cure in CONTAINERS:
            if found(container):
                raise ModelUnsupported(f"{arn}: container {number} {what}", cure=cure)


def _containers(description: Facts) -> Iterator[Facts]:
    yield from (description.get("InferenceSpecification") or {}).get("Containers") or []


def _s3(container: Facts) -> Facts:
    return (container.get("ModelDataSource") or {}).get("S3DataSource") or {}


def _says_yes(container: Facts, name: str) -> bool:
    return str((container.get("Environment") or {}).get(name, "")).lower() in ("1", "true", "yes")
