"""Deadlines of what a release does in production: one one-time schedule for its bake, and one for its shadow.

Who makes one may be overtaken by whoever ends the release. So whoever closes it takes them away after it was written that it is being
closed, and whoever began a bake looks whether it is, once its deadline is set: one of the two finds the other. What is left
all the same, by a function that dies in between or puts a deadline off more slowly than all the rest goes, fires once, for nothing.
"""

from __future__ import annotations

from datetime import datetime

from lockkeeper.domain.release import Release, resource_name
from lockkeeper.ports import World

PURPOSES = {"WatchProduction": "bake", "PromoteToProduction": "shadow"}
"""What the schedule is for that ends a state's wait: a part of its name."""


def set_deadline(release_id: str, state: str, deadline: str, world: World) -> None:
    """Let `resume_release` be called at this time (ISO 8601); a later deadline takes the place of the earlier one, by its name."""
    payload = {"release_id": release_id, "state": state, "at": deadline}
    name = resource_name(release_id, PURPOSES[state])
    world.schedules.once(name, datetime.fromisoformat(deadline), {"deadline": payload})


def remove_deadlines(release: Release, world: World) -> None:
    """Nothing is to happen at a later time any more."""
    world.schedules.cancel(resource_name(release.release_id, PURPOSES["WatchProduction"]))
    if (release.endpoints.get("production") or {}).get("shadow"):
        world.schedules.cancel(resource_name(release.release_id, PURPOSES["PromoteToProduction"]))
