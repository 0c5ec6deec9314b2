"""The keys of a policy as the model has them, and the JSON Schema that editors check and complete policy files by."""

from __future__ import annotations

import copy
import json
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import yaml
from lockkeeper.domain.durations import DURATION
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.section import Section
from pydantic.fields import FieldInfo

KEYS_FILE = Path(__file__).parent / "policy_keys.yaml"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXTENDS = "extends"


class Key(NamedTuple):
    """One key of a policy: the section that holds it, its name there, and its place in the file (`gates.quality[].metric`)."""

    path: str
    section: type[Section]
    name: str

    @property
    def field(self) -> FieldInfo:
        return self.section.model_fields[self.name]


def keys(section: type[Section] = Policy, prefix: str = "") -> Iterator[Key]:
    """Every key of a section and of the sections inside it."""
    for name, field in section.model_fields.items():
        yield Key(f"{prefix}{name}", section, name)
        inner, repeated = section_in(field.annotation)
        if inner:
            yield from keys(inner, f"{prefix}{name}{'[]' if repeated else ''}.")


def section_in(annotation: Any) -> tuple[type[Section] | None, bool]:
    """The section that an annotation holds, if any, and whether it holds a list of them."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    if get_origin(annotation) is Annotated:
        return section_in(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for one in get_args(annotation) if (found := section_in(one))[0]), (None, False))
    if get_origin(annotation) is tuple:
        return section_in(get_args(annotation)[0])[0], True
    return None, False


@cache
def told() -> dict[str, dict[str, Any]]:
    """What each key means, with an example and the bounds that the model checks in code."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(KEYS_FILE.read_text(encoding="utf-8"))
    return found


@cache
def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a policy file; made once, so nobody changes it.

    A file that names its group and extends nothing has to be whole. Any other is a part: no key of a mapping is required
    there, because another file may have it. Rules between keys ("exactly one of") are `lockkeeper policy validate`'s.
    """
    generated = Policy.model_json_schema()
    sections = generated.pop("$defs")
    sections["Policy"] = generated
    for one in sections.values():
        one.pop("title")
    for key in keys():
        _tell(sections[key.section.__name__]["properties"], key)
    return {
        "$schema": DIALECT,
        "title": "Lockkeeper policy",
        "if": {"required": ["model_package_group"], "not": {"required": [EXTENDS]}},
        "then": {"$ref": "#/$defs/Policy"},
        "else": {"$ref": "#/$defs/PolicyPart"},
        "$defs": dict(sorted({**sections, **_parts(sections)}.items())),
    }


def schema_text() -> str:
    """The schema as a file has it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _tell(properties: dict[str, Any], key: Key) -> None:
    """What people know of a key, and its default as they would write it."""
    entry = properties[key.name]
    entry.pop("title", None)
    default = entry.pop("default", None)
    about = told().get(key.path, {})
    if "description" not in entry and "meaning" in about:
        entry["description"] = about["meaning"]
    if "example" in about:
        entry["examples"] = [about["example"]]
    if default is not None and not isinstance(key.field.default, Section):
        entry["default"] = duration_text(default) if is_duration(entry) else default


def is_duration(entry: dict[str, Any]) -> bool:
    return entry.get("pattern") == DURATION.pattern


def duration_text(seconds: int) -> str:
    """`3d` of 259200: as a policy writes it, in the largest unit that divides it."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _parts(sections: dict[str, Any]) -> dict[str, Any]:
    """The sections as a file may have them whose rest is in another. Items of lists are whole: lists are not merged."""
    found: dict[str, Any] = {}
    waiting = ["Policy"]
    while waiting:
        name = waiting.pop()
        part = copy.deepcopy(sections[name])
        part.pop("required", None)
        for entry in part["properties"].values():
            for place in (entry, *entry.get("anyOf", [])):
                if "$ref" in place:
                    inner = place["$ref"].removeprefix("#/$defs/")
                    place["$ref"] = f"#/$defs/{inner}Part"
                    waiting.append(inner)
        found[f"{name}Part"] = part
    found.pop("ResolvedFromPart")
    properties = found["PolicyPart"]["properties"]
    del properties["resolved_from"]
    extends = told()[EXTENDS]
    own = {"type": "string", "minLength": 1, "description": extends["meaning"], "examples": [extends["example"]]}
    found["PolicyPart"]["properties"] = {EXTENDS: own, **properties}
    return found
