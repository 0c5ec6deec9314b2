"""A late try of a state: its function was under way when the execution was stopped, and whoever cleans up may be through already.

What a state waits for is stored, then it is looked whether that is too late, then something is created. Cleaning up is written down
first, so that of the two one sees the other.
"""

from __future__ import annotations

from lockkeeper.domain.errors import LockLost
from lockkeeper.domain.release import Release, resource_name
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.guard_production import remove_version
from lockkeeper.use_cases.settle_wait import give_up_wait


def still_in(wait: Wait, world: World) -> None:
    """Raise unless the release is still in the wait's state: where its cleaning up has begun, nothing may be created any more."""
    release = world.ledger.get(wait.release_id)
    if release.ending.get("error"):  # What was promoted serves, or is the way back.
        _undo(wait, release, world)
    # A late try may have written its own state over the one that the release was in.
    if release.is_closing or release.stage != wait.state:
        raise _too_late(release)


def still_open(wait: Wait, world: World) -> None:
    """Raise where the release is being closed, or has been; its waits may have been given up before this one was stored."""
    release = world.ledger.get(wait.release_id)
    if release.is_closing:
        give_up_wait(wait, world)
        raise _too_late(release)


def _undo(wait: Wait, release: Release, world: World) -> None:
    """Delete what this try has made for an endpoint: who cleans up may be through with that. Not what an endpoint has already."""
    environment = wait.details.get("environment")
    if environment is None:
        return
    endpoints = world.staging if environment == "staging" else world.production
    name = resource_name(release.release_id, environment)
    state = endpoints.look(wait.details["endpoint_name"])
    if state is not None and {name, wait.details["config_name"]} & {state.config_name, state.pending_config}:
        return
    if environment == "production":
        remove_version(release, world)
    else:
        endpoints.delete_config(name)
        endpoints.delete_model(name)


def _too_late(release: Release) -> LockLost:
    where = f"is in {release.stage} already"
    if release.is_closing:
        where = "is being closed" if release.unfinished else "has ended already"
    return LockLost(f"{release.release_id} {where}; nothing was changed")
