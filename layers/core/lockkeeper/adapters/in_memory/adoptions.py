"""What was taken over, in memory."""

from __future__ import annotations

from lockkeeper.adapters.in_memory.brakes import Brakes
from lockkeeper.adapters.in_memory.releases import Releases
from lockkeeper.domain.adoption import Adoption
from lockkeeper.domain.brakes import Brake
from lockkeeper.ports import Champion


class Adoptions(Releases, Brakes):
    _adoptions: dict[str, Adoption]

    def adopt(self, adoption: Adoption, champion: Champion, brake: Brake) -> bool:
        with self.writing:
            if self.champion(champion.group):
                return False
            self._adoptions[champion.group] = adoption
            self.crown(champion)
            self.note_brake(champion.group, brake)
        return True

    def adoption(self, group: str) -> Adoption | None:
        with self.writing:
            return self._adoptions.get(group)
