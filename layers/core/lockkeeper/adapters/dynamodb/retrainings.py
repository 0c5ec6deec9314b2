"""Drift signals and retrainings. A signal is kept once with its answer; which retraining is open stands at the group's head."""

from __future__ import annotations

from typing import Any

from lockkeeper.adapters.dynamodb.brakes import Brakes
from lockkeeper.adapters.dynamodb.table import Item
from lockkeeper.domain.brakes import Brake
from lockkeeper.domain.drift import signal_from
from lockkeeper.domain.retraining import Answer, Head, Kept, Retraining, retraining_from

HEADS = "RETRAINING"
"""The partition of all heads: whoever keeps house finds there of which groups something is to be done."""
NOTHING_STARTED = "attribute_not_exists(pk) OR #number = :none"


class Retrainings(Brakes):
    def signal(self, group: str, signal_id: str) -> Kept | None:
        item = self.table.get(f"GROUP#{group}", f"SIGNAL#{signal_id}")
        return _kept(item) if item else None

    def keep_signal(self, kept: Kept) -> bool:
        return self.table.transact(*self._signal(kept, "attribute_not_exists(pk)"))

    def answer_anew(self, kept: Kept) -> bool:
        return self.table.transact(*self._signal(kept, "#number = :none", none=0))

    def signals(self, group: str, limit: int) -> list[Kept]:
        return [_kept(item) for item in self.table.newest(f"GROUP#{group}", "DRIFT#", limit)]

    def retraining_head(self, group: str) -> Head:
        return _head(group, self.table.get(HEADS, _head_key(group)) or {})

    def heads(self) -> list[Head]:
        found = (_head(item["sk"].removeprefix("GROUP#"), item) for item in self.table.query(HEADS))
        return [head for head in found if head.open or head.waiting]

    def let_wait(self, group: str, signal_id: str) -> None:
        self.table.update(HEADS, _head_key(group), "SET #waiting = :signal", signal=signal_id)

    def begin_retraining(self, kept: Kept, retraining: Retraining, seen: Head) -> bool:
        taken = self.table.update_request(
            HEADS,
            _head_key(kept.signal.group),
            "SET #number = :new, #open = :new, #waiting = :waiting",
            "(attribute_not_exists(#number) OR #number = :seen) AND (attribute_not_exists(#open) OR #open = :none)",
            new=retraining.number,
            seen=seen.number,
            none=0,
            waiting=kept.signal.signal_id if kept.waits else "",
        )
        put = self.table.put_request(_item(retraining), "attribute_not_exists(pk)")
        return self.table.transact(*self._signal(kept, NOTHING_STARTED, none=0), {"Put": put}, {"Update": taken})

    def retraining(self, group: str, number: int) -> Retraining | None:
        item = self.table.get(f"GROUP#{group}", _number(number))
        return retraining_from(item) if item else None

    def retrainings(self, group: str, limit: int) -> list[Retraining]:
        return [retraining_from(item) for item in self.table.newest(f"GROUP#{group}", "RETRAINING#", limit)]

    def change_retraining(self, seen: Retraining, after: Retraining) -> bool:
        put = self.table.put_request(_item(after), "#revision = :seen", seen=seen.revision)
        requests: list[Item] = [{"Put": put}]
        if after.version != seen.version:
            pointer = {"pk": f"GROUP#{after.group}", "sk": _made(after.version), "number": after.number}
            requests.append({"Put": self.table.put_request(pointer)})
        if seen.open and not after.open:
            closed = self.table.update_request(
                HEADS, _head_key(after.group), "SET #open = :none", "#open = :mine", none=0, mine=after.number
            )
            requests.append({"Update": closed})
        return self.table.transact(*requests)

    def retraining_of(self, group: str, version: int) -> Retraining | None:
        pointer = self.table.get(f"GROUP#{group}", _made(version))
        return self.retraining(group, int(pointer["number"])) if pointer else None

    def resume_retraining(self, group: str, brake: Brake) -> None:
        update = self.table.update_request(HEADS, _head_key(group), "SET #resumed_at = :at", at=brake.at)
        self.table.transact({"Update": update}, self._line(group, brake))

    def _signal(self, kept: Kept, condition: str, **values: Any) -> tuple[Item, Item]:
        """Under its own name, which keeps it from being kept twice, and in the order of what was found when, for people."""
        signal, group = kept.signal, f"GROUP#{kept.signal.group}"
        told = {
            "signal": signal.to_json(),
            "answer": str(kept.answer),
            "reason": kept.reason,
            "at": kept.at,
            "number": kept.number,
        }
        named = {"pk": group, "sk": f"SIGNAL#{signal.signal_id}", **told}
        line = {"pk": group, "sk": f"DRIFT#{signal.at}#{signal.signal_id}", **told}
        return {"Put": self.table.put_request(named, condition, **values)}, {"Put": self.table.put_request(line)}


def _item(retraining: Retraining) -> Item:
    document = retraining.to_json() | {"revision": retraining.revision}
    return {"pk": f"GROUP#{retraining.group}", "sk": _number(retraining.number), **document}


def _number(number: int) -> str:
    return f"RETRAINING#{number:06d}"


def _made(version: int) -> str:
    return f"RETRAINED#{version:010d}"


def _head_key(group: str) -> str:
    return f"GROUP#{group}"


def _head(group: str, item: Item) -> Head:
    known: dict[str, Any] = {name: item[name] for name in ("number", "open", "waiting", "resumed_at") if name in item}
    return Head(group, **known)


def _kept(item: Item) -> Kept:
    return Kept(signal_from(item["signal"]), Answer(item["answer"]), item["reason"], item["at"], int(item["number"]))
