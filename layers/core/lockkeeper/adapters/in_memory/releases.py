"""Releases and champions, in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from threading import RLock
from typing import Any

from lockkeeper.adapters.in_memory.copies import copied
from lockkeeper.domain.errors import TryAgain, UnknownRelease
from lockkeeper.domain.release import ENDED, Release, TimelineEntry
from lockkeeper.ports import Champion, Clock, Meter, Wait

CHANGEABLE = frozenset(one.name for one in fields(Release)) - {"timeline", "meters"}


class Releases:
    """One lock guards every write: each method is one atomic write, as a conditional write of DynamoDB is."""

    is_open: Callable[[Wait], bool]

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.writing = RLock()
        self.by_id: dict[str, Release] = {}
        self.crowned: list[Champion] = []
        self._attempts: dict[tuple[str, int], tuple[int, str]] = {}
        self._champions: dict[str, Champion] = {}

    def open(self, release: Release) -> bool:
        version = (release.model_package_group, release.version)
        with self.writing:
            if release.release_id in self.by_id or self._attempts.get(version, (0, ""))[0] >= release.attempt:
                return False
            self._attempts[version] = (release.attempt, release.release_id)
            meters = asdict(Meter())
            self.by_id[release.release_id] = replace(copied(release), timeline=(), meters=meters)
        return True

    def get(self, release_id: str) -> Release:
        with self.writing:
            if release_id not in self.by_id:
                raise UnknownRelease(f"there is no release {release_id!r}", cure="`lockkeeper releases` lists them")
            return copied(self.by_id[release_id])

    def releases(self, group: str | None = None) -> list[Release]:
        with self.writing:
            found = [copied(one) for one in self.by_id.values() if group in (None, one.model_package_group)]
        return sorted(found, key=lambda release: release.opened_at, reverse=True)

    def unfinished(self) -> list[str]:
        with self.writing:
            found = [release for release in self.by_id.values() if release.unfinished]
        return [release.release_id for release in sorted(found, key=lambda release: release.opened_at)]

    def finish(self, release_id: str) -> None:
        with self.writing:
            if release_id in self.by_id:
                self.by_id[release_id] = replace(self.by_id[release_id], unfinished=False)

    def release_of(self, group: str, version: int) -> str | None:
        with self.writing:
            known = self._attempts.get((group, version))
        return known[1] if known else None

    def versions(self, group: str) -> set[int]:
        with self.writing:
            return {version for its_group, version in self._attempts if its_group == group}

    def record(self, release_id: str, what: str, why: str, *, waiting: Wait | None = None, **changes: Any) -> bool:
        unknown = set(changes) - CHANGEABLE
        if unknown:
            raise TypeError(f"a release has no field {', '.join(sorted(unknown))}")
        at = self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self.writing:
            release = self.get(release_id)
            if release.ended and changes.get("status", release.status) not in ENDED:
                raise TryAgain(f"{release_id} has ended meanwhile: it is {release.status}")
            if waiting and not self.is_open(waiting):
                return False
            timeline = (*release.timeline, TimelineEntry(at, what, why))
            self.by_id[release_id] = replace(release, timeline=timeline, **copied(changes))
        return True

    def meter(self, release_id: str, meter: Meter) -> None:
        with self.writing:
            if release_id not in self.by_id:
                return
            meters = self.by_id[release_id].meters
            for name, amount in asdict(meter).items():
                meters[name] += amount

    def champion(self, group: str) -> Champion | None:
        with self.writing:
            return self._champions.get(group)

    def crown(self, champion: Champion) -> None:
        with self.writing:
            self._champions[champion.group] = champion
            self.crowned.append(champion)
