"""Ending a wait: decided in the ledger first, then delivered to the state machine, then marked as delivered.

A crash between two of these steps leaves a wait that is settled and not delivered: the outbox flag. Whoever meets it next delivers it.
"""

from __future__ import annotations

from typing import Any

from lockkeeper.domain.errors import LockkeeperError, TryAgain
from lockkeeper.ports import Wait, World

NOBODY = "nobody-waits-with-this-token"
"""The token of a wait whose execution is gone: its result is kept and goes nowhere."""
REAP = "ReapRelease"
"""The state, in name only, in which a dead release waits for its endpoints."""


def say_of_wait(wait: Wait, what: str, why: str, world: World, **changes: Any) -> bool:
    """Write into the release what its wait is about; False where that was ended meanwhile, and nothing was written.

    `TryAgain` where another try of the state has stored the wait anew: one of the two is waited for, and nobody here can tell which.
    """
    if world.ledger.record(wait.release_id, what, why, waiting=wait, **changes):
        return True
    stored = world.ledger.wait_of(wait.release_id, wait.state)
    if stored and stored.token != wait.token:
        raise TryAgain(f"another try of {wait.state} of {wait.release_id} has begun to wait")
    return False


def complete_wait(wait: Wait, output: dict[str, Any], world: World) -> bool:
    """End a wait well. False when it had ended before."""
    return _settle(wait, {"output": output}, world)


def complete_own_wait(wait: Wait, output: dict[str, Any], world: World) -> None:
    """End the wait that this state has just stored, if nobody did before: then its result is for them to deliver, or for `keep_house`."""
    result = {"output": output}
    if world.ledger.settle_wait(wait, result):
        deliver(wait, result, world)


def fail_wait(wait: Wait, error: LockkeeperError, world: World) -> bool:
    """End a wait with an error that the state machine knows by its class name. False when it ended otherwise, or nobody waited."""
    return _settle(wait, failure(error), world)


def failure(error: LockkeeperError) -> dict[str, Any]:
    """The result of a wait that ends with an error."""
    return {"error": type(error).__name__, "cause": str(error)}


def give_up_waits(release_id: str, world: World) -> None:
    """A release that is closed waits for nothing: a state that failed after it had stored its wait left one that events would find."""
    for wait in world.ledger.open_waits(release_id):
        if wait.state == REAP:
            continue  # Closing goes on there, until it is done.
        give_up_wait(wait, world)


def give_up_wait(wait: Wait, world: World) -> None:
    """Nobody waits for it any more: its state has ended otherwise."""
    world.ledger.settle_wait(wait, {"error": "States.TaskFailed", "cause": f"{wait.state} has ended otherwise"})
    world.ledger.wait_delivered(wait)


def deliver(wait: Wait, result: dict[str, Any], world: World) -> bool:
    """Tell the state machine. A token that is not waited on any more counts as delivered."""
    accepted = tell(wait, result, world)
    world.ledger.wait_delivered(wait)
    return accepted


def tell(wait: Wait, result: dict[str, Any], world: World) -> bool:
    """Tell the state machine, for who has more to do before the wait is marked as delivered. False: nobody waits for it any more."""
    if "error" in result:
        return world.tasks.fail(wait.token, result["error"], result["cause"])
    return world.tasks.succeed(wait.token, result["output"])


def deliver_for_another(wait: Wait, world: World) -> None:
    """Tell what somebody else has decided, who may have crashed or may be about to tell it.

    That we do is written first: whoever decided, and finds that nobody waits any more, sees that it was told.
    """
    world.ledger.wait_acted(wait)
    deliver(wait, wait.result, world)


def was_told_by_another(wait: Wait, world: World) -> bool:
    """Whether a result that was not taken any more had reached the state machine through somebody else."""
    stored = world.ledger.wait_of(wait.release_id, wait.state)
    return stored is not None and stored.token == wait.token and stored.acted


def _settle(wait: Wait, result: dict[str, Any], world: World) -> bool:
    if not world.ledger.settle_wait(wait, result):
        stored = world.ledger.wait_of(wait.release_id, wait.state)
        if stored and stored.token == wait.token and stored.settled and not stored.delivered:
            return deliver(stored, stored.result, world) and stored.result == result
        return False
    return deliver(wait, result, world)
