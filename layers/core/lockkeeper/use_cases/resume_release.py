"""Something happened that a release may be waiting for: look, then complete, fail or keep the wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.events import DeadlineHint, EndpointHint, Hint, JobHint, Unusable, wait_hint
from lockkeeper.domain.rollout import Step, look_at_endpoint
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.ask_what_serves import ask_what_serves
from lockkeeper.use_cases.deadlines import set_deadline
from lockkeeper.use_cases.guard_production import failed_change
from lockkeeper.use_cases.replay_by_job import STATE as TEST
from lockkeeper.use_cases.replay_by_job import look_at_replay
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.run_job import wake_at_end
from lockkeeper.use_cases.settle_wait import NOBODY, complete_wait, deliver, fail_wait
from lockkeeper.use_cases.shadow_production import is_before_shift, look_at_plan
from lockkeeper.use_cases.watch_production import STATE as WATCH
from lockkeeper.use_cases.watch_production import look_at_bake


def resume_release(event: dict[str, Any], world: World) -> list[str]:
    """Returns what was done about each wait, in words; an event nobody waits for says so."""
    hint = wait_hint(event, world.accounts)
    if isinstance(hint, Unusable):
        return [f"ignored: {hint.reason}"]
    waits = _waits_for(hint, world)
    if not waits:
        return [f"ignored: no release waits for {hint.what}"]
    return [_resume(wait, hint, world) for wait in waits]


def _waits_for(hint: Hint, world: World) -> list[Wait]:
    if isinstance(hint, DeadlineHint):
        wait = world.ledger.wait_of(hint.release_id, hint.state)
        return [wait] if wait else []
    return world.ledger.waits_on(hint.arn)


def _resume(wait: Wait, hint: Hint, world: World) -> str:
    who = f"{wait.release_id}/{wait.state}"
    if wait.settled:
        if wait.delivered:
            return f"{who}: ended before"
        deliver(wait, wait.result, world)
        return f"{who}: delivered what was decided before"
    if wait.state == WATCH:
        return f"{who}: {_look_at_bake(wait, hint, world)}"
    if wait.token == NOBODY:
        return f"{who}: reap_release goes on with it"
    if is_before_shift(wait):
        return f"{who}: {_look_at_plan(wait, hint, world)}"
    if isinstance(hint, JobHint):
        return f"{who}: {look_at_job_of(wait, world)}"
    if isinstance(hint, EndpointHint):
        return f"{who}: {look_at_endpoint_of(wait, world)}"
    return f"{who}: {hint.what} does not end this wait"


def _look_at_bake(wait: Wait, hint: Hint, world: World) -> str:
    over = isinstance(hint, DeadlineHint)
    if isinstance(hint, DeadlineHint) and hint.at not in ("", wait.deadline):
        if datetime.fromisoformat(hint.at) > datetime.fromisoformat(wait.deadline):
            return f"its deadline was never {hint.at}"
        # It was put off since, by who may have died before its schedule followed.
        set_deadline(wait.release_id, wait.state, wait.deadline, world)
        over = False
    look_at_bake(wait, hint.what, world, over=over)
    return f"looked because of {hint.what}"


def _look_at_plan(wait: Wait, hint: Hint, world: World) -> str:
    # A deadline that is not the wait's own is of before it was put off.
    over = isinstance(hint, DeadlineHint) and hint.at == wait.deadline
    seen = look_at_plan(wait, hint.what, world, over=over)
    return seen or look_at_endpoint_of(replace(wait, acted=True), world)


def look_at_job_of(wait: Wait, world: World) -> str:
    """Look at the job that a wait is about, and end the wait if it has ended. Returns what was seen."""
    return look_at_replay(wait, world) if wait.state == TEST else wake_at_end(wait, world.scan_jobs, world)


def look_at_endpoint_of(wait: Wait, world: World) -> str:
    """Look at the endpoint that a wait is about, and end the wait if that says so. Returns what was seen."""
    if is_before_shift(wait):
        if before := look_at_plan(wait, "housekeeping", world, planned=False):
            return before
        wait = replace(wait, acted=True)
    endpoints = world.staging if wait.details["environment"] == "staging" else world.production
    state = endpoints.look(wait.details["endpoint_name"])
    seen = look_at_endpoint(state, wait.details["config_name"])
    if seen.step is Step.DONE:
        why = seen.reason
        if wait.state == ROLL_BACK:
            try:
                why = f"{why}; {ask_what_serves(wait, world)}"
            except DeploymentFailed as silent:
                fail_wait(wait, silent, world)
                return silent.message
            known = world.ledger.wait_of(wait.release_id, wait.state)
            if known is None or known.settled:
                return seen.reason  # To ask takes its time, in which somebody else has seen the same.
        told = "champion named" if is_parameter(wait.details["endpoint_name"]) else "endpoint in service"
        world.ledger.record(wait.release_id, told, why)
        complete_wait(wait, wait.details.get("output", {}), world)
    elif seen.step is Step.FAILED and not wait.acted:
        return f"{seen.reason}, but nothing was started yet"
    elif seen.step is Step.FAILED:
        fail_wait(wait, failed_change(wait, state, seen, endpoints), world)
    return seen.reason
