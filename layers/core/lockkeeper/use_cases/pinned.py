"""What a release is bound to, read back: its policy by version and hash, its candidate, and how it is told to others."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lockkeeper.domain.errors import CandidateInvalid, LockLost, PolicyInvalid, ReleaseSuperseded
from lockkeeper.domain.hosting import VARIANT, Hosting, hosting_from, hosting_of
from lockkeeper.domain.policy import Policy, fingerprint, parse_policy
from lockkeeper.domain.release import Release
from lockkeeper.ports import Champion, Endpoints, World

FAR_BACK = 100
"""Champions that are looked through, newest first, for one that served before."""


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds: sorts as text."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def pinned_policy(release: Release, world: World) -> Policy:
    """The policy the release was opened with, whatever was applied since; once it was judged, with production's instances."""
    pin = release.pins.policy
    stored = world.policies.load(release.model_package_group, pin["version_id"])
    if fingerprint(stored.text) != pin["sha256"]:
        raise PolicyInvalid(
            f"policy {release.model_package_group} version {pin['version_id']} is not the text this release is pinned to",
            cure="find out who can write to Lockkeeper's bucket, then register a new version",
        )
    policy = parse_policy(stored.text, source=f"policies/{release.model_package_group}.yaml")
    return policy.hosted(hosting_from(release.pins.hosting)) if release.pins.hosting else policy


def pinned_hosting(release: Release, policy: Policy, world: World) -> Hosting:
    """How production hosts the version: as it was judged, or, by a version of Lockkeeper that did not look, by the policy alone."""
    known = release.pins.hosting
    return hosting_from(known) if known else hosting_of(policy.production, None, captured_to(world))


REQUESTS = "artifacts/requests"
"""Where requests are kept that asynchronous endpoints are asked with: whoever may read models may read them."""


def captured_to(world: World) -> str:
    """Where SageMaker writes what it captures for policies that name no place of their own."""
    return world.objects.address_of("captured")


def variant_of(release: Release) -> str:
    """The production variant that a release serves with; the version before kept no name, and all its endpoints had this one."""
    return str((release.endpoints.get("production") or {}).get("variant", VARIANT))


def execution_role(policy: Policy, endpoints: Endpoints) -> str:
    """The policy's role where it is one of this account: a role serves in its own account only. Else the environment's."""
    named = policy.production.execution_role_arn
    return named if named and named.split(":")[4] == endpoints.account else endpoints.execution_role_arn


def current_description(release: Release, world: World) -> dict[str, Any]:
    """DescribeModelPackage's answer now; a package that is gone ends the release."""
    description = world.registry.describe(release.model_package_arn)
    if description is None:
        raise CandidateInvalid(
            f"{release.model_package_arn} is not in the registry any more", cure="register the version again"
        )
    return description


def still_ours(release: Release, world: World) -> None:
    """Raise unless the release still owns its group's lock and was not superseded."""
    lock = world.ledger.lock_of(release.model_package_group)
    if lock is None or lock.owner != release.release_id:
        raise LockLost(f"{release.release_id} does not own the lock of {release.model_package_group} any more")
    if lock.superseded_by:
        raise ReleaseSuperseded(f"superseded by {lock.superseded_by}, a newer version")


def facts_of(release: Release) -> dict[str, Any]:
    """What every published event says of its release."""
    return {
        "release_id": release.release_id,
        "model_package_group": release.model_package_group,
        "version": release.version,
        "attempt": release.attempt,
        "model_package_arn": release.model_package_arn,
    }


def served_with(config_name: str, group: str, world: World) -> Champion | None:
    """The champion that had this endpoint configuration, the newest where several had."""
    return next((one for one in world.ledger.served(group, FAR_BACK) if one.config_name == config_name), None)
