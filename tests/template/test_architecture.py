"""Who may import whom, and one name for folder, state and logical ID."""

from __future__ import annotations

import ast
import re
import sys
import tomllib

import pytest

from tests.template.project import (
    ALIASES,
    CORE,
    FUNCTIONS,
    PROJECT,
    Imports,
    function_folders,
    functions,
    imports_below,
    imports_of,
    pascal_case,
    sources,
    states,
)

CLOCK_CALLS = {"now", "utcnow", "today", "time", "monotonic", "perf_counter", "sleep"}
LAMBDA_HAS = {"boto3", "botocore"}
MODULE_OF = {
    "PyYAML": "yaml",
    "Jinja2": "jinja2",
    "aws-lambda-powertools": "aws_lambda_powertools",
    "slack-sdk": "slack_sdk",
}
"""Import names of packages that are not called as they are imported."""


def shipped() -> list[Imports]:
    return [*imports_below(CORE), *imports_below(FUNCTIONS)]


def third_party(imports: list[Imports]) -> set[str]:
    roots = {root for one in imports for root in one.roots}
    ours = {"lockkeeper", "functions"}
    return {root for root in roots - set(sys.stdlib_module_names) - ours if not root.startswith("mypy_boto3")}


@pytest.mark.parametrize("module", imports_below(CORE / "domain"), ids=lambda one: one.module)
def test_the_domain_imports_itself_and_no_world(module: Imports) -> None:
    assert module.any_of("os", "time", "socket", "subprocess", "random", "urllib", "http", "pathlib") == []
    allowed = {"lockkeeper", "pydantic", "yaml", "annotated_types", *sys.stdlib_module_names}
    assert module.roots - allowed == set()
    ours = [name for name in module.names if name.startswith("lockkeeper.")]
    assert [name for name in ours if not name.startswith("lockkeeper.domain.")] == []


