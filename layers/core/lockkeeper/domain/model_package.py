"""A model package as the registry describes it, and which ones this version releases."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lockkeeper.domain.errors import CandidateInvalid, ModelUnsupported
from lockkeeper.domain.unsupported import refuse_unsupported

# SageMaker's own bounds: what it would refuse as malformed is nobody's package.
PACKAGE_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):sagemaker:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12})"
    r":model-package/(?P<group>[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})/(?P<version>[0-9]{1,9})"
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class PackageName:
    """The parts of a versioned model package's ARN."""

    partition: str
    region: str
    account: str
    group: str
    version: int

    @classmethod
    def from_arn(cls, arn: str) -> PackageName | None:
        match = PACKAGE_ARN.fullmatch(arn)
        if not match:
            return None
        parts = match.groupdict()
        return cls(parts["partition"], parts["region"], parts["account"], parts["group"], int(parts["version"]))


@dataclass(frozen=True)
class Container:
    """One container of a model package.

    `artifact_uri` is an archive (`.../model.tar.gz`) or, with a `/` at its end, a folder: every object below that prefix.
    """

    image: str
    image_digest: str
    artifact_uri: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def pinned_image(self) -> str:
        """`repository@sha256:...`: what the endpoint runs, whatever happens to the tag."""
        repository = self.image.split("@")[0]
        name = repository.rsplit("/", 1)[-1]
        if ":" in name:
            repository = repository[: -len(name)] + name.split(":")[0]
        return f"{repository}@{self.image_digest}"

    @property
    def is_folder(self) -> bool:
        return is_folder(self.artifact_uri)


@dataclass(frozen=True)
class Candidate:
    """What of a model package is released: its containers, in the order in which a request passes them."""

    containers: tuple[Container, ...]
    content_types: tuple[str, ...] = ()


@dataclass(frozen=True)
class Served:
    """A container as an endpoint gets it: image by digest, artifact at its pinned place, variables."""

    image: str
    artifact_uri: str
    environment: dict[str, str] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        """CreateModel's ContainerDefinition."""
        definition: dict[str, Any] = {"Image": self.image, "Environment": self.environment}
        if is_folder(self.artifact_uri):
            source = {"S3Uri": self.artifact_uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
            return {**definition, "ModelDataSource": {"S3DataSource": source}}
        return {**definition, "ModelDataUrl": self.artifact_uri}


def is_folder(uri: str) -> bool:
    """Whether an artifact's address is a prefix of files rather than one archive."""
    return uri.endswith("/")


def not_deployable_yet(description: dict[str, Any]) -> bool:
    """Whether a version is metadata alone, as MLflow's sync registers models whose inference specification comes later."""
    containers = (description.get("InferenceSpecification") or {}).get("Containers")
    return not containers and not description.get("SourceAlgorithmSpecification")


def candidate_from(description: dict[str, Any]) -> Candidate:
    """Read DescribeModelPackage's answer; raises what cannot be released, by name and with a cure."""
    arn = description.get("ModelPackageArn", "the model package")
    refuse_unsupported(arn, description)
    specification = description.get("InferenceSpecification") or {}
    containers = specification.get("Containers") or []
    if not containers:
        raise CandidateInvalid(
            f"{arn} has no container in its InferenceSpecification",
            cure="register it with an InferenceSpecification whose Containers have Image and ModelDataUrl",
        )
    return Candidate(
        containers=tuple(_container(arn, number, one) for number, one in enumerate(containers)),
        content_types=tuple(specification.get("SupportedContentTypes") or ()),
    )


def _container(arn: str, number: int, described: dict[str, Any]) -> Container:
    place = f"Containers[{number}]"
    return Container(
        image=described.get("Image", ""),
        image_digest=_digest_of(arn, place, described),
        artifact_uri=_artifact_of(arn, place, described),
        environment=dict(described.get("Environment") or {}),
    )


def _digest_of(arn: str, place: str, container: dict[str, Any]) -> str:
    image = str(container.get("Image", ""))
    if not image:
        raise CandidateInvalid(f"{arn} names no container image", cure=f"register it with {place}.Image")
    digest = str(container.get("ImageDigest") or (image.split("@", 1)[1] if "@" in image else ""))
    if not DIGEST.fullmatch(digest):
        raise CandidateInvalid(
            f"{arn}: the registry gives no digest for image {image}, so it cannot be pinned",
            cure="register the package with Image as repository@sha256:digest or with ImageDigest",
        )
    return digest


def _artifact_of(arn: str, place: str, container: dict[str, Any]) -> str:
    source = (container.get("ModelDataSource") or {}).get("S3DataSource") or {}
    if (source.get("S3DataType"), source.get("CompressionType")) == ("S3Prefix", "None"):
        return _folder_of(arn, str(source.get("S3Uri") or ""))
    if source and source.get("CompressionType") != "Gzip":
        raise ModelUnsupported(
            f"{arn}: {place} names one object that is no archive ({source.get('S3DataType')}, "
            f"{source.get('CompressionType')}: {source.get('S3Uri')})",
            cure="register the folder that it is in: S3DataType S3Prefix, CompressionType None, S3Uri with a / at its end",
        )
    uri = str(source.get("S3Uri") or container.get("ModelDataUrl") or "")
    if not uri:
        raise CandidateInvalid(
            f"{arn} names no model artifact: {place} has neither ModelDataUrl nor ModelDataSource",
            cure=f"register it with {place}.ModelDataUrl=s3://.../model.tar.gz",
        )
    if not uri.startswith("s3://") or not uri.endswith(".tar.gz"):
        raise ModelUnsupported(
            f"{arn}: the artifact {uri} is not a .tar.gz object in S3",
            cure="pack the model as model.tar.gz and register its s3:// address, or register the folder with "
            "ModelDataSource={S3DataSource: {S3Uri, S3DataType: S3Prefix, CompressionType: None}}",
        )
    return uri


def _folder_of(arn: str, uri: str) -> str:
    if not re.fullmatch(r"s3://[^/]+/.+/", uri):
        raise CandidateInvalid(
            f"{arn}: the prefix {uri} is no folder in S3",
            cure="register it as s3://bucket/folder/, with a / at its end: without, SageMaker takes every key that begins so",
        )
    return uri


def author_of(description: dict[str, Any], author_from: str | None) -> str:
    """Everybody who is known to have made this version, joined by `; `; empty when nobody is.

    The metadata that the policy names does not replace the identity that created the version: leaving it out, or naming
    somebody else in it, must not make an author an approver. A Studio user is `DOMAIN-ID/NAME`, as in the policy: the name
    alone could not be told from a name in the metadata.
    """
    created_by = description.get("CreatedBy") or {}
    profile = created_by.get("UserProfileName")
    makers = [
        profile and f"{created_by.get('DomainId') or 'd-?'}/{profile}",
        (created_by.get("IamIdentity") or {}).get("Arn"),
    ]
    if author_from:
        key = author_from.removeprefix("metadata.")
        makers.insert(0, (description.get("CustomerMetadataProperties") or {}).get(key))
    return "; ".join(dict.fromkeys(str(maker) for maker in makers if maker))
