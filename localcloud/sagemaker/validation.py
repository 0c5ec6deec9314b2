"""Requests are held against botocore's own model of SageMaker, and refused in AWS's words.

The wording is that of AWS's front end: `1 validation error detected: Value 'x' at 'endpointName' failed to satisfy
constraint: Member must ...`. botocore itself checks less (no patterns, no upper bounds, no enumerations), so a request
that it lets pass may still be refused here, as it is on AWS. One deviation: AWS ignores unknown members, this refuses
them, since a misspelt name is what a laptop can find early.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import ApiError, invalid

JAVA_CLASSES = {
    r"\p{Alnum}": "A-Za-z0-9",
    r"\p{L}": r"\w",
    r"\p{M}": r"\u0300-\u036f",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{P}": r"!-/:-@\[-`{-~\u00a1-\u00bf\u2010-\u2027\u2030-\u205e",
    r"\p{S}": r"$+<=>^`|~\u00a2-\u00b4\u20a0-\u20bf\u2190-\u2bff\U0001f000-\U0001faff",
}
"""The character classes of the service model's patterns that Python's `re` lacks."""

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
    "blob": (str,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
}


@cache
def service_model(name: str = "sagemaker") -> ServiceModel:
    """botocore's model of a service; reading it takes about a second, once."""
    model: ServiceModel = botocore.session.get_session().get_service_model(name)
    return model


def check(operation: str, parameters: object, service: str = "sagemaker") -> JsonObject:
    """The parameters, if the operation's input shape allows them.

    Raises ApiError: UnknownOperationException, SerializationException for a wrong type, else ValidationException.
    """
    model = service_model(service)
    if operation not in model.operation_names:
        raise ApiError("UnknownOperationException", f"There is no operation {operation} of {service}.")
    if not isinstance(parameters, dict):
        raise ApiError("SerializationException", "Start of structure or map found where not expected.")
    shape = model.operation_model(operation).input_shape
    problems = list(_problems(shape, parameters, "")) if shape is not None else []
    if problems:
        counted = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise invalid(f"{counted}: {'; '.join(problems)}")
    return parameters


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if not _has_type(shape, value):
        found = type(value).__name__
        raise ApiError("SerializationException", f"'{path}' must be of type {shape.type_name}, but is of type {found}.")
    if isinstance(shape, StructureShape):
        yield from _structure_problems(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _bounds(shape, value, len(value), path)
        for number, item in enumerate(value, start=1):
            yield from _problems(shape.member, item, f"{path}.{number}.member")
    elif isinstance(shape, MapShape):
        yield from _bounds(shape, value, len(value), path)
        for key, item in value.items():
            yield from _problems(shape.key, key, f"{path}.{key}.key")
            yield from _problems(shape.value, item, f"{path}.{key}.value")
    elif shape.type_name == "string":
        yield from _string_problems(shape, value, path)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _bounds(shape, value, value, path)


def _has_type(shape: Shape, value: object) -> bool:
    expected = JSON_TYPES[shape.type_name]
    # A bool is an int to Python, not to JSON.
    return isinstance(value, expected) and (bool in expected or not isinstance(value, bool))


def _structure_problems(shape: StructureShape, value: JsonObject, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _failed("null", _join(path, name), "Member must not be null", quoted=False)
    for name, item in value.items():
        if name not in shape.members:
            where = f"'{path}'" if path else "the request"
            yield f"Unknown parameter '{name}' in {where}: it must be one of {', '.join(shape.members)}"
        elif item is not None:
            yield from _problems(shape.members[name], item, _join(path, name))


def _string_problems(shape: Shape, value: str, path: str) -> Iterator[str]:
    yield from _bounds(shape, value, len(value), path)
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _failed(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and not _compiled(pattern).fullmatch(value):
        yield _failed(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _bounds(shape: Shape, value: Any, size: float, path: str) -> Iterator[str]:
    counted = "have value" if isinstance(value, int | float) else "have length"
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        yield _failed(value, path, f"Member must {counted} greater than or equal to {least}")
    if most is not None and size > most:
        yield _failed(value, path, f"Member must {counted} less than or equal to {most}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    # The model writes ([..]*)${1,256}: a length after the end of the text, which Java ignores and Python refuses.
    pattern = re.sub(r"\$\{\d+,\d+\}", "", pattern)
    try:
        return re.compile(pattern)
    except re.error:
        # A pattern in surrogate pairs, which Python's strings do not have, accepts any text here.
        return re.compile(r"(?s).*")


def _join(path: str, name: str) -> str:
    lowered = name[0].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _failed(value: Any, path: str, constraint: str, *, quoted: bool = True) -> str:
    shown = str(value)[:200]
    text = f"'{shown}'" if quoted else shown
    return f"Value {text} at '{path}' failed to satisfy constraint: {constraint}"
