"""The ledger in memory."""

from __future__ import annotations

from lockkeeper.adapters.in_memory.adoptions import Adoptions
from lockkeeper.adapters.in_memory.brakes import Brakes
from lockkeeper.adapters.in_memory.decisions import Decisions
from lockkeeper.adapters.in_memory.locks import Locks
from lockkeeper.adapters.in_memory.releases import Releases
from lockkeeper.adapters.in_memory.retrainings import Retrainings
from lockkeeper.adapters.in_memory.sessions import Board, Sessions
from lockkeeper.adapters.in_memory.told import Told
from lockkeeper.ports import Clock


class InMemoryLedger(Adoptions, Locks, Decisions, Told, Sessions, Board, Retrainings):
    """Implements `ports.Ledger`. Thread-safe: what two threads write at once, one of them is refused."""

    def __init__(self, clock: Clock) -> None:
        Releases.__init__(self, clock)
        Locks.__init__(self)
        Brakes.__init__(self)
        self._adoptions = {}
        Decisions.__init__(self)
        Told.__init__(self)
        Sessions.__init__(self)
        Retrainings.__init__(self)
