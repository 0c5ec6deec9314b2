"""Objects and policies in S3."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lockkeeper.domain.errors import EvidenceMissing, PolicyMissing
from lockkeeper.domain.folder import Listed
from lockkeeper.ports import StoredPolicy, Stream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef

CHUNK = 1 << 20
OWN_EVIDENCE = "training/"
"""Reports that Lockkeeper wrote itself, of training jobs: the one part of its bucket that a version's evidence may be in."""
PART = 8 << 20
"""Bytes of one part of a multipart upload; S3 wants at least 5 MiB for all but the last."""


class Pieces:
    """Implements `ports.Writing`: gathers bytes, and sends them (number, body) in parts of the size that S3 wants."""

    def __init__(self, send: Callable[[int, bytes], str]) -> None:
        self.version = ""
        self._send = send
        self._held = bytearray()
        self._parts: list[dict[str, Any]] = []

    def __call__(self, piece: bytes) -> None:
        self._held.extend(piece)
        while len(self._held) >= PART:
            self._send_part()

    def all_sent(self) -> Any:
        """The parts, once the rest was sent; an empty object is one empty part."""
        if self._held or not self._parts:
            self._send_part()
        return self._parts

    def _send_part(self) -> None:
        number, body = len(self._parts) + 1, bytes(self._held[:PART])
        del self._held[:PART]
        self._parts.append({"PartNumber": number, "ETag": self._send(number, body)})


