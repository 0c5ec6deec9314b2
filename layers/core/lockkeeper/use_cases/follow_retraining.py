"""What becomes of a retraining: its pipeline is started, ends, has made a version; the version's release says whether it helped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from lockkeeper.domain.errors import PipelineRefused, TryAgain
from lockkeeper.domain.model_package import PackageName
from lockkeeper.domain.release import Release, Status
from lockkeeper.domain.replay import stopped_by_freeze
from lockkeeper.domain.retraining import OUTCOMES, Retraining, Stage, useless_in_a_row
from lockkeeper.ports import World
from lockkeeper.ports_of_retraining import Execution, Step
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.see_drift import policy_in_force

FAR_BACK = 200
TRIES = 20
"""How often something is written anew since somebody else's write was faster."""
TOLD_ONCE = timedelta(days=90)
UNRELEASED = timedelta(days=1)
"""How long a version that a retraining made may be without a release: its events are brought for as long."""


def start_wanted(group: str, number: int, world: World) -> Retraining | None:
    """Start the pipeline of a retraining that is wanted and not started; who repeats it gets the same execution."""
    wanted = world.ledger.retraining(group, number)
    if wanted is None or wanted.stage is not Stage.WANTED:
        return wanted
    description = f"{wanted.retraining_id}, started by Lockkeeper: {wanted.why}"[:3072]
    try:
        arn = world.pipelines.start(wanted.pipeline, wanted.token, wanted.parameters, description)
    except PipelineRefused as refused:
        return end_retraining(
            wanted, Stage.DID_NOT_HELP, f"{wanted.pipeline} was not started: {refused.message}", world
        )
    started = wanted.changed(stage=Stage.RUNNING, execution_arn=arn)
    _tell_once(started, world)
    return started if world.ledger.change_retraining(wanted, started) else world.ledger.retraining(group, number)


def follow_if_ended(group: str, number: int, world: World) -> None:
    """A pipeline may have ended, and that been told, before its execution was written down: nobody could know whose it was.

    One that SageMaker does not know yet, so soon after its start, has not.
    """
    current = world.ledger.retraining(group, number)
    if current is None or current.stage is not Stage.RUNNING:
        return
    execution = world.pipelines.execution(current.execution_arn)
    if execution is not None and execution.ended:
        follow(current, world)


def follow_execution(arn: str, world: World) -> str:
    """An execution of a pipeline has ended, says somebody: what that means for the retraining that started it; empty if none did."""
    for head in world.ledger.heads():
        current = world.ledger.retraining(head.group, head.open) if head.open else None
        if current and current.execution_arn == arn:
            return _words(follow(current, world))
    return ""


def follow(retraining: Retraining, world: World) -> Retraining:
    """Bring a retraining as far as SageMaker and its version's release have gone."""
    if retraining.stage is Stage.WANTED:
        return start_wanted(retraining.group, retraining.number, world) or retraining
    if retraining.stage is Stage.RUNNING:
        execution = world.pipelines.execution(retraining.execution_arn)
        if execution is None:
            return _did_not_help(retraining, f"{retraining.execution_arn} is not there any more", world)
        if execution.ended:
            retraining = _ended(retraining, execution, world)
    if retraining.stage is Stage.REGISTERED:
        return _released(retraining, world)
    return retraining


def link_version(arn: str, world: World) -> Retraining | None:
    """The retraining that is making this version, which knows it from now on; None where the version is somebody else's.

    A version is told of when its step has registered it, and the pipeline may go on for long.
    """
    name = PackageName.from_arn(arn)
    head = world.ledger.retraining_head(name.group) if name else None
    current = world.ledger.retraining(head.group, head.open) if head and head.open else None
    if current is None or name is None:
        return None
    if current.version == name.version:
        _tell_release(current, world)  # Who linked it may have died before it did this.
        return current
    if current.stage is not Stage.RUNNING or current.version:
        return None
    if all(step.package_arn != arn for step in world.pipelines.steps(current.execution_arn)):
        return None
    linked = current.changed(version=name.version)
    if not world.ledger.change_retraining(current, linked):
        return None
    _tell_release(linked, world)
    return linked


def _tell_release(retraining: Retraining, world: World) -> None:
    """The release of the version, where it has begun already; one that begins later asks for itself."""
    release_id = world.ledger.release_of(retraining.group, retraining.version)
    if release_id:
        _tell(world.ledger.get(release_id), retraining, world)


def _tell(release: Release, retraining: Retraining, world: World) -> None:
    if release.told.get("retraining") != retraining.cause:
        world.ledger.record(release.release_id, "made by a retraining", retraining.cause, made_by=retraining.cause)


def follow_release(group: str, version: int, world: World) -> str:
    """A release has ended: what that says of the retraining that made its version; empty where none did."""
    retraining = world.ledger.retraining_of(group, version)
    if retraining is None or not retraining.registered_at:
        return ""  # The end of its pipeline comes, and finds the release.
    return _words(_released(retraining, world))


def give_up_if_useless(group: str, world: World) -> None:
    """Tell people, once, when as many retrainings in a row as the policy says did not help."""
    policy = policy_in_force(group, world)
    rules = policy.drift.retrain if policy and policy.drift else None
    if rules is None:
        return
    head = world.ledger.retraining_head(group)
    useless = useless_in_a_row(world.ledger.retrainings(group, FAR_BACK), head.resumed_at)
    if len(useless) < rules.give_up_after:
        return
    told = f"given up retraining of {group} after {useless[0].number}"
    if world.ledger.remembers(told):
        return
    world.publisher.publish("Retraining Given Up", _given_up(group, useless, world))
    world.ledger.remember(told, world.clock.now() + TOLD_ONCE)


