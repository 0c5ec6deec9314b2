"""The documents against the code: tables, names, links and records."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.template.project import (
    ALIASES,
    CORE,
    PROJECT,
    function_folders,
    pascal_case,
    published_detail_types,
    rows,
    section,
    sources,
    states,
)

DOCS = PROJECT / "docs"
ARCHITECTURE = DOCS / "architecture.md"
RECORDS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = [
    *PROJECT.glob("*.md"),
    *DOCS.rglob("*.md"),
    *(PROJECT / "examples").rglob("*.md"),
    PROJECT / "events/README.md",
]
HOUSE_NAMES = re.compile(r"/(root|work|home|tmp)/")


def plain(cell: str) -> str:
    return cell.strip("`")


def test_the_table_of_states_is_the_state_machine() -> None:
    table = {plain(state): plain(function) for state, function, _ in rows(section(ARCHITECTURE, "The state machine"))}
    functions = {pascal_case(folder): folder for folder in function_folders()}
    assert table == {state: functions[ALIASES.get(state, state)] for state in states()}


def test_the_states_that_wait_are_said_to_wait() -> None:
    table = {plain(state): waits for state, _, waits in rows(section(ARCHITECTURE, "The state machine"))}
    tokens = {name for name, state in states().items() if state["Resource"].endswith(".waitForTaskToken")}
    assert {name for name, waits in table.items() if waits} == tokens


def test_every_other_function_is_in_the_second_table() -> None:
    beside = section(ARCHITECTURE, "The state machine").split("Beside the state machine:")[1]
    called = {ALIASES.get(state, state) for state in states()}
    assert {plain(row[0]) for row in rows(beside)} == {
        folder for folder in function_folders() if pascal_case(folder) not in called
    }


def test_the_table_of_events_is_what_is_published() -> None:
    assert {plain(row[0]) for row in rows(section(ARCHITECTURE, "Who is told"))} == published_detail_types()


def test_the_table_of_items_is_what_the_ledger_writes() -> None:
    """Sort keys and partition keys are compared by their words in capitals; table.py knows DynamoDB's own words only."""
    written: set[str] = set()
    for path in sources(CORE / "adapters" / "dynamodb"):
        if path.name != "table.py":
            written |= set(re.findall(r"\"([A-Z]{4,})(?:#|\")", path.read_text()))
    told = {
        word
        for row in rows(section(ARCHITECTURE, "The ledger"))
        for cell in row[:2]
        for word in re.findall(r"\b[A-Z]{4,}\b", plain(cell))
    }
    assert told == written


def test_every_folder_of_the_table_is_there() -> None:
    for row in rows(section(ARCHITECTURE, "Folders")):
        for name in re.findall(r"`([^`]+)`", row[0]):
            found = (PROJECT / name).exists() or (CORE / name).exists()
            assert found, name


def test_every_kind_of_test_is_described() -> None:
    told = {
        plain(row[0]).removeprefix("tests/").rstrip("/")
        for row in rows(section(PROJECT / "CONTRIBUTING.md", "Kinds of tests"))
    }
    assert told == {
        path.parent.relative_to(PROJECT / "tests").parts[0] for path in (PROJECT / "tests").rglob("test_*.py")
    }


def test_every_test_of_faults_is_in_the_page_about_reliability() -> None:
    told = set(re.findall(r"tests/faults/(test_\w+\.py)", (DOCS / "reliability.md").read_text()))
    # The harness is broken by nobody: it breaks.
    assert told | {"test_the_harness.py"} == {path.name for path in (PROJECT / "tests" / "faults").glob("test_*.py")}


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.split(r"[\[=;]", one)[0].strip() for one in wanted}
    table = rows(section(DOCS / "decisions" / "0002-dependencies.md", "Decision"))
    assert {name for row in table for name in row[0].split(", ")} == names
    assert all(row[2] for row in table)


def test_records_are_numbered_in_a_row() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_number_status_and_headings(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert re.search(r"^\*\*Status:\*\* (accepted|superseded by \d+), \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    # A pattern in code may look like a link.
    text = re.sub(r"`[^`\n]*`", "", page.read_text())
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`make ([a-z-]+)|^make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert {one or other for one, other in named} <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_pages_name_no_place_of_one_machine(page: Path) -> None:
    assert HOUSE_NAMES.search(page.read_text()) is None


def test_the_runbook_and_security_name_only_what_is_there() -> None:
    outputs = (PROJECT / "template.yaml").read_text()
    for page in ("runbook.md", "security.md"):
        for name in re.findall(r"\(named (\w+)\)", (DOCS / page).read_text()):
            assert f"\n  {name}:\n" in outputs, name


def test_the_checks_that_are_left_out_have_reasons() -> None:
    lines = (PROJECT / ".checkov.yaml").read_text().splitlines()
    skipped = [line for line in lines if line.strip().startswith("- CKV")]
    assert skipped
    assert [line for line in skipped if not re.search(r"#\s+\w+ \w+", line)] == []
