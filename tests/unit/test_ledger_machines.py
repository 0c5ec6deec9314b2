"""A few examples of every machine, over the ledger in memory; `tests/faults` plays them over DynamoDB."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test
from lockkeeper.adapters.in_memory import InMemoryLedger, SettableClock
from lockkeeper.ports import Ledger

from tests.unit.ledger_machines import ApprovalMachine, LedgerMachine, LockMachine, OverALedger


def in_memory() -> Ledger:
    return InMemoryLedger(SettableClock())


@pytest.mark.parametrize("machine", [LockMachine, LedgerMachine, ApprovalMachine])
def test_no_sequence_of_steps_breaks_what_always_holds(machine: type[OverALedger]) -> None:
    played = type(machine.__name__, (machine,), {"ledger_of_a_run": staticmethod(in_memory)})
    run_state_machine_as_test(played, settings=settings(max_examples=25, stateful_step_count=25, derandomize=True))