def test_the_domain_reads_no_clock() -> None:
    for path in sources(CORE / "domain"):
        called = {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert called & CLOCK_CALLS == set(), path.name


@pytest.mark.parametrize("module", imports_below(CORE / "use_cases"), ids=lambda one: one.module)
def test_use_cases_know_ports_and_no_adapters(module: Imports) -> None:
    assert module.any_of("os", "socket", "subprocess", "boto3", "botocore", "aws_lambda_powertools") == []
    ours = [name for name in module.names if name.startswith("lockkeeper.")]
    ports = (
        "lockkeeper.ports.",
        "lockkeeper.ports_of_alarms.",
        "lockkeeper.ports_of_look.",
        "lockkeeper.ports_of_retraining.",
        "lockkeeper.ports_of_slack.",
        "lockkeeper.ports_of_training.",
        "lockkeeper.ports_of_web.",
    )
    allowed = ("lockkeeper.domain.", *ports, "lockkeeper.use_cases.")
    assert [name for name in ours if not name.startswith(allowed)] == []


def test_ports_know_the_domain_alone() -> None:
    parts = (
        "ports_of_alarms",
        "ports_of_brakes",
        "ports_of_jobs",
        "ports_of_look",
        "ports_of_objects",
        "ports_of_retraining",
        "ports_of_scaling",
        "ports_of_slack",
        "ports_of_training",
        "ports_of_web",
    )
    allowed = ("lockkeeper.domain.", *(f"lockkeeper.{part}." for part in parts))
    for path in (CORE / f"{name}.py" for name in ("ports", *parts)):
        assert [name for name in imports_of(path).any_of("lockkeeper") if not name.startswith(allowed)] == []


def test_only_the_wiring_and_the_command_import_adapters() -> None:
    wiring = {"layers/core/lockkeeper/bootstrap.py"}
    others = [
        one.module
        for one in [*shipped(), *imports_below(PROJECT / "localcloud"), *imports_below(PROJECT / "examples")]
        if one.any_of("lockkeeper.adapters") and not one.module.startswith("layers/core/lockkeeper/adapters/")
    ]
    assert set(others) == wiring


def test_nothing_real_imports_the_fakes() -> None:
    for module in [*shipped(), *imports_below(PROJECT / "cli"), *imports_below(PROJECT / "localcloud")]:
        if "/in_memory/" not in module.module:
            assert module.any_of("lockkeeper.adapters.in_memory") == [], module.module


@pytest.mark.parametrize("module", imports_below(FUNCTIONS), ids=lambda one: one.module)
def test_functions_import_no_other_function_and_no_aws(module: Imports) -> None:
    own = module.module.split("/")[1]
    assert [name for name in module.any_of("functions") if not name.startswith(f"functions.{own}.")] == []
    assert module.any_of("boto3", "botocore", "lockkeeper.adapters", "lockkeeper.ports", "os") == []


def test_what_is_shipped_knows_neither_the_command_nor_the_laptop() -> None:
    for module in shipped():
        assert module.any_of("cli", "localcloud", "examples", "jobs", "tests", "checks", "ministack") == [], (
            module.module
        )
    for folder in ("localcloud", "examples"):
        for module in imports_below(PROJECT / folder):
            assert module.any_of("cli") == [], module.module


def test_only_the_commands_that_start_it_import_the_laptops_aws() -> None:
    users = {one.module for one in imports_below(PROJECT / "cli") if one.any_of("localcloud")}
    assert {name for name in users if not name.startswith(("cli/local.py", "cli/demo.py", "cli/story/"))} == set()


IN_THE_STOCK_IMAGE = {"numpy", "scipy", "pandas", "sklearn"}


@pytest.mark.parametrize("module", imports_below(PROJECT / "jobs/evaluation"), ids=lambda one: one.module)
def test_the_evaluation_imports_what_the_stock_image_has(module: Imports) -> None:
    assert module.roots - set(sys.stdlib_module_names) - IN_THE_STOCK_IMAGE - {"jobs"} == set()
    ours = module.any_of("jobs")
    assert [name for name in ours if not name.startswith("jobs.evaluation.")] == []


@pytest.mark.parametrize("module", imports_below(PROJECT / "jobs/drift_monitor"), ids=lambda one: one.module)
def test_the_monitor_imports_what_the_stock_image_has(module: Imports) -> None:
    # It reads S3 itself, hour by hour, and tells CloudWatch.
    assert module.roots - set(sys.stdlib_module_names) - IN_THE_STOCK_IMAGE - LAMBDA_HAS - {"jobs"} == set()


@pytest.mark.parametrize("job", ["evaluation", "drift_monitor"])
def test_the_jobs_are_written_for_the_oldest_stock_image(job: str) -> None:
    for path in sources(PROJECT / "jobs" / job):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert [call for call in calls if any(keyword.arg == "strict" for keyword in call.keywords)] == [], path.name
        methods = {call.func.attr for call in calls if isinstance(call.func, ast.Attribute)}
        assert methods & {"removeprefix", "removesuffix", "is_relative_to"} == set(), path.name


def test_a_handler_has_at_most_sixty_lines() -> None:
    long = {path.parent.name: len(path.read_text().splitlines()) for path in FUNCTIONS.glob("*/handler.py")}
    assert {name: lines for name, lines in long.items() if lines > 60} == {}


@pytest.mark.parametrize(
    "folder", ["layers/core", "functions", "jobs", "cli", "localcloud", "examples", "checks", "tests"]
)
def test_no_file_has_more_than_five_hundred_lines(folder: str) -> None:
    long = {
        str(path): lines for path in sources(PROJECT / folder) if (lines := len(path.read_text().splitlines())) > 500
    }
    assert long == {}


@pytest.mark.parametrize("folder", ["layers/core", "functions", "jobs", "cli", "localcloud", "examples", "checks"])
def test_no_function_has_more_than_sixty_lines(folder: str) -> None:
    long = [
        f"{path.name}:{node.lineno} {node.name}"
        for path in sources(PROJECT / folder)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert long == []


def test_there_is_no_room_for_odds_and_ends() -> None:
    odd = {"util", "utils", "helper", "helpers", "common", "misc"}
    for folder in ("layers/core", "functions", "jobs", "cli", "localcloud", "examples", "checks"):
        for path in sources(PROJECT / folder):
            assert {path.stem, path.parent.name} & odd == set(), path


def test_a_folder_is_called_as_its_function() -> None:
    assert {pascal_case(folder) for folder in function_folders()} == set(functions())


def test_a_state_is_called_as_its_function() -> None:
    for state, definition in states().items():
        function = ALIASES.get(state, state)
        assert definition["Arguments"]["FunctionName"] == f"${{{function}Arn}}", state
        assert function in functions(), state
    assert set(ALIASES) <= set(states())


def test_a_use_case_is_called_as_its_function() -> None:
    use_cases = {path.stem for path in (CORE / "use_cases").glob("*.py")}
    assert {folder for folder in function_folders() - use_cases if folder != "serve_web"} == set()


def test_the_layer_holds_what_is_imported_and_nothing_else() -> None:
    lines = (PROJECT / "layers" / "dependencies" / "requirements.txt").read_text().splitlines()
    pins = dict(re.fullmatch(r"([\w-]+)==([\w.]+)", line).groups() for line in lines if not line.startswith("#"))  # type: ignore[union-attr]
    assert {MODULE_OF.get(name, name) for name in pins} == third_party(shipped()) - LAMBDA_HAS


def test_the_layers_versions_are_the_projects() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    lines = (PROJECT / "layers" / "dependencies" / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} <= set(project)


def test_the_constraints_hold_every_version_of_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    held = {line.split(" ;")[0].lower() for line in (PROJECT / "constraints.txt").read_text().splitlines()}
    plain = {re.sub(r"\[.*\]", "", one.split(";")[0].strip()).lower() for one in wanted}
    assert plain - held == set()
