"""A person holds a version or freezes a group, or lets it go on. IAM says who may call; who did it is kept and told.

Nothing here weighs on an approval: what was let go on passes every gate, and people are asked as ever.

Who was not answered asks again: what was done a moment ago is told, and answered, once more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lockkeeper.domain.authors import role_arn_of_session
from lockkeeper.domain.brakes import Brake, Did, act, with_end
from lockkeeper.domain.errors import (
    BrakeRefused,
    NothingToRelease,
    PolicyInvalid,
    PolicyMissing,
    ReplayRefused,
    UnknownGroup,
)
from lockkeeper.domain.events import GROUP_NAME
from lockkeeper.domain.policy import Approver, parse_policy
from lockkeeper.domain.replay import decide_on_replay
from lockkeeper.domain.retraining import useless_in_a_row
from lockkeeper.ports import World
from lockkeeper.use_cases.braked import put_freeze, told
from lockkeeper.use_cases.pinned import iso

A_MOMENT = timedelta(minutes=10)
"""In which a person who got no answer asks again."""


def hold_version(group: str, version: int, principal: str, reason: str, world: World) -> dict[str, Any]:
    """Nothing ships this version from now on. Repeated, it answers with the hold that stands."""
    if not 1 <= version <= 10**9:
        raise BrakeRefused(f"{version} is no version", cure="name a version of the registry, such as 3")
    brake = acting(group, Did.HELD, principal, reason, world, version)
    held = world.ledger.hold(group, brake)
    standing = brake if held else world.ledger.held(group, version) or brake
    if held or _done_a_moment_ago(brake, group, world):
        _note_on_release(group, standing, world)
        world.publisher.publish("Version Held", {**told(group, standing), "version": version})
    note = _what_a_hold_meets(group, version, world)
    return answer(group, standing, note if held else f"It was held before. {note}")


def lift_hold(group: str, version: int, principal: str, reason: str, world: World) -> dict[str, Any]:
    """The version may be released again, through every gate."""
    lifted = acting(group, Did.LIFTED, principal, reason, world, version)
    seen = world.ledger.held(group, version)
    if seen is None or not world.ledger.lift_hold(group, seen, lifted):
        before = _done_a_moment_ago(lifted, group, world)
        if before is None:
            raise NothingToRelease(
                f"version {version} of {group} is not held", cure=f"see `lockkeeper show {group}/{version}`"
            )
        lifted = before
    _note_on_release(group, lifted, world)
    world.publisher.publish("Hold Lifted", {**told(group, lifted), "version": version})
    return answer(group, lifted, _what_ships_it(group, version, world))


def freeze_group(group: str, principal: str, reason: str, until: str, world: World) -> dict[str, Any]:
    """No production change of the group begins from now on; one that had begun goes on to its end, and may go back."""
    brake = with_end(acting(group, Did.FROZE, principal, reason, world), until, world.clock.now())
    standing = world.ledger.frozen(group)
    if standing and standing.outlasts(brake):
        # To end a freeze sooner is to unfreeze, which fewer people may do.
        return answer(
            group,
            standing,
            f"It is frozen for longer already, which stays; `lockkeeper unfreeze {group} --reason WHY` ends it.",
        )
    put_freeze(group, brake, world)
    # Read after the freeze is written: a release that has begun and did not see it is seen here.
    lock = world.ledger.lock_of(group)
    if lock and lock.production_begun:
        note = f"{lock.owner} had begun its change of production and goes on; `lockkeeper rollback {group} --reason WHY` takes it back."
    else:
        note = f"What comes in waits at the lock until `lockkeeper unfreeze {group} --reason WHY`."
    return answer(group, brake, note)


def unfreeze_group(group: str, principal: str, reason: str, world: World) -> dict[str, Any]:
    """What waits goes on, the newest version first."""
    taken = acting(group, Did.UNFROZE, principal, reason, world)
    seen = world.ledger.frozen(group)
    if seen is None or not world.ledger.unfreeze(group, seen, taken):
        before = _done_a_moment_ago(taken, group, world)
        if before is None:
            raise NothingToRelease(
                f"{group} is not frozen by anybody", cure="a freeze window is the policy's, and ends as the policy says"
            )
        taken = before
    world.publisher.publish("Group Unfrozen", told(group, taken))
    waiting = [release_id for _version, release_id in world.ledger.queue(group)]
    what = (
        f"Waiting: {', '.join(waiting)}; the newest goes on at KeepHouse's next look." if waiting else "Nothing waits."
    )
    return answer(group, taken, what)


def resume_retraining(group: str, principal: str, reason: str, world: World) -> dict[str, Any]:
    """Retrainings may start again after some in a row did not help: what came before now is not counted any more."""
    taken = acting(group, Did.RESUMED, principal, reason, world)
    head = world.ledger.retraining_head(group)
    if useless_in_a_row(world.ledger.retrainings(group, 1), head.resumed_at):
        world.ledger.resume_retraining(group, taken)
    elif before := _done_a_moment_ago(taken, group, world):
        taken = before
    else:
        raise NothingToRelease(
            f"no retraining of {group} was of no use lately: nothing keeps the next one from starting",
            cure=f"`lockkeeper show {group}` says why none was started",
        )
    world.publisher.publish("Retraining Resumed", told(group, taken))
    waits = "The signal that waits is decided anew at KeepHouse's next look." if head.waiting else "No signal waits."
    return answer(group, taken, waits)


def acting(group: str, did: Did, principal: str, reason: str, world: World, version: int = 0) -> Brake:
    """What a caller does; `UnknownGroup` for a group that has no policy: a brake on a misspelt name would stop nothing."""
    return act(did, reason, principal, _approvers(group, world), iso(world.clock.now()), version)


def _done_a_moment_ago(brake: Brake, group: str, world: World) -> Brake | None:
    """Just this, where it was the last that anybody did: who did it may have died before it was told.

    The same caller may come with another session of their role.
    """
    earliest = iso(world.clock.now() - A_MOMENT)
    found = world.ledger.brake_history(group, 1)
    return next((last for last in found if last.at >= earliest and _act(last) == _act(brake)), None)


def _act(brake: Brake) -> tuple[Did, int, str, str]:
    return brake.did, brake.version, brake.reason, role_arn_of_session(brake.identity)


def _approvers(group: str, world: World) -> tuple[Approver, ...]:
    try:
        if not GROUP_NAME.fullmatch(group):
            raise PolicyMissing(group)
        stored = world.policies.load(group)
    except PolicyMissing as missing:
        raise UnknownGroup(f"no group {group[:100]!r} has a policy", cure="look at the name's spelling") from missing
    try:
        return parse_policy(stored.text, source=f"policies/{group}.yaml").approval.approvers
    except PolicyInvalid:
        # A policy of another version of Lockkeeper must keep nobody from braking.
        return ()


def answer(group: str, brake: Brake, note: str) -> dict[str, Any]:
    """What a caller is answered: the act that stands, and what follows, in words."""
    about = {"version": brake.version} if brake.version else {}
    return {"model_package_group": group, **about, "did": str(brake.did), **brake.to_json(), "note": note}


def _note_on_release(group: str, brake: Brake, world: World) -> None:
    if release_id := world.ledger.release_of(group, brake.version):
        world.ledger.record(release_id, str(brake.did), f"by {brake.by}: {brake.reason}")


def _what_a_hold_meets(group: str, version: int, world: World) -> str:
    champion, lock = world.ledger.champion(group), world.ledger.lock_of(group)
    in_production = lock is not None and lock.production_begun and lock.owner_version == version
    if in_production or (champion is not None and champion.version == version):
        return f"It serves: `lockkeeper rollback {group} --reason WHY` takes it back."
    release_id = world.ledger.release_of(group, version)
    if release_id and not world.ledger.get(release_id).ended:
        return f"{release_id} is under way and ends before it changes production."
    return f"Nothing ships it until `lockkeeper lift-hold {group} {version} --reason WHY`."


def _what_ships_it(group: str, version: int, world: World) -> str:
    release_id = world.ledger.release_of(group, version)
    if release_id is None:
        return "It was never released: its next event in the registry, such as its registration, opens its release."
    release, champion = world.ledger.get(release_id), world.ledger.champion(group)
    if release.unfinished:
        return f"{release_id} is under way and goes on."
    try:
        decide_on_replay(release, release_id, None, champion.version if champion else None)
    except ReplayRefused as refused:
        return f"Nothing ships it by itself: {refused}."
    return f"`lockkeeper replay {release_id}` releases it again."
