"""Holds, freezes and their history. What is taken off stays, marked: whoever lifts it needs no permission to delete."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from lockkeeper.adapters.dynamodb.table import Item, Table
from lockkeeper.domain.brakes import Brake, Did

FREEZE = "FREEZE"
THE_ONE_SEEN = (
    "attribute_exists(pk) AND (attribute_not_exists(#at) OR #at = :seen) AND (attribute_not_exists(#off) OR #off = :no)"
)
"""A hold that the version before wrote has neither field."""


class Brakes:
    table: Table

    def hold(self, group: str, brake: Brake) -> bool:
        item = {"pk": f"GROUP#{group}", "sk": _hold(brake.version), **asdict(brake), "off": False}
        put = self.table.put_request(item, "attribute_not_exists(pk) OR #off = :yes", yes=True)
        return self.table.transact({"Put": put}, self._line(group, brake))

    def held(self, group: str, version: int) -> Brake | None:
        return _brake(self.table.get(f"GROUP#{group}", _hold(version)), Did.HELD)

    def holds(self, group: str) -> list[Brake]:
        found = (_brake(item, Did.HELD) for item in self.table.query(f"GROUP#{group}", "HOLD#"))
        return [brake for brake in found if brake is not None]

    def lift_hold(self, group: str, seen: Brake, lifted: Brake) -> bool:
        return self._take_off(group, _hold(seen.version), seen, lifted)

    def freeze(self, group: str, brake: Brake) -> None:
        item = {"pk": f"GROUP#{group}", "sk": FREEZE, **asdict(brake), "off": False}
        self.table.transact({"Put": self.table.put_request(item)}, self._line(group, brake))

    def frozen(self, group: str) -> Brake | None:
        return _brake(self.table.get(f"GROUP#{group}", FREEZE), Did.FROZE)

    def unfreeze(self, group: str, seen: Brake, unfrozen: Brake) -> bool:
        return self._take_off(group, FREEZE, seen, unfrozen)

    def note_brake(self, group: str, brake: Brake) -> None:
        self.table.put({**_place(group, brake), **asdict(brake)})

    def brake_history(self, group: str, limit: int) -> list[Brake]:
        return [_read(item, Did.HELD) for item in self.table.newest(f"GROUP#{group}", "BRAKE#", limit)]

    def _take_off(self, group: str, sk: str, seen: Brake, taken: Brake) -> bool:
        update = self.table.update_request(
            f"GROUP#{group}", sk, "SET #off = :yes", THE_ONE_SEEN, seen=seen.at, yes=True, no=False
        )
        return self.table.transact({"Update": update}, self._line(group, taken))

    def _line(self, group: str, brake: Brake) -> Item:
        return {"Put": self.table.put_request({**_place(group, brake), **asdict(brake)})}


def _hold(version: int) -> str:
    return f"HOLD#{version:010d}"


def _place(group: str, brake: Brake) -> dict[str, str]:
    return {"pk": f"GROUP#{group}", "sk": f"BRAKE#{brake.at}#{brake.did}#{brake.version:010d}"}


def _brake(item: Item | None, did: Did) -> Brake | None:
    return _read(item, did) if item and not item.get("off") else None


def _read(item: Item, did: Did) -> Brake:
    known: dict[str, Any] = {one.name: item[one.name] for one in fields(Brake) if one.name in item}
    version = int(item["sk"].removeprefix("HOLD#")) if item["sk"].startswith("HOLD#") else 0
    return Brake(**{"version": version, **known, "did": Did(known.get("did", did))})
