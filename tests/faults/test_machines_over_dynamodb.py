"""The machines of the ledger, the lock and the approval, over the table of the real template."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from lockkeeper.adapters.aws import SystemClock
from lockkeeper.adapters.dynamodb import DynamoDBLedger
from lockkeeper.adapters.dynamodb.table import Table

from tests.conftest import Figure
from tests.faults.yard import Yard
from tests.unit.ledger_machines import ApprovalMachine, LedgerMachine, LockMachine, OverALedger

EXAMPLES, STEPS = 25, 25


@pytest.mark.parametrize("machine", [LockMachine, LedgerMachine, ApprovalMachine])
def test_no_sequence_of_steps_breaks_what_always_holds(yard: Yard, machine: type[OverALedger], figure: Figure) -> None:
    ledger = ledger_of_its_own(yard, machine.__name__)
    played = type(machine.__name__, (machine,), {"ledger_of_a_run": staticmethod(lambda: ledger)})
    run_state_machine_as_test(
        played,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=list(HealthCheck)),
    )
    figure(f"{machine.__name__} over DynamoDB", f"{EXAMPLES} sequences of up to {STEPS} steps, 0 wrong", "0 wrong")


def ledger_of_its_own(yard: Yard, name: str) -> DynamoDBLedger:
    """A ledger in a table like the stack's, where nobody keeps house."""
    client = yard.cloud.client("dynamodb")
    like = client.describe_table(TableName=yard.cloud.outputs["TableName"])["Table"]
    indexes = [
        {part: index[part] for part in ("IndexName", "KeySchema", "Projection")}
        for index in like["GlobalSecondaryIndexes"]
    ]
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=like["AttributeDefinitions"],
        KeySchema=like["KeySchema"],
        GlobalSecondaryIndexes=indexes,
    )
    yard.cloud.at_the_end.append(partial(client.delete_table, TableName=name))
    return DynamoDBLedger(Table(client, name), SystemClock())
