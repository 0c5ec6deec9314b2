"""Create or update the production endpoint: fenced by the lock, the wait stored first, ended by its event."""

from __future__ import annotations

from lockkeeper.domain.errors import DeploymentFailed, LockLost, ReleaseSuperseded, TryAgain
from lockkeeper.domain.release import Release, Status, resource_name
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.braked import refuse_if_braked
from lockkeeper.use_cases.deploy_to_staging import create_model, finish_if_done, tags_of
from lockkeeper.use_cases.pinned import iso, pinned_policy, still_in
from lockkeeper.use_cases.still_sealed import still_sealed

STATE = "PromoteToProduction"

UNDER_WAY = frozenset({"Deleting", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses of somebody else's change (a deletion, a scaling, a patch) that passes by itself."""


def promote_to_production(release_id: str, token: str, world: World) -> None:
    """From here on nobody supersedes this release. What served before is kept as the way back."""
    release = world.ledger.get(release_id)
    still_sealed(release, world)
    _begin(release, world)
    policy = pinned_policy(release, world)
    refuse_if_braked(release, policy, world)
    production = policy.production
    config = resource_name(release_id, "production")
    current = world.production.look(production.endpoint_name)
    _record(release, production.endpoint_name, config, current, world)
    create_model(release, policy, config, world.production)
    world.production.create_config(
        config,
        model=config,
        instance_type=production.instance_type,
        instances=production.initial_instances,
        tags=tags_of(release),
    )
    wait = Wait(
        release_id,
        STATE,
        token,
        resources=(world.production.arn_of(production.endpoint_name),),
        details={"environment": "production", "endpoint_name": production.endpoint_name, "config_name": config},
    )
    world.ledger.store_wait(wait)
    still_in(release_id, STATE, world)
    existed = current is not None
    if current is None:
        existed = not world.production.create(production.endpoint_name, config, tags_of(release))
    elif current.status == "InService" and current.config_name != config:
        world.production.update(production.endpoint_name, config)
        existed = False
    world.ledger.wait_acted(wait)
    if existed:
        finish_if_done(wait, world.production, world)


def _begin(release: Release, world: World) -> None:
    lock = world.ledger.begin_production(release.model_package_group, release.release_id)
    if lock.owner != release.release_id:
        raise LockLost(f"{lock.owner} owns the lock of {release.model_package_group}; nothing was changed")
    if not lock.production_begun:
        raise ReleaseSuperseded(f"superseded by {lock.superseded_by}, a newer version, before production had begun")


def _record(release: Release, endpoint: str, config: str, current: EndpointState | None, world: World) -> None:
    """Keep the way back before anything changes; a second try must not take its own work for the way back."""
    known = release.endpoints.get("production")
    if known is None and current is not None and current.status in UNDER_WAY:
        raise TryAgain(f"production endpoint {endpoint} is {current.status}")
    if known is None and current is not None and current.status != "InService":
        raise DeploymentFailed(
            f"production endpoint {endpoint} is {current.status}; nothing was changed",
            cure="bring the endpoint to InService or delete it, then release the version again",
        )
    if known is None:
        known = {
            "endpoint_name": endpoint,
            "config_name": config,
            "previous_config_name": current.config_name if current else None,
            "began_at": iso(world.clock.now()),
        }
    world.ledger.record(
        release.release_id,
        "updating production" if known["previous_config_name"] else "creating production",
        f"endpoint {endpoint}; the way back is {known['previous_config_name'] or 'to remove it'}",
        stage=STATE,
        status=Status.PROMOTING,
        endpoints={**release.endpoints, "production": known},
    )
