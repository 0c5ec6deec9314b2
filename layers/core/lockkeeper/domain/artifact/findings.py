"""What a scan finds, its limits, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum

Opinion = Callable[[bytes, list[tuple[str, str]]], list[str]]
"""A second scanner: given the beginning of a pickle and the globals it names, the globals it calls dangerous."""

MEGABYTE = 1_000_000
LEAST_UNPACKED = 10 * MEGABYTE
"""Archives may always unpack to this much: tar pads small files to ten kilobytes."""
MOST_OPERATIONS = 150_000_000
MORE_IN_A_JOB = 10
"""How many times as many opcodes a job may follow: it is given hours."""
NAMED = 3
"""How many of the worst members a reason names."""


class Weight(IntEnum):
    """How bad a finding is; the worst are named first."""

    RUNS_CODE = 0
    ESCAPES = 1
    UNREADABLE = 2
    UNKNOWN = 3


class Unreadable(Exception):
    """The content cannot be followed to its end; the message says why. It is blocked, whatever it is."""


class Exhausted(Exception):
    """A cap on the whole artifact is reached; nothing more is read. The message says which cap."""


@dataclass(frozen=True)
class Finding:
    """Something that keeps an artifact from passing. `member` is a path, with `!` before what is inside of a member."""

    member: str
    what: str
    why: str
    weight: Weight
    cure: str = ""


@dataclass(frozen=True)
class Limits:
    """Caps on one artifact. `held_bytes` is the largest member that is held in memory (zip, HDF5 and ONNX files).

    `operations` are opcodes of all pickles together: minutes of a small Lambda.
    """

    unpacked_bytes: int
    members: int
    held_bytes: int = 600 * MEGABYTE
    operations: int = MOST_OPERATIONS
    depth: int = 3

    @classmethod
    def of(cls, artifact_bytes: int, max_ratio: int, max_bytes: int, max_members: int) -> Limits:
        """The caps for an artifact of so many bytes: `max_ratio` times its size, and never more than ten times `max_bytes`."""
        return cls(min(max(LEAST_UNPACKED, max_ratio * artifact_bytes), 10 * max_bytes), max_members)

    def in_a_job(self, max_bytes: int) -> Limits:
        """The same caps where memory and time are a machine's: it holds members of up to `max_bytes`."""
        held = max(self.held_bytes, max_bytes)
        return replace(self, held_bytes=held, operations=MORE_IN_A_JOB * self.operations)


@dataclass
class Report:
    """What was seen. `code` are the names of source files, `pickles` the members that unpickling would read."""

    limits: Limits
    findings: list[Finding] = field(default_factory=list)
    members: int = 0
    unpacked_bytes: int = 0
    operations: int = 0
    pickles: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    def find(self, member: str, what: str, why: str, weight: Weight, cure: str = "") -> None:
        """Note a finding, once."""
        finding = Finding(printable(member), printable(what), printable(why), weight, printable(cure, 300))
        if finding not in self.findings and len(self.findings) < 1000:
            self.findings.append(finding)

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise Exhausted(f"it has more than {self.limits.members} members (gates.artifact.max_members)")

    def count_bytes(self, number: int) -> None:
        """Unpacked bytes, of the archive and of what is packed inside of it."""
        self.unpacked_bytes += number
        if self.unpacked_bytes > self.limits.unpacked_bytes:
            raise Exhausted(
                f"it unpacks to more than {self.limits.unpacked_bytes} bytes (gates.artifact.max_ratio, max_mb)"
            )

    @property
    def reason(self) -> str:
        """The worst findings in one line; what was looked at when there are none."""
        if not self.findings:
            code = f"; own code: {_listed(self.code)}" if self.code else ""
            return (
                f"{self.members} members, {self.unpacked_bytes} bytes unpacked, {len(self.pickles)} pickle(s) "
                f"that name nothing but allowed globals{code}"
            )
        worst = sorted(self.findings, key=lambda one: one.weight)
        named = "; ".join(f"{one.member}: {one.what} ({one.why})" for one in worst[:NAMED])
        more = len(worst) - NAMED
        return named + (f"; and {more} more" if more > 0 else "")

    @property
    def cure(self) -> str:
        """What to do about the worst finding that somebody can do something about."""
        worst = sorted(self.findings, key=lambda one: one.weight)
        return next((one.cure for one in worst if one.cure), "") or "pack plain files that can be read to their end"


def printable(text: str, most: int = 160) -> str:
    """Text from an artifact as a line that shows what it is: `most` characters, controls and look-alikes escaped."""
    shown = text[: most + 1].encode("unicode_escape", "backslashreplace").decode("ascii")
    return shown if len(shown) <= most else shown[: most - 3] + "..."


def _listed(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
