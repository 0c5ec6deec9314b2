"""A release whose execution died: staging gone, production back to what served before, lock handed on, its status true.

An execution that was stopped, timed out or failed beyond any Catch runs no further state. What is left of its release is done here:
the same way back and the same closing, with waits whose token nobody waits with. Every step can be repeated.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lockkeeper.domain.ending import Ending
from lockkeeper.domain.errors import ExecutionDied, ReleaseStopped, TryAgain, UnknownRelease
from lockkeeper.domain.events import EndpointHint, Unusable, announcement, execution_hint, wait_hint
from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.release import Release, release_id_for
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.close_release import close_release
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.resume_release import look_at_endpoint_of
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.roll_back import roll_back
from lockkeeper.use_cases.settle_wait import NOBODY, REAP, complete_wait, deliver, fail_wait, failure
from lockkeeper.use_cases.take_back import is_taken_back
from lockkeeper.use_cases.watch_production import STATE as WATCH

LONGEST_TRY = timedelta(hours=2)
"""How long the way back may be tried before it has failed: longer than an update takes, and than the state machine tries."""
ALIVE = frozenset({"RUNNING", "PENDING_REDRIVE"})
DIED = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


def reap_release(event: dict[str, Any], world: World) -> list[str]:
    """An execution ended badly, a promotion was withdrawn, or an endpoint changed that such a release waits for. Says what was done."""
    releases = _releases_of(event, world)
    if isinstance(releases, Unusable):
        return [f"ignored: {releases.reason}"]
    return [f"{release_id}: {reap(release_id, world)}" for release_id in releases]


def _releases_of(event: dict[str, Any], world: World) -> list[str] | Unusable:
    if event.get("source") == "lockkeeper":
        told = announcement(event, world.accounts)
        return told if isinstance(told, Unusable) else [told.release_id]
    if event.get("source") == "aws.states":
        hint = execution_hint(event, world.accounts)
        return hint if isinstance(hint, Unusable) else [hint.release_id]
    changed = wait_hint(event, world.accounts)
    if not isinstance(changed, EndpointHint):
        return changed if isinstance(changed, Unusable) else Unusable(changed.what)
    waiting = [wait.release_id for wait in world.ledger.waits_on(changed.arn) if wait.state == REAP]
    return waiting or Unusable("no dead release waits")


def reap(release_id: str, world: World) -> str:
    """End a release if its execution is dead; asked again for as long as an endpoint is still changing."""
    state = world.tasks.state_of(release_id)
    if state in ALIVE:
        return f"left alone, its execution is {state}"
    try:
        release = world.ledger.get(release_id)
    except UnknownRelease:
        opened = _open_late(release_id, state, world)
        if opened is None:
            return "nothing to do, it was never opened"
        release = opened
    if not release.unfinished:
        _stop_waiting(release_id, world)
        return "nothing to do, it has ended"
    _take_over(release, state, world)
    try:
        ending = _ending_of(release, state, world)
        if ending is None:
            return "production is on its way back"
        closed = close_release(release_id, ending, world)
    except TryAgain as passing:
        return f"goes on at the endpoint's next event: {passing}"
    _stop_waiting(release_id, world)
    return f"{closed.status}: {closed.reason}"


def _open_late(release_id: str, state: str, world: World) -> Release | None:
    """The release of an execution that died before it had written one, so that it ends as any other: told, and replayed. None where
    there is nothing to open: no such execution, one that somebody started with something else, or a later attempt has begun."""
    payload = world.tasks.payload_of(release_id) if state in DIED else {}
    arn, attempt = payload.get("model_package_arn"), payload.get("attempt")
    name = PackageName.from_arn(arn) if isinstance(arn, str) else None
    if name is None or not isinstance(attempt, int) or release_id != release_id_for(name.group, name.version, attempt):
        return None
    opened_at = iso(world.clock.now())
    world.ledger.open(Release(release_id, name.group, name.version, attempt, str(arn), opened_at=opened_at))
    try:
        return world.ledger.get(release_id)
    except UnknownRelease:
        return None


def _take_over(release: Release, state: str, world: World) -> None:
    """Wait for the endpoints' events in place of the execution, and end what it waited for: nothing may wake it any more."""
    staging, production = release.endpoints.get("staging"), release.endpoints.get("production")
    resources = [
        endpoints.arn_of(one["endpoint_name"])
        for one, endpoints in ((staging, world.staging), (production, world.production))
        if one
    ]
    if world.ledger.wait_of(release.release_id, REAP) is None and not is_taken_back(release, world):
        world.ledger.record(release.release_id, "its execution is dead", _cause(release, state))
    world.ledger.store_wait(Wait(release.release_id, REAP, NOBODY, resources=tuple(resources)))
    for other in world.ledger.open_waits(release.release_id):
        if other.settled:
            deliver(other, other.result, world)
        elif other.state not in (REAP, ROLL_BACK):
            fail_wait(other, ExecutionDied(_cause(release, state)), world)


def _stop_waiting(release_id: str, world: World) -> None:
    wait = world.ledger.wait_of(release_id, REAP)
    if wait and not wait.delivered:
        complete_wait(wait, {}, world)


def _ending_of(release: Release, state: str, world: World) -> Ending | None:
    """How the release ends, production taken back where it was touched; None while that is under way."""
    if release.ending:
        return Ending(**release.ending)
    back = world.ledger.wait_of(release.release_id, ROLL_BACK)
    watched = world.ledger.wait_of(release.release_id, WATCH)
    if back is None and watched and "output" in watched.result:
        return Ending()  # The bake had ended well, which was all there was left to decide.
    if back is not None:
        ending = Ending(**back.details["ending"])
    else:
        # A bake that was ended at once was not written down as the release's state.
        stage = WATCH if watched else release.stage
        ending = Ending(error=ExecutionDied.__name__, cause=_cause(release, state), state=stage)
    return _go_back(release, ending, back, world) if release.endpoints.get("production") else ending


def _go_back(release: Release, ending: Ending, back: Wait | None, world: World) -> Ending | None:
    if back is None or not (back.settled or back.acted):
        try:
            roll_back(release.release_id, NOBODY, ending, world)
        except ReleaseStopped as stopped:
            return Ending(**failure(stopped), state=ROLL_BACK)
        except TryAgain as passing:
            if not _tried_for_long(release, world):
                raise
            return Ending(**failure(passing), state=ROLL_BACK)
    elif not back.settled:
        look_at_endpoint_of(back, world)
    ended = world.ledger.wait_of(release.release_id, ROLL_BACK)
    if ended is None or not ended.settled:
        return None
    if "error" in ended.result:
        return Ending(**ended.result, state=ROLL_BACK)
    return replace(ending, **ended.result["output"])


def _tried_for_long(release: Release, world: World) -> bool:
    """Whether the way back was to begin long ago: a configuration that is gone does not come back, and people have to hear of it."""
    begun = [entry.at for entry in release.timeline if entry.what in ("its execution is dead", "promotion withdrawn")]
    return bool(begun) and world.clock.now() > datetime.fromisoformat(begun[-1]) + LONGEST_TRY


def _cause(release: Release, state: str) -> str:
    return f"its execution was {state or 'deleted'} in {release.stage}"
