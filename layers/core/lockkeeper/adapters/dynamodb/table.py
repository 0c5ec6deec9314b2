"""One table and its item form: strings, numbers and booleans are attributes, everything deeper is JSON text."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lockkeeper.domain.errors import TryAgain

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAUSES = (0.05, 0.1, 0.2, 0.4)
"""Seconds between tries of a write that meets somebody's transaction: one takes milliseconds."""
Item = dict[str, Any]


class Table:
    """A DynamoDB table with strongly consistent reads. `condition` arguments are DynamoDB condition expressions."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client = client
        self.name = name

    def get(self, pk: str, sk: str) -> Item | None:
        answer = self.client.get_item(TableName=self.name, Key=key(pk, sk), ConsistentRead=True)
        item = answer.get("Item")
        return unmarshal(item) if item else None

    def put(self, item: Item, condition: str | None = None, **values: Any) -> bool:
        """Write an item; False when the condition does not hold."""
        return self._conditionally(self.client.put_item, **self.put_request(item, condition, **values))

    def update(self, pk: str, sk: str, expression: str, condition: str | None = None, **values: Any) -> bool:
        """Update an item; False when the condition does not hold. Every attribute name is written as `#name`."""
        return self._conditionally(
            self.client.update_item, **self.update_request(pk, sk, expression, condition, **values)
        )

    def delete(self, pk: str, sk: str) -> None:
        self.client.delete_item(TableName=self.name, Key=key(pk, sk))

    def take(self, pk: str, sk: str) -> Item | None:
        """Delete an item and return what it was: of many who try, one gets it."""
        answer = self.client.delete_item(TableName=self.name, Key=key(pk, sk), ReturnValues="ALL_OLD")
        item = answer.get("Attributes")
        return unmarshal(item) if item else None

    def newest(self, pk: str, prefix: str, limit: int) -> list[Item]:
        """The last items of a partition whose sort key starts with `prefix`, last first (strongly consistent)."""
        answer = self.client.query(
            TableName=self.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
            ScanIndexForward=False,
            Limit=limit,
            ConsistentRead=True,
        )
        return [unmarshal(item) for item in answer["Items"]]

    def delete_request(self, pk: str, sk: str) -> Item:
        """One part of a transaction."""
        return {"Delete": {"TableName": self.name, "Key": key(pk, sk)}}

    def query(self, pk: str, prefix: str = "") -> list[Item]:
        """All items of a partition (whose sort key starts with `prefix`), in key order (strongly consistent)."""
        condition, values = "pk = :pk", {":pk": {"S": pk}}
        if prefix:  # DynamoDB refuses an empty string as the value of a key.
            condition, values = f"{condition} AND begins_with(sk, :prefix)", {**values, ":prefix": {"S": prefix}}
        pages = self.client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )
        return [unmarshal(item) for page in pages for item in page["Items"]]

    def transact(self, *requests: Item) -> bool:
        """All or nothing; False when a condition does not hold, `TryAgain` when somebody else was writing all the time."""
        transaction: Any = list(requests)
        return self._conditionally(self.client.transact_write_items, TransactItems=transaction)

    def put_request(self, item: Item, condition: str | None = None, **values: Any) -> Item:
        request: Item = {"TableName": self.name, "Item": marshal(item)}
        return self._with_condition(request, condition, "", values)

    def update_request(self, pk: str, sk: str, expression: str, condition: str | None = None, **values: Any) -> Item:
        request: Item = {"TableName": self.name, "Key": key(pk, sk), "UpdateExpression": expression}
        return self._with_condition(request, condition, expression, values)

    def _with_condition(self, request: Item, condition: str | None, expression: str, values: Item) -> Item:
        if condition:
            request["ConditionExpression"] = condition
        names = {word for word in _words(f"{expression} {condition or ''}") if word.startswith("#")}
        if names:
            request["ExpressionAttributeNames"] = {name: name[1:] for name in names}
        if values:
            request["ExpressionAttributeValues"] = {f":{name}": attribute(value) for name, value in values.items()}
        return request

    def _conditionally(self, call: Any, **request: Any) -> bool:
        """Write; somebody's transaction over the same items takes a moment, and boto3 does not wait for that."""
        pauses = iter(PAUSES)
        while True:
            try:
                call(**request)
            except ClientError as error:
                reasons = _reasons(error)
                if reasons == {"ConditionalCheckFailed"}:
                    return False
                if "TransactionConflict" not in reasons:
                    raise
                if (pause := next(pauses, None)) is None:
                    raise TryAgain("somebody else was writing the same record all the time") from error
                time.sleep(pause)
            else:
                return True


def _reasons(error: ClientError) -> set[str]:
    """Why DynamoDB did not write, in the words of a cancelled transaction."""
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        return {str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])} - {"None"}
    return {code.removesuffix("Exception")}


def key(pk: str, sk: str) -> Item:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def marshal(item: Item) -> Item:
    return {name: attribute(value) for name, value in item.items() if value is not None}


def attribute(value: Any) -> Item:
    """One value in DynamoDB's form. A list of strings stays a list, so that it can be appended to."""
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, float)):
        return {"N": repr(value)}
    if isinstance(value, str):
        return {"S": str(value)}
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return {"L": [{"S": one} for one in value]}
    return {"M": {"json": {"S": json.dumps(value, separators=(",", ":"))}}}


def unmarshal(item: Item) -> Item:
    return {name: _value(stored) for name, stored in item.items()}


def _value(stored: Item) -> Any:
    kind, value = next(iter(stored.items()))
    if kind == "N":
        return int(value) if value.lstrip("-").isdigit() else float(value)
    if kind == "L":
        return [_value(one) for one in value]
    if kind == "M":
        return json.loads(value["json"]["S"])
    return value


def _words(text: str) -> list[str]:
    for mark in "(),=<>+-":
        text = text.replace(mark, " ")
    return text.split()
