"""Pickles are followed as unpicklers follow them. The judge is Python's own unpickler, with lookups recorded and refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyUnpickler
from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import Exhausted, Limits, Report, Unreadable
from lockkeeper.domain.artifact.pickles import ACTIONS, BY_NAME, Pickle
from lockkeeper.domain.artifact.scan import Scanner, no_opinion, scan
from lockkeeper.domain.artifact.stream import MemberFile
from lockkeeper.domain.artifact.values import Global, Reading

from tests.unit.artifact_corpus import SYSTEM, calls, packed, tar
from tests.unit.benign_artifacts import models, saved

WORDS = ["os", "system", "eval", "builtins", "posix", "collections", "deque", "x"]
LIMITS = Limits(50_000_000, 1000)


class Stand:
    """In place of whatever a pickle names: it takes anything and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> Stand:
        return object.__new__(cls)

    def __setstate__(self, _: Any) -> None: ...
    def append(self, _: Any) -> None: ...
    def extend(self, _: Any) -> None: ...
    def add(self, _: Any) -> None: ...
    def __setitem__(self, _: Any, __: Any) -> None: ...


PYTHON_2 = ("__builtin__", "copy_reg")
"""Modules whose names an unpickler's lookup gets as Python 2 spelled them."""

ALLOCATES = (b"r", b"\x96")
"""LONG_BINPUT and BYTEARRAY8: unpicklers take as much memory as these say, before they look whether it is there."""


OTHER_BYTES = bytes(set(range(256)) - {0x96})


def looked_up(body: bytes) -> set[tuple[str, str]]:
    """What the unpicklers of C and Python look up, before they end or fail. Nothing is imported or called."""
    found: set[tuple[str, str]] = set()
    for kind in (pickle.Unpickler, pickle._Unpickler):  # type: ignore[attr-defined]

        class Recorder(kind):  # type: ignore[misc, valid-type]
            def find_class(self, module: str, name: str) -> Any:
                found.add((module, name))
                return Stand

            def persistent_load(self, _: Any) -> Any:
                return None

        # Whatever stops an unpickler: what it looked up until then is what counts.
        with suppress(Exception):
            Recorder(io.BytesIO(body)).load()
    return found


REAL = {("joblib.numpy_pickle", "NumpyArrayWrapper"), ("numpy", "dtype"), ("numpy", "ndarray")}


def look_up_with_joblib(body: bytes, record: Path) -> None:
    """As `looked_up`, with joblib's unpickler on an uncompressed file, which reads arrays between the opcodes; writes what comes."""
    with record.open("w") as lines:

        class Recorder(NumpyUnpickler):  # type: ignore[misc]
            def find_class(self, module: str, name: str) -> Any:
                print(json.dumps([module, name]), file=lines, flush=True)
                return super().find_class(module, name) if (module, name) in REAL else Stand

        with suppress(Exception):
            Recorder("model.joblib", io.BytesIO(body), ensure_native_byte_order=False).load()


