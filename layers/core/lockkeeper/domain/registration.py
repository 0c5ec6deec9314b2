"""What to do about a `SageMaker Model Package State Change` event: start a release, or ignore it and say why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import shown
from lockkeeper.domain.model_package import PackageName, not_deployable_yet
from lockkeeper.domain.release import release_id_for

STAMP = "lockkeeper:release"
"""Key of the registry's CustomerMetadataProperties that Lockkeeper writes: the release that handled the version."""

_MILLISECONDS = 1e11
"""Numbers above are no seconds since 1970: they would be after the year 5000."""


@dataclass(frozen=True)
class PackageHint:
    """What a model package event claims. It is a hint; the API is the truth."""

    arn: str
    account: str
    region: str
    updated_fields: tuple[str, ...]
    modified_at: str = ""
    """When it says that the package was written last, ISO 8601."""
    approval_status: str = ""
    """What it says that `ModelApprovalStatus` was then."""


@dataclass(frozen=True)
class Start:
    """Start a release under this name."""

    release_id: str
    name: PackageName


@dataclass(frozen=True)
class Ignore:
    """Do nothing, for this reason."""

    reason: str


@dataclass(frozen=True)
class StartedBefore(Ignore):
    """Do nothing, since this release's execution was started; the ledger does not know the release, yet or at all."""

    release_id: str


def package_hint(event: dict[str, Any]) -> PackageHint | Ignore:
    """Read an event of any shape; what is not a model package event is ignored with the reason."""
    detail = event.get("detail")
    if event.get("source") != "aws.sagemaker" or event.get("detail-type") != "SageMaker Model Package State Change":
        return Ignore(f"not a model package event: {shown(event.get('source'))} {shown(event.get('detail-type'))}")
    if not isinstance(detail, dict):
        return Ignore("the event has no detail")
    arn = detail.get("ModelPackageArn")
    if not isinstance(arn, str):
        return Ignore("the event names no ModelPackageArn")
    fields = detail.get("UpdatedModelPackageFields")
    updated = tuple(shown(name).strip("'") for name in fields[:50]) if isinstance(fields, list) else ()
    status = detail.get("ModelApprovalStatus")
    account, region = str(event.get("account", "")), str(event.get("region", ""))
    modified = _iso(detail.get("LastModifiedTime"))
    return PackageHint(arn, account, region, updated, modified, status if isinstance(status, str) else "")


def _iso(time: Any) -> str:
    """A time of an event, which SageMaker also writes in seconds or milliseconds since 1970; empty for what is none."""
    if isinstance(time, str) and not time.isdecimal():
        return time
    try:
        number = float(time)
        return datetime.fromtimestamp(number / 1000 if number > _MILLISECONDS else number, UTC).isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def name_of(hint: PackageHint, accounts: Accounts) -> PackageName | Ignore:
    """The package's name, if the event comes from where it says and from the registry's account."""
    name = PackageName.from_arn(hint.arn)
    if name is None:
        return Ignore(f"not a versioned model package: {shown(hint.arn)}")
    if name.account != hint.account or name.region != hint.region:
        return Ignore(f"the event of {shown(hint.account)}, {shown(hint.region)} is about another place: {hint.arn}")
    if name.account != accounts.registry:
        return Ignore(f"account {shown(hint.account)} is not the registry that Lockkeeper listens to")
    return name


def decide_on_package(
    hint: PackageHint,
    name: PackageName,
    description: dict[str, Any] | None,
    existing_release: str | None,
    champion_version: int | None,
) -> Start | Ignore:
    """Decide from the package as the registry describes it now (`None` when it is gone), not from the event."""
    if description is None:
        return Ignore(f"{hint.arn} is not in the registry")
    if existing_release is not None:
        what = f"an update of {', '.join(hint.updated_fields)}" if hint.updated_fields else "a repeated registration"
        return Ignore(f"{what}: version {name.version} already has release {existing_release}")
    if _is_stamped(name, description):
        return Ignore(f"version {name.version} was stamped by a release that the ledger does not know any more")
    status = description.get("ModelPackageStatus")
    if status != "Completed":
        return Ignore(f"version {name.version} is {status}; only a Completed package can be released")
    if description.get("ModelApprovalStatus") == "Rejected":
        return Ignore(f"version {name.version} is Rejected in the registry")
    if not_deployable_yet(description):
        return Ignore(
            f"version {name.version} has no container yet; it is released as soon as UpdateModelPackage gives it an "
            "InferenceSpecification"
        )
    if champion_version is not None and name.version < champion_version:
        return Ignore(f"version {name.version} is older than version {champion_version}, which serves already")
    return Start(release_id_for(name.group, name.version, 1), name)


def _is_stamped(name: PackageName, description: dict[str, Any]) -> bool:
    """Whether a release of this very version stamped it: whoever registers a version like an earlier one copies its stamp, too."""
    stamp = str((description.get("CustomerMetadataProperties") or {}).get(STAMP) or "")
    attempt = re.search(r"-a([1-9][0-9]{0,8})$", stamp)
    return attempt is not None and stamp == release_id_for(name.group, name.version, int(attempt[1]))
