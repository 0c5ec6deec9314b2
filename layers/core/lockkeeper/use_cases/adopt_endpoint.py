"""Take over the endpoint that serves a group already: it becomes the champion as it is, and nothing of it is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockkeeper.domain.adoption import Adoption, permit_adoption
from lockkeeper.domain.brakes import Did
from lockkeeper.domain.errors import AdoptionRefused, TryAgain
from lockkeeper.domain.policy import Production, parse_policy
from lockkeeper.ports import Champion, World
from lockkeeper.use_cases.brake import acting, answer
from lockkeeper.use_cases.braked import told


def adopt_endpoint(group: str, principal: str, world: World, *, take_over: bool) -> dict[str, Any]:
    """Record what serves, exactly; `AdoptionRefused` says what is in the way, `UnknownGroup` that there is no policy."""
    asked = acting(group, Did.ADOPTED, principal, f"adopted as {group} serves", world)
    production = _production(group, world)
    _refuse_if_ours(group, world)
    found = world.production_look.deployed(production.endpoint_name)
    deployed = permit_adoption(production.endpoint_name, found, production.target, take_over=take_over)
    adoption = Adoption(
        group=group,
        endpoint_name=deployed.name,
        config_name=deployed.config_name,
        by=asked.by,
        identity=principal,
        at=asked.at,
        taken_from=deployed.stack,
        described=deployed.described,
    )
    asked = replace(asked, reason=adoption.words)
    champion = Champion(group, 0, "", adoption.endpoint_name, adoption.config_name, asked.at)
    if not world.ledger.adopt(adoption, champion, asked):
        _refuse_if_ours(group, world)
        raise TryAgain("somebody else was writing at the same moment")
    facts = {"endpoint_name": adoption.endpoint_name, "config_name": adoption.config_name}
    world.publisher.publish("Endpoint Adopted", {**told(group, asked), **facts, "taken_from": adoption.taken_from})
    note = (
        f"It serves on as it is. A release keeps what the policy leaves out, and a rollback brings back "
        f"configuration {adoption.config_name}: leave it, and its model, where they are."
    )
    return {**answer(group, asked, note), **facts}


def _production(group: str, world: World) -> Production:
    return parse_policy(world.policies.load(group).text, source=f"policies/{group}.yaml").production


def _refuse_if_ours(group: str, world: World) -> None:
    champion = world.ledger.champion(group)
    if champion is not None:
        raise AdoptionRefused(
            f"{group} has a champion: {champion.words}, since {champion.since}",
            cure="nothing is to be adopted where a release or an adoption was before",
        )
    lock = world.ledger.lock_of(group)
    if lock and lock.production_begun:
        raise AdoptionRefused(
            f"{lock.owner} is changing production",
            cure="wait until it has ended: then it is the champion, or ask again",
        )
