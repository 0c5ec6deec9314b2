"""Objects, policies and the registry, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock
from typing import Any

from lockkeeper.adapters.in_memory.copies import copied
from lockkeeper.domain.errors import EvidenceMissing, PolicyMissing, RegistrationRefused
from lockkeeper.domain.folder import Listed
from lockkeeper.domain.training import Register
from lockkeeper.ports import Clock, StoredPolicy, Stream

CHUNK = 1 << 16


class Pieces:
    """Implements `ports.Writing`."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.version = ""

    def __call__(self, piece: bytes) -> None:
        self.held.extend(piece)


class InMemoryObjects:
    """Implements `ports.Objects`. `stored` is every object of every bucket by its `s3://` address.

    `versions` are those that were asked for, by key of Lockkeeper's bucket and version.
    """

    def __init__(self, bucket: str = "lockkeeper-bucket") -> None:
        self.bucket = bucket
        self.stored: dict[str, bytes] = {}
        self.versions: dict[tuple[str, str], bytes] = {}
        self.forbidden: set[str] = set()

    def read(self, uri: str, *, max_bytes: int) -> bytes:
        body = self._body(uri)
        if len(body) > max_bytes:
            raise EvidenceMissing(
                f"{uri} has {len(body)} bytes, more than the {max_bytes} that are read", cure="write a smaller file"
            )
        return body

    def stream(self, uri: str, *, etag: str = "") -> Stream:
        body = self._body(uri)
        if etag not in ("", _etag(body)):
            raise EvidenceMissing(f"{uri} changed since it was listed", cure="register the version again")
        chunks = (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))
        return Stream(chunks, len(body))

    def listing(self, uri: str, *, most: int) -> list[Listed]:
        if uri in self.forbidden:
            raise EvidenceMissing(f"{uri} may not be listed (AccessDenied)", cure="let the bucket's policy allow it")
        found = sorted(known for known in self.stored if known.startswith(uri))[:most]
        return [Listed(known[len(uri) :], len(self.stored[known]), _etag(self.stored[known])) for known in found]

    def own_listing(self, prefix: str, *, most: int) -> list[Listed]:
        return self.listing(self.address_of(prefix), most=most)

    @contextmanager
    def keep(self, temporary_key: str) -> Iterator[Pieces]:
        pieces = Pieces()
        yield pieces
        # Only now: an upload that is left with an error leaves nothing behind.
        pieces.version = self.write_version(temporary_key, bytes(pieces.held))

    def write_version(self, key: str, body: bytes) -> str:
        self.stored[self._own(key)] = body
        version = f"version-{len(self.versions) + 1}"
        self.versions[key, version] = body
        return version

    def seal_version(self, key: str, version: str, final_key: str) -> str:
        final = self._own(final_key)
        self.stored.setdefault(final, self.versions[key, version])
        return final

    def seal_as(self, temporary_key: str, final_key: str) -> str:
        final = self._own(final_key)
        self.stored.setdefault(final, self.stored[self._own(temporary_key)])
        del self.stored[self._own(temporary_key)]
        return final

    def discard(self, temporary_key: str) -> None:
        self.stored.pop(self._own(temporary_key), None)

    def address_of(self, key: str) -> str:
        return self._own(key)

    def key_of(self, uri: str) -> str:
        return uri.removeprefix(self._own(""))

    def write(self, key: str, body: bytes, content_type: str) -> str:
        del content_type  # Nothing reads it back.
        self.stored[self._own(key)] = body
        return self._own(key)

    def own_lines(self, key: str) -> Iterator[bytes]:
        return iter((self.read_own(key) or b"").splitlines())

    def read_own(self, key: str) -> bytes | None:
        return self.stored.get(self._own(key))

    def _own(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _body(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise EvidenceMissing(f"{uri!r} is no S3 address", cure="write it as s3://bucket/key")
        if uri in self.forbidden:
            raise EvidenceMissing(f"{uri} may not be read (AccessDenied)", cure="let the bucket's policy allow it")
        if uri not in self.stored:
            raise EvidenceMissing(f"{uri} is not there (NoSuchKey)", cure="upload it")
        return self.stored[uri]


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class InMemoryPolicies:
    """Implements `ports.Policies`: every saved text is a version."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._versions: dict[str, list[StoredPolicy]] = {}

    def load(self, group: str, version_id: str | None = None) -> StoredPolicy:
        versions = self._versions.get(group, [])
        wanted = [one for one in versions if version_id in (None, one.version_id)]
        if not wanted:
            raise PolicyMissing(
                f"model package group {group} has no policy", cure="write one and run `lockkeeper policy apply FILE`"
            )
        return wanted[-1]

    def save(self, group: str, text: str, changed_by: str) -> StoredPolicy:
        versions = self._versions.setdefault(group, [])
        at = self._clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        stored = StoredPolicy(text, f"{group}-{len(versions) + 1}", changed_by, at)
        versions.append(stored)
        return stored

    def groups(self) -> list[str]:
        return sorted(self._versions)


OWN_ROLE = "arn:aws:iam::111111111111:role/lockkeeper-registry"
"""Who writes the stamps."""


class InMemoryRegistry:
    """Implements `ports.Registry`: DescribeModelPackage's answers by ARN; `stamps` is every stamp in order."""

    PLACE = "arn:aws:sagemaker:eu-central-1:111111111111:model-package"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.packages: dict[str, dict[str, Any]] = {}
        self.stamps: list[tuple[str, str | None]] = []
        self.tokens: dict[str, str] = {}
        """Versions by the token that they were created with, for as long as the registry remembers it."""
        self.refusal = ""
        """Why no version is taken; empty where they are."""
        self._creating = Lock()

    def describe(self, arn: str) -> dict[str, Any] | None:
        return copied(self.packages.get(arn))

    def registered(self, after: datetime, before: datetime) -> list[dict[str, Any]]:
        found = [one for one in self.packages.values() if after < one["CreationTime"] < before]
        return copied(found)

    def registered_as(self, group: str, description: str, after: datetime) -> str | None:
        for arn, one in self.packages.items():
            mine = arn.startswith(f"{self.PLACE}/{group}/") and one.get("ModelPackageDescription") == description
            if mine and one["CreationTime"] > after:
                return arn
        return None

    def register(self, wanted: Register, report_uri: str) -> str:
        if self.refusal:
            raise RegistrationRefused(f"the registry refused it: {self.refusal}")
        with self._creating:
            known = self.tokens.get(wanted.token)
            if known:
                return known
            taken = sum(arn.startswith(f"{self.PLACE}/{wanted.group}/") for arn in self.packages)
            arn = f"{self.PLACE}/{wanted.group}/{taken + 1}"
            metrics = {"ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": report_uri}}}} if report_uri else {}
            self.tokens[wanted.token] = arn
            self.packages[arn] = {
                "ModelPackageArn": arn,
                "ModelPackageStatus": "Completed",
                "ModelApprovalStatus": "PendingManualApproval",
                "ModelPackageDescription": wanted.description,
                "CreationTime": self._clock.now(),
                "CreatedBy": {"IamIdentity": {"Arn": OWN_ROLE}},
                "CustomerMetadataProperties": dict(wanted.metadata),
                "MetadataProperties": {"GeneratedBy": wanted.generated_by},
                "InferenceSpecification": {
                    "Containers": copied(wanted.containers),
                    "SupportedContentTypes": list(wanted.content_types),
                    "SupportedResponseMIMETypes": list(wanted.response_types),
                },
                **metrics,
            }
        return arn

    def stamp(
        self, arn: str, *, status: str | None, description: str, metadata: dict[str, str], life_cycle: str
    ) -> None:
        package = self.packages.get(arn)
        if package is None:
            return
        self.stamps.append((arn, status))
        package["ApprovalDescription"] = description
        package["LastModifiedBy"] = {"IamIdentity": {"Arn": OWN_ROLE}}
        package.setdefault("CustomerMetadataProperties", {}).update(metadata)
        if status:
            package["ModelApprovalStatus"] = status
        if life_cycle:
            package["ModelLifeCycle"] = {"Stage": life_cycle, "StageStatus": "Promoted"}
