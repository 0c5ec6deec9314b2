"""The way back: what served before serves again, or (at a first release) endpoint or parameter goes. The version is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from lockkeeper.domain.batch import is_parameter, place_in_words
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.ending import ROLL_BACK, Ending, readable
from lockkeeper.domain.errors import DeploymentFailed, TryAgain
from lockkeeper.domain.release import Release
from lockkeeper.domain.rollout import EndpointState
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.ask_what_serves import ask_what_serves
from lockkeeper.use_cases.deadlines import remove_deadlines
from lockkeeper.use_cases.guard_production import by_hand
from lockkeeper.use_cases.late_try import still_open
from lockkeeper.use_cases.pinned import iso
from lockkeeper.use_cases.scale_production import make_way_back
from lockkeeper.use_cases.settle_wait import complete_own_wait

STATE = ROLL_BACK


def roll_back(release_id: str, token: str, ending: Ending, world: World) -> None:
    """Skips every analysis: production first. Only what this release changed is taken back."""
    release = world.ledger.get(release_id)
    remove_deadlines(release, world)
    production = release.endpoints.get("production")
    endpoint_name = production["endpoint_name"] if production else ""
    wait = Wait(
        release_id,
        STATE,
        token,
        resources=(world.production.arn_of(endpoint_name),) if production else (),
        details={
            "environment": "production",
            "endpoint_name": endpoint_name,
            "config_name": production["previous_config_name"] if production else None,
            "ending": asdict(ending),
            "output": {"restored": True, "rolled_back": bool(production) and ending.had_served},
        },
    )
    world.ledger.store_wait(wait)
    still_open(wait, world)
    why = f"{ending.error}: {readable(ending.cause)}"[:1000]
    if production is None:
        world.ledger.record(release_id, "nothing to roll back", f"{why}: production was not touched", stage=STATE)
        complete_own_wait(wait, wait.details["output"], world)
        return
    world.ledger.record(release_id, "rolling back", why, stage=STATE)
    if ending.had_served:
        # Before the way back: once the wait ended, nobody would try this state again for the sake of a lost hold.
        why_held, now = f"rolled back by {release_id}: {why}", iso(world.clock.now())
        world.ledger.hold(release.model_package_group, Brake(Did.HELD, why_held, at=now, version=release.version))
    _restore(release, wait, world.production.look(endpoint_name), world)


@contextmanager
def _refusal_cured_by_hand(what: str) -> Iterator[None]:
    try:
        yield
    except DeploymentFailed as refused:
        raise DeploymentFailed(refused.message, cure=by_hand(what)) from refused


def _restore(release: Release, wait: Wait, current: EndpointState | None, world: World) -> None:
    """Start the way back or, where there is none to go, end the wait."""
    production = release.endpoints["production"]
    endpoint_name, previous = production["endpoint_name"], production["previous_config_name"]
    if previous is None:
        if current is not None:
            with _refusal_cured_by_hand(f"remove {endpoint_name}"):
                world.production.delete(endpoint_name)
                make_way_back(production, world)
        world.ledger.record(
            release.release_id, "production removed", f"{place_in_words(endpoint_name)} had served nothing before"
        )
        complete_own_wait(wait, wait.details["output"], world)
        return
    if current is None and not is_parameter(endpoint_name):
        raise DeploymentFailed(
            f"production endpoint {endpoint_name} is gone; it served {previous} before",
            cure=f"create it again with endpoint configuration {previous}",
        )
    if current is not None and current.status == "InService" and current.config_name == previous:
        answers = ask_what_serves(wait, world)
        world.ledger.record(
            release.release_id, "production is as it was", f"{endpoint_name} serves {previous}; {answers}"
        )
        complete_own_wait(wait, wait.details["output"], world)
        return
    if current is not None and current.is_changed_by_others(previous):
        raise TryAgain(f"endpoint {endpoint_name} is {current.status}, and not back to {previous}")
    if current is not None and current.status == "Updating":
        # An earlier try of this state has begun it.
        world.ledger.wait_acted(wait)
        return
    world.ledger.record(release.release_id, "restoring the champion", f"{endpoint_name} back to {previous}")
    with _refusal_cured_by_hand(f"bring {previous} back"):
        keep = make_way_back(production, world)
        world.production.update(endpoint_name, previous, keep_capacity=keep)
    world.ledger.wait_acted(wait)
    if is_parameter(endpoint_name):
        # It is written, and nothing tells of that.
        why = f"{place_in_words(endpoint_name)} names {previous}; {ask_what_serves(wait, world)}"
        world.ledger.record(release.release_id, "the champion is named again", why)
        complete_own_wait(wait, wait.details["output"], world)
