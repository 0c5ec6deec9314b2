"""Keras models: JSON that names classes, in a file of its own, in a `.keras` zip, or inside of an HDF5 file."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Iterator
from typing import Any

from lockkeeper.domain.artifact.allowed import Allowed
from lockkeeper.domain.artifact.findings import Unreadable
from lockkeeper.domain.artifact.values import Global

SPEAKS_OF_CLASSES = re.compile(rb"class_name|registered_name|\\u00[2-7][0-9a-fA-F]|__lambda__")
"""What a configuration has to contain in one spelling or another; JSON can spell letters as escapes."""
SPEAKS_IN_TEXT = re.compile(SPEAKS_OF_CLASSES.pattern.decode())
RUNS_CODE = frozenset({"Lambda", "__lambda__", "TFOpLambda", "SlicingOpLambda"})
OWN = re.compile(r"keras(\.src)?(\.(layers|models|optimizers|losses|metrics|initializers|regularizers|constraints|activations"
                 r"|dtype_policies|random|saving\.object_registration|applications|engine)(\.\w+)*)?")  # fmt: skip
"""Keras's own modules of which a configuration makes objects; the rest of Keras has functions that load and fetch."""
NOT_SPACE = re.compile(r"\S")
BEGINS = re.compile(r"\{\s*\"")
LARGEST_TEXT = 16_000_000


def problems_in(config: Any, allowed: Allowed) -> Iterator[str]:
    """What in a parsed configuration runs code when it is loaded."""
    open_parts = [config]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, list):
            open_parts += part
        elif isinstance(part, dict):
            open_parts += part.values()
            yield from _problem(part, allowed)
        elif isinstance(part, str) and "class_name" in part and part.lstrip()[:1] in ("{", "["):
            # A configuration inside of a text of a configuration.
            open_parts.append(parsed(part))


def _problem(part: dict[str, Any], allowed: Allowed) -> Iterator[str]:
    kind, module = part.get("class_name"), part.get("module")
    if not isinstance(kind, str):
        return
    if kind in RUNS_CODE or str(part.get("registered_name", "")).rpartition(">")[2] in RUNS_CODE:
        yield f"a {kind} layer"
    elif kind == "function" and not _own_function(module, part.get("config")):
        yield f"the function {module}.{part.get('config')}"
    elif kind != "function" and isinstance(module, str) and not _own_class(module, kind, allowed):
        yield f"the class {module}.{kind}"


def _own_class(module: str, kind: str, allowed: Allowed) -> bool:
    if OWN.fullmatch(module):
        return True
    return not hasattr(builtins, kind) and (module == "builtins" or allowed.permits(Global(module, kind)))


def _own_function(module: object, config: object) -> bool:
    """Whether Keras finds a function among its own: a loss or an activation by its name."""
    if module == "builtins":
        return isinstance(config, str) and config.isidentifier() and not hasattr(builtins, config)
    return isinstance(module, str) and OWN.fullmatch(module) is not None


def parsed(text: bytes | bytearray | str) -> list[Any]:
    """The JSON values in a text, one after another; up to where it is none, since no loader would read on there."""
    found: list[Any] = []
    decoder = json.JSONDecoder()
    try:
        if not isinstance(text, str):
            text = text.decode(json.detect_encoding(text), "surrogatepass").removeprefix("\ufeff")
        at = NOT_SPACE.search(text)
        while at:
            value, end = decoder.raw_decode(text, at.start())
            found.append(value)
            at = NOT_SPACE.search(text, end)
    except ValueError:
        return found
    except RecursionError as error:
        raise Unreadable("JSON that is nested too deep") from error
    return found


def configs_in_hdf5(body: bytearray) -> list[Any]:
    """Every JSON object with class names that an HDF5 file holds; texts are in one piece and not compressed in it.

    Raises `Unreadable` where such a text is none, or a model's configuration is announced and none is there.
    """
    found: list[Any] = []
    done = 0
    for spoken in SPEAKS_OF_CLASSES.finditer(body):
        if spoken.start() < done:
            continue
        begin = body.rfind(b"\0", 0, spoken.start()) + 1
        done = body.find(b"\0", spoken.end())
        done = len(body) if done < 0 else done
        if done - begin > LARGEST_TEXT:
            raise Unreadable(f"a text with class names and more than {LARGEST_TEXT} bytes")
        found += _all_in(body[begin:done].decode("utf-8", "replace"))
    if b"model_config" in body and not found:
        raise Unreadable("a Keras model whose configuration cannot be read")
    return found


def _all_in(text: str) -> list[Any]:
    """The JSON objects in a text, until it speaks of classes no more."""
    found: list[Any] = []
    at = 0
    try:
        while SPEAKS_IN_TEXT.search(text, at):
            begin = BEGINS.search(text, at)
            value, at = json.JSONDecoder().raw_decode(text, begin.start() if begin else len(text))
            found.append(value)
    except (ValueError, RecursionError) as error:
        raise Unreadable("a Keras model whose configuration cannot be read") from error
    return found
