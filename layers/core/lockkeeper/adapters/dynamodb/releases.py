"""Releases, their timeline and meters, and champions."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from lockkeeper.adapters.dynamodb.table import Item, Table, unmarshal
from lockkeeper.adapters.dynamodb.waits import still_waiting
from lockkeeper.domain.errors import TryAgain, UnknownRelease
from lockkeeper.domain.release import ENDED, Outcome, Pin, Pins, Release, Status, TimelineEntry, Verdict
from lockkeeper.ports import Champion, Clock, Meter, Wait


class Releases:
    def __init__(self, table: Table, clock: Clock) -> None:
        self.table = table
        self.clock = clock

    def open(self, release: Release) -> bool:
        item = {
            **_plain(release),
            "pk": f"RELEASE#{release.release_id}",
            "sk": "RELEASE",
            "by_time": "RELEASE",
            "unfinished": "RELEASE",
            "timeline": [],
            "transitions": 0,
            "invocations": 0,
            "gb_seconds": 0,
        }
        version = {
            "pk": f"GROUP#{release.model_package_group}",
            "sk": f"VERSION#{release.version:010d}",
            "release_id": release.release_id,
            "attempt": release.attempt,
        }
        return self.table.transact(
            {"Put": self.table.put_request(item, "attribute_not_exists(pk)")},
            {
                "Put": self.table.put_request(
                    version, "attribute_not_exists(pk) OR #attempt < :attempt", attempt=release.attempt
                )
            },
        )

    def get(self, release_id: str) -> Release:
        item = self.table.get(f"RELEASE#{release_id}", "RELEASE")
        if item is None:
            raise UnknownRelease(f"there is no release {release_id!r}", cure="`lockkeeper releases` lists them")
        return release_in(item)

    def releases(self, group: str | None = None) -> list[Release]:
        pages = self.table.client.get_paginator("query").paginate(
            TableName=self.table.name,
            IndexName="by_time",
            KeyConditionExpression="by_time = :all",
            ExpressionAttributeValues={":all": {"S": "RELEASE"}},
            ScanIndexForward=False,
        )
        found = [release_in(unmarshal(item)) for page in pages for item in page["Items"]]
        return [release for release in found if group in (None, release.model_package_group)]

    def unfinished(self) -> list[str]:
        pages = self.table.client.get_paginator("query").paginate(
            TableName=self.table.name,
            IndexName="unfinished",
            KeyConditionExpression="unfinished = :all",
            ExpressionAttributeValues={":all": {"S": "RELEASE"}},
        )
        return [str(unmarshal(item)["release_id"]) for page in pages for item in page["Items"]]

    def finish(self, release_id: str) -> None:
        self.table.update(f"RELEASE#{release_id}", "RELEASE", "REMOVE #unfinished", "attribute_exists(pk)")

    def release_of(self, group: str, version: int) -> str | None:
        item = self.table.get(f"GROUP#{group}", f"VERSION#{version:010d}")
        return str(item["release_id"]) if item else None

    def versions(self, group: str) -> set[int]:
        found = self.table.query(f"GROUP#{group}", "VERSION#")
        return {int(item["sk"].removeprefix("VERSION#")) for item in found}

    def record(self, release_id: str, what: str, why: str, *, waiting: Wait | None = None, **changes: Any) -> bool:
        at = self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = json.dumps({"at": at, "what": what, "why": why})
        values: Item = {name: _jsonable(value) for name, value in changes.items()}
        if "unfinished" in values:
            values["unfinished"] = "RELEASE"  # The index's key: one for all, and there or not.
        sets = ["#timeline = list_append(#timeline, :entry)", *(f"#{name} = :{name}" for name in values)]
        condition = "attribute_exists(pk)"
        if "status" in changes and changes["status"] not in ENDED:
            over = {f"ended_{number}": str(status) for number, status in enumerate(sorted(ENDED))}
            condition += f" AND NOT #status IN ({', '.join(f':{name}' for name in over)})"
            values |= over
        update = (f"RELEASE#{release_id}", "RELEASE", f"SET {', '.join(sets)}", condition)
        values["entry"] = [entry]
        if waiting:
            request = self.table.update_request(*update, **values)
            written = self.table.transact({"Update": request}, {"Update": still_waiting(self.table, waiting)})
        else:
            written = self.table.update(*update, **values)
        if not written:
            release = self.get(release_id)
            if release.ended or not waiting:
                raise TryAgain(f"{release_id} has ended meanwhile: it is {release.status}")
        return written

    def meter(self, release_id: str, meter: Meter) -> None:
        self.table.update(
            f"RELEASE#{release_id}",
            "RELEASE",
            "ADD #transitions :transitions, #invocations :invocations, #gb_seconds :gb_seconds",
            "attribute_exists(pk)",
            **asdict(meter),
        )

    def champion(self, group: str) -> Champion | None:
        item = self.table.get(f"GROUP#{group}", "CHAMPION")
        return Champion(**{one.name: item[one.name] for one in fields(Champion)}) if item else None

    def crown(self, champion: Champion) -> None:
        self.table.transact(*crowning(self.table, champion))


def crowning(table: Table, champion: Champion, condition: str | None = None) -> tuple[Item, Item]:
    """Parts of a transaction: what serves now, under a condition on what did, and a line among what served."""
    record, group = asdict(champion), f"GROUP#{champion.group}"
    served = {"pk": group, "sk": f"SERVED#{champion.since}", **record}
    return (
        {"Put": table.put_request({"pk": group, "sk": "CHAMPION", **record}, condition)},
        {"Put": table.put_request(served)},
    )


def _plain(release: Release) -> Item:
    record = {one.name: _jsonable(getattr(release, one.name)) for one in fields(Release)}
    del record["meters"], record["unfinished"]
    return record


def _jsonable(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return {"items": [_jsonable(one) for one in value]}
    return value


def release_in(item: Item) -> Release:
    pins = item["pins"]
    return Release(
        release_id=item["release_id"],
        model_package_group=item["model_package_group"],
        version=item["version"],
        attempt=item["attempt"],
        model_package_arn=item["model_package_arn"],
        status=Status(item["status"]),
        stage=item["stage"],
        reason=item["reason"],
        opened_at=item["opened_at"],
        ended_at=item["ended_at"],
        execution_arn=item["execution_arn"],
        author=item["author"],
        weakened=tuple(item.get("weakened", {}).get("items", ())),
        about=item.get("about", {}),
        measured=item.get("measured", {}),
        made_by=item.get("made_by", ""),
        probe=item.get("probe", {}),
        verdicts=tuple(
            Verdict(**{**verdict, "verdict": Outcome(verdict["verdict"])}) for verdict in item["verdicts"]["items"]
        ),
        approvals=tuple(item["approvals"]["items"]),
        timeline=tuple(TimelineEntry(**json.loads(entry)) for entry in item["timeline"]),
        pins=Pins(
            artifacts=tuple(Pin(**pin) for pin in pins["artifacts"]),
            images=tuple(pins["images"]),
            environments=tuple(pins["environments"]),
            policy=pins["policy"],
            seals=pins["seals"],
            # A release that was judged by the version before keeps nothing of what serves.
            hosting=pins.get("hosting", {}),
        ),
        endpoints=item["endpoints"],
        meters={name: item[name] for name in ("transitions", "invocations", "gb_seconds")},
        # Written since 0.1: a release from before has neither, and ended with its status.
        ending=item.get("ending", {}),
        unfinished="unfinished" in item or Status(item["status"]) not in ENDED,
    )
