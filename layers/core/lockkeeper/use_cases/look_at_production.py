"""What production is like before anybody is asked: what serves there, and whether it can take the version."""

from __future__ import annotations

from dataclasses import replace

from lockkeeper.domain.deployed import Deployed
from lockkeeper.domain.gates.preflight import Preflight, looks_at, needs_of, writes_to
from lockkeeper.domain.hosting import Hosting, hosting_of
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Release
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import World
from lockkeeper.use_cases.guard_production import guarding_alarms
from lockkeeper.use_cases.pinned import REQUESTS, captured_to, execution_role, pinned_policy


def look_at_production(release: Release, world: World) -> tuple[Deployed | None, Hosting]:
    """What serves, and how the version is to be hosted by the policy and by that."""
    # By the policy's own words, also in a second try of this state, which the first one has pinned something for.
    bare = release.with_changes(pins=replace(release.pins, hosting={}))
    production = pinned_policy(bare, world).production
    deployed = world.production_look.deployed(production.endpoint_name)
    return deployed, hosting_of(production, deployed, captured_to(world))


def preflight(release: Release, policy: Policy, hosting: Hosting, deployed: Deployed | None, world: World) -> Preflight:
    """Everything else that the gates of this family want to know."""
    look, role = world.production_look, execution_role(policy, world.production)
    shadows = f"{captured_to(world)}/shadows" if policy.production.strategy.shadow else ""
    asks = policy.production.target == ASYNC and (policy.staging.tests.contract or policy.staging.tests.replay)
    requests = world.objects.address_of(REQUESTS) if asks else ""
    champion = str(deployed.model.get("ExecutionRoleArn", "")) if deployed else ""
    captures = look.may(champion, *writes_to(shadows, champion.split(":")[1])) if shadows and champion else None
    guards = guarding_alarms(release.release_id, policy.production) if deployed else ()
    looked_at = (looks_at(world.production.alarm_arn(name)) for name in guards)
    needs = (*needs_of(release.pins, hosting, role, shadows, requests), *looked_at)
    return Preflight(
        deployed=deployed,
        alarms=look.alarm_states(policy.production.named_alarms),
        role_arn=role,
        role_trust=look.role_trust(role),
        permitted={need: look.may(role, *need) for need in needs},
        champion_role=champion,
        champion_captures=captures,
        key_state=look.key_state(hosting.kms_key) if hosting.kms_key else None,
        quotas=look.quotas(),
        adopted=world.ledger.champion(policy.model_package_group) is not None,
        staging_here=world.staging.account == world.production.account,
    )
