"""A press in Slack is written down, and its function dies around the delivery: one look of KeepHouse delivers it, once.

`tests/faults/test_outbox.py` has the same of the other channels, deployed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.decide_approval import decide_by_slack
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house

from tests.unit.breaking import Broken, WatchedWorld
from tests.unit.harbour import Harbour
from tests.unit.slack_stage import ADA, newest_message, press_on, tell_all, with_slack


class Delivery(WatchedWorld):
    """Notes whether answers were taken, and is cut `before` or `after` the next one."""

    def __init__(self, world: InMemoryWorld, cut: str) -> None:
        super().__init__(world)
        self.taken: list[bool] = []
        self._cut = cut

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        if name != "tasks.succeed":
            return call()
        cut, self._cut = self._cut, ""
        if cut == "before":
            raise Broken(name)
        self.taken.append(call())
        if cut == "after":
            raise Broken(name)
        return self.taken[-1]


@pytest.mark.parametrize(("cut", "told", "told_again"), [("before", [], [True]), ("after", [True], [True, False])])
def test_a_press_in_slack_whose_delivery_is_cut_is_delivered_by_the_next_look_once(
    cut: str, told: list[bool], told_again: list[bool]
) -> None:
    harbour = Harbour()
    slack = with_slack(harbour)
    harbour.register(1)
    tell_all(harbour)
    delivery: Any = Delivery(harbour.world, cut)
    with pytest.raises(Broken):
        decide_by_slack(press_on(newest_message(slack), ADA), delivery)
    assert delivery.taken == told
    harbour.world.clock.advance(QUIET)
    assert [one.kind for one in keep_house(QUIET, delivery)] == [Kind.UNDELIVERED]
    assert delivery.taken == told_again
    harbour.world.clock.advance(QUIET)
    assert keep_house(QUIET, delivery) == []
    assert delivery.taken == told_again
    harbour.settle()
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(1).status is Status.PROMOTED
    (decision,) = harbour.release(1).approvals
    assert (decision["approver"], decision["answer"], decision["channel"]) == ("Ada", "approve", "slack")
