"""ONNX models may keep their weights in other files; a path that leaves the archive is another program's file."""

from __future__ import annotations

from collections.abc import Iterator

from lockkeeper.domain.artifact.findings import Unreadable
from lockkeeper.domain.artifact.tar import name_problem

WITHIN = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "tensor": {13: "entry"},
}
"""Where onnx.proto has messages that may hold tensors, by field number."""
DEEPEST = 60


def looks_like_onnx(head: bytes) -> bool:
    """`ir_version` comes first: field 1, a small number, then another field of a model."""
    return len(head) > 3 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in b"\x12\x1a\x22\x2a\x32\x3a\x42\x72"


def outside_paths(body: memoryview) -> list[str]:
    """Paths of external data that leave the folder of the model; raises `Unreadable` where it is no ONNX model."""
    return [path for path in _locations(body, "model", 0) if name_problem(path)]


def _locations(body: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        raise Unreadable(f"an ONNX model nested deeper than {DEEPEST}")
    for number, value in _fields(body):
        inner = WITHIN[kind].get(number)
        if inner and value is None:
            raise Unreadable("an ONNX model that is broken")
        if inner == "entry" and value is not None:
            entry = {one: bytes(text) for one, text in _fields(value) if text is not None}
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "surrogateescape")
        elif inner and value is not None:
            yield from _locations(value, inner, depth + 1)


def _fields(body: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """Field numbers and, where they have a length, their bytes."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        number, kind = tag >> 3, tag & 7
        length = {1: 8, 5: 4}.get(kind, 0)
        if kind == 0:
            _, at = _varint(body, at)
        elif kind == 2:
            length, at = _varint(body, at)
        elif kind not in (1, 5):
            raise Unreadable("an ONNX model that is broken")
        if number == 0 or at + length > len(body):
            raise Unreadable("an ONNX model that is broken")
        yield number, body[at : at + length] if kind == 2 else None
        at += length


def _varint(body: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(body):
            break
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Unreadable("an ONNX model that is broken")