def _given_up(group: str, useless: Sequence[Retraining], world: World) -> dict[str, Any]:
    return {
        "model_package_group": group,
        "at": iso(world.clock.now()),
        "urgent": True,
        "reason": f"{len(useless)} retrainings in a row did not help; no other until `lockkeeper resume-retraining {group} --reason WHY`",
        "evidence": [f"{one.retraining_id}: {one.words}" for one in useless],
    }


def _ended(retraining: Retraining, execution: Execution, world: World) -> Retraining:
    steps = world.pipelines.steps(retraining.execution_arn)
    made = [name for step in steps if (name := PackageName.from_arn(step.package_arn))]
    ours = next((name for name in reversed(made) if name.group == retraining.group), None)
    if execution.status != "Succeeded":
        why_not = _why_not(retraining, execution, steps)
        if ours and ours.version != retraining.version:  # Registered before another step failed.
            retraining = _write_while_running(retraining, world, version=ours.version)
        return _did_not_help(retraining, why_not, world) if retraining.stage is Stage.RUNNING else retraining
    if not ours:
        what = f"registered a version of {made[0].group}" if made else "registered no version"
        return _did_not_help(retraining, f"{retraining.pipeline} succeeded and {what}", world)
    now = iso(world.clock.now())
    return _write_while_running(retraining, world, stage=Stage.REGISTERED, version=ours.version, registered_at=now)


def _write_while_running(retraining: Retraining, world: World, **changes: Any) -> Retraining:
    for _ in range(TRIES):
        written = retraining.changed(**changes)
        if world.ledger.change_retraining(retraining, written):
            return written
        # The event of its version comes at the same moment, and links the two.
        retraining = _read_again(retraining, world)
        if retraining.stage is not Stage.RUNNING:
            return retraining
    raise TryAgain(f"others write about {retraining.retraining_id} all the time")


def _did_not_help(retraining: Retraining, why: str, world: World) -> Retraining:
    if retraining.version:
        _tell_release(retraining, world)  # Once it has ended, nobody looks whose version that is.
    return end_retraining(retraining, Stage.DID_NOT_HELP, why, world)


def _why_not(retraining: Retraining, execution: Execution, steps: Sequence[Step]) -> str:
    failed = next((one for one in steps if one.status == "Failed"), None)
    if failed:
        return f"{retraining.pipeline} failed at step {failed.name}: {failed.reason or execution.reason or 'no reason is given'}"[
            :1000
        ]
    how = "was stopped" if execution.status == "Stopped" else "failed"
    return f"{retraining.pipeline} {how}: {execution.reason or 'no reason is given'}"[:1000]


def _released(retraining: Retraining, world: World) -> Retraining:
    group, version = retraining.group, retraining.version
    release_id = world.ledger.release_of(group, version)
    if release_id is None:
        waited = world.clock.now() - datetime.fromisoformat(retraining.registered_at)
        never = f"version {version} was never released"
        return (
            end_retraining(retraining, Stage.NO_MATTER, never, world)
            if waited > UNRELEASED and retraining.open
            else retraining
        )
    release = world.ledger.get(release_id)
    _tell(release, retraining, world)  # Who linked the two may have died before it did this.
    if not release.ended or stopped_by_freeze(release):
        return retraining  # What a freeze stopped starts anew when that has ended.
    stage, outcome = OUTCOMES[release.status], _of_release(release)
    if retraining.release_id == release_id and stage in (retraining.stage, Stage.HELPED):
        return retraining  # Also what was promoted and drifted again soon: a repeated event says nothing new of it.
    return end_retraining(retraining, stage, outcome, world, release_id=release_id)


def _of_release(release: Release) -> str:
    if release.status is Status.PROMOTED:
        return f"version {release.version} was promoted and serves"
    return f"{release.release_id} ended as {release.status}: {release.reason}"[:1000]


def end_retraining(retraining: Retraining, stage: Stage, outcome: str, world: World, **changes: Any) -> Retraining:
    """Write what came of it and tell it; also of one that had ended, where that turns out otherwise."""
    now = iso(world.clock.now())
    for _ in range(TRIES):
        ended = retraining.changed(stage=stage, outcome=outcome, ended_at=now, **changes)
        _tell_once(ended, world)
        if world.ledger.change_retraining(retraining, ended):
            give_up_if_useless(retraining.group, world)
            return ended
        # Somebody has linked its version meanwhile, or has ended it.
        before, retraining = retraining, _read_again(retraining, world)
        if retraining.stage is not before.stage:
            return retraining
    raise TryAgain(f"others write about {retraining.retraining_id} all the time")


def _tell_once(retraining: Retraining, world: World) -> None:
    """Before it is written, so that it is told whoever dies when; who comes after a crash tells it no second time."""
    told = f"{retraining.retraining_id} {retraining.stage} {retraining.outcome}"
    if world.ledger.remembers(told):
        return
    facts = {key: value for key, value in retraining.to_json().items() if key != "group"}
    facts |= {"model_package_group": retraining.group}
    if retraining.open:
        world.publisher.publish("Retraining Started", {**facts, "reason": retraining.why})
    else:
        world.publisher.publish("Retraining Ended", {**facts, "reason": retraining.words})
    world.ledger.remember(told, world.clock.now() + TOLD_ONCE)


def _read_again(retraining: Retraining, world: World) -> Retraining:
    return world.ledger.retraining(retraining.group, retraining.number) or retraining


def _words(retraining: Retraining) -> str:
    return f"{retraining.retraining_id}: {retraining.outcome or retraining.stage}"
