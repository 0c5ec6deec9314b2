"""People at the brakes of a harbour: they hold, freeze and roll back."""

from __future__ import annotations

from typing import Any

from lockkeeper.adapters.in_memory.world import HUB
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.brake import freeze_group, hold_version, unfreeze_group
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house
from lockkeeper.use_cases.reap_release import reap_release

from tests.unit.harbour import (
    GROUP,
    Harbour,
)

ADA = "arn:aws:sts::111111111111:assumed-role/Ada/session"
OPERATOR = "arn:aws:iam::111111111111:user/operator"
FIRST, SECOND = "lockkeeper-wages-v1-a1-production", "lockkeeper-wages-v2-a1-production"


def hold(harbour: Harbour, version: int, reason: str = "the data were wrong") -> dict[str, Any]:
    return hold_version(GROUP, version, ADA, reason, harbour.inside)


def freeze(harbour: Harbour, until: str = "") -> dict[str, Any]:
    return freeze_group(GROUP, ADA, "the audit", until, harbour.inside)


def thaw(harbour: Harbour) -> dict[str, Any]:
    return unfreeze_group(GROUP, OPERATOR, "the audit is over", harbour.inside)


def look_around(harbour: Harbour) -> list[str]:
    """Five minutes later the house is kept; what was found."""
    harbour.pass_time(minutes=5)
    found = keep_house(QUIET, harbour.inside)
    harbour.settle()
    assert not [one for one in found if one.kind is Kind.PROBLEM], found
    return [one.what for one in found]


def bring_withdrawn(harbour: Harbour) -> None:
    """The bus brings it to who goes there."""
    for detail in harbour.published("Promotion Withdrawn"):
        reap_release(
            {"source": "lockkeeper", "detail-type": "Promotion Withdrawn", "account": HUB, "detail": detail},
            harbour.inside,
        )
    harbour.settle()


def champion(harbour: Harbour) -> tuple[int, str] | None:
    crowned = harbour.world.ledger.champion(GROUP)
    return (crowned.version, crowned.config_name) if crowned else None


def to_production(harbour: Harbour, version: int) -> None:
    """Registered, approved, and in its bake."""
    harbour.register(version)
    harbour.approve()
    assert harbour.release(version).status is Status.BAKING


def rollback(harbour: Harbour) -> dict[str, Any]:
    said = ask_for_rollback(GROUP, ADA, "customers complain", harbour.inside)
    harbour.settle()
    bring_withdrawn(harbour)
    return said


def serving_two(harbour: Harbour) -> None:
    for version in (1, 2):
        harbour.promote(version)
