"""A person wants back what served before: at any time, while the group is frozen as well.

What is in production goes first: a bake ends as failed, a deployment is turned round as soon as SageMaker lets it. Otherwise what was
promoted last is taken back, under the group's lock, by `reap_release`. Either way the version is held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockkeeper.domain.batch import is_parameter
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.domain.errors import RequestClosed, RollbackRequested, TryAgain, UnknownRelease
from lockkeeper.domain.release import Release
from lockkeeper.ports import Wait, World
from lockkeeper.use_cases.brake import acting, answer
from lockkeeper.use_cases.braked import told
from lockkeeper.use_cases.promote_to_production import STATE as PROMOTE
from lockkeeper.use_cases.roll_back import STATE as ROLL_BACK
from lockkeeper.use_cases.settle_wait import fail_wait
from lockkeeper.use_cases.take_back import serves_as_promoted, take_back
from lockkeeper.use_cases.watch_production import STATE as WATCH


def ask_for_rollback(group: str, principal: str, reason: str, world: World) -> dict[str, Any]:
    """Start the way back; `RequestClosed` says why there is none. Repeated while it lasts, it says how far it is."""
    asked = acting(group, Did.ROLLED_BACK, principal, reason, world)
    lock = world.ledger.lock_of(group)
    release = world.ledger.get(lock.owner) if lock and lock.production_begun else None
    # One that has ended got it to be taken back, by a request that died: this one goes on with it.
    if release is not None and release.unfinished:
        asked = replace(asked, version=release.version)
        note = _turn_round(release, asked, world)
    else:
        release = _what_serves(group, world)
        asked = replace(asked, version=release.version)
        back_to = take_back(release, asked.by, _why(asked, "after it was promoted"), world, urgent=True)
        note = f"Production goes {back_to}."
    world.ledger.note_brake(group, asked)
    facts = {"release_id": release.release_id, "version": release.version}
    world.publisher.publish("Rollback Requested", {**told(group, asked), **facts})
    follow = f"Version {release.version} is held; `lockkeeper show {release.release_id}` says how far it is."
    return {**answer(group, asked, f"{note} {follow}"), "release_id": release.release_id}


def _why(asked: Brake, when: str) -> RollbackRequested:
    return RollbackRequested(f"rolled back by {asked.by} {when}: {asked.reason}")


def _turn_round(release: Release, asked: Brake, world: World) -> str:
    """End the wait of what is in production: the state machine goes the way back."""
    if world.ledger.wait_of(release.release_id, ROLL_BACK):
        return f"{release.release_id} is on its way back already."
    wait = _open_wait(release, world)
    # Whoever is about to start a deployment must not start it behind the way back.
    if wait is None or not (wait.acted or wait.state == WATCH):
        raise TryAgain(f"{release.release_id} is between two states", cure="ask again in a few seconds")
    when = "during its bake" if wait.state == WATCH else "while it was deployed"
    # A deployment that is turned round before it served says nothing about the model, but a person does.
    held = replace(asked, did=Did.HELD, reason=f"rolled back {when}: {asked.reason}")
    world.ledger.hold(release.model_package_group, held)
    if not fail_wait(wait, _why(asked, when), world):
        # It ended otherwise at this very moment, or nobody was told: the state is about to be tried again.
        raise TryAgain(f"{release.release_id} is between two states", cure="ask again in a few seconds")
    production = release.endpoints.get("production") or {}
    previous = production.get("previous_config_name")
    thing = "model" if is_parameter(production.get("endpoint_name", "")) else "configuration"
    return f"Production goes back to {f'{thing} {previous}' if previous else 'serving nothing, as before'}."


def _open_wait(release: Release, world: World) -> Wait | None:
    waits = (world.ledger.wait_of(release.release_id, state) for state in (WATCH, PROMOTE))
    return next((wait for wait in waits if wait and not wait.settled), None)


def _what_serves(group: str, world: World) -> Release:
    champion = world.ledger.champion(group)
    if champion is None:
        raise RequestClosed(f"nothing of {group} was promoted", cure="change production by hand")
    if champion.adopted:
        raise RequestClosed(
            f"{champion.words}, serves {group}: no release has changed it", cure="change production by hand"
        )
    try:
        release = world.ledger.get(champion.release_id)
    except UnknownRelease as unknown:
        raise RequestClosed(
            f"version {champion.version} of {group}, which serves, was not promoted by a release",
            cure="change production by hand",
        ) from unknown
    if release.ended and not serves_as_promoted(release, world):
        raise RequestClosed(
            f"{release.release_id} ended as {release.status}: {release.reason}",
            cure="bring production back by hand, as docs/runbook.md says under `A rollback failed`",
        )
    return release
