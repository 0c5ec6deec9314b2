"""A promotion in steps: the candidate as a shadow beside the champion, both compared, and then the shift.

The step is kept with the wait of PromoteToProduction and advanced by what an endpoint's event or a deadline brings to light. What is to
be done next is written before it is done: who dies in between is followed by the same event once more, or by `keep_house`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from lockkeeper.domain.errors import DeploymentFailed, GateFailed, GateInconclusive, ReleaseStopped, TryAgain
from lockkeeper.domain.gates.verdicts import explain, worst
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Outcome, Release, Verdict, with_verdicts
from lockkeeper.domain.rollout import EndpointState, Step, look_at_endpoint
from lockkeeper.domain.shadow import PlanStep, Shadow
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.compare_shadow import compare_shadow
from lockkeeper.use_cases.deadlines import set_deadline
from lockkeeper.use_cases.guard_production import failed_change, require_calm
from lockkeeper.use_cases.late_try import still_in
from lockkeeper.use_cases.pinned import facts_of, iso, pinned_policy, variant_of
from lockkeeper.use_cases.settle_wait import fail_wait
from lockkeeper.use_cases.shift_production import STATE, shift_details, shifted_at, start_shift

NOBODY_SAW = "nobody was given an answer of the candidate"


def is_before_shift(wait: Wait) -> bool:
    """Whether a promotion's shift is still to be started, as far as its wait says."""
    return wait.step in (PlanStep.UP, PlanStep.SHADOWING) or (wait.step == PlanStep.SHIFT and not wait.acted)


def first_step(release: Release, token: str, world: World) -> Wait | None:
    """The wait that a promotion with a shadow begins with, or goes on with where an earlier try of its state was cut off.

    None for a promotion without a shadow.
    """
    known = release.endpoints["production"]
    if not known.get("shadow"):
        return None
    earlier = world.ledger.wait_of(release.release_id, STATE)
    if earlier is not None and earlier.step:
        return replace(earlier, token=token, settled=False, delivered=False, result={})
    production = pinned_policy(release, world).production
    watched = (world.production.alarm_arn(name) for name in production.named_alarms)
    return Wait(
        release.release_id,
        STATE,
        token,
        resources=(world.production.arn_of(known["endpoint_name"]), *watched),
        details={
            "environment": "production",
            "endpoint_name": known["endpoint_name"],
            "config_name": known["shadow"]["config_name"],
        },
        step=PlanStep.UP,
    )


def bring_up_shadow(wait: Wait, release: Release, current: EndpointState | None, world: World) -> None:
    """Let the champion serve on from the configuration with the shadow; an update that runs, or is over, is this one's."""
    previous = release.endpoints["production"]["previous_config_name"]
    if current is not None and current.status == "InService" and current.config_name == previous:
        world.production.update(wait.details["endpoint_name"], wait.details["config_name"])
    elif current is not None and current.is_changed_by_others(wait.details["config_name"]):
        raise TryAgain(f"endpoint {current.name} is {current.status}, and not to {wait.details['config_name']}")
    world.ledger.wait_acted(wait)


def look_at_plan(wait: Wait, why: str, world: World, *, over: bool = False, planned: bool = True) -> str:
    """Look at how far a promotion with a shadow is, and take its next step if it can be taken. Returns what was seen;
    nothing where a promotion is no further than any other whose shift was started.

    Args:
        over: The deadline of the step has come.
        planned: Set a schedule for the next deadline; else `keep_house` looks when it is over.
    """
    state = world.production.look(wait.details["endpoint_name"])
    try:
        if wait.step == PlanStep.SHIFT:
            return _look_at_shift(wait, state, world)
        seen = look_at_endpoint(state, wait.details["config_name"])
        if seen.step is Step.FAILED and not wait.acted:
            return f"{seen.reason}, but nothing was started yet"
        if seen.step is Step.FAILED:
            raise failed_change(wait, state, seen, world.production)
        if seen.step is Step.STILL:
            return seen.reason
        if wait.step == PlanStep.UP:
            return _begin_shadowing(wait, planned, world)
        return _look_at_shadow(wait, why, world, over=over, planned=planned)
    except ReleaseStopped as stopped:
        fail_wait(wait, stopped, world)
        return str(stopped)


def _begin_shadowing(wait: Wait, planned: bool, world: World) -> str:
    release = world.ledger.get(wait.release_id)
    shadow = _shadow_of(pinned_policy(release, world))
    now = world.clock.now()
    until, last = (iso(now + timedelta(seconds=seconds)) for seconds in (shadow.wait, shadow.longest))
    details = {**wait.details, "since": iso(now), "last_deadline": last}
    after = replace(wait, step=PlanStep.SHADOWING, details=details, deadline=until, acted=True)
    if not world.ledger.advance_wait(wait, after):
        return "somebody else went on with it"
    if planned:
        set_deadline(wait.release_id, STATE, until, world)
    world.ledger.record(
        wait.release_id,
        "shadowing",
        f"until {until} the candidate gets copies of {shadow.percent} % of the requests; the champion answers them all",
    )
    return f"the shadow is up until {until}"


