"""What is said about the keys of a policy is what the model does: reference page, JSON Schema, examples."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from lockkeeper.domain.errors import PolicyInvalid
from lockkeeper.domain.policy import Policy, Section, parse_policy, seconds_of
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from typer.testing import CliRunner

from checks.reference import PAGES
from cli.main import app
from cli.policy_schema import EXTENDS, Key, duration_text, keys, schema, section_in, told
from tests.unit.test_policy_extends import BASE, WAGES, whole

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WHOLE = max(EXAMPLES, key=len)
SHIFTS = ("canary", "linear", "rolling")
OTHERS = [example for example in EXAMPLES if example.startswith("production:\n  strategy:")]
STRATEGIES = [yaml.safe_load(example)["production"]["strategy"] for example in OTHERS]
"""What a strategy may be instead, of which a file has one."""
TARGETS = [example for example in EXAMPLES if example.startswith("staging:\n  target:")]
"""What else the endpoints may be."""
SCHEMA = schema()
VALIDATOR = Draft202012Validator(SCHEMA)
TOLD = told()
KEYS = {key.path: key for key in keys()}
VALUES = [path for path, key in KEYS.items() if section_in(key.field.annotation)[0] is None]


def adapter(field: FieldInfo) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation)


def accepted(document: Any) -> bool:
    return VALIDATOR.is_valid(document)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_is_generated_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == PAGES[path](), "run `make reference`"


def test_every_key_has_its_meaning_and_nothing_else_has() -> None:
    assert set(TOLD) == {*KEYS, EXTENDS}
    assert all(about["meaning"].endswith(".") for about in TOLD.values())


@pytest.mark.parametrize("path", VALUES)
def test_every_key_that_holds_a_value_has_a_valid_example(path: str) -> None:
    adapter(KEYS[path].field).validate_python(TOLD[path]["example"])


@pytest.mark.parametrize("path", [path for path, about in TOLD.items() if "bounds" in about])
def test_bounds_that_the_model_checks_in_code_are_as_told(path: str) -> None:
    smallest, largest = TOLD[path]["bounds"].split(" to ")
    inside, outside = (smallest, largest), (f"{seconds_of(largest) + 1}s", f"{seconds_of(smallest) - 1}s")
    document = yaml.safe_load(WHOLE)
    holder = document
    *above, name = path.split(".")
    for part in above:
        holder = holder[part.removesuffix("[]")]
        holder = holder[0] if part.endswith("[]") else holder
    for value in inside:
        holder[name] = value
        parse_policy(yaml.safe_dump(document), source="x")
    for value in outside:
        holder[name] = value
        with pytest.raises(PolicyInvalid, match=name):
            parse_policy(yaml.safe_dump(document), source="x")


def keys_in(value: Any, prefix: str = "") -> Iterator[str]:
    """The keys that a parsed file uses, as the reference spells them."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{prefix}{name}"
            yield from keys_in(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner, prefix.removesuffix(".") + "[].")


def test_the_whole_file_is_valid_and_uses_every_key() -> None:
    parse_policy(WHOLE, source="docs/policy.md")
    written = {path for path in KEYS if not path.startswith("resolved_from")}
    assert written <= {path for document in whole_files() for path in keys_in(document)}


@cache
def whole_files() -> list[dict[str, Any]]:
    """The whole file, with each strategy that it may have."""
    found = []
    for strategy in STRATEGIES:
        document = yaml.safe_load(WHOLE)
        kept = {name: value for name, value in document["production"]["strategy"].items() if name not in SHIFTS}
        document["production"]["strategy"] = {**kept, **strategy}
        if "shadow" in strategy:
            del document["production"]["autoscaling"]  # What has a shadow is not scaled.
        parse_policy(yaml.safe_dump(document), source="docs/policy.md")
        found.append(document)
    for example in TARGETS:
        document = {**yaml.safe_load(WHOLE), **yaml.safe_load(example)}
        parse_policy(yaml.safe_dump(document), source="docs/policy.md")
        found.append(document)
    return found


