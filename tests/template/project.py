"""The project as files: its template, state machine, functions, and who imports whom. Read, never imported."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

PROJECT = Path(__file__).resolve().parents[2]
CORE = PROJECT / "layers" / "core" / "lockkeeper"
FUNCTIONS = PROJECT / "functions"
STATE_MACHINE = PROJECT / "statemachines" / "release.asl.yaml"

ALIASES = {"RequestStagingApproval": "RequestApproval", "RequestProductionApproval": "RequestApproval"}
"""States that share a function; every other state is called as its function."""


@cache
def template() -> dict[str, Any]:
    """`template.yaml` with its short intrinsics in their long form."""
    parsed: dict[str, Any] = yaml_parse((PROJECT / "template.yaml").read_text())
    return parsed


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """The properties of every resource of a type, by logical ID."""
    return {
        name: resource.get("Properties") or {}
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def functions() -> dict[str, dict[str, Any]]:
    return resources("AWS::Serverless::Function")


@cache
def states() -> dict[str, dict[str, Any]]:
    """The states of the release, in the order of the file."""
    parsed: dict[str, Any] = yaml.safe_load(STATE_MACHINE.read_text())
    found: dict[str, dict[str, Any]] = parsed["States"]
    return found


def pascal_case(folder: str) -> str:
    return "".join(word.capitalize() for word in folder.split("_"))


def function_folders() -> set[str]:
    return {path.parent.name for path in FUNCTIONS.glob("*/handler.py")}


@dataclass(frozen=True)
class Imports:
    """What one module imports, as dotted names; `from a.b import c` is `a.b.c`."""

    module: str
    names: frozenset[str]

    def any_of(self, *prefixes: str) -> list[str]:
        """Those that are one of these packages or inside of one."""
        return sorted(
            name for name in self.names if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
        )

    @property
    def roots(self) -> set[str]:
        return {name.split(".")[0] for name in self.names}


def sources(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    assert found, f"{folder} has no Python file"
    return found


def imports_below(folder: Path) -> list[Imports]:
    return [imports_of(path) for path in sources(folder)]


def imports_of(path: Path) -> Imports:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return Imports(str(path.relative_to(PROJECT)), frozenset(names))


def published_detail_types() -> set[str]:
    """The detail types that the use cases publish. `f"Release {_word(status)}"` stands for every status that ends a release."""
    from lockkeeper.domain.release import ENDED

    found: set[str] = set()
    for path in sources(CORE / "use_cases"):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (
                isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "publish"
            ):
                continue
            kind = call.args[0]
            if isinstance(kind, ast.Constant):
                found.add(str(kind.value))
            else:
                assert ast.unparse(kind) == "f'Release {_word(status)}'", f"{path}: cannot tell what is published"
                words = (str(status).replace("-", " ").title() for status in ENDED)
                found |= {f"Release {word}" for word in words}
    return found


def texts_in(document: Any) -> list[str]:
    """Every string in a document, keys included."""
    if isinstance(document, dict):
        return [text for pair in document.items() for part in pair for text in texts_in(part)]
    if isinstance(document, list):
        return [text for part in document for text in texts_in(part)]
    return [document] if isinstance(document, str) else []


def section(document: Path, heading: str) -> str:
    """The part of a Markdown file under a heading, up to the next heading of its level or above."""
    text = document.read_text()
    match = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    assert match, f"{document.name} has no section {heading!r}"
    following = re.search(rf"^#{{1,{len(match[1])}}} ", text[match.end() :], re.MULTILINE)
    return text[match.end() :][: following.start() if following else None]


def rows(markdown: str) -> list[list[str]]:
    """The body of the first table in a piece of Markdown, as cells."""
    following = dropwhile(lambda line: not line.startswith("|"), markdown.splitlines())
    lines = list(takewhile(lambda line: line.startswith("|"), following))
    assert len(lines) > 2, "no table"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
