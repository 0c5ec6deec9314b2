"""Create or update the production endpoint, or tell jobs of the version: fenced by the lock, the wait stored first, ended by its event."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.alarms import Watched
from lockkeeper.domain.batch import BATCH, place_in_words
from lockkeeper.domain.errors import DeploymentFailed, LockLost, ReleaseSuperseded, TryAgain
from lockkeeper.domain.hosting import Hosting
from lockkeeper.domain.policy import Production
from lockkeeper.domain.release import Release, Status, resource_name
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.domain.shadow import PlanStep
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.braked import refuse_if_braked
from lockkeeper.use_cases.compare_shadow import folder_of
from lockkeeper.use_cases.deploy_to_staging import create_model, finish_if_done, tags_of
from lockkeeper.use_cases.guard_production import made_alarms, make_alarms, require_calm
from lockkeeper.use_cases.late_try import still_in
from lockkeeper.use_cases.pinned import iso, pinned_hosting, pinned_policy
from lockkeeper.use_cases.scale_production import look_at_scaling
from lockkeeper.use_cases.shadow_production import bring_up_shadow, first_step
from lockkeeper.use_cases.shift_production import STATE as STATE
from lockkeeper.use_cases.shift_production import shift_details, shifted_at, start_shift
from lockkeeper.use_cases.still_sealed import still_sealed

UNDER_WAY = frozenset({"Deleting", "Updating", "SystemUpdating", "RollingBack"})
"""Statuses of somebody else's change (a deletion, a scaling, a patch) that passes by itself."""


def promote_to_production(release_id: str, token: str, world: World) -> None:
    """From here on nobody supersedes this release. What served before is kept as the way back."""
    release = world.ledger.get(release_id)
    still_sealed(release, world)
    policy = pinned_policy(release, world)
    production = policy.production
    config = resource_name(release_id, "production")
    current = world.production.look(production.endpoint_name)
    if "production" not in release.endpoints and current is not None and current.status in UNDER_WAY:
        # Before production has begun: until this has passed, what serves can be rolled back, and a newer version comes first.
        raise TryAgain(f"production {place_in_words(production.endpoint_name)} is {current.status}")
    _begin(release, world)
    refuse_if_braked(release, policy, world)
    if current is not None and current.status == "InService" and current.config_name != config:
        require_calm(release_id, production, world)
    hosting = pinned_hosting(release, policy, world)
    _record(release, production, hosting, config, current, world)
    create_model(release, policy, config, world.production, hosting)
    if production.target != BATCH:
        fleet = production.fleet
        world.production.create_config(config, model=config, fleet=fleet, hosting=hosting, tags=tags_of(release))
    make_alarms(release, production, Watched(production.endpoint_name, config, hosting.variant), world)
    release = world.ledger.get(release_id)
    wait = first_step(release, token, world) or _wait(release, production, token, world)
    if wait.step == PlanStep.UP:
        _create_shadow(release, production, hosting, world)
    world.ledger.store_wait(wait)
    still_in(wait, world)
    if wait.step == PlanStep.UP:
        bring_up_shadow(wait, release, current, world)
    elif wait.step != PlanStep.SHADOWING:
        _shift(wait, release, production, current, world)


def _wait(release: Release, production: Production, token: str, world: World) -> Wait:
    details = shift_details(release, production)
    resources = (world.production.arn_of(production.endpoint_name),)
    deadline = shifted_at(production, world) if "alarms" in details else ""
    return Wait(release.release_id, STATE, token, resources=resources, details=details, deadline=deadline)


def _create_shadow(release: Release, production: Production, hosting: Hosting, world: World) -> None:
    known, shadow = release.endpoints["production"], production.strategy.shadow
    world.production.create_shadow(
        known["shadow"]["config_name"],
        beside=known["previous_config_name"],
        percent=shadow.percent if shadow else 100,
        model=known["config_name"],
        fleet=production.fleet,
        hosting=hosting,
        to=world.objects.address_of(folder_of(release.release_id)),
        tags=tags_of(release),
    )


def _shift(wait: Wait, release: Release, production: Production, current: EndpointState | None, world: World) -> None:
    """Create the endpoint or move its traffic, unless an earlier try of this state did."""
    config = release.endpoints["production"]["config_name"]
    if current is None and world.production.create(production.endpoint_name, config, tags_of(release)):
        world.ledger.wait_acted(wait)
    elif current is not None and current.status == "InService" and current.config_name != config:
        start_shift(wait, release, production, world)
    elif current is not None and current.is_changed_by_others(config):
        raise TryAgain(f"endpoint {current.name} is {current.status}, and not to {config}")
    else:
        world.ledger.wait_acted(wait)
        finish_if_done(wait, world.production, world)
        return
    if production.target == BATCH:
        # What is written is there, and no event tells of it.
        finish_if_done(wait, world.production, world)


def _begin(release: Release, world: World) -> None:
    lock = world.ledger.begin_production(release.model_package_group, release.release_id)
    if lock.owner != release.release_id:
        raise LockLost(f"{lock.owner} owns the lock of {release.model_package_group}; nothing was changed")
    if not lock.production_begun:
        raise ReleaseSuperseded(f"superseded by {lock.superseded_by}, a newer version, before production had begun")


def _record(
    release: Release,
    production: Production,
    hosting: Hosting,
    config: str,
    current: EndpointState | None,
    world: World,
) -> dict[str, Any]:
    """Keep the way back before anything changes; a second try must not take its own work for the way back."""
    endpoint, place = production.endpoint_name, place_in_words(production.endpoint_name)
    known = release.endpoints.get("production")
    if known is None and current is not None and current.status != "InService":
        raise DeploymentFailed(
            f"production {place} is {current.status}: {current.failure_reason or 'no reason given'}; nothing was changed",
            cure="bring it in order or delete it, then release the version again",
        )
    if known is None and current is not None and current.target != production.target:
        raise DeploymentFailed(
            f"production {place} is {current.target}, and the policy's target is {production.target}: "
            "there would be no way back; nothing was changed",
            cure="give the target an endpoint_name of its own, and move what asks the endpoint there",
        )
    if known is None:
        known = {
            "endpoint_name": endpoint,
            "config_name": config,
            "target": production.target,
            "variant": hosting.variant,
            "previous_config_name": current.config_name if current else None,
            "began_at": iso(world.clock.now()),
            "alarms": list(made_alarms(release.release_id, production)),
            **look_at_scaling(production, hosting.variant, current, world),
        }
        known |= _plan(release.release_id, production, known)
    previous = known["previous_config_name"]
    how = (
        production.strategy.in_words if previous else "all at once, for nothing serves yet that traffic could move from"
    )
    kept = f"kept: {hosting.words}; " if hosting.words else ""
    world.ledger.record(
        release.release_id,
        "updating production" if previous else "creating production",
        f"{place}, {how}; {kept}the way back is {previous or 'to remove it'}",
        stage=STATE,
        status=Status.PROMOTING,
        endpoints={**release.endpoints, "production": known},
    )
    return known


def _plan(release_id: str, production: Production, known: dict[str, Any]) -> dict[str, Any]:
    """What a release keeps of the shadow that it begins with; nothing where it has none."""
    if production.strategy.shadow is None or known["previous_config_name"] is None:
        return {}
    if known.get("scaling_before"):
        raise DeploymentFailed(
            f"endpoint {production.endpoint_name} is scaled, and a shadow is not; nothing was changed",
            cure="deregister its scalable target, or leave shadow out of the policy's strategy",
        )
    return {"shadow": {"config_name": resource_name(release_id, "shadow")}}
