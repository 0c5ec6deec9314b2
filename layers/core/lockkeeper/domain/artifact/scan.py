"""Walks a model artifact, member by member, and reports what must not be deployed. Pure: bytes in, a report out."""

from __future__ import annotations

import io

from lockkeeper.domain.artifact import keras, onnx, zips
from lockkeeper.domain.artifact.allowed import Allowed, never
from lockkeeper.domain.artifact.arrays import OBJECTS, read_npy
from lockkeeper.domain.artifact.compressed import Pull, Unpacked
from lockkeeper.domain.artifact.findings import Exhausted, Limits, Opinion, Report, Unreadable, Weight
from lockkeeper.domain.artifact.kinds import WIDE_JSON, kind_of
from lockkeeper.domain.artifact.pickles import ENDS_EARLY, Pickle
from lockkeeper.domain.artifact.stream import BLOCK, MemberFile
from lockkeeper.domain.artifact.tar import BAD_NAME, Tar, looks_like_tar, name_problem
from lockkeeper.domain.artifact.values import Global, Reading

LARGEST_JSON = 16_000_000
TORCH_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
"""torch's format before zip: five pickles, the first of them this number, and then raw storages."""
TORCH_PICKLES = 5
DECLARED = 4
"""Opcodes after which bytes that declare a pickle are no accident: tensors begin with any bytes."""


def no_opinion(_head: bytes, _names: list[tuple[str, str]]) -> list[str]:
    """For who wants the allow-list alone."""
    return []


def scan(pull: Pull, limits: Limits, allowed: Allowed, opinion: Opinion = no_opinion) -> Report:
    """Read a `model.tar.gz` to its end or to the first cap; never raises on what is in it.

    `pull(size)` gives the next bytes, at most so many, and none at the end only. What stands in the way of reading on is a
    finding, too: unreadable is blocked.
    """
    report = Report(limits)
    scanner = Scanner(report, allowed, opinion)
    try:
        scanner.archive("model.tar.gz", Unpacked(pull, "gzip", report.count_bytes), depth=0)
    except Exhausted as cap:
        report.find(
            "model.tar.gz", "too much", str(cap), Weight.ESCAPES, "make it smaller, or raise the cap in the policy"
        )
    except Unreadable as problem:
        report.find(
            "model.tar.gz",
            "no readable .tar.gz",
            str(problem),
            Weight.UNREADABLE,
            "pack the model again: tar czf model.tar.gz ...",
        )
    return report


