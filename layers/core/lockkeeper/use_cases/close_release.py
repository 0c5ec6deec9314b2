"""Close a release, however it ended: staging gone, registry stamped, lock handed on, everybody told. Every step can be repeated."""

from __future__ import annotations

from dataclasses import asdict, replace

from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.ending import Ending, judge_ending
from lockkeeper.domain.errors import REGISTRY_REJECTIONS, StampRefused
from lockkeeper.domain.registration import STAMP
from lockkeeper.domain.release import Release, Status
from lockkeeper.domain.replay import stopped_by_freeze
from lockkeeper.ports import Champion, World
from lockkeeper.use_cases.braked import freeze_after_failed_rollback, freeze_of
from lockkeeper.use_cases.deadlines import remove_deadlines
from lockkeeper.use_cases.guard_production import remove_alarms, remove_version
from lockkeeper.use_cases.open_release import interrupt, lock_output
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.run_job import stop_job
from lockkeeper.use_cases.scale_production import put_scaling_back
from lockkeeper.use_cases.settle_wait import complete_wait, give_up_waits
from lockkeeper.use_cases.take_back import predecessor_of

STATE = "CloseRelease"


def close_release(release_id: str, ending: Ending, world: World) -> Release:
    """Returns the release as it ended. Whoever closes it again after a crash goes on with the ending of the first."""
    release = world.ledger.get(release_id)
    if not release.unfinished:
        return release
    ending = Ending(**release.ending) if release.ending else ending
    status, reason = judge_ending(ending)
    if not release.ending:
        world.ledger.record(release_id, "closing", reason, stage=STATE, ending=asdict(ending))
    if status is Status.PROMOTED:
        _crown(release, world)
    elif status is Status.ROLLED_BACK:
        _crown_predecessor(release, world)
    world.ledger.close_requests(release_id)
    give_up_waits(release_id, world)
    _tear_down(release, ending, world)
    try:
        _stamp(release, status, reason, ending, world)
    except StampRefused as refused:
        # The registry lags behind; status, message and the next release must not.
        world.ledger.record(release_id, "not stamped", str(refused)[:1000])
    world.ledger.record(
        release_id, str(status), reason, status=status, stage=STATE, reason=reason, ended_at=_now(world)
    )
    if status is Status.FAILED and ending.state == ROLL_BACK:
        # Before the lock is handed on: who gets it must not change what nobody has looked at.
        freeze_after_failed_rollback(release, reason, world)
    hand_on_lock(release, world)
    closed = world.ledger.get(release_id)
    world.publisher.publish(
        f"Release {_word(status)}",
        {**facts_of(closed), "status": str(status), "reason": reason, **_told_to_jobs(closed)},
    )
    if not stopped_by_freeze(
        closed
    ):  # Else it stays unfinished: `keep_house` starts its next attempt after the freeze.
        world.ledger.finish(release_id)
    return closed


def _told_to_jobs(release: Release) -> dict[str, str]:
    """Of a promoted version that jobs run: the parameter that names its model, and that name."""
    production = release.endpoints.get("production") or {}
    if release.status is not Status.PROMOTED or production.get("target") != BATCH:
        return {}
    return {"champion_parameter": production["endpoint_name"], "model_name": production["config_name"]}


def hand_on_lock(release: Release, world: World) -> None:
    """Give the lock to the newest that waits; the older ones that wait are superseded by it."""
    group, release_id = release.model_package_group, release.release_id
    world.ledger.leave_queue(group, release_id, release.version)
    waiting = _heirs(group, world)
    version, heir = waiting[0] if waiting else (0, None)
    world.ledger.pass_lock(group, release_id, heir, version)
    # Somebody may have queued between the look and the release of the lock, here or in an earlier try of this state.
    for version, heir in _heirs(group, world):
        world.ledger.take_lock(group, heir, version)
    lock = world.ledger.lock_of(group)
    if lock and lock.owner != release_id:
        heir_release = world.ledger.get(lock.owner)
        if heir_release.ended and not lock.production_begun:
            # It ended between the look at the queue and the hand-over, and may be past handing on what it got.
            # One that has begun production with it was promoted, and is being taken back.
            hand_on_lock(heir_release, world)
        else:
            _wake(group, lock.owner, lock.owner_version, world)
    _tell_the_older_ones(group, world)