class S3Objects:
    """Implements `ports.Objects` on Lockkeeper's bucket and, for reading, on the buckets of models and evidence.

    `evidence` gives the client that may read the latter; it is made at first use.
    """

    def __init__(self, client: S3Client, bucket: str, evidence: Callable[[], S3Client]) -> None:
        self._client = client
        self._bucket = bucket
        self._make_evidence = evidence

    @cached_property
    def _evidence(self) -> S3Client:
        return self._make_evidence()

    def read(self, uri: str, *, max_bytes: int) -> bytes:
        answer = self._get(uri)
        if answer["ContentLength"] > max_bytes:
            answer["Body"].close()
            raise EvidenceMissing(
                f"{uri} has {answer['ContentLength']} bytes, more than the {max_bytes} that are read",
                cure="write a smaller file",
            )
        return bytes(answer["Body"].read())

    def stream(self, uri: str, *, etag: str = "") -> Stream:
        answer = self._get(uri, **({"IfMatch": etag} if etag else {}))
        return Stream(answer["Body"].iter_chunks(CHUNK), answer["ContentLength"], answer.get("VersionId", ""))

    def listing(self, uri: str, *, most: int) -> list[Listed]:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        try:
            return _listed(self._evidence, bucket, prefix, most)
        except ClientError as error:
            raise _unreadable(uri, error) from error

    def own_listing(self, prefix: str, *, most: int) -> list[Listed]:
        return _listed(self._client, self._bucket, prefix, most)

    @contextmanager
    def keep(self, temporary_key: str) -> Iterator[Pieces]:
        self._give_up_uploads(temporary_key)
        upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=temporary_key)
        place: dict[str, Any] = {"Bucket": self._bucket, "Key": temporary_key, "UploadId": upload["UploadId"]}
        pieces = Pieces(lambda number, body: self._client.upload_part(**place, PartNumber=number, Body=body)["ETag"])
        try:
            yield pieces
            done = self._client.complete_multipart_upload(**place, MultipartUpload={"Parts": pieces.all_sent()})
        except BaseException:
            self._client.abort_multipart_upload(**place)
            raise
        pieces.version = done.get("VersionId", "")

    def _give_up_uploads(self, key: str) -> None:
        """A function that was killed in the middle could not; its parts would stay, unseen and paid for."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=key)
        for page in pages:
            for upload in page.get("Uploads", []):
                if upload["Key"] == key:
                    self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload["UploadId"])

    def seal_as(self, temporary_key: str, final_key: str) -> str:
        address = self._seal({"Bucket": self._bucket, "Key": temporary_key}, final_key)
        self._client.delete_object(Bucket=self._bucket, Key=temporary_key)
        return address

    def seal_version(self, key: str, version: str, final_key: str) -> str:
        return self._seal({"Bucket": self._bucket, "Key": key, "VersionId": version}, final_key)

    def _seal(self, source: CopySourceTypeDef, final_key: str) -> str:
        try:
            self._client.copy_object(Bucket=self._bucket, Key=final_key, CopySource=source, IfNoneMatch="*")
        except ClientError as error:
            # The key is the content's hash: what is there already is the same.
            if error.response["Error"]["Code"] not in {"PreconditionFailed", "412"}:
                raise
        return f"s3://{self._bucket}/{final_key}"

    def discard(self, temporary_key: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=temporary_key)

    def address_of(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def key_of(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self._bucket}/")

    def write(self, key: str, body: bytes, content_type: str) -> str:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType=content_type)
        return f"s3://{self._bucket}/{key}"

    def write_version(self, key: str, body: bytes) -> str:
        return self._client.put_object(Bucket=self._bucket, Key=key, Body=body)["VersionId"]

    def own_lines(self, key: str) -> Iterator[bytes]:
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return iter(())
            raise
        return body.iter_lines(CHUNK)

    def read_own(self, key: str) -> bytes | None:
        try:
            return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                return None
            raise

    def _get(self, uri: str, **conditions: str) -> Any:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise EvidenceMissing(f"{uri!r} is no S3 address", cure="write it as s3://bucket/key")
        client = self._client if bucket == self._bucket and key.startswith(OWN_EVIDENCE) else self._evidence
        try:
            return client.get_object(Bucket=bucket, Key=key, **conditions)  # type: ignore[arg-type]
        except ClientError as error:
            raise _unreadable(uri, error) from error


def _listed(client: S3Client, bucket: str, prefix: str, most: int) -> list[Listed]:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"MaxItems": most}
    )
    objects = (one for page in pages for one in page.get("Contents", []))
    return [Listed(one["Key"][len(prefix) :], one["Size"], one["ETag"]) for one in objects]


def _unreadable(uri: str, error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code in {"NoSuchKey", "NoSuchBucket", "404"}:
        return EvidenceMissing(
            f"{uri} is not there ({code})", cure="upload it, or register the version with the right address"
        )
    if code in {"PreconditionFailed", "412"}:
        return EvidenceMissing(
            f"{uri} changed since it was listed",
            cure="register the version again when nobody writes there any more",
        )
    if code in {"AccessDenied", "403", "AccessDeniedException"}:
        return EvidenceMissing(
            f"{uri} may not be read ({code})",
            cure="deploy Lockkeeper with a ModelBuckets pattern that covers the bucket, and let the policies of the bucket "
            "and of its KMS key allow Lockkeeper's registry role",
        )
    return error


class S3Policies:
    """Implements `ports.Policies`: `policies/<group>.yaml` in a versioned bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def load(self, group: str, version_id: str | None = None) -> StoredPolicy:
        request: dict[str, Any] = {"VersionId": version_id} if version_id else {}
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=f"policies/{group}.yaml", **request)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"NoSuchKey", "404", "NoSuchVersion"}:
                raise
            raise PolicyMissing(
                f"model package group {group} has no policy",
                cure="write one and run `lockkeeper policy apply FILE`; `lockkeeper replay` tries what ended for want of it",
            ) from error
        return StoredPolicy(
            text=answer["Body"].read().decode(),
            version_id=answer["VersionId"],
            changed_by=answer["Metadata"].get("changed-by", ""),
            changed_at=answer["LastModified"].astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        )

    def save(self, group: str, text: str, changed_by: str) -> StoredPolicy:
        answer = self._client.put_object(
            Bucket=self._bucket,
            Key=f"policies/{group}.yaml",
            Body=text.encode(),
            ContentType="application/yaml",
            Metadata={"changed-by": changed_by[:1000]},
        )
        return StoredPolicy(text, answer["VersionId"])

    def groups(self) -> list[str]:
        found = _listed(self._client, self._bucket, "policies/", sys.maxsize)
        return sorted(one.path.removesuffix(".yaml") for one in found if one.path.endswith(".yaml"))
