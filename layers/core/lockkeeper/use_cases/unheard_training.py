"""Training jobs whose end nobody was told of: their models are registered late instead of never."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from lockkeeper.domain.registration import Ignore
from lockkeeper.ports import World
from lockkeeper.use_cases.react_to_training import Registered, settle_training

RECENT = timedelta(days=1)
"""How long ago a job may have ended whose event is believed lost: EventBridge tries to deliver for as long."""


def settle_unheard(quiet: timedelta, world: World) -> Iterator[str]:
    """Look at the last day's jobs, each once, and do what its event would have done; yields what was done, in words."""
    now = world.clock.now()
    for hint in world.training.ended(now - RECENT, now - quiet):
        # Most jobs are nobody's: they are asked for their tags one time and not every five minutes.
        note = f"looked at: {hint.arn}"
        if world.ledger.remembers(note):
            continue
        done = settle_training(hint, world)
        if not isinstance(done, Ignore):
            yield f"{hint.arn}: {f'registered as {done.model_package_arn}' if isinstance(done, Registered) else done.reason}"
        world.ledger.remember(note, now + 2 * RECENT)
