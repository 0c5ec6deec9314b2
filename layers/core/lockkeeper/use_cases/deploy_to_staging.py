"""Create the staging endpoint: the wait is stored first, its event ends it."""

from __future__ import annotations

from lockkeeper.domain.hosting import Hosting, staging_hosting
from lockkeeper.domain.model_package import Served
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import MODEL_PACKAGE_TAG, RELEASE_TAG, Release, Status, resource_name
from lockkeeper.domain.rollout import Step, look_at_endpoint
from lockkeeper.ports import Endpoints, Wait, World
from lockkeeper.use_cases.guard_production import failed_change
from lockkeeper.use_cases.late_try import still_in
from lockkeeper.use_cases.pinned import execution_role, pinned_hosting, pinned_policy, still_ours
from lockkeeper.use_cases.settle_wait import complete_own_wait
from lockkeeper.use_cases.still_sealed import still_sealed

STATE = "DeployToStaging"


def deploy_to_staging(release_id: str, token: str, world: World) -> None:
    """Create model, configuration and endpoint under the release's names; repeating it creates nothing twice."""
    release = world.ledger.get(release_id)
    still_ours(release, world)
    policy = pinned_policy(release, world)
    name = resource_name(release_id, "staging")
    fleet = policy.staging_fleet
    told = {"endpoint_name": name, "instance_type": fleet.instance_type or policy.staging_target}
    endpoints = {**release.endpoints, "staging": told}
    world.ledger.record(
        release_id, "creating the staging endpoint", name, stage=STATE, status=Status.DEPLOYING, endpoints=endpoints
    )
    still_sealed(release, world)
    hosting = hosting_in_staging(release, policy, world)
    create_model(release, policy, name, world.staging, hosting)
    world.staging.create_config(name, model=name, fleet=fleet, hosting=hosting, tags=tags_of(release))
    wait = Wait(
        release_id,
        STATE,
        token,
        resources=(world.staging.arn_of(name),),
        details={"environment": "staging", "endpoint_name": name, "config_name": name},
    )
    world.ledger.store_wait(wait)
    still_in(wait, world)
    existed = not world.staging.create(name, name, tags_of(release))
    world.ledger.wait_acted(wait)
    if existed:
        finish_if_done(wait, world.staging, world)


def hosting_in_staging(release: Release, policy: Policy, world: World) -> Hosting:
    """As production hosts the version, where staging can have it."""
    same = world.staging.account == world.production.account
    return staging_hosting(pinned_hosting(release, policy, world), policy.staging_fleet.serverless is not None, same)


def create_model(release: Release, policy: Policy, name: str, endpoints: Endpoints, hosting: Hosting) -> None:
    """A model from what is pinned: images by digest, artifacts by content, environments as they were approved."""
    pins = release.pins
    endpoints.create_model(
        name,
        containers=tuple(
            Served(image, artifact.pinned, {**environment, **policy.production.environment})
            for image, artifact, environment in zip(pins.images, pins.artifacts, pins.environments, strict=True)
        ),
        role_arn=execution_role(policy, endpoints),
        hosting=hosting,
        tags=tags_of(release),
    )


def finish_if_done(wait: Wait, endpoints: Endpoints, world: World) -> None:
    """The endpoint existed already (an earlier try made it): its event may be past, so look once."""
    state = endpoints.look(wait.details["endpoint_name"])
    seen = look_at_endpoint(state, wait.details["config_name"])
    if seen.step is Step.DONE:
        complete_own_wait(wait, {}, world)
    elif seen.step is Step.FAILED:
        raise failed_change(wait, state, seen, endpoints)


def tags_of(release: Release) -> dict[str, str]:
    """Tags of everything a release creates."""
    return {
        RELEASE_TAG: release.release_id,
        "lockkeeper:model-package-group": release.model_package_group,
        MODEL_PACKAGE_TAG: release.model_package_arn,
    }
