"""The ledger in DynamoDB keeps what every ledger keeps. Races are not tried here: moto's conditional writes are not atomic."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from lockkeeper.adapters.dynamodb import DynamoDBLedger
from lockkeeper.adapters.dynamodb.table import Table
from lockkeeper.adapters.in_memory import SettableClock
from lockkeeper.domain.approval import PersonalLink
from lockkeeper.domain.brakes import Brake, Did
from lockkeeper.ports import Ledger, Wait
from moto import mock_aws

from tests.unit.brakes_suite import *  # noqa: F403
from tests.unit.cli_stage import create_table
from tests.unit.ledger_suite import *  # noqa: F403
from tests.unit.ledger_suite import FIRST, REQUEST
from tests.unit.retrainings_suite import *  # noqa: F403
from tests.unit.web_suite import *  # noqa: F403

HOLD_OF_THREE = Brake(Did.HELD, "another", at="2026-11-24T09:00:00.000Z", version=3)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client(
            "dynamodb", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )


@pytest.fixture
def ledger(client: Any) -> Ledger:
    """A ledger with a table of its own."""
    name = f"lockkeeper-{uuid.uuid4().hex[:8]}"
    create_table(client, name)
    return DynamoDBLedger(Table(client, name), SettableClock())


def test_a_delivered_wait_and_its_pointers_go_in_one_call(ledger: DynamoDBLedger) -> None:
    """Whoever dies between two calls would leave pointers that nobody looks at again."""
    ledger.open(FIRST)
    wait = Wait(FIRST.release_id, "WatchProduction", "token", resources=("arn:Endpoint", "arn:alarm"))
    ledger.store_wait(wait)
    ledger.settle_wait(wait, {"output": {}})
    called: list[str] = []
    ledger.table.client.meta.events.register("before-call.dynamodb", lambda model, **_: called.append(model.name))
    ledger.wait_delivered(wait)
    assert called == ["TransactWriteItems"]
    assert [ledger.waits_on(arn) for arn in ("arn:endpoint", "arn:alarm")] == [[], []]


def test_a_link_is_forgotten_a_month_after_its_time(ledger: DynamoDBLedger) -> None:
    ledger.ask(REQUEST, [PersonalLink("ab12", "wages-v1-a1", "staging", "Ada", "2026-12-01T09:00:00.000Z", "seal")])
    item = ledger.table.get("LINK#ab12", "LINK")
    assert item is not None
    assert item["forget_at"] == datetime(2026, 12, 31, 9, tzinfo=UTC).timestamp()


def test_a_hold_of_the_version_before_is_read_and_lifted(ledger: DynamoDBLedger) -> None:
    """It has a reason and nothing else."""
    ledger.table.put({"pk": "GROUP#wages", "sk": "HOLD#0000000003", "reason": "an alarm"})
    held = ledger.held("wages", 3)
    assert held == Brake(Did.HELD, "an alarm", version=3)
    assert ledger.holds("wages") == [held]
    assert not ledger.hold("wages", HOLD_OF_THREE)
    assert ledger.lift_hold("wages", held, HOLD_OF_THREE)
    assert ledger.held("wages", 3) is None
