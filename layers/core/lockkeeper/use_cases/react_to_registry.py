"""A model package changed: start its release, once, take a decision that was made in the registry, or say why not."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.registration import (
    Ignore,
    PackageHint,
    Start,
    StartedBefore,
    decide_on_package,
    name_of,
    package_hint,
)
from lockkeeper.domain.registry_status import FIELD
from lockkeeper.ports import World
from lockkeeper.use_cases.decide_in_registry import Decided, decide_in_registry
from lockkeeper.use_cases.follow_retraining import link_version


def react_to_registry(event: dict[str, Any], world: World) -> Start | Decided | Ignore:
    """Read the event as a hint, the registry as the truth. Repeating it changes nothing."""
    hint = package_hint(event)
    if isinstance(hint, Ignore):
        return hint
    name = name_of(hint, world.accounts)
    if isinstance(name, Ignore):
        return name
    existing = world.ledger.release_of(name.group, name.version) if FIELD in hint.updated_fields else None
    return decide_in_registry(hint, existing, world) if existing else start_release(hint, name, world)


def start_release(hint: PackageHint, name: PackageName, world: World) -> Start | Ignore:
    """Start the release of a version that the registry has, unless there is a reason not to."""
    champion, existing = world.ledger.champion(name.group), world.ledger.release_of(name.group, name.version)
    decision = decide_on_package(
        hint, name, world.registry.describe(hint.arn), existing, champion.version if champion else None
    )
    if isinstance(decision, Ignore):
        if existing and not hint.updated_fields:
            link_version(hint.arn, world)  # The try that had started the release may have died before it did this.
        return decision
    payload = {"release_id": decision.release_id, "model_package_arn": hint.arn, "attempt": 1}
    started = world.tasks.start(decision.release_id, payload)
    # Now, and not at the pipeline's end alone: people who are asked are told why there is this version.
    link_version(hint.arn, world)
    if started:
        return decision
    return StartedBefore(f"release {decision.release_id} was started before", decision.release_id)
