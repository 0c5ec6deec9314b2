"""The bake: nothing happens until its deadline, an alarm or a person; then somebody looks."""

from __future__ import annotations

from datetime import datetime, timedelta

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.errors import BakeFailed, LockLost
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.release import Outcome, Status, with_verdicts
from lockkeeper.domain.rollout import judge_bake, too_thin
from lockkeeper.domain.strategy import Strategy
from lockkeeper.domain.targets import ASYNC
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.deadlines import remove_deadlines, set_deadline
from lockkeeper.use_cases.guard_production import watched_alarms
from lockkeeper.use_cases.late_try import still_open
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy, variant_of
from lockkeeper.use_cases.scale_production import settle_scaling
from lockkeeper.use_cases.settle_wait import complete_wait, fail_wait, say_of_wait

STATE = "WatchProduction"
SHORTEST_EXTENSION = 60
"""Seconds: schedules are no more precise than that."""


def watch_production(release_id: str, token: str, world: World) -> None:
    """Set the deadline, then store the wait: whoever ends the bake at once finds the schedule that is to go.

    Repeating it starts the same bake again under the same schedule name.
    """
    release = world.ledger.get(release_id)
    policy = pinned_policy(release, world)
    production = release.endpoints["production"]
    if not release.is_closing:
        settle_scaling(release, policy.production, world)
    now = world.clock.now()
    deadline = now + timedelta(seconds=policy.production.strategy.bake)
    wait = Wait(
        release_id,
        STATE,
        token,
        resources=tuple(world.production.alarm_arn(name) for name in watched_alarms(release_id, policy.production)),
        details={
            "environment": "production",
            "endpoint_name": production["endpoint_name"],
            "config_name": production["config_name"],
            # From the beginning of the shift: an alarm that went off before this state counts too.
            "since": production.get("began_at") or iso(now),
            # Stored, so that the executions of the version before, whose state ends sooner, are not extended.
            "last_deadline": iso(now + timedelta(seconds=policy.production.strategy.longest_bake)),
        },
        deadline=iso(deadline),
    )
    if policy.production.strategy.bake:
        set_deadline(release_id, STATE, iso(deadline), world)
    world.ledger.store_wait(wait)
    try:
        still_open(wait, world)
    except LockLost:
        remove_deadlines(release, world)
        raise
    why = f"until {iso(deadline)}"
    if not say_of_wait(wait, "watching production", why, world, stage=STATE, status=Status.BAKING):
        return
    if policy.production.strategy.bake == 0:
        look_at_bake(wait, "the policy asks for no bake", world, over=True)
        return
    if policy.production.alarms:
        # Nobody waited for alarms while production was changed: look once for what was missed.
        look_at_bake(wait, "the bake begins", world, over=False)


def look_at_bake(
    wait: Wait, why: str, world: World, *, over: bool, routine: bool = False, planned: bool = True
) -> bool:
    """Look at alarms, their history, what serves and how often it was asked. A bake that is over ends either way.

    Before its end only a failure ends it: an old alarm's event is no reason to stop watching, nor is traffic still thin.
    A look of `routine` that ends nothing is not written down. A bake that is extended by a look that is not `planned` has no schedule
    for its new deadline: `keep_house` looks when it is over. Returns whether the bake has ended.
    """
    release = world.ledger.get(wait.release_id)
    policy = pinned_policy(release, world)
    since = datetime.fromisoformat(wait.details["since"])
    endpoint_name = wait.details["endpoint_name"]
    # One minute back: CloudWatch keeps request counts by the minute in which they began.
    verdicts = judge_bake(
        policy.production.strategy,
        world.production.alarms(watched_alarms(wait.release_id, policy.production), since),
        world.production.look(endpoint_name),
        wait.details["config_name"],
        None
        if is_parameter(endpoint_name)
        else world.production.invocations(
            endpoint_name,
            variant_of(release),
            since - timedelta(minutes=1),
            world.clock.now(),
            queued=policy.production.target == ASYNC,
        ),
    )
    outcome = worst(verdicts)
    if not over and outcome is not Outcome.FAILED:
        if not routine:
            world.ledger.record(wait.release_id, "looked at production", f"{why}; nothing failed, the bake goes on")
        return False
    if too_thin(verdicts) and _extended(wait, policy.production.strategy, explain(verdicts), planned, world):
        return False
    world.ledger.record(
        wait.release_id,
        "looked at production",
        f"{why}; {explain(verdicts)}",
        verdicts=with_verdicts(release, *verdicts),
    )
    for verdict in verdicts:
        world.publisher.publish(
            "Gate Judged",
            {**facts_of(release), "gate": verdict.gate, "verdict": str(verdict.verdict), "reason": verdict.reason},
        )
    if outcome is Outcome.PASSED:
        complete_wait(wait, {}, world)
    else:
        fail_wait(wait, BakeFailed(explain(verdicts), cure="production goes back to what served before"), world)
    return True


def _extended(wait: Wait, strategy: Strategy, why: str, planned: bool, world: World) -> bool:
    """Go on watching for another bake, as long as there is one left. The ledger says until when before the schedule does.

    Who dies between the two is followed by the same event once more, or by `keep_house`. Who comes second leaves the bake as it is.
    """
    last = wait.details.get("last_deadline", "")
    if not wait.deadline < last:
        return False
    step = timedelta(seconds=max(strategy.bake, SHORTEST_EXTENSION))
    deadline = min(datetime.fromisoformat(wait.deadline) + step, datetime.fromisoformat(last))
    if world.ledger.postpone_wait(wait, iso(deadline)):
        if planned:
            set_deadline(wait.release_id, STATE, iso(deadline), world)
        world.ledger.record(wait.release_id, "bake extended", f"until {iso(deadline)}, {last} at the latest: {why}")
    return True
