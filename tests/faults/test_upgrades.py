"""A new version of Lockkeeper is deployed during every kind of wait: the execution finishes on the new code."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localcloud.deploy import deploy
from localcloud.settings import PROJECT_FOLDER
from tests.conftest import Figure
from tests.e2e.harness import parameters_of
from tests.faults.lost_events import without_limits
from tests.faults.parked import SCENES
from tests.faults.yard import Yard

SHIPPED = ("functions", "layers", "statemachines")
ADDED = 1000
"""Empty lines before the first of every file of the newer core, none of which has as many: where a call is made tells by which code."""
CLOSE = {"CloseRelease", "ReapRelease"}
"""Functions that a release ends in."""


def newer_project(folder: Path) -> Path:
    """A copy of what is shipped, in whose core every line has another number."""
    for name in SHIPPED:
        shutil.copytree(PROJECT_FOLDER / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT_FOLDER / "template.yaml", folder)
    for path in (folder / "layers" / "core").rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") < ADDED
        path.write_text("\n" * ADDED + text)
    return folder


def is_newer(invocation: dict[str, Any]) -> bool:
    """Whether all calls of an invocation were made by the newer core. One that ignores its event makes none."""
    lines = re.findall(r"\.py:(\d+)", " ".join(invocation["places"]))
    return all(int(line) > ADDED for line in lines)


def test_an_execution_finishes_on_the_code_that_was_deployed_while_it_waited(
    yard: Yard, tmp_path: Path, figure: Figure
) -> None:
    project = newer_project(tmp_path / "newer")
    running = yard.cloud.running
    with ExitStack() as stack:
        # They wait for as long as it takes to bring all of them there, and the new version out.
        with yard.executions(without_limits), ThreadPoolExecutor(3) as pool:
            scenes = list(pool.map(lambda scene: scene(yard, tmp_path, stack), SCENES))
        parked = [one for scene in scenes for one in scene]
        before = len(yard.plan.invocations())
        deploy(running.endpoint_url, parameters=parameters_of(running), template=project / "template.yaml")
        after = len(yard.plan.invocations())
        for one in parked:
            one.go_on()
        problems = [problem for one in parked for problem in yard.ends_as(one.release_id, one.status)]
        problems += [problem for one in parked for problem in one.problems()]
    problems += yard.nothing_left("old-")

    logical = {physical: name for name, physical in yard.functions.items()}
    everything = yard.plan.invocations()
    assert not any(is_newer(one) for one in everything[:before] if one["places"])
    later = [one for one in everything[after:] if "old-" in one["event"] and one["places"]]
    older = [f"{logical[one['function']]} ran the old code: {one['event']}" for one in later if not is_newer(one)]
    for one in parked:
        if not any(one.release_id in seen["event"] and logical[seen["function"]] in CLOSE for seen in later):
            problems.append(f"nobody has closed {one.release_id} after the deployment")
    functions = {logical[one["function"]] for one in later}
    figure(
        "a new version deployed during every kind of wait",
        f"{len(parked)} waits, {len(problems)} problems",
        "100% finish",
    )
    figure(
        "a new version deployed during every kind of wait, invocations afterwards",
        f"{len(older)} on the old code of {len(later)} of {len(functions)} functions",
        "0 on the old code",
    )
    assert problems == []
    assert older == []
