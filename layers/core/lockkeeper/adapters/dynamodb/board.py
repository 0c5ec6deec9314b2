"""What the board reads, in pieces of bounded size."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from lockkeeper.adapters.dynamodb.releases import release_in
from lockkeeper.adapters.dynamodb.table import Table, unmarshal
from lockkeeper.domain.errors import QueryRefused
from lockkeeper.domain.release import Release
from lockkeeper.ports_of_web import Champion, Page

MOST_QUERIES = 10
"""Pieces of the index (of 1 MB at most) that one page reads: what a filter leaves out is read too."""


class Board:
    table: Table

    def page(self, *, group: str = "", status: str = "", limit: int = 50, after: str = "") -> Page:
        found: list[Release] = []
        start = self._place_of(after) if after else None
        for _ in range(MOST_QUERIES):
            items, start = self._piece(group, status, start)
            releases = [release_in(unmarshal(item)) for item in items]
            room = limit - len(found)
            if len(releases) > room or (len(releases) == room and start):
                found += releases[:room]
                return Page(tuple(found), found[-1].release_id)
            found += releases
            if start is None:
                return Page(tuple(found))
        # The key of an index begins with its table's: pk is RELEASE#<id>.
        return Page(tuple(found), str((start or {})["pk"]["S"]).removeprefix("RELEASE#"))

    def _piece(self, group: str, status: str, start: dict[str, Any] | None) -> tuple[list[Any], dict[str, Any] | None]:
        wanted = {name: value for name, value in (("model_package_group", group), ("status", status)) if value}
        request: dict[str, Any] = {
            "TableName": self.table.name,
            "IndexName": "by_time",
            "KeyConditionExpression": "by_time = :all",
            "ExpressionAttributeValues": {
                ":all": {"S": "RELEASE"},
                **{f":{name}": {"S": value} for name, value in wanted.items()},
            },
            "ScanIndexForward": False,
        }
        if wanted:
            request["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in wanted)
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in wanted}
        if start:
            request["ExclusiveStartKey"] = start
        answer = self.table.client.query(**request)
        return answer["Items"], answer.get("LastEvaluatedKey")

    def _place_of(self, release_id: str) -> dict[str, Any]:
        """Where a release stands in the index; strongly consistent, since the release itself is read."""
        item = self.table.get(f"RELEASE#{release_id}", "RELEASE")
        if item is None:
            raise QueryRefused(
                f"there is no release {release_id[:100]!r} to go on after", cure="take `next` of the page before"
            )
        names = ("pk", "sk", "by_time", "opened_at")
        return {name: {"S": item[name]} for name in names}

    def served(self, group: str, limit: int) -> list[Champion]:
        found = self.table.newest(f"GROUP#{group}", "SERVED#", limit)
        return [Champion(**{one.name: item[one.name] for one in fields(Champion)}) for item in found]
