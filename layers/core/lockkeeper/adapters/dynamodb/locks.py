"""The group's lock and its queue. Every change of owner is one conditional write with a new fencing number."""

from __future__ import annotations

from lockkeeper.adapters.dynamodb.table import Item, Table
from lockkeeper.domain.lock import Lock


class Locks:
    table: Table

    def take_lock(self, group: str, release_id: str, version: int) -> Lock:
        self.table.update(
            f"GROUP#{group}",
            "LOCK",
            "SET #owner = :me, #owner_version = :version, #production_begun = :no, #superseded_by = :nobody "
            "ADD #fencing :one",
            "attribute_not_exists(#owner) OR #owner = :nobody",
            me=release_id,
            version=version,
            no=False,
            nobody="",
            one=1,
        )
        lock = self.lock_of(group)
        # Freed between the two calls: whoever freed it has looked at the queue again, so try once more.
        return lock if lock else self.take_lock(group, release_id, version)

    def lock_of(self, group: str) -> Lock | None:
        item = self.table.get(f"GROUP#{group}", "LOCK")
        return _lock(group, item) if item and item.get("owner") else None

    def supersede(self, lock: Lock, by: str) -> bool:
        return self.table.update(
            f"GROUP#{lock.group}",
            "LOCK",
            "SET #superseded_by = :by",
            "#owner = :owner AND #fencing = :fencing AND #production_begun = :no",
            by=by,
            owner=lock.owner,
            fencing=lock.fencing,
            no=False,
        )

    def begin_production(self, group: str, release_id: str) -> Lock:
        self.table.update(
            f"GROUP#{group}",
            "LOCK",
            "SET #production_begun = :yes",
            "#owner = :me AND #superseded_by = :nobody",
            yes=True,
            me=release_id,
            nobody="",
        )
        lock = self.lock_of(group)
        return lock if lock else Lock(group, "", 0, 0)

    def queue_for_lock(self, group: str, release_id: str, version: int) -> None:
        self.table.put({**_queued(group, release_id, version), "release_id": release_id, "version": version})

    def leave_queue(self, group: str, release_id: str, version: int) -> None:
        place = _queued(group, release_id, version)
        self.table.delete(place["pk"], place["sk"])

    def queue(self, group: str) -> list[tuple[int, str]]:
        waiting = [
            (int(item["version"]), str(item["release_id"])) for item in self.table.query(f"GROUP#{group}", "QUEUE#")
        ]
        return sorted(waiting, reverse=True)

    def pass_lock(self, group: str, owner: str, to: str | None, version: int = 0) -> bool:
        return self.table.update(
            f"GROUP#{group}",
            "LOCK",
            "SET #owner = :to, #owner_version = :version, #production_begun = :no, #superseded_by = :nobody "
            "ADD #fencing :one",
            "#owner = :owner",
            to=to or "",
            version=version,
            no=False,
            nobody="",
            one=1,
            owner=owner,
        )


def _queued(group: str, release_id: str, version: int) -> dict[str, str]:
    return {"pk": f"GROUP#{group}", "sk": f"QUEUE#{version:010d}#{release_id}"}


def _lock(group: str, item: Item) -> Lock:
    return Lock(
        group=group,
        owner=item["owner"],
        owner_version=item["owner_version"],
        fencing=item["fencing"],
        production_begun=item["production_begun"],
        superseded_by=item["superseded_by"],
    )