class Scanner:
    """Looks at members and at what is inside of them."""

    def __init__(self, report: Report, allowed: Allowed, opinion: Opinion) -> None:
        self._report = report
        self._allowed = allowed
        self._opinion = opinion

    def archive(self, name: str, pull: Pull, depth: int) -> None:
        """A tar archive; `depth` is 0 for the artifact itself."""

        def refuse(member: str, what: str, why: str) -> None:
            cure = "pack only plain files with relative names"
            self._report.find(f"{name}!{member}" if depth else member, what, why, Weight.ESCAPES, cure)

        for member in Tar(pull, refuse):
            self._report.count_member()
            if member.name.endswith(".py"):
                # The team's own serving code: it runs in its container by design, so it is named and not judged.
                self._report.code.append(member.name)
            self.member(f"{name}!{member.name}" if depth else member.name, member.pull, depth)

    def file(self, path: str, pull: Pull) -> None:
        """A file that is an artifact's, without an archive around it."""
        self._report.count_member()
        if path.endswith(".py"):
            self._report.code.append(path)
        self.member(path, self._counted(pull), 0)

    def member(self, name: str, pull: Pull, depth: int) -> None:
        """One file: whatever cannot be read to its end is a finding, and the next one is looked at."""
        file = MemberFile(pull)
        contained = False
        try:
            contained = self._look_into(name, file, depth)
            file.drain()
        except Unreadable as problem:
            self._report.find(
                name, "unreadable", str(problem), Weight.UNREADABLE, "save it again in a format that can be followed"
            )
        if not contained and file.hidden:
            self._report.find(name, "two files in one", file.hidden, Weight.ESCAPES, "pack each file by itself")

    def _look_into(self, name: str, file: MemberFile, depth: int) -> bool:
        """Returns whether it is an archive, whose members were looked at one by one: those may well be other files."""
        head = file.head()
        family, _, kind = ("tar" if looks_like_tar(head) else kind_of(head)).partition(":")
        if depth >= self._report.limits.depth and family in ("zip", "compressed", "tar"):
            raise Unreadable(f"archives in archives, more than {self._report.limits.depth} deep")
        if family == "zip":
            self._zip(name, file, depth)
        elif family == "compressed":
            self._compressed(name, file, kind, depth)
        elif family == "closed":
            raise Unreadable(f"{kind} cannot be looked into")
        elif family == "compiled":
            self._compiled(name, kind)
        elif family == "npy":
            self._npy(name, file)
        elif family == "hdf5":
            for config in keras.configs_in_hdf5(self._hold(file)):
                self._keras(name, config)
        elif family == "json":
            self._json(name, file)
        elif family == "tar":
            if kind_of(head) or not _harmless(head, self._allowed):
                raise Unreadable("it reads as a tar archive and as something else")
            self.archive(name, file.read, depth + 1)
        elif onnx.looks_like_onnx(head) or name.endswith(".onnx"):
            self._onnx(name, file, head)
        else:
            self._pickle(name, file, head)
        return family in ("zip", "tar")

    # --- containers ---

    def _zip(self, name: str, file: MemberFile, depth: int) -> None:
        body = self._hold(file)
        for member in zips.members_of(body, self._report.limits.members):
            self._report.count_member()
            problem = name_problem(member.name)
            if problem:
                self._report.find(f"{name}!{member.name}", BAD_NAME, problem, Weight.ESCAPES)
            self.member(f"{name}!{member.name}", self._counted(member.pull), depth + 1)

    def _compressed(self, name: str, file: MemberFile, kind: str, depth: int) -> None:
        self.member(f"{name}!{kind}", Unpacked(file.read, kind, self._report.count_bytes), depth + 1)

    def _counted(self, pull: Pull) -> Pull:
        def counted(size: int) -> bytes:
            block = pull(size)
            self._report.count_bytes(len(block))
            return block

        return counted

    def _hold(self, file: MemberFile) -> bytearray:
        body = bytearray()
        while block := file.read(BLOCK):
            body += block
            if len(body) > self._report.limits.held_bytes:
                raise Unreadable(f"more than the {self._report.limits.held_bytes} bytes that are held for such a file")
        return body

    # --- contents ---

    def _compiled(self, name: str, kind: str) -> None:
        cure = "leave it out (tar --exclude __pycache__), ship source, or put compiled code into the container image"
        self._report.find(name, kind, "nobody can read what it does", Weight.UNKNOWN, cure)

    def _npy(self, name: str, file: MemberFile) -> None:
        """Arrays one after another, as numpy saves them into one file."""
        while not file.at_end():
            size = read_npy(file)
            if size == OBJECTS:
                reading = self._reading()
                self._report.pickles.append(name)
                try:
                    Pickle(file, reading).follow()
                finally:
                    self._report.operations += reading.operations
                    self._judge(name, reading, b"")
            else:
                file.skip(size)

    def _json(self, name: str, file: MemberFile) -> None:
        """Held where it is small enough; of larger JSON (an XGBoost model) it is seen whether it speaks of classes at all."""
        body = bytearray()
        while len(body) < LARGEST_JSON and (block := file.read(BLOCK)):
            body += block
        if file.at_end():
            if keras.SPEAKS_OF_CLASSES.search(body) or WIDE_JSON.match(body):
                self._keras(name, keras.parsed(body))
            return
        tail = bytes(body)
        while tail:
            if keras.SPEAKS_OF_CLASSES.search(tail):
                raise Unreadable(f"JSON with class names and more than {LARGEST_JSON} bytes")
            block = file.read(BLOCK)
            tail = tail[-32:] + block if block else b""

    def _keras(self, name: str, config: object) -> None:
        for problem in keras.problems_in(config, self._allowed):
            self._report.find(
                name,
                f"a Keras configuration with {problem}",
                "it runs code when the model is loaded",
                Weight.RUNS_CODE,
                "replace it by a layer of Keras, or put the class into code/ and allow it in gates.artifact.allow_globals",
            )

    def _onnx(self, name: str, file: MemberFile, head: bytes) -> None:
        body = memoryview(self._hold(file))
        if not onnx.looks_like_onnx(head):
            # By its name alone, so it may be something else as well.
            self._pickle(name, MemberFile(zips.Held(body).read), head)
        try:
            paths = onnx.outside_paths(body)
        except Unreadable:
            if name.endswith(".onnx"):
                raise
            return
        for path in paths:
            self._report.find(
                name,
                f"weights in {path}",
                "a path that leaves the archive",
                Weight.ESCAPES,
                "save the weights beside the model",
            )

    def _pickle(self, name: str, file: MemberFile, head: bytes) -> None:
        """Whatever has no other form: followed as a pickle, since any unpickler would try; most are none and end at once."""
        reading = self._reading()
        problem = ""
        try:
            while not file.at_end() and not (head.startswith(TORCH_MAGIC) and reading.pickles == TORCH_PICKLES):
                Pickle(file, reading).follow()
        except Unreadable as end:
            problem = str(end)
        self._report.operations += reading.operations
        if not self._is_pickle(reading, problem):
            return
        self._report.pickles.append(name)
        self._judge(name, reading, head)
        if problem:
            raise Unreadable(f"a pickle that cannot be followed to its end: {problem}")

    def _reading(self) -> Reading:
        return Reading(most_operations=self._report.limits.operations - self._report.operations)

    def _is_pickle(self, reading: Reading, problem: str) -> bool:
        """Whether an unpickler would do something, or the file says that it is a pickle.

        Text may begin like one (the lines `cat` and `dog` name a global), and so may numbers (two bytes declare a pickle):
        what breaks off before it did anything or named a module that exists is neither.
        """
        if reading.effects:
            return True
        if reading.declared and (not problem or problem in ENDS_EARLY or reading.operations >= DECLARED):
            return True
        return bool(reading.names) and (reading.pickles > 0 or any(self._allowed.knows(one) for one in reading.names))

    def _judge(self, name: str, reading: Reading, head: bytes) -> None:
        for found in reading.names:
            if not self._allowed.permits(found):
                self._not_allowed(name, found)
        for problem in reading.problems:
            self._report.find(name, problem, "a pickle that cannot be followed may run anything", Weight.UNREADABLE)
        if reading.persistent_ids:
            self._report.find(
                name, "a persistent id that is no torch storage", "what it stands for is unknown", Weight.UNREADABLE
            )
        for dangerous in self._opinion(head, [(one.module, one.name) for one in reading.names]):
            self._report.find(name, dangerous, "picklescan calls it dangerous", Weight.RUNS_CODE)

    def _not_allowed(self, name: str, found: Global) -> None:
        if never(found):
            self._report.find(
                name,
                f"the pickle names {found}",
                "it runs code or hands out what does",
                Weight.RUNS_CODE,
                "train the model without it; nobody may allow it",
            )
        else:
            self._report.find(
                name,
                f"the pickle names {found}",
                "it is not on the list of what models are made of",
                Weight.UNKNOWN,
                f"if it is your own and harmless, allow it: gates.artifact.allow_globals: [{found}]",
            )


def _harmless(head: bytes, allowed: Allowed) -> bool:
    """Whether bytes that are something else would end an unpickler before it does anything."""
    reading = Reading()
    try:
        Pickle(MemberFile(io.BytesIO(head).read), reading).follow()
    except Unreadable as end:
        named = any(allowed.knows(found) for found in reading.names)
        return str(end) not in ENDS_EARLY and not reading.effects and not named
    return not reading.names and not reading.effects
