"""A model package as the registry describes it, and which ones this version releases."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from typing import Any

from lockkeeper.domain.errors import ArtifactRefused, CandidateInvalid, ModelUnsupported

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
class Candidate:
    """What of a model package is released: one container, one artifact."""

    image: str
    image_digest: str
    artifact_uri: str
    environment: dict[str, str] = field(default_factory=dict)
    content_types: tuple[str, ...] = ()

    @property
    def pinned_image(self) -> str:
        """`repository@sha256:...`: what the endpoint runs, whatever happens to the tag."""
        repository = self.image.split("@")[0]
        name = repository.rsplit("/", 1)[-1]
        if ":" in name:
            repository = repository[: -len(name)] + name.split(":")[0]
        return f"{repository}@{self.image_digest}"


def candidate_from(description: dict[str, Any]) -> Candidate:
    """Read DescribeModelPackage's answer; raises what cannot be released, by name and with a cure."""
    arn = description.get("ModelPackageArn", "the model package")
    containers = (description.get("InferenceSpecification") or {}).get("Containers") or []
    if not containers:
        raise CandidateInvalid(
            f"{arn} has no container in its InferenceSpecification",
            cure="register it with an InferenceSpecification that has one container with Image and ModelDataUrl",
        )
    if len(containers) > 1:
        raise ModelUnsupported(
            f"{arn} has {len(containers)} containers; this version releases models of one container",
            cure="register a model package with a single container",
        )
    container = containers[0]
    if container.get("ModelDataSource") or container.get("ModelDataETag") == "":
        raise ModelUnsupported(
            f"{arn} names its artifact by ModelDataSource (an S3 prefix); this version releases one model.tar.gz",
            cure="register it with ModelDataUrl pointing to a model.tar.gz",
        )
    return Candidate(
        image=container.get("Image", ""),
        image_digest=_digest_of(arn, container),
        artifact_uri=_artifact_of(arn, container),
        environment=dict(container.get("Environment") or {}),
        content_types=tuple((description.get("InferenceSpecification") or {}).get("SupportedContentTypes") or ()),
    )


def _digest_of(arn: str, container: dict[str, Any]) -> str:
    image = str(container.get("Image", ""))
    if not image:
        raise CandidateInvalid(f"{arn} names no container image", cure="register it with Containers[0].Image")
    digest = str(container.get("ImageDigest") or (image.split("@", 1)[1] if "@" in image else ""))
    if not DIGEST.fullmatch(digest):
        raise CandidateInvalid(
            f"{arn}: the registry gives no digest for image {image}, so it cannot be pinned",
            cure="register the package with Image as repository@sha256:digest or with ImageDigest",
        )
    return digest


def _artifact_of(arn: str, container: dict[str, Any]) -> str:
    uri = str(container.get("ModelDataUrl") or "")
    if not uri:
        raise CandidateInvalid(
            f"{arn} names no model artifact", cure="register it with Containers[0].ModelDataUrl=s3://.../model.tar.gz"
        )
    if not uri.startswith("s3://") or not uri.endswith(".tar.gz"):
        raise ModelUnsupported(
            f"{arn}: the artifact {uri} is not a .tar.gz object in S3",
            cure="pack the model as model.tar.gz and register its s3:// address",
        )
    return uri


def allow_image(image: str, patterns: tuple[str, ...]) -> None:
    """Raise `ArtifactRefused` unless one of the policy's shell patterns fits the image."""
    if not any(fnmatch.fnmatchcase(image, pattern) for pattern in patterns):
        raise ArtifactRefused(
            f"container image {image} is not allowed by the policy (gates.artifact.images: {', '.join(patterns)})",
            cure="use an allowed image, or add its pattern to the policy",
        )


def author_of(description: dict[str, Any], author_from: str | None) -> str:
    """Everybody who is known to have made this version, joined by `; `; empty when nobody is.

    The metadata that the policy names does not replace the identity that created the version: leaving it out, or naming
    somebody else in it, must not make an author an approver.
    """
    created_by = description.get("CreatedBy") or {}
    makers = [created_by.get("UserProfileName"), (created_by.get("IamIdentity") or {}).get("Arn")]
    if author_from:
        key = author_from.removeprefix("metadata.")
        makers.insert(0, (description.get("CustomerMetadataProperties") or {}).get(key))
    return "; ".join(dict.fromkeys(str(maker) for maker in makers if maker))
