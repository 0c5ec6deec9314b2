"""A write that meets somebody's transaction over the same item is tried again, a few times."""

from __future__ import annotations

from collections.abc import Callable
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

    def transact_write_items(self, **_request: Any) -> None:
        try:
            self.update_item()
        except ClientError as error:
            reasons = [{"Code": "None"}, {"Code": self.code.removesuffix("Exception")}]
            cancelled: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
            raise ClientError(cancelled, "TransactWriteItems") from error


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(table.time, "sleep", pauses.append)
    return pauses


Writes = Callable[[Busy], bool]


@pytest.fixture(params=["update", "transact"])
def write(request: pytest.FixtureRequest) -> Writes:
    def written(busy: Busy) -> bool:
        client: Any = busy
        ledger = Table(client, "ledger")
        if request.param == "update":
            return ledger.update("pk", "sk", "SET #a = :a", a=1)
        return ledger.transact({"Update": ledger.update_request("pk", "sk", "SET #a = :a", a=1)})

    return written


def test_it_goes_through_when_the_transaction_is_over(write: Writes, slept: list[float]) -> None:
    busy = Busy(len(PAUSES))
    assert write(busy)
    assert slept == list(PAUSES)


def test_it_is_tried_again_later_when_that_takes_long(write: Writes) -> None:
    busy = Busy(100)
    with pytest.raises(TryAgain, match="writing the same record"):
        write(busy)
    assert busy.asked == 1 + len(PAUSES)


@pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "AccessDeniedException"])
def test_another_refusal_is_none_of_that(write: Writes, code: str, slept: list[float]) -> None:
    busy = Busy(1, code)
    if code == "ConditionalCheckFailedException":
        assert not write(busy)
    else:
        with pytest.raises(ClientError, match=r"AccessDenied|TransactionCanceled"):
            write(busy)
    assert (busy.asked, slept) == (1, [])