def _heirs(group: str, world: World) -> list[tuple[int, str]]:
    """The newest that waits; nobody while the group is frozen: `keep_house` gives the lock when that has ended."""
    newest = world.ledger.queue(group)[:1]
    frozen = any(freeze_of(pinned_policy(world.ledger.get(heir), world), world) for _version, heir in newest)
    return [] if frozen else newest


def _tell_the_older_ones(group: str, world: World) -> None:
    """Whoever waits for a lock that a newer version has gives way, also where an earlier try of this state had handed it on."""
    lock, champion = world.ledger.lock_of(group), world.ledger.champion(group)
    for version, older in world.ledger.queue(group):
        if lock and version < lock.owner_version:
            interrupt(older, f"superseded by {lock.owner}, a newer version", world)
        elif champion and version < champion.version:
            # It waits for the end of a freeze that the newer one was not under.
            interrupt(older, f"superseded by {champion.release_id}, a newer version, which serves", world)


def _wake(group: str, heir: str, version: int, world: World) -> None:
    wait = world.ledger.wait_of(heir, "OpenRelease")
    if wait is None or wait.delivered:
        return
    heir_release = world.ledger.get(heir)
    world.ledger.leave_queue(group, heir, version)
    # Once it is settled, the heir may be on its way already.
    world.ledger.record(heir, "lock taken", "handed on by the release before", waiting=wait, status=Status.OPEN)
    complete_wait(wait, lock_output(pinned_policy(heir_release, world)), world)


def _crown(release: Release, world: World) -> None:
    champion = world.ledger.champion(release.model_package_group)
    if champion and champion.release_id == release.release_id:
        return  # An earlier try of this state did it; what serves since then must not change.
    if champion and not champion.adopted:
        remove_alarms(world.ledger.get(champion.release_id), world)  # Of a fleet that is gone.
    production = release.endpoints["production"]
    now = _now(world)
    world.ledger.crown(
        Champion(
            group=release.model_package_group,
            version=release.version,
            release_id=release.release_id,
            endpoint_name=production["endpoint_name"],
            config_name=production["config_name"],
            since=now,
        )
    )


def _crown_predecessor(release: Release, world: World) -> None:
    """Where a version that was promoted is taken back, what serves again is the champion; any other never was one."""
    champion = world.ledger.champion(release.model_package_group)
    if champion and champion.release_id == release.release_id and (predecessor := predecessor_of(release, world)):
        world.ledger.crown(replace(predecessor, since=_now(world)))


def _tear_down(release: Release, ending: Ending, world: World) -> None:
    if not release.pins.artifacts:
        stop_job(release.release_id, "ScanArtifact", world.scan_jobs, world)
    staging = release.endpoints.get("staging")
    if staging:
        stop_job(release.release_id, "TestStaging", world.replay_jobs, world)
        remove_staging(staging["endpoint_name"], world)
    if release.endpoints.get("production"):
        remove_deadlines(release, world)
    shadow = (release.endpoints.get("production") or {}).get("shadow")
    if shadow and not ending.error:
        world.production.delete_config(shadow["config_name"])
    if ending.restored and release.endpoints.get("production"):  # Else it serves, or nobody knows what does.
        put_scaling_back(release, world)
        remove_version(release, world)


def remove_staging(name: str, world: World) -> None:
    """Endpoint, configuration and model of a staging endpoint, which have one name; `TryAgain` while it is changing."""
    world.staging.delete(name)
    world.staging.delete_config(name)
    world.staging.delete_model(name)


def _stamp(release: Release, status: Status, reason: str, ending: Ending, world: World) -> None:
    if not release.may_stamp:
        return
    registry_status = None
    if status is Status.PROMOTED:
        registry_status = "Approved"
    elif ending.error in REGISTRY_REJECTIONS or status is Status.ROLLED_BACK:
        registry_status = "Rejected"
    world.registry.stamp(
        release.model_package_arn,
        status=registry_status,
        description=f"Lockkeeper {release.release_id}: {status}: {reason}"[:1024],
        metadata={STAMP: release.release_id, "lockkeeper:status": str(status)},
        life_cycle="Production" if status is Status.PROMOTED else "",
    )


def _word(status: Status) -> str:
    return " ".join(part.capitalize() for part in str(status).split("-"))


def _now(world: World) -> str:
    return iso(world.clock.now())