def _look_at_shadow(wait: Wait, why: str, world: World, *, over: bool, planned: bool) -> str:
    release = world.ledger.get(wait.release_id)
    policy = pinned_policy(release, world)
    states = world.production.alarm_states(policy.production.named_alarms)
    if on := [name for name, state in states.items() if state == "ALARM"]:
        raise DeploymentFailed(
            f"{', '.join(on)} went off beside the shadow; {NOBODY_SAW}",
            cure="find out what the alarm saw, then `lockkeeper replay` the release",
        )
    if not over:
        if planned:
            set_deadline(wait.release_id, STATE, wait.deadline, world)  # Who began it may have died before.
        return f"{why}; the shadow goes on"
    shadow = _shadow_of(policy)
    verdicts = compare_shadow(wait, shadow, variant_of(release), world)
    outcome = worst(verdicts)
    too_thin = outcome is Outcome.INCONCLUSIVE and len(verdicts) == 1
    if too_thin and _extended(wait, shadow, explain(verdicts), planned, world):
        return f"{explain(verdicts)}; the shadow is extended"
    _tell(release, verdicts, why, world)
    if outcome is not Outcome.PASSED:
        error = GateFailed if outcome is Outcome.FAILED else GateInconclusive
        raise error(
            f"{explain(verdicts)}; {NOBODY_SAW}", cure="production goes back to the champion's own configuration"
        )
    details = {**shift_details(release, policy.production), "since": iso(world.clock.now())}
    shifted = shifted_at(policy.production, world)
    after = replace(wait, step=PlanStep.SHIFT, details=details, deadline=shifted, acted=False)
    if not world.ledger.advance_wait(wait, after):
        return "somebody else went on with it"
    return _shift(after, release, policy, world)


def _look_at_shift(wait: Wait, state: EndpointState | None, world: World) -> str:
    """The shift was decided on, and perhaps not started: who was to start it died, or is about to. Empty where it was."""
    release = world.ledger.get(wait.release_id)
    shadow = release.endpoints["production"]["shadow"]["config_name"]
    if state is not None and state.status == "InService" and state.config_name == shadow:
        return _shift(wait, release, pinned_policy(release, world), world)
    if state is not None and state.is_changed_by_others(wait.details["config_name"]):
        return f"endpoint {state.name} is {state.status}, and not to {wait.details['config_name']}"
    world.ledger.wait_acted(wait)
    return ""


def _shift(wait: Wait, release: Release, policy: Policy, world: World) -> str:
    require_calm(wait.release_id, policy.production, world)
    still_in(wait, world)
    how = policy.production.strategy.shift
    # What the bake counts begins here: until now the champion has answered every request.
    known = {**release.endpoints["production"], "began_at": wait.details["since"]}
    world.ledger.record(
        wait.release_id,
        "the shadow has passed",
        f"updating production, {how.in_words if how else 'all at once'}",
        endpoints={**release.endpoints, "production": known},
    )
    start_shift(wait, release, policy.production, world)
    return "the shadow has passed, the shift has begun"


def _tell(release: Release, verdicts: tuple[Verdict, ...], why: str, world: World) -> None:
    said = "; ".join(f"{one.gate}: {one.reason}" for one in verdicts)
    judged = with_verdicts(release, *verdicts)
    world.ledger.record(release.release_id, "compared the shadow", f"{why}; {said}"[:1000], verdicts=judged)
    for one in verdicts:
        facts: dict[str, Any] = {"gate": one.gate, "verdict": str(one.verdict), "reason": one.reason}
        world.publisher.publish("Gate Judged", {**facts_of(release), **facts})


def _extended(wait: Wait, shadow: Shadow, why: str, planned: bool, world: World) -> bool:
    """Go on for as long again, as long as there is time left. The ledger says until when before the schedule does."""
    last = wait.details["last_deadline"]
    if not wait.deadline < last:
        return False
    deadline = min(datetime.fromisoformat(wait.deadline) + timedelta(seconds=shadow.wait), datetime.fromisoformat(last))
    if world.ledger.postpone_wait(wait, iso(deadline)):
        if planned:
            set_deadline(wait.release_id, STATE, iso(deadline), world)
        world.ledger.record(wait.release_id, "shadow extended", f"until {iso(deadline)}, {last} at the latest: {why}")
    return True


def _shadow_of(policy: Policy) -> Shadow:
    shadow = policy.production.strategy.shadow
    if shadow is None:
        raise DeploymentFailed("the pinned policy has no shadow any more", cure="find out who changed it")
    return shadow
