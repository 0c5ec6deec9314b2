"""What was taken over: with the champion that it is, and its line in the group's history, in one write."""

from __future__ import annotations

from dataclasses import asdict, fields

from lockkeeper.adapters.dynamodb.brakes import Brakes
from lockkeeper.adapters.dynamodb.releases import crowning
from lockkeeper.domain.adoption import Adoption
from lockkeeper.domain.brakes import Brake
from lockkeeper.ports import Champion

ADOPTED = "ADOPTED"


class Adoptions(Brakes):
    def adopt(self, adoption: Adoption, champion: Champion, brake: Brake) -> bool:
        group = champion.group
        item = {"pk": f"GROUP#{group}", "sk": ADOPTED, **asdict(adoption)}
        return self.table.transact(
            *crowning(self.table, champion, "attribute_not_exists(pk)"),
            {"Put": self.table.put_request(item)},
            self._line(group, brake),
        )

    def adoption(self, group: str) -> Adoption | None:
        item = self.table.get(f"GROUP#{group}", ADOPTED)
        return Adoption(**{one.name: item[one.name] for one in fields(Adoption)}) if item else None
