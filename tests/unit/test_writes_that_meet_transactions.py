"""A write of one item that meets somebody's transaction over it is tried again, a few times."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from lockkeeper.adapters.dynamodb import table
from lockkeeper.adapters.dynamodb.table import PAUSES, Table
from lockkeeper.domain.errors import TryAgain


class Busy:
    """DynamoDB, which refuses the first writes."""

    def __init__(self, times: int, code: str = "TransactionConflictException") -> None:
        self.times, self.code, self.asked = times, code, 0

    def update_item(self, **_request: Any) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise ClientError({"Error": {"Code": self.code, "Message": "busy"}}, "UpdateItem")


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(table.time, "sleep", pauses.append)
    return pauses


def write(busy: Busy) -> bool:
    client: Any = busy
    return Table(client, "ledger").update("pk", "sk", "SET #a = :a", a=1)


def test_it_goes_through_when_the_transaction_is_over(slept: list[float]) -> None:
    busy = Busy(len(PAUSES))
    assert write(busy)
    assert slept == list(PAUSES)


def test_it_is_tried_again_later_when_that_takes_long() -> None:
    busy = Busy(100)
    with pytest.raises(TryAgain, match="writing the same record"):
        write(busy)
    assert busy.asked == 1 + len(PAUSES)


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "AccessDeniedException"])
def test_another_refusal_is_none_of_that(code: str, slept: list[float]) -> None:
    busy = Busy(1, code)
    if code == "ConditionalCheckFailedException":
        assert not write(busy)
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            write(busy)
    assert (busy.asked, slept) == (1, [])
