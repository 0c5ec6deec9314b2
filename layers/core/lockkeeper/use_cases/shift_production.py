"""Start moving production's traffic to the new version: once nothing is to be done before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockkeeper.domain.policy import Production
from lockkeeper.domain.release import Release
from lockkeeper.domain.rollout import Deployment
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.guard_production import watched_alarms
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.scale_production import make_way

STATE = "PromoteToProduction"


def start_shift(wait: Wait, release: Release, production: Production, world: World) -> None:
    """Update the endpoint as the policy says, under the alarms of the release."""
    known = release.endpoints["production"]
    make_way(known, world)
    guarded = Deployment(production.strategy, watched_alarms(release.release_id, production))
    # SageMaker guards no update of a serverless endpoint; its alarms are looked at in the bake.
    how = None if production.fleet.serverless else guarded
    keep = bool(known.get("keep_capacity"))
    world.production.update(known["endpoint_name"], known["config_name"], how, keep_capacity=keep)
    world.ledger.wait_acted(wait)


def shift_details(release: Release, production: Production) -> dict[str, Any]:
    """What a look needs to know. Alarms count where traffic moves: of a first version there is nothing that they would take back."""
    known = release.endpoints["production"]
    details = {
        "environment": "production",
        "endpoint_name": known["endpoint_name"],
        "config_name": known["config_name"],
    }
    if known["previous_config_name"] is None:
        return details
    return {**details, "alarms": list(watched_alarms(release.release_id, production)), "since": known["began_at"]}


def shifted_at(production: Production, world: World) -> str:
    """When traffic can have moved at the earliest: nobody needs to look before that. Empty where it moves at once."""
    shift = production.strategy.shift
    return iso(world.clock.now() + timedelta(seconds=shift.waits)) if shift else ""