def policies_of_the_documents() -> Iterator[tuple[str, str]]:
    """Every policy that a document shows or an example has, with where it is from."""
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.md")]):
        for number, text in enumerate(re.findall(r"```yaml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)):
            if "model_package_group:" in text:
                yield f"{path.name}-{number}", text
    for path in sorted((ROOT / "examples").rglob("policy.yaml")):
        yield f"{path.parent.name}-example", path.read_text(encoding="utf-8")


SHOWN = dict(policies_of_the_documents())


@pytest.mark.parametrize("name", SHOWN)
def test_every_policy_that_is_shown_is_valid_by_the_schema(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load(SHOWN[name]))


def test_the_documents_show_policies() -> None:
    assert {"policy.md-0", "wages-example"} <= set(SHOWN)


def test_the_schema_is_a_schema_and_the_command_prints_it() -> None:
    printed = json.loads(CliRunner().invoke(app, ["policy", "schema"]).stdout)
    Draft202012Validator.check_schema(printed)
    assert printed == schema()


def without(document: dict[str, Any], path: str) -> dict[str, Any]:
    changed = json.loads(json.dumps(document))
    holder = changed
    *above, name = path.split(".")
    for part in above:
        holder = holder[part]
    del holder[name]
    return changed  # type: ignore[no-any-return]


def holder_of(document: Any, path: str) -> Any:
    """The mapping of the whole file that holds a key, of a list its first that does."""
    *above, name = path.split(".")
    holders = [document]
    for part in above:
        name_of_part = part.removesuffix("[]")
        holders = [one[name_of_part] for one in holders if isinstance(one, dict) and name_of_part in one]
        if part.endswith("[]"):
            holders = [item for one in holders for item in one]
    return next(one for one in holders if isinstance(one, dict) and name in one)


NONSENSE = ["soon", -1, 10**12, [[]], {"unknown": 1}]


@pytest.mark.parametrize("path", [path for path in VALUES if not path.startswith("resolved_from")])
def test_what_the_schema_refuses_of_a_key_the_model_refuses_too(path: str) -> None:
    """The schema may know less than the model, and never more; of types it knows the same."""
    whole_file = next(document for document in whole_files() if path in keys_in(document))
    refused = 0
    for value in NONSENSE:
        document = copy.deepcopy(whole_file)
        holder_of(document, path)[path.split(".")[-1]] = value
        if accepted(document):
            continue
        refused += 1
        with pytest.raises(ValidationError):
            Policy.model_validate(document)
    assert refused >= 3


@pytest.mark.parametrize("path", ["gates", "gates.quality", "production"])
def test_a_whole_policy_needs_what_the_model_needs(path: str) -> None:
    document = without(yaml.safe_load(WHOLE), path)
    assert not accepted(document)
    with pytest.raises(PolicyInvalid, match="missing"):
        parse_policy(yaml.safe_dump(document), source="x")
    assert accepted({**document, EXTENDS: "base.yaml"})


def test_parts_of_a_policy_are_checked_as_far_as_they_go() -> None:
    assert accepted(yaml.safe_load(WAGES))
    assert accepted(yaml.safe_load(BASE))
    assert not accepted({**yaml.safe_load(BASE), "surprise": 1})
    assert not accepted({**yaml.safe_load(BASE), "production": {"startup": "1h"}})
    assert not accepted({**yaml.safe_load(BASE), "approval": {"approvers": [{"email": "a@b"}]}})
    assert not accepted({**yaml.safe_load(WAGES), EXTENDS: ["base.yaml"]})
    assert accepted(yaml.safe_load(whole({"wages.yaml": WAGES, "base.yaml": BASE}).text))


@pytest.mark.parametrize("path", KEYS)
def test_the_defaults_of_the_schema_are_the_models(path: str) -> None:
    key: Key = KEYS[path]
    entry = SCHEMA["$defs"][key.section.__name__]["properties"][key.name]
    required = SCHEMA["$defs"][key.section.__name__].get("required", [])
    assert (key.name in required) is key.field.is_required()
    if key.field.is_required() or key.field.default is None or isinstance(key.field.default, Section):
        assert "default" not in entry
    else:
        assert adapter(key.field).validate_python(entry["default"]) == key.field.default


def test_a_duration_is_written_as_it_is_read() -> None:
    for seconds in (0, 1, 59, 60, 90, 3600, 5400, 86400, 259200):
        assert seconds_of(duration_text(seconds)) == seconds


def test_every_section_is_documented_at_one_place() -> None:
    """A section at two places would have one description for both."""
    places = {(key.section, key.name) for key in KEYS.values()}
    assert len(places) == len(KEYS)
    assert {key.section for key in KEYS.values()} >= {Policy}
    with pytest.raises(ValidationError):
        Policy.model_validate({})
