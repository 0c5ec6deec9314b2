"""How many raw bytes an array has, from numpy's own description of its type; anything unusual is unreadable."""

from __future__ import annotations

import ast
import math
import re

from lockkeeper.domain.artifact.findings import Unreadable
from lockkeeper.domain.artifact.stream import MemberFile
from lockkeeper.domain.artifact.values import DTYPE, OPAQUE, Made

NPY = b"\x93NUMPY"
KIND = re.compile(r"[<>|=]?([?bBhHiIlLqQefdFDmMSUVOcu])(\d{0,9})(?:\[[\w/]{1,20}\])?")
LETTERS = {
    "?": 1,
    "b": 1,
    "B": 1,
    "i": 4,
    "f": 4,
    "h": 2,
    "H": 2,
    "I": 4,
    "l": 8,
    "L": 8,
    "q": 8,
    "Q": 8,
    "e": 2,
    "d": 8,
    "F": 8,
    "D": 16,
}
"""Bytes of the kinds that are written without a size (on the platforms that models are trained on)."""
DESCRIBES = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"})
MOST_DIMENSIONS = 64
MOST_HEADER = 1 << 16
FLAGS = {"U": (0, 8), "O": (63,)}
"""What numpy writes for the kinds that have flags at all."""
POINTER = 8
UNFOLLOWED = "an array whose type cannot be followed"
CONTRADICTS = "an array whose type contradicts itself"
HOLDS_OBJECTS = 0x01
"""numpy's flag for types whose elements are references."""
OBJECTS = -1
"""In place of a number of bytes: the elements are a pickle."""


def array_bytes(state: object) -> int:
    """Raw bytes of the array that a joblib wrapper of this state announces; `OBJECTS` where a pickle follows."""
    if not isinstance(state, dict) or set(state) - DESCRIBES:
        raise Unreadable("an array whose description cannot be followed")
    size = item_bytes(state.get("dtype"))
    return OBJECTS if size == OBJECTS else _times(state.get("shape"), size)


def alignment(state: object) -> int | None:
    """`numpy_array_alignment_bytes` of a wrapper; None for files of joblib before 1.2, which have none."""
    given = state.get("numpy_array_alignment_bytes") if isinstance(state, dict) else OPAQUE
    if given is None:
        return None
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= 255:
        raise Unreadable("an array whose alignment cannot be followed")
    return given


def read_npy(file: MemberFile) -> int:
    """Read the head of a .npy file; returns the number of raw bytes that follow, or `OBJECTS`."""
    magic = file.exactly(8)
    if not magic.startswith(NPY) or magic[6] not in (1, 2, 3):
        raise Unreadable("a .npy file of an unknown version")
    length = int.from_bytes(file.exactly(2 if magic[6] == 1 else 4), "little")
    if length > MOST_HEADER:
        raise Unreadable(f"a .npy header of {length} bytes")
    try:
        header = ast.literal_eval(file.exactly(length).decode("latin-1").strip())
        size = _described(header["descr"])
    except (ValueError, SyntaxError, TypeError, LookupError, MemoryError, RecursionError) as error:
        raise Unreadable("a .npy header that is broken") from error
    return OBJECTS if size == OBJECTS else _times(header.get("shape"), size)


def _times(shape: object, size: int) -> int:
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS:
        raise Unreadable("an array whose shape cannot be followed")
    if any(not isinstance(length, int) or isinstance(length, bool) or length < 0 for length in shape):
        raise Unreadable("an array whose shape cannot be followed")
    return math.prod(shape) * size


def item_bytes(dtype: object) -> int:
    """Bytes of one element of a pickled `numpy.dtype`, or `OBJECTS`."""
    if not isinstance(dtype, Made) or dtype.of != DTYPE or not isinstance(dtype.arguments, tuple):
        raise Unreadable(UNFOLLOWED)
    if dtype.times_built == 0:
        return _size_of_kind(dtype.arguments[0] if dtype.arguments else OPAQUE)
    if dtype.times_built != 1 or dtype.item_bytes is None:
        raise Unreadable(UNFOLLOWED)
    return dtype.item_bytes


def built_item_bytes(dtype: Made) -> int:
    """The same of a type that was just given its state; once only, since types are made of types.

    numpy believes a type's state, and a state that contradicts itself makes it read and write where it must not: what numpy
    would not have written itself is unreadable.
    """
    if not isinstance(dtype.arguments, tuple) or not dtype.arguments:
        raise Unreadable(UNFOLLOWED)
    size = _size_of_kind(dtype.arguments[0])
    state = dtype.state
    if dtype.times_built != 1 or not isinstance(state, tuple) or not 8 <= len(state) <= 9:
        raise Unreadable(UNFOLLOWED)
    _, _, subarray, names, fields, stated, _, flags = state[:8]
    if not isinstance(flags, int) or not isinstance(stated, int):
        raise Unreadable(UNFOLLOWED)
    if subarray is not None or fields is not None:
        inner = _subarray(subarray) if fields is None else _structured(names, fields, stated)
        if bool(flags & HOLDS_OBJECTS) != (inner == OBJECTS) or inner not in (OBJECTS, stated) or size != stated:
            raise Unreadable(CONTRADICTS)
        return inner
    kind = str(dtype.arguments[0]).lstrip("<>=|")[:1]
    if flags not in FLAGS.get(kind, (0,)) or names is not None or stated not in (-1, size):
        raise Unreadable(CONTRADICTS)
    return size


def _subarray(described: object) -> int:
    if not isinstance(described, tuple) or len(described) != 2:
        raise Unreadable(UNFOLLOWED)
    size = item_bytes(described[0])
    return OBJECTS if size == OBJECTS else _times(described[1], size)


def _structured(names: object, fields: object, stated: int) -> int:
    """Bytes of a record whose fields lie inside of it; `OBJECTS` when one of them holds objects."""
    if not isinstance(fields, dict) or not isinstance(names, tuple) or set(names) != set(fields) or OPAQUE in fields:
        raise Unreadable(UNFOLLOWED)
    objects = False
    for described in fields.values():
        if not isinstance(described, tuple) or len(described) < 2 or not isinstance(described[1], int):
            raise Unreadable(UNFOLLOWED)
        size = item_bytes(described[0])
        objects = objects or size == OBJECTS
        if not 0 <= described[1] <= stated - (POINTER if size == OBJECTS else size):
            raise Unreadable(CONTRADICTS)
    return OBJECTS if objects else stated


def _described(descr: object) -> int:
    """Bytes of one element, as a .npy header describes it."""
    if isinstance(descr, str):
        return _size_of_kind(descr)
    if not isinstance(descr, list) or not descr:
        raise Unreadable("a .npy header that is broken")
    total = 0
    for one in descr:
        size = _described(one[1])
        if size == OBJECTS:
            return OBJECTS
        total += _times(tuple(one[2]) if len(one) > 2 else (), size)
    return total


def _size_of_kind(kind: object) -> int:
    found = KIND.fullmatch(kind) if isinstance(kind, str) else None
    if not found:
        raise Unreadable(UNFOLLOWED)
    letter, digits = found[1], found[2]
    if letter == "O":
        return OBJECTS
    if letter in "mM":
        return 8
    if not digits:
        if letter not in LETTERS:
            raise Unreadable(f"an array of type {kind}, whose size depends on the machine")
        return LETTERS[letter]
    return int(digits) * (4 if letter == "U" else 1)
