"""Faults on demand: which call of which function breaks, and how. Tests write the plan, `faulty_runtime` carries it out.

The plan is a file in the run folder of a server. While there is none, functions run as they do without this module.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from threading import RLock
from typing import Any

FOLDER, PLAN, FIRED, FRESH, INVOCATIONS = "faults", "plan.json", "fired", "fresh", "invocations.jsonl"


class When(StrEnum):
    """Where a function is cut, or that its call is answered with an error instead, or late; or that nothing happens, to compare with."""

    BEFORE = "before"
    AFTER = "after"
    AROUND = "around"
    """Before or after, at whichever is first to be new to a fault that is `fresh`."""
    INSTEAD = "instead"
    HELD = "held"
    NEVER = "never"


@dataclass(frozen=True)
class Fault:
    """One way in which one function breaks.

    `function` is a physical name. `about` are texts that the invocation's event contains, all of them. `call` is the number of the call
    within the invocation, from 1, or among the calls of `operation` (such as `dynamodb:UpdateItem`) where that is named; 0 is any.
    BEFORE and AFTER end the process; BEFORE the call that would come after the last, when the function is through. INSTEAD answers the
    request with `error` and `status`. HELD lets the function wait `seconds` before the call, which then goes on; less where `together`
    invocations have come that far. It happens `times` times at most.

    `fresh` is the name of a record of calls. Such a fault, which is AROUND, happens once before and once after each call that the record
    has not; once for both, after a call and before the next, since AWS sees no difference. A call is told by its operation, by whether it
    is the first from its place or a later one, and by its place (as invocations name it), of which no more counts than up to the first
    frame that `until` matches. `known` are calls that are not new, and `also` calls that are new by their whole place as well; each is
    when, operation, 1 or 2, and place. It happens `times` times to each event, told from another by what the first of the patterns
    `each` finds that finds something, else by all of its text; less as often as others are planned to happen to such an event.
    """

    name: str
    function: str
    when: When
    about: tuple[str, ...] = ()
    call: int = 0
    operation: str = ""
    error: str = "ThrottlingException"
    status: int = 400
    times: int = 1
    seconds: float = 0
    together: int = 0
    fresh: str = ""
    until: str = ""
    known: tuple[tuple[str, str, int, str], ...] = ()
    also: tuple[tuple[str, str, int, str], ...] = ()
    each: tuple[str, ...] = ()


class FaultPlan:
    """The plan of one running server, and what came of it."""

    def __init__(self, run_folder: Path) -> None:
        """From now on new sandboxes of this server obey the plan, which is empty."""
        self.folder = run_folder / FOLDER
        for name in (FIRED, FRESH):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._names: set[str] = set()
        self._planned: list[Fault] = []
        self._writing = RLock()
        self._reading = RLock()
        self._invocations: list[dict[str, Any]] = []
        self._read = 0
        self.clear()

    def add(self, *faults: Fault) -> None:
        """These happen too, from the next invocation on. A name is used once, so that what happened under it is clear."""
        with self._writing:
            for fault in faults:
                if (fault.when is When.AROUND) != bool(fault.fresh):
                    raise ValueError(f"{fault.name!r}: a fault is AROUND if and only if it is fresh")
                if fault.name in self._names or "/" in fault.name:
                    raise ValueError(f"{fault.name!r} was used before, or cannot be a file's name")
                self._names.add(fault.name)
            self._planned += [fault for fault in faults if fault.when is not When.NEVER]
            self._write()

    def planned(self, name: str) -> list[Fault]:
        """What is planned under a name."""
        return [fault for fault in self._planned if fault.name == name]

    def drop(self, prefix: str) -> None:
        """What was planned under names that begin so, and has not happened, will not; what has happened stays on record."""
        with self._writing:
            self._planned = [fault for fault in self._planned if not fault.name.startswith(prefix)]
            self._write()

    def clear(self) -> None:
        """Nothing breaks any more; what has broken stays on record."""
        with self._writing:
            self._planned = []
            self._write()

    def fired(self, name: str) -> list[dict[str, Any]]:
        """What happened under a name: each time the function, its request id, and the number and operation of the call."""
        return [json.loads(path.read_text()) for path in sorted((self.folder / FIRED).glob(f"{name}.[0-9]*"))]

    def invocations(self) -> list[dict[str, Any]]:
        """Every invocation that was finished or cut.

        Each has `function`, `request`, `event` (text), `calls` (operations in order), `places` (where in the code each was made),
        `faults` (names of those that were planned for it; fresh ones where there was no other), `cut` (such as `before 3`, else empty),
        `answered` (the number of the call after whose answer that was, with nothing in between, else 0),
        `fresh` (whether a fresh fault cut it) and `error` (name of the error that it ended with, else empty).
        """
        path = self.folder / INVOCATIONS
        with self._reading:
            if path.exists():
                with path.open("rb") as lines:
                    lines.seek(self._read)
                    whole, _, _ = lines.read().rpartition(b"\n")
                self._read += len(whole) + bool(whole)
                self._invocations += [json.loads(line) for line in whole.splitlines()]
            return list(self._invocations)

    def _write(self) -> None:
        # In one piece: sandboxes read it at every invocation.
        partial = self.folder / f"{PLAN}.partial"
        partial.write_text(json.dumps([asdict(fault) for fault in self._planned]))
        partial.replace(self.folder / PLAN)
