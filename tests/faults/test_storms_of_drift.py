"""A storm of drift signals over the table of the real template: one retraining, and every signal kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from lockkeeper.adapters.dynamodb import DynamoDBLedger
from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.errors import TryAgain
from lockkeeper.domain.retraining import Answer, Kept

from tests.conftest import Figure
from tests.faults.test_machines_over_dynamodb import ledger_of_its_own
from tests.faults.yard import Yard
from tests.unit.drifting import Drifting
from tests.unit.harbour import GROUP, Harbour

pytestmark = pytest.mark.full

SIGNALS, DIFFERENT, THREADS = 500, 400, 16


def test_five_hundred_signals_over_sixteen_threads_start_one_retraining(yard: Yard, figure: Figure) -> None:
    world = InMemoryWorld()
    world.ledger = DynamoDBLedger(ledger_of_its_own(yard, "StormOfDrift").table, world.clock)  # type: ignore[assignment]
    drifting = Drifting(Harbour(world=world))
    events = [drifting.event(id=f"signal {number % DIFFERENT}") for number in range(SIGNALS)]
    again = 0

    def tell(event: dict[str, object]) -> Kept:
        """As Lambda does: what could not be decided for the others is tried again."""
        nonlocal again
        while True:
            try:
                (kept,) = drifting.tell(event)
            except TryAgain:
                again += 1
                continue
            return kept  # type: ignore[no-any-return]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [kept.answer for kept in pool.map(tell, events)]
    kept = drifting.world.ledger.signals(GROUP, SIGNALS)
    figure(
        "a storm of signals over DynamoDB",
        f"{SIGNALS} signals, {DIFFERENT} of them different, over {THREADS} threads: {drifting.started()} retraining started, "
        f"{len(kept)} kept, {again} tried again",
        f"1 started, {DIFFERENT} kept",
    )
    assert drifting.started() == 1
    assert len(kept) == DIFFERENT
    assert set(answers) == {Answer.STARTED, Answer.IN_FLIGHT}
    assert [one.answer for one in kept].count(Answer.STARTED) == 1
    assert len(drifting.world.ledger.retrainings(GROUP, 10)) == 1
