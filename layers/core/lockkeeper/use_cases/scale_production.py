"""Autoscaling of production around a change: looked at before, kept across it, set after it, put back when it is taken back.

A scalable target outlives updates. It goes only where it must: the instance type changes under it, or nothing wants it any more.
"""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.hosting import VARIANT
from lockkeeper.domain.policy import Production
from lockkeeper.domain.release import Release
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.domain.scaling import keeps_capacity, kept_scaling, objection, wanted_scaling
from lockkeeper.ports import World


def look_at_scaling(
    production: Production, variant: str, current: EndpointState | None, world: World
) -> dict[str, Any]:
    """How the endpoint is scaled before anything changes, for the release to keep; nothing where it is not.

    `DeploymentFailed` where others scale it in a way that does not go with the policy.
    """
    if current is None or is_parameter(current.name):
        return {}
    found = world.production.scaling(production.endpoint_name, variant)
    if found is None:
        return {}
    retyped = world.production.instance_type_of(current.config_name) != production.instance_type
    wanted = wanted_scaling(production.autoscaling)
    if why := objection(found, wanted, retyped=retyped):
        raise DeploymentFailed(f"endpoint {production.endpoint_name} was not changed: {why}")
    keep = keeps_capacity(found, wanted, retyped=retyped)
    return {"scaling_before": found.kept(), "retyped": retyped, "keep_capacity": keep}


def make_way(known: dict[str, Any], world: World) -> None:
    """Deregister what would forbid the update: the instance type of a scalable target cannot change."""
    if known.get("retyped"):
        world.production.stop_scaling(known["endpoint_name"], known.get("variant", VARIANT))


def settle_scaling(release: Release, production: Production, world: World) -> None:
    """The new version is in service: scale it as its policy says. The intent is written first, so that the way back knows."""
    known = release.endpoints["production"]
    before, wanted = kept_scaling(known.get("scaling_before")), wanted_scaling(production.autoscaling)
    if wanted is None and (before is None or before.others):
        return
    what = f"registered: {wanted.in_words}" if wanted else "deregistered: the policy has none any more"
    world.ledger.record(
        release.release_id,
        "autoscaling",
        f"endpoint {production.endpoint_name}, {what}",
        endpoints={**release.endpoints, "production": {**known, "scaling": wanted.kept() if wanted else {}}},
    )
    if wanted:
        world.production.scale(production.endpoint_name, wanted, known.get("variant", VARIANT))
    else:
        world.production.stop_scaling(production.endpoint_name, known.get("variant", VARIANT))


def make_way_back(known: dict[str, Any], world: World) -> bool:
    """Before production goes back: deregister what may forbid it. Returns whether the instances that there are stay."""
    if known.get("scaling") and (known.get("retyped") or not known.get("scaling_before")):
        world.production.stop_scaling(known["endpoint_name"], known.get("variant", VARIANT))
    return bool(known.get("keep_capacity"))


def forget_scaling(release: Release, world: World) -> None:
    """The endpoint that a release scaled is removed: nothing is left that could be scaled."""
    known = release.endpoints.get("production") or {}
    if known.get("scaling"):
        world.production.stop_scaling(known["endpoint_name"], known.get("variant", VARIANT))


def put_scaling_back(release: Release, world: World) -> None:
    """What served before serves again: it is scaled as it was. A refusal is written down, and does not keep the release open."""
    known = release.endpoints["production"]
    before = kept_scaling(known.get("scaling_before"))
    if before is None or before.others or not ("scaling" in known or known.get("retyped")):
        return
    try:
        world.production.scale(known["endpoint_name"], before, known.get("variant", VARIANT))
    except DeploymentFailed as refused:
        world.ledger.record(release.release_id, "autoscaling not put back", str(refused)[:1000])
    else:
        world.ledger.record(release.release_id, "autoscaling put back", before.in_words)
