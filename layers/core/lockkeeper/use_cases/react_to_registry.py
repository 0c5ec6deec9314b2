"""A model package changed: start its release, once, or say why not."""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.registration import (
    Ignore,
    PackageHint,
    Start,
    decide_on_package,
    name_of,
    package_hint,
)
from lockkeeper.ports import World


def react_to_registry(event: dict[str, Any], world: World) -> Start | Ignore:
    """Read the event as a hint, the registry as the truth. Repeating it changes nothing."""
    hint = package_hint(event)
    if isinstance(hint, Ignore):
        return hint
    name = name_of(hint, world.accounts)
    return name if isinstance(name, Ignore) else start_release(hint, name, world)


def start_release(hint: PackageHint, name: PackageName, world: World) -> Start | Ignore:
    """Start the release of a version that the registry has, unless there is a reason not to."""
    champion = world.ledger.champion(name.group)
    decision = decide_on_package(
        hint,
        name,
        world.registry.describe(hint.arn),
        world.ledger.release_of(name.group, name.version),
        champion.version if champion else None,
    )
    if isinstance(decision, Ignore):
        return decision
    payload = {"release_id": decision.release_id, "model_package_arn": hint.arn, "attempt": 1}
    if not world.tasks.start(decision.release_id, payload):
        return Ignore(f"release {decision.release_id} was started before")
    return decision
