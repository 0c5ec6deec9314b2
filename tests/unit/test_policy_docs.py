"""docs/policy.md and the policy model say the same: keys, defaults, examples."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import pytest
import yaml
from lockkeeper.domain.policy import Policy, Section, parse_policy
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"
ROW = re.compile(
    r"^\| `(?P<key>[^`]+)` \| (?P<type>[^|]+) \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|(?P<example>[^|]*)\|$"
)


class Row(NamedTuple):
    """One key as the page documents it; backticks are stripped from default and example."""

    default: str
    meaning: str
    example: str


def documented() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if row:
            assert row["key"] not in found, f"{row['key']} is documented twice"
            found[row["key"]] = Row(*(row[name].strip().strip("`") for name in ("default", "meaning", "example")))
    return found


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


def keys_of(model: type[Section], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a section and of the sections inside it, as the page spells them."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        yield key, field
        inner, repeated = section_in(field.annotation)
        if inner:
            yield from keys_of(inner, f"{key}[]." if repeated else f"{key}.")


KEYS = dict(keys_of(Policy))


def default_as_documented(field: FieldInfo, row: Row) -> Any:
    """The documented default as the model would hold it."""
    if row.default == "none":
        return None
    return adapter(field).validate_python(yaml.safe_load(row.default))


def adapter(field: FieldInfo) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation)


def test_every_key_is_documented_and_no_other() -> None:
    assert set(documented()) == set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_the_documented_default_is_the_models(key: str) -> None:
    field, row = KEYS[key], documented()[key]
    if field.is_required():
        assert row.default == "required"
    elif isinstance(field.default, Section):
        assert row.default == "optional"
    else:
        assert default_as_documented(field, row) == field.default


@pytest.mark.parametrize("key", [key for key, field in KEYS.items() if section_in(field.annotation)[0] is None])
def test_every_key_that_holds_a_value_has_a_valid_example(key: str) -> None:
    row = documented()[key]
    assert row.example, f"{key} has no example"
    adapter(KEYS[key]).validate_python(yaml.safe_load(row.example))


@pytest.mark.parametrize("key", KEYS)
def test_every_key_says_what_it_means(key: str) -> None:
    assert documented()[key].meaning.endswith(".")


def keys_in(value: Any, prefix: str = "") -> Iterator[str]:
    """The keys that a parsed file uses, as the page spells them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from keys_in(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner, prefix.removesuffix(".") + "[].")


def test_the_whole_file_is_valid_and_uses_every_key() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    parse_policy(text, source="docs/policy.md")
    assert set(KEYS) <= set(keys_in(yaml.safe_load(text)))
