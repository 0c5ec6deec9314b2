"""What stands on a pickle's stack, as far as it matters: names, the globals they become, and what is made of those."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from lockkeeper.domain.artifact.findings import MOST_OPERATIONS, Unreadable

MOST_NAMES = 50_000
NAME = re.compile(r"[\w.<>=|?!+-]{0,200}")
"""Texts that may be a module, a name or an array's type. Others are not kept: no global is called like that."""


class Opaque:
    """A value of which only its presence is known."""

    def __repr__(self) -> str:
        return "something"


OPAQUE = Opaque()


class Global(NamedTuple):
    """`module.name` as a pickle spells it, after Python 2's names were put into Python 3's."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


WRAPPERS = frozenset(
    {
        Global("joblib.numpy_pickle", "NumpyArrayWrapper"),
        Global("sklearn.externals.joblib.numpy_pickle", "NumpyArrayWrapper"),
    }
)
"""joblib writes an array's bytes behind the opcode that builds one of these."""

DTYPE = Global("numpy", "dtype")


@dataclass
class Made:
    """An instance. Arguments and state are kept for what says how many raw bytes follow, and for nothing else."""

    of: Global
    arguments: object = OPAQUE
    state: object = OPAQUE
    times_built: int = 0
    item_bytes: int | None = None
    """Of a `numpy.dtype` that was given its state: what `arrays.item_bytes` says of it."""


@dataclass
class Reading:
    """What a reader of a pickle would do. `names` holds each global with the first offset it is named at."""

    names: dict[Global, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    effects: int = 0
    """Calls, instances and computed names: what an unpickler would do beside looking names up."""
    operations: int = 0
    most_operations: int = MOST_OPERATIONS
    pickles: int = 0
    declared: bool = False
    persistent_ids: bool = False

    def name(self, found: Global, offset: int) -> None:
        """Note a global, and the offset of its first mention."""
        if len(self.names) >= MOST_NAMES and found not in self.names:
            raise Unreadable("more globals than any model names")
        self.names.setdefault(found, offset)

    def doubt(self, problem: str) -> None:
        """Something that cannot be resolved, and is blocked for it."""
        if problem not in self.problems and len(self.problems) < 100:
            self.problems.append(problem)


def keep_text(raw: bytes) -> object:
    """A text if it may name something, else a value without a content."""
    if len(raw) > 200:
        return OPAQUE
    text = raw.decode("utf-8", "surrogatepass")
    return text if NAME.fullmatch(text) else OPAQUE
