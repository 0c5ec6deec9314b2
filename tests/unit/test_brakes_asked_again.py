"""Who pulls a brake and gets no answer asks again, as they did before: it is done once, and told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lockkeeper.domain.errors import NothingToRelease
from lockkeeper.ports import World
from lockkeeper.use_cases.brake import hold_version, lift_hold, resume_retraining, unfreeze_group

from tests.unit.braking import ADA, OPERATOR, freeze, hold
from tests.unit.drifting import Drifting
from tests.unit.harbour import GROUP, Harbour

Act = Callable[[str, World], Any]
"""By whom, in which world."""
ACTS: dict[str, Act] = {
    "Version Held": lambda who, world: hold_version(GROUP, 3, who, "the data were wrong", world),
    "Hold Lifted": lambda who, world: lift_hold(GROUP, 3, who, "they were right", world),
    "Group Unfrozen": lambda who, world: unfreeze_group(GROUP, who, "the audit is over", world),
    "Retraining Resumed": lambda who, world: resume_retraining(GROUP, who, "the data are back", world),
}


@pytest.fixture
def harbour() -> Harbour:
    """Version 3 is held, the group is frozen, and retraining has been of no use."""
    drifting = Drifting()
    for _ in range(2):
        drifting.drift()
        drifting.fail()
        drifting.pass_time(hours=2)
    hold(drifting.harbour, 3, "it was slow")
    freeze(drifting.harbour)
    return drifting.harbour


def die_before_telling(harbour: Harbour, monkeypatch: pytest.MonkeyPatch, do: Callable[[], Any]) -> None:
    def die(*_arguments: Any) -> None:
        raise ConnectionError("the function died")

    with monkeypatch.context() as patched:
        patched.setattr(harbour.world.publisher, "publish", die)
        with pytest.raises(ConnectionError):
            do()


@pytest.mark.parametrize("told", ACTS)
def test_what_nobody_heard_of_is_told_when_it_is_asked_for_again(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    act, world = ACTS[told], harbour.inside
    if told == "Version Held":
        lift_hold(GROUP, 3, OPERATOR, "for another reason", world)
    before = len(harbour.published(told))
    harbour.pass_time(minutes=1)
    die_before_telling(harbour, monkeypatch, lambda: act(ADA, world))
    harbour.pass_time(minutes=1)
    acts = len(world.ledger.brake_history(GROUP, 100))
    first = world.ledger.brake_history(GROUP, 1)[0]
    answered = act(ADA.replace("/session", "/another-session"), world)
    assert (answered["by"], answered["since"]) == (ADA, first.at)
    assert len(harbour.published(told)) == before + 1
    assert harbour.published(told)[-1]["at"] == first.at
    assert len(world.ledger.brake_history(GROUP, 100)) == acts


@pytest.mark.parametrize("told", [told for told in ACTS if told != "Version Held"])
def test_what_somebody_else_did_or_was_done_long_ago_is_not_told_again(harbour: Harbour, told: str) -> None:
    act, world = ACTS[told], harbour.inside
    harbour.pass_time(minutes=1)
    act(ADA, world)
    with pytest.raises(NothingToRelease):
        act(OPERATOR, world)
    harbour.pass_time(minutes=11)
    with pytest.raises(NothingToRelease):
        act(ADA, world)
    assert len(harbour.published(told)) == 1
