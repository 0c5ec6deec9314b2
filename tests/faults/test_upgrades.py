"""A new version of Lockkeeper is deployed during every kind of wait: the execution finishes on the new code."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from cli.story.letter import open_page, press
from localcloud.deploy import deploy
from localcloud.settings import PROJECT_FOLDER
from tests.conftest import Figure
from tests.e2e.harness import parameters_of
from tests.faults.gated_models import Gate
from tests.faults.lost_events import without_limits
from tests.faults.yard import Yard

SHIPPED = ("functions", "layers", "statemachines")
OLD, NEW = 'description=f"Lockkeeper {release.release_id}', 'description=f"Lockkeeper, newer, {release.release_id}'
ASKS = "{{before: [{before}], approvers: [{{name: Ada, email: {group}@example.com}}]}}"
Continue = Callable[[], None]
Parked = tuple[str, str, Continue]
"""A release that waits, how it should end, and what lets it go on."""


def newer_project(folder: Path) -> Path:
    """A copy of what is shipped, whose core stamps the registry in other words."""
    for name in SHIPPED:
        shutil.copytree(PROJECT_FOLDER / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT_FOLDER / "template.yaml", folder)
    changed = folder / "layers" / "core" / "lockkeeper" / "use_cases" / "close_release.py"
    text = changed.read_text()
    assert text.count(OLD) == 1
    changed.write_text(text.replace(OLD, NEW))
    return folder


def waiting_for_people(yard: Yard, before: str) -> Parked:
    group = f"old-{before}"
    yard.prepare(group, approval=ASKS.format(before=before, group=group))
    release_id = yard.register(group, 1)
    yard.is_(release_id, "awaiting-approval")
    page = open_page(yard.link(release_id, f"{group}@example.com"))
    return release_id, "promoted", lambda: _said_yes(press(page, "approve", {"comment": "yes"}).status)


def _said_yes(status: int) -> None:
    assert status == 200


def waiting_for_an_endpoint(yard: Yard, start: int, folder: Path) -> Parked:
    """The first start of the model's container is staging's, the second production's."""
    group = f"old-start-{start}"
    yard.prepare(group)
    gate = Gate(folder / group)
    gate.open(*range(1, start))
    release_id = yard.register(group, 1, gate.model(1.0))
    gate.reached(start)
    return release_id, "promoted", lambda: gate.open(start, start + 1)


def waiting_for_the_way_back(yard: Yard, folder: Path) -> Parked:
    """The champion's container is started a third time when a version is rolled back to it."""
    group = "old-rollback"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    gate = Gate(folder / group)
    gate.open(1, 2)
    yard.register(group, 1, gate.model(1.0))
    yard.is_(f"{group}-v1-a1", "promoted")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    release_id = yard.register(group, 2)
    yard.is_(release_id, "baking")
    yard.alarm(f"{group}-5xx")
    gate.reached(3)
    return release_id, "rolled-back", lambda: gate.open(3)


def waiting_in_the_bake_and_for_the_lock(yard: Yard) -> list[Parked]:
    """An alarm ends the bake of the older version, which hands its lock to the newer one."""
    group = "old-lock"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    older = yard.register(group, 1)
    yard.is_(older, "baking")
    yard.apply(group)
    newer = yard.register(group, 2)
    yard.is_(newer, "waiting-for-lock")
    return [(older, "rolled-back", lambda: yard.alarm(f"{group}-5xx")), (newer, "promoted", lambda: None)]


def test_an_execution_finishes_on_the_code_that_was_deployed_while_it_waited(
    yard: Yard, tmp_path: Path, figure: Figure
) -> None:
    project = newer_project(tmp_path / "newer")
    # They wait for as long as it takes to bring all of them there, and the new version out.
    with yard.executions(without_limits):
        parked = [
            waiting_for_people(yard, "staging"),
            waiting_for_people(yard, "production"),
            *waiting_in_the_bake_and_for_the_lock(yard),
            waiting_for_the_way_back(yard, tmp_path),
            waiting_for_an_endpoint(yard, 1, tmp_path),
            waiting_for_an_endpoint(yard, 2, tmp_path),
        ]
    running = yard.cloud.running
    deploy(running.endpoint_url, parameters=parameters_of(running), template=project / "template.yaml")
    for _, _, go_on in parked:
        go_on()
    problems = [problem for release_id, status, _ in parked for problem in yard.ends_as(release_id, status)]
    sagemaker = yard.cloud.client("sagemaker")
    for release_id, _, _ in parked:
        arn = yard.release(release_id).model_package_arn
        said = sagemaker.describe_model_package(ModelPackageName=arn).get("ApprovalDescription", "nothing")
        if not re.match(rf"Lockkeeper, newer, {release_id}: ", said):
            problems.append(f"{release_id} was stamped by the old code: {said}")
    problems += yard.nothing_left("old-")
    figure(
        "a new version deployed during every kind of wait",
        f"{len(parked)} waits, {len(problems)} problems",
        "100% finish",
    )
    assert problems == []
