"""Try a release again that ended without a promotion: the next attempt, through every gate and past the same people."""

from __future__ import annotations

from lockkeeper.domain.errors import ReplayRefused
from lockkeeper.domain.replay import decide_on_replay
from lockkeeper.ports import World


def replay_release(release_id: str, world: World) -> str:
    """Start the next attempt; returns its name. `ReplayRefused` where the release may not be tried again."""
    release = world.ledger.get(release_id)
    group, version = release.model_package_group, release.version
    champion = world.ledger.champion(group)
    following = decide_on_replay(
        release,
        world.ledger.release_of(group, version),
        held.words if (held := world.ledger.held(group, version)) else None,
        champion.version if champion else None,
    )
    payload = {
        "release_id": following,
        "model_package_arn": release.model_package_arn,
        "attempt": release.attempt + 1,
    }
    if not world.tasks.start(following, payload):
        raise ReplayRefused(f"{following} was started before", cure=f"see `lockkeeper show {following}`")
    return following
