"""Holds, freezes and their history, in memory."""

from __future__ import annotations

from threading import RLock

from lockkeeper.domain.brakes import Brake


class Brakes:
    writing: RLock

    def __init__(self) -> None:
        self._holds: dict[tuple[str, int], Brake] = {}
        self._freezes: dict[str, Brake] = {}
        self._braked: list[tuple[str, Brake]] = []

    def hold(self, group: str, brake: Brake) -> bool:
        with self.writing:
            if (group, brake.version) in self._holds:
                return False
            self._holds[group, brake.version] = brake
            self._braked.append((group, brake))
        return True

    def held(self, group: str, version: int) -> Brake | None:
        with self.writing:
            return self._holds.get((group, version))

    def holds(self, group: str) -> list[Brake]:
        with self.writing:
            return [brake for (its, _version), brake in sorted(self._holds.items()) if its == group]

    def lift_hold(self, group: str, seen: Brake, lifted: Brake) -> bool:
        with self.writing:
            standing = self._holds.get((group, seen.version))
            if standing is None or standing.at != seen.at:
                return False
            del self._holds[group, seen.version]
            self._braked.append((group, lifted))
        return True

    def freeze(self, group: str, brake: Brake) -> None:
        with self.writing:
            self._freezes[group] = brake
            self._braked.append((group, brake))

    def frozen(self, group: str) -> Brake | None:
        with self.writing:
            return self._freezes.get(group)

    def unfreeze(self, group: str, seen: Brake, unfrozen: Brake) -> bool:
        with self.writing:
            standing = self._freezes.get(group)
            if standing is None or standing.at != seen.at:
                return False
            del self._freezes[group]
            self._braked.append((group, unfrozen))
        return True

    def note_brake(self, group: str, brake: Brake) -> None:
        with self.writing:
            self._braked.append((group, brake))

    def brake_history(self, group: str, limit: int) -> list[Brake]:
        with self.writing:
            mine = [brake for its, brake in self._braked if its == group]
        return sorted(mine, key=lambda one: (one.at, one.did, one.version), reverse=True)[:limit]
