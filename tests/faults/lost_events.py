"""Releases that wait for an event which never comes: one scene for every kind of event."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localcloud.fault_plan import Fault, When
from tests.faults.yard import Yard
from tests.patience import PATIENCE

TRIES = 3
"""How often Lambda tries an asynchronous event before it gives it up to the dead letter queue."""
FOREVER = 500
WEEKS = 30 * 86400
Lost = tuple[str, str]
"""A release that waits for what never comes, and what it becomes when that is made up for."""
Scene = Callable[[Yard, str], Lost]


def swallow(yard: Yard, name: str, function: str, *about: str) -> Fault:
    """From now on a function dies on such events at every try: they are lost, but for their dead letters."""
    fault = Fault(f"{name}.{function}", yard.functions[function], When.BEFORE, about, 1, times=FOREVER)
    yard.plan.add(fault)
    return fault


def lost(yard: Yard, fault: Fault, *telling: str, seconds: float = PATIENCE) -> None:
    """Wait until every event that a fault swallowed was given up, and one of them says all of `telling`."""
    until = time.monotonic() + seconds
    while True:
        requests = {one["request"] for one in yard.plan.fired(fault.name)}
        tries = Counter(one["event"] for one in yard.plan.invocations() if one["request"] in requests)
        if set(tries.values()) == {TRIES} and any(all(text in event for text in telling) for event in tries):
            return
        assert time.monotonic() < until, f"{fault.name}: {tries}"
        time.sleep(0.2)


def endpoint_is_ready(yard: Yard, endpoint: str, fault: Fault) -> None:
    """The endpoint serves, and what says so is lost."""
    lost(yard, fault, "IN_SERVICE")
    assert yard.cloud.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"] == "InService"


def staging_endpoint(yard: Yard, group: str) -> Lost:
    yard.prepare(group)
    endpoint = f"lockkeeper-{group}-v1-a1-staging"
    fault = swallow(yard, group, "ResumeRelease", f':endpoint/{endpoint}"')
    release_id = yard.register(group, 1)
    endpoint_is_ready(yard, endpoint, fault)
    return release_id, "promoted"


def production_endpoint(yard: Yard, group: str) -> Lost:
    yard.prepare(group)
    fault = swallow(yard, group, "ResumeRelease", f':endpoint/{group}"')
    release_id = yard.register(group, 1)
    endpoint_is_ready(yard, group, fault)
    return release_id, "promoted"


def rollback_endpoint(yard: Yard, group: str) -> Lost:
    """The champion serves again, and nobody is told."""
    yard.prepare(group)
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "promoted")
    release_id = bake_with_alarm(yard, group, 2)
    fault = swallow(yard, group, "ResumeRelease", f':endpoint/{group}"')
    yard.alarm(f"{group}-5xx")
    endpoint_is_ready(yard, group, fault)
    return release_id, "rolled-back"


def bake_with_alarm(yard: Yard, group: str, version: int) -> str:
    """A version bakes for days, watched by an alarm that is calm."""
    yard.alarm(f"{group}-5xx", "OK")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    release_id = yard.register(group, version)
    yard.is_(release_id, "baking")
    yard.recorded(release_id, "looked at production")
    return release_id


def alarm(yard: Yard, group: str) -> Lost:
    """An alarm goes off unseen while a version bakes, long before its deadline."""
    yard.prepare(group)
    release_id = bake_with_alarm(yard, group, 1)
    fault = swallow(yard, group, "ResumeRelease", f"{group}-5xx", '"ALARM"')
    yard.alarm(f"{group}-5xx")
    lost(yard, fault)
    return release_id, "rolled-back"


def deadline(yard: Yard, group: str) -> Lost:
    """A bake's deadline passes unseen. It is short, because timestamps are real at every clock scale."""
    yard.prepare(group)
    yard.apply(group, bake="1s")
    fault = swallow(yard, group, "ResumeRelease", f'"{group}-v1-a1"', '"deadline"')
    release_id = yard.register(group, 1)
    lost(yard, fault)
    return release_id, "promoted"


def dead_execution(yard: Yard, group: str) -> Lost:
    yard.prepare(group, approval="{before: [staging], approvers: [{name: Ada, email: ada@example.com}]}")
    fault = swallow(yard, group, "ReapRelease", f"{group}-v1-a1", '"ABORTED"')
    release_id = yard.register(group, 1)
    yard.is_(release_id, "awaiting-approval")
    yard.stop(release_id)
    lost(yard, fault)
    return release_id, "failed"


KINDS: tuple[Scene, ...] = (
    staging_endpoint,
    production_endpoint,
    rollback_endpoint,
    alarm,
    deadline,
    dead_execution,
)


def without_limits(machine: dict[str, Any]) -> dict[str, Any]:
    """States that wait as long as a scene takes: a scaled clock shortens their limits, and no timestamp."""
    for state in machine["States"].values():
        if "TimeoutSeconds" in state:
            state["TimeoutSeconds"] = WEEKS
    return machine


def lose_one_of_each(yard: Yard, prefix: str, kinds: tuple[Scene, ...] = KINDS) -> dict[str, str]:
    """One event of each kind is lost, and nothing more will be; what each release should become."""
    with yard.executions(without_limits), ThreadPoolExecutor(4) as pool:
        wanted = dict(pool.map(lambda kind: kind(yard, f"{prefix}-{kind.__name__.replace('_', '-')}"), kinds))
    yard.plan.clear()
    return wanted
