"""docs/policy-reference.md: every key of a policy with its type, default and bounds, from the model itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cli.policy_schema import EXTENDS, Key, is_duration, keys, schema, section_in, told

HEAD = """\
# Every key of a policy

Written by `make reference` from the policy model and `cli/policy_keys.yaml`: change those, not this page.
[The policy of a model package group](policy.md) has the whole file and says how it is read.

*required*: the key has to be there. *optional*: the section may be left out, and its keys have their defaults. *none*: left
out, it asks for nothing. `[]` in a key stands for each item of a list. A duration is a whole number with a unit: `30s`,
`10m`, `72h`, `7d`.
"""
HEADINGS = {"": "The group", "gates": "Gates", "approval": "Approval", "staging": "Staging", "production": "Production"}
COLUMNS = ("key", "type", "default", "bounds", "meaning", "example")
S3_PATTERN = "^s3://"


def reference() -> str:
    """The page, as Markdown."""
    sections = schema()["$defs"]
    tables: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    tables[""].append(_row(EXTENDS, sections["PolicyPart"]["properties"][EXTENDS], "none"))
    for key in keys():
        top = key.path.split(".")[0]
        heading = top if top in HEADINGS and key.path != top else ""
        tables[heading].append(_row(key.path, sections[key.section.__name__]["properties"][key.name], _default(key)))
    ruler = "|".join(["", *["---"] * len(COLUMNS), ""])
    parts = [
        "\n".join([f"## {HEADINGS[heading]}", "", f"| {' | '.join(COLUMNS)} |", ruler, *rows])
        for heading, rows in tables.items()
    ]
    return "\n\n".join([HEAD.rstrip(), *parts]) + "\n"


def _row(path: str, entry: dict[str, Any], default: str) -> str:
    entry = _without_null(entry)
    about = told()[path]
    bounds = "; ".join([*_bounds(entry), *([about["bounds"]] if "bounds" in about else [])])
    example = f"`{_written(about['example'])}`" if "example" in about else ""
    cells = (f"`{path}`", _type(entry), default, bounds, about["meaning"], example)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    entry = _without_null(schema()["$defs"][key.section.__name__]["properties"][key.name])
    if section_in(key.field.annotation)[0] and "default" not in entry:
        return "none" if key.field.default is None else "optional"
    return f"`{_written(entry['default'])}`" if entry.get("default", "") != "" else "none"


def _written(value: Any) -> str:
    """A value as a policy would have it on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _without_null(entry: dict[str, Any]) -> dict[str, Any]:
    """What a value has to be where it is there."""
    (real,) = [one for one in entry.get("anyOf", [entry]) if one.get("type") != "null"]
    return {**entry, **real}


def _type(entry: dict[str, Any]) -> str:
    if "$ref" in entry:
        return "section"
    if _of_kinds(entry):
        return " or ".join(_several(one) for one in entry["anyOf"]).removesuffix("s")
    if "enum" in entry or "const" in entry:
        return ", ".join(f"`{one}`" for one in entry.get("enum", [entry.get("const")]))
    if is_duration(entry):
        return "duration"
    if entry["type"] == "array":
        return (
            f"{len(entry['prefixItems'])} numbers" if "prefixItems" in entry else f"list of {_several(entry['items'])}"
        )
    if entry["type"] == "object":
        return f"mapping of names to {_several(entry['additionalProperties'])}"
    if str(entry.get("pattern", "")).startswith(S3_PATTERN):
        return "`s3://` address"
    return {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}[
        entry["type"]
    ]


def _of_kinds(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """What an item may be that may be of several kinds; of one that is a value or nothing, nothing is left to choose."""
    return [] if "type" in entry else list(entry.get("anyOf", ()))


def _several(items: dict[str, Any]) -> str:
    kind = _type(items)
    return kind if kind.startswith("`") else f"{kind}s"


def _bounds(entry: dict[str, Any], each: str = "") -> Iterator[str]:
    """What the schema says that a value keeps."""
    yield from _range(entry.get("minimum"), entry.get("exclusiveMinimum"), entry.get("maximum"), each)
    for one in _of_kinds(entry):
        yield from _bounds(one, each)
    yield from _lengths(entry.get("minLength"), entry.get("maxLength"), f"characters{each}")
    yield from _lengths(entry.get("minItems"), entry.get("maxItems"), "items")
    pattern = str(entry.get("pattern", ""))
    if pattern and not is_duration(entry) and not pattern.startswith(S3_PATTERN):
        yield f"`{pattern}`{each}"
    if isinstance(entry.get("items"), dict):
        yield from _bounds(entry["items"], " each")
    if isinstance(entry.get("additionalProperties"), dict):
        yield from _bounds(entry["additionalProperties"], " each")
    if "propertyNames" in entry:
        yield f"names {_type(entry['propertyNames'])}"


def _range(smallest: float | None, above: float | None, largest: float | None, each: str) -> Iterator[str]:
    if above is not None:
        yield f"above {above:g}" + (f", up to {largest:g}" if largest is not None else "") + each
    elif smallest is not None:
        yield f"{smallest:.10g}" + (f" to {largest:.10g}" if largest is not None else " or more") + each


def _lengths(smallest: int | None, largest: int | None, of: str) -> Iterator[str]:
    if smallest is not None and largest is not None:
        yield f"{smallest} {of}" if smallest == largest else f"{smallest} to {largest} {of}"
    elif smallest is not None:
        yield f"{smallest} or more {of}"
    elif largest is not None:
        yield f"up to {largest} {of}"
