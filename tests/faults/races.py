"""Sixteen versions of one group want its lock, at one moment or soon after each other; who held it when, with which fencing number."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from threading import Barrier, RLock

from lockkeeper.domain.lock import LockStep, decide_on_lock
from lockkeeper.ports import Ledger

COMPETITORS = 16


@dataclass
class Watch:
    """Who is in production, in which order they came, and with which fencing numbers."""

    inside: set[int] = field(default_factory=set)
    most_at_once: int = 0
    versions: list[int] = field(default_factory=list)
    fencing: list[int] = field(default_factory=list)
    writing: RLock = field(default_factory=RLock)

    def enter(self, version: int, fencing: int) -> None:
        with self.writing:
            self.inside.add(version)
            self.most_at_once = max(self.most_at_once, len(self.inside))
            self.versions.append(version)
            self.fencing.append(fencing)

    def leave(self, version: int) -> None:
        with self.writing:
            self.inside.remove(version)


@dataclass
class Race:
    """One group, sixteen threads. Each does what a release does about the lock, looking again for as long as it waits."""

    ledger: Ledger
    group: str
    within: float = 0.0
    """Seconds in which they come, the older first for the most part."""
    watch: Watch = field(default_factory=Watch)
    gone: set[str] = field(default_factory=set)
    """Those who want nothing any more. Whoever leaves says so before it hands on, so that one of two notices."""
    barrier: Barrier = field(default_factory=lambda: Barrier(COMPETITORS))

    def run(self, pool: ThreadPoolExecutor) -> Watch:
        """`pool` has a thread for each competitor."""
        list(pool.map(self._compete, range(1, COMPETITORS + 1)))
        return self.watch

    def _compete(self, version: int) -> None:
        me = f"{self.group}-v{version}-a1"
        self.barrier.wait()
        time.sleep(self.within * Random(me).triangular(0, 1, version / COMPETITORS))
        self.ledger.queue_for_lock(self.group, me, version)
        while True:
            lock = self.ledger.take_lock(self.group, me, version)
            match decide_on_lock(lock, me, version).step:
                case LockStep.OWN:
                    self._own(me, version)
                    return
                case LockStep.GIVE_WAY:
                    self.ledger.leave_queue(self.group, me, version)
                    self.gone.add(me)
                    self._hand_on(me)
                    return
                case LockStep.SUPERSEDE:
                    self.ledger.supersede(lock, me)
            time.sleep(0.001)

    def _own(self, me: str, version: int) -> None:
        """Production, unless somebody superseded this release before it began; then the lock goes to the newest who waits."""
        self.ledger.leave_queue(self.group, me, version)
        lock = self.ledger.begin_production(self.group, me)
        if lock.owner == me and lock.production_begun:
            self.watch.enter(version, lock.fencing)
            time.sleep(0.0005)
            self.watch.leave(version)
        self.gone.add(me)
        assert self._hand_on(me), "somebody else passed on what was this release's"

    def _hand_on(self, me: str) -> bool:
        """Give the lock, where this release has it, to the newest who waits; for one that left meanwhile, hand it on once more."""
        heir_version, heir = next(iter(self.ledger.queue(self.group)), (0, None))
        passed = self.ledger.pass_lock(self.group, me, heir, heir_version)
        if passed and heir in self.gone:
            self._hand_on(heir)
        return passed
