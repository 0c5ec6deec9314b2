"""What the local SageMaker needs of the cloud around it: objects, events, metrics, roles and a clock."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from localcloud.sagemaker.errors import WorkFailedError

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """One account in one region: a world of its own."""

    account: str
    region: str

    def arn(self, resource: str) -> str:
        """The SageMaker ARN of `resource`, for instance `endpoint/wages`."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True)
class StoredObject:
    """An object in S3 as a listing shows it."""

    key: str
    size: int


class Cloud(Protocol):
    """The AWS around SageMaker. URIs are `s3://bucket/key`; nothing here raises ApiError."""

    def now(self) -> float:
        """The time in seconds since the epoch."""
        ...

    def list_objects(self, place: Place, uri: str) -> Sequence[StoredObject]:
        """The objects whose key begins with the URI's, in the order of their keys."""
        ...

    def read(self, place: Place, uri: str) -> bytes:
        """An object's bytes. Raises FileNotFoundError."""
        ...

    def download(self, place: Place, uri: str, target: Path) -> None:
        """Write an object to a file. Raises FileNotFoundError."""
        ...

    def upload(self, place: Place, source: Path, uri: str) -> None:
        """Write a file to an object. Raises FileNotFoundError where there is no such bucket."""
        ...

    def may(
        self, place: Place, role_arn: str, action: str, uri: str, conditions: Mapping[str, str] | None = None
    ) -> bool:
        """Whether role and bucket allow an S3 action on an object or, without a key, on a bucket, under condition keys."""
        ...

    def role_allows(self, place: Place, role_arn: str, action: str, arn: str, conditions: dict[str, str]) -> bool:
        """Whether the policies of a role allow an action on a resource under these condition keys."""
        ...

    def may_assume(self, role_arn: str) -> bool:
        """Whether the role exists and lets sagemaker.amazonaws.com assume it."""
        ...

    def policy_allows(self, policy: str, caller_arn: str, action: str, arn: str) -> bool:
        """Whether a resource policy (JSON text) allows a caller an action on a resource."""
        ...

    def image_digest(self, image: str) -> str | None:
        """The digest (`sha256:...`) of an image in a registry of this cloud, or None."""
        ...

    def job_environment(self, place: Place, role_arn: str) -> dict[str, str]:
        """The variables with which AWS clients inside a container reach this cloud under its role."""
        ...

    def alarms_in_alarm(self, place: Place, names: Sequence[str]) -> list[str]:
        """Which of the named CloudWatch alarms are in ALARM; one that does not exist counts too."""
        ...

    def emit(self, place: Place, detail_type: str, detail: JsonObject, resources: Sequence[str]) -> None:
        """Put an event with source aws.sagemaker on the account's default bus."""
        ...

    def put_metric(self, place: Place, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        """Record a value of the namespace AWS/SageMaker."""
        ...


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`. An https URL of S3, as older artifacts have, is understood too."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return parts.netloc, parts.path.lstrip("/")
    host = parts.netloc
    if ".s3" in host:
        return host.split(".s3", 1)[0], parts.path.lstrip("/")
    bucket, _, key = parts.path.lstrip("/").partition("/")
    return bucket, key


def download_tree(cloud: Cloud, place: Place, uri: str, folder: Path) -> int:
    """Copy an object, or everything under a prefix, into a folder; returns the number of files.

    Raises WorkFailedError when there is nothing, or a key would leave the folder.
    """
    count = 0
    for stored, relative in _below(cloud, place, uri):
        target = (folder / relative).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise WorkFailedError(f"ClientError: the key {stored.key} leaves the folder it is copied to")
        target.parent.mkdir(parents=True, exist_ok=True)
        cloud.download(place, f"s3://{split_uri(uri)[0]}/{stored.key}", target)
        count += 1
    if not count:
        raise WorkFailedError(f"ClientError: Data download failed:NoSuchKey: no S3 objects found under S3 URL {uri!r}")
    return count


def _below(cloud: Cloud, place: Place, uri: str) -> Iterator[tuple[StoredObject, str]]:
    _, prefix = split_uri(uri)
    for stored in cloud.list_objects(place, uri):
        rest = stored.key[len(prefix) :]
        if stored.key.endswith("/"):
            continue
        if not rest or prefix.endswith("/") or not prefix:
            yield stored, rest or Path(stored.key).name
        elif rest.startswith("/"):
            yield stored, rest.lstrip("/")
        else:
            # A prefix may end inside a name: s3://bucket/da fits data.csv and data/x.csv alike.
            yield stored, Path(prefix).name + rest


def upload_tree(cloud: Cloud, place: Place, folder: Path, uri: str) -> None:
    """Copy every file of a folder under an S3 prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            cloud.upload(place, path, f"{uri.rstrip('/')}/{path.relative_to(folder).as_posix()}")