class Apart:
    """Another process, and the next one where it ends: numpy itself may crash over a changed file."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._begin()

    def _begin(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"))

    def __call__(self, act: Callable[[bytes, Path], None], body: bytes) -> set[tuple[str, str]]:
        """The names that `act` wrote, before it ended or the process did."""
        try:
            self._pool.submit(act, body, self._record).result()
        except BrokenProcessPool:
            self._begin()
        return {tuple(json.loads(line)) for line in self._record.read_text().splitlines()}

    def end(self) -> None:
        self._pool.shutdown()


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    apart = Apart(tmp_path_factory.mktemp("apart") / "names.jsonl")
    yield apart
    apart.end()


def look_up_and_crash(body: bytes, record: Path) -> None:
    look_up_with_joblib(body, record)
    os.abort()


def test_a_process_that_crashes_has_told_what_it_looked_up_and_the_next_one_goes_on(apart: Apart) -> None:
    body = saved(models()["forest"])
    whole = apart(look_up_with_joblib, body)
    assert whole >= REAL
    assert apart(look_up_and_crash, body) == whole
    assert apart(look_up_with_joblib, body) == whole


def followed(body: bytes) -> Reading:
    reading = Reading()
    with suppress(Unreadable):
        Pickle(MemberFile(io.BytesIO(body).read), reading, raw_arrays=False).follow()
    return reading


def findings_in(body: bytes) -> Report:
    report = Report(LIMITS)
    Scanner(report, Allowed(), no_opinion).member("m", io.BytesIO(body).read, 0)
    return report


def test_every_opcode_is_followed() -> None:
    assert {op.name for op in pickletools.opcodes} == set(BY_NAME)
    assert {ord(op.code) for op in pickletools.opcodes} == set(ACTIONS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_names_are_those_that_the_unpicklers_look_up(protocol: int) -> None:
    for name, model in models().items():
        body = pickle.dumps(model, protocol)
        reading = followed(body)
        assert reading.pickles == 1, name
        assert reading.problems == [], name
        # Both spellings count: the recorder is told the name of Python 2, the reader what it becomes.
        assert {str(one) for one in reading.names} >= {f"{m}.{n}" for m, n in looked_up(body) if m not in PYTHON_2}


OPCODES = st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])
PIECES = st.one_of(
    OPCODES,
    st.sampled_from(WORDS).map(lambda word: b"\x8c" + bytes([len(word)]) + word.encode()),
    st.sampled_from(WORDS).map(lambda word: b"S'" + word.encode() + b"'\n"),
    st.sampled_from(WORDS).map(lambda word: word.encode() + b"\n"),
    st.integers(0, 3).map(lambda index: b"h" + bytes([index])),
    st.integers(0, 3).map(lambda index: b"q" + bytes([index])),
    st.sampled_from([b"\x94", b"\x93", b"R", b"b", b")", b"}", b"(", b"t", b"\x85", b"\x86", b"\x81", b".", b"0"]),
    st.sampled_from([b"\x80\x02", b"\x80\x04"]),
    st.binary(max_size=3),
)  # fmt: skip


@settings(max_examples=300)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["forest", "tables", "words", "isotonic"]))
def test_changed_joblib_files_look_up_nothing_that_is_not_seen(
    apart: Apart, seed: int, changes: int, name: str
) -> None:
    chance = random.Random(seed)
    body = bytearray(saved(models()[name]))
    for _ in range(changes):
        # Where opcodes are rather than numbers: near the beginning, and near each array's description.
        spots = [
            at for at in (body.find(b"NumpyArrayWrapper"), body.find(b"shape"), body.rfind(b"shape"), 0) if at >= 0
        ]
        # Any byte but BYTEARRAY8, which takes the memory that it names.
        body[min(len(body) - 1, chance.choice(spots) + chance.randrange(300))] = chance.choice(OTHER_BYTES)
    if not findings_in(bytes(body)).findings:
        found = apart(look_up_with_joblib, bytes(body))
        assert [name for name in found if name[0] not in PYTHON_2 and not Allowed().permits(Global(*name))] == []


def programs(most: int) -> st.SearchStrategy[bytes]:
    """Random sequences of opcodes, names and other bytes."""
    pieces = st.lists(PIECES, max_size=most).map(b"".join)
    return pieces.filter(lambda body: not any(opcode in body for opcode in ALLOCATES))


def hold_to_the_unpicklers(body: bytes) -> None:
    """Whatever an unpickler would look up is named, or the pickle is in doubt; what exists does not pass."""
    reading, found = followed(body), looked_up(body)
    missed = {f"{module}.{name}" for module, name in found} - {str(one) for one in reading.names}
    assert not missed or reading.problems, (body, missed)
    exists = {(module, name) for module, name in found if module.split(".")[0] in sys.stdlib_module_names}
    if exists - {("collections", "deque")}:
        assert findings_in(body).findings, (body, found)


@settings(max_examples=1000)
@given(programs(25))
@example(SYSTEM)
@example(SYSTEM[:-6])
@example(b"Nbcos\nsystem\n")
@example(b"(ios\nsystem\n.")
def test_random_programs_look_up_nothing_that_is_not_seen(body: bytes) -> None:
    hold_to_the_unpicklers(body)


@pytest.mark.full
@pytest.mark.long
@settings(max_examples=30_000)
@given(programs(60))
def test_many_random_programs_look_up_nothing_that_is_not_seen(body: bytes) -> None:
    hold_to_the_unpicklers(body)


@settings(max_examples=500)
@given(st.binary(max_size=400).filter(lambda body: not any(opcode in body for opcode in ALLOCATES)))
def test_random_bytes_are_read_without_an_error(body: bytes) -> None:
    hold_to_the_unpicklers(body)


@settings(max_examples=100)
@given(
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.sampled_from(["forest", "tables", "words", "histograms"]),
    st.sampled_from([0, 3]),
)
def test_mutations_of_benign_models_are_refused_or_still_harmless(
    seed: int, changes: int, name: str, compress: int
) -> None:
    """Never another error, whatever bytes of the member or of the archive change."""
    chance = random.Random(seed)
    body = bytearray(saved(models()[name], compress))
    for _ in range(changes):
        body[chance.randrange(len(body))] = chance.randrange(256)
    findings_in(bytes(body))
    whole = bytearray(packed({"model.joblib": bytes(body)}))
    for _ in range(chance.randrange(3)):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    scan(io.BytesIO(bytes(whole)).read, LIMITS, Allowed())


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_mutations_of_a_tar_are_refused_or_still_harmless(seed: int) -> None:
    chance = random.Random(seed)
    body = bytearray(tar({"a": b"x" * 700, "é" * 90: b"y"}))
    for _ in range(chance.randrange(1, 10)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    with suppress(Unreadable, Exhausted):
        Scanner(Report(LIMITS), Allowed(), no_opinion).archive("t", io.BytesIO(bytes(body)).read, 0)


def test_a_pickle_cut_anywhere_is_refused() -> None:
    body = calls("collections", "deque")
    assert not findings_in(body).findings
    for length in range(4, len(body)):
        assert findings_in(body[:length]).findings, length
