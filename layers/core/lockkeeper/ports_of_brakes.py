"""What the ledger keeps of holds, freezes and adoptions, and of who did it."""

from __future__ import annotations

from typing import Protocol

from lockkeeper.domain.adoption import Adoption
from lockkeeper.domain.brakes import Brake
from lockkeeper.ports_of_web import Champion


class Brakes(Protocol):
    """The part of the ledger that stops versions and groups. Each change is one write with its line in the group's history."""

    def hold(self, group: str, brake: Brake) -> bool:
        """Keep `brake.version` from being released until a person lifts the hold; False where it is held: the first hold stands."""
        ...

    def held(self, group: str, version: int) -> Brake | None:
        """Why a version is held, and by whom; None where it is not."""
        ...

    def holds(self, group: str) -> list[Brake]:
        """The holds of a group, by version."""
        ...

    def lift_hold(self, group: str, seen: Brake, lifted: Brake) -> bool:
        """Take the hold off that was seen; False where that one is gone, whatever took its place."""
        ...

    def freeze(self, group: str, brake: Brake) -> None:
        """Let no production change of the group begin, in place of an earlier freeze."""
        ...

    def frozen(self, group: str) -> Brake | None:
        """The freeze that nobody took off; look at its `until`."""
        ...

    def unfreeze(self, group: str, seen: Brake, unfrozen: Brake) -> bool:
        """Take the freeze off that was seen; False where that one is gone, whatever took its place."""
        ...

    def note_brake(self, group: str, brake: Brake) -> None:
        """Keep in the group's history what was asked for and is no hold or freeze."""
        ...

    def brake_history(self, group: str, limit: int) -> list[Brake]:
        """What was done with the group's brakes, newest first."""
        ...


class Adoptions(Protocol):
    """The part of the ledger that knows what was taken over."""

    def adopt(self, adoption: Adoption, champion: Champion, brake: Brake) -> bool:
        """Keep what was taken over, as the champion and in the group's history, in one write; False where there is a champion."""
        ...

    def adoption(self, group: str) -> Adoption | None:
        """What was taken over, whatever serves since then."""
        ...
