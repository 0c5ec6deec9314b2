"""The group's lock and its queue, in memory."""

from __future__ import annotations

from dataclasses import replace
from threading import RLock

from lockkeeper.domain.lock import Lock


class Locks:
    """A lock that nobody owns keeps its fencing number: the next owner gets a higher one."""

    writing: RLock

    def __init__(self) -> None:
        self._locks: dict[str, Lock] = {}
        self._queues: dict[str, set[tuple[int, str]]] = {}

    def take_lock(self, group: str, release_id: str, version: int) -> Lock:
        with self.writing:
            known = self._locks.get(group)
            if known is None or not known.owner:
                known = Lock(group, release_id, version, (known.fencing if known else 0) + 1)
                self._locks[group] = known
            return known

    def lock_of(self, group: str) -> Lock | None:
        with self.writing:
            known = self._locks.get(group)
        return known if known and known.owner else None

    def supersede(self, lock: Lock, by: str) -> bool:
        with self.writing:
            known = self._locks.get(lock.group)
            if known is None or (known.owner, known.fencing) != (lock.owner, lock.fencing) or known.production_begun:
                return False
            self._locks[lock.group] = replace(known, superseded_by=by)
        return True

    def begin_production(self, group: str, release_id: str) -> Lock:
        with self.writing:
            known = self._locks.get(group)
            if known and known.owner == release_id and not known.superseded_by:
                known = replace(known, production_begun=True)
                self._locks[group] = known
        return known if known and known.owner else Lock(group, "", 0, 0)

    def queue_for_lock(self, group: str, release_id: str, version: int) -> None:
        with self.writing:
            self._queues.setdefault(group, set()).add((version, release_id))

    def leave_queue(self, group: str, release_id: str, version: int) -> None:
        with self.writing:
            self._queues.get(group, set()).discard((version, release_id))

    def queue(self, group: str) -> list[tuple[int, str]]:
        with self.writing:
            return sorted(self._queues.get(group, set()), reverse=True)

    def pass_lock(self, group: str, owner: str, to: str | None, version: int = 0) -> bool:
        with self.writing:
            known = self._locks.get(group)
            if known is None or known.owner != owner:
                return False
            self._locks[group] = Lock(group, to or "", version, known.fencing + 1)
        return True
