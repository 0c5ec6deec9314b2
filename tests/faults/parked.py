"""Releases that wait: one scene for every kind of wait, each of which goes on when it is told to, however long that takes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cli.story.letter import open_page, press
from tests.e2e.harness import model_archive
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, ask_for_replay
from tests.e2e.test_nothing_stranded import eventually, keep_house
from tests.e2e.test_replay_jobs import BY_JOB as REPLAY_BY_JOB
from tests.e2e.test_replay_jobs import SLOW as SLOW_TO_ANSWER
from tests.e2e.test_scan_jobs import BY_JOB as SCAN_BY_JOB
from tests.e2e.test_shadows import CANARY, SHADOW, is_up
from tests.e2e.test_shifts import guarded, traffic_on
from tests.faults.gated_models import Gate
from tests.faults.training import Trainer
from tests.faults.yard import Yard
from tests.patience import ALL_DAY, PATIENCE

ASKS = "{{before: [{before}], approvers: [{{name: Ada, email: {group}@example.com}}]}}"
SLOW_TO_SCAN = model_archive(
    {
        "constant.json": "1.0",
        "code/inference.py": CONSTANT_INFERENCE,
        "model.pkl": b"\x80\x04" + b"N0" * 1_000_000 + b"N.",
    }
)
"""A million opcodes that do nothing: long enough to be held while it is looked into."""
SLOWLY = "linear: {percent: 13, wait: 1h}, "
"""Seven parts; on the laptop's clock that takes three and a half minutes, unless an alarm ends it."""


@dataclass(frozen=True)
class Parked:
    """A release that waits, how it should end, and what lets it go on."""

    release_id: str
    status: str
    go_on: Callable[[], None] = lambda: None
    problems: Callable[[], list[str]] = list
    """What is wrong beside the release itself once it has ended, in words."""


Scene = Callable[[Yard, Path, ExitStack], list[Parked]]
"""Brings releases into a wait. What they need until their end is entered into the stack."""


def waiting_for_people(before: str) -> Scene:
    def scene(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
        group = f"old-{before}"
        yard.prepare(group, approval=ASKS.format(before=before, group=group))
        release_id = yard.register(group, 1)
        yard.is_(release_id, "awaiting-approval")
        page = open_page(yard.link(release_id, f"{group}@example.com"))

        def say_yes() -> None:
            assert press(page, "approve", {"comment": "yes"}).status == 200

        return [Parked(release_id, "promoted", say_yes)]

    return scene


def gate_of(group: str, folder: Path, stack: ExitStack) -> Gate:
    """A gate that stays open in the end, so that what waits at it after a failure does not do so for ever."""
    gate = Gate(folder / group)
    stack.callback(gate.open, 1, 2, 3)
    return gate


def waiting_for_an_endpoint(start: int) -> Scene:
    """The first start of the model's container is staging's, the second production's."""

    def scene(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
        group = f"old-start-{start}"
        yard.prepare(group)
        gate = gate_of(group, folder, stack)
        gate.open(*range(1, start))
        release_id = yard.register(group, 1, gate.model(1.0))
        gate.reached(start)
        return [Parked(release_id, "promoted", lambda: gate.open(start, start + 1))]

    return scene


def second_version_bakes(yard: Yard, group: str, gate: Gate) -> str:
    """The champion's container is started a third time when the version that bakes is taken back."""
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK")
    gate.open(1, 2)
    yard.register(group, 1, gate.model(1.0))
    yard.is_(f"{group}-v1-a1", "promoted")
    yard.apply(group, bake="7d", more=f"  alarms: [{group}-5xx]\n")
    release_id = yard.register(group, 2)
    yard.is_(release_id, "baking")
    return release_id


def waiting_for_the_way_back(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    gate = gate_of("old-rollback", folder, stack)
    release_id = second_version_bakes(yard, "old-rollback", gate)
    yard.alarm("old-rollback-5xx")
    gate.reached(3)
    return [Parked(release_id, "rolled-back", lambda: gate.open(3))]


def dead_and_waiting_for_the_way_back(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    """No execution waits any more: the endpoint's event lets `reap_release` go on."""
    gate = gate_of("old-dead", folder, stack)
    release_id = second_version_bakes(yard, "old-dead", gate)
    yard.stop(release_id)
    gate.reached(3)
    return [Parked(release_id, "failed", lambda: gate.open(3))]


def waiting_in_the_bake_and_for_the_lock(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
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
    return [Parked(older, "rolled-back", lambda: yard.alarm(f"{group}-5xx")), Parked(newer, "promoted")]


def waiting_for_a_scan(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    group = "old-scan"
    yard.prepare(group, artifact=SCAN_BY_JOB)
    release_id = yard.register(group, 1, SLOW_TO_SCAN)
    go_on = hold_job(yard, stack, f"lockkeeper-{release_id}-scan")
    yard.recorded(release_id, "scan started")
    return [Parked(release_id, "promoted", go_on)]


def waiting_for_a_suite(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    group = "old-suite"
    yard.prepare(group)
    ask_for_replay(yard.cloud, group, yard.folder_of(group), rows=120, more=REPLAY_BY_JOB)
    model = model_archive({"constant.json": "1.0", "code/inference.py": SLOW_TO_ANSWER})
    release_id = yard.register(group, 1, model)
    go_on = hold_job(yard, stack, f"lockkeeper-{release_id}-replay")
    yard.recorded(release_id, "replay started")
    return [Parked(release_id, "promoted", go_on)]


def waiting_in_the_shift(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    """Some of the requests are answered by the new version already when an alarm goes off."""
    group = "old-shift"
    yard.prepare(group)
    yard.alarm(f"{group}-5xx", "OK", without_data="ignore")
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "promoted")
    guarded(yard.cloud, group, yard.folder_of(group), SLOWLY, f"{group}-5xx")
    release_id = yard.register(group, 2)
    eventually(lambda: "of the traffic on the new fleet" in str(endpoint_of(yard, group)))
    return [Parked(release_id, "rolled-back", lambda: yard.alarm(f"{group}-5xx"))]


def waiting_beside_the_champion(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    """A shadow for a week; when that is over, its version goes on as a canary."""
    group = "old-shadow"
    yard.prepare(group)
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "promoted")
    guarded(yard.cloud, group, yard.folder_of(group), SHADOW % "7d" + CANARY)
    model = model_archive({"constant.json": "1.004", "code/inference.py": CONSTANT_INFERENCE})
    release_id = yard.register(group, 2, model)
    yard.is_(release_id, "promoting")
    eventually(lambda: yard.release(release_id).timeline[-1].what == "shadowing" and is_up(yard.cloud, group))
    return [Parked(release_id, "promoted", lambda: end_shadow(yard, group, release_id))]


def end_shadow(yard: Yard, group: str, release_id: str) -> None:
    """The week is over: requests have come, and whoever keeps the house sees that the deadline has passed."""
    # Timestamps are real at every clock scale.
    yard.cloud.client("dynamodb").update_item(
        TableName=yard.cloud.outputs["TableName"],
        Key={"pk": {"S": f"RELEASE#{release_id}"}, "sk": {"S": "WAIT#PromoteToProduction"}},
        UpdateExpression="SET deadline = :past",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000Z"}},
    )
    passed = f"{release_id}/PromoteToProduction: the shadow has passed, the shift has begun"
    with traffic_on(yard.cloud, group) as traffic:
        traffic.wait_for(60, PATIENCE)
        eventually(lambda: passed in [one["what"] for one in keep_house(yard.cloud)])


def waiting_for_a_pipeline(yard: Yard, folder: Path, stack: ExitStack) -> list[Parked]:
    """A retraining's pipeline trains; the version that it makes has no release yet."""
    group = "old-drift"
    trainer = Trainer(yard, group, folder)
    yard.prepare(group, production=f"{ALL_DAY['production']}{trainer.policy}")
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "promoted")
    stack.enter_context(trainer.pipeline())
    trainer.hold()
    number = trainer.drift()
    return [Parked(f"{group}-v2-a1", "promoted", trainer.let_go, lambda: trainer.comes_to(number, "helped"))]


SCENES: tuple[Scene, ...] = (
    waiting_for_a_pipeline,
    waiting_beside_the_champion,
    waiting_in_the_bake_and_for_the_lock,
    waiting_for_the_way_back,
    dead_and_waiting_for_the_way_back,
    waiting_for_people("staging"),
    waiting_for_people("production"),
    waiting_for_an_endpoint(1),
    waiting_for_an_endpoint(2),
    waiting_for_a_suite,
    waiting_for_a_scan,
    # Its parts end by themselves.
    waiting_in_the_shift,
)
"""Those that take longest to come to their wait are the first."""


def endpoint_of(yard: Yard, name: str) -> dict[str, object]:
    return dict(yard.cloud.client("sagemaker").describe_endpoint(EndpointName=name))


def hold_job(yard: Yard, stack: ExitStack, name: str) -> Callable[[], None]:
    """Let a Processing job's process stand still as soon as there is one; returns what lets it go on."""
    until, found = time.monotonic() + PATIENCE, None
    while (found := process_of(yard, name)) is None:
        assert time.monotonic() < until, f"{name} never began"
        time.sleep(0.05)
    os.kill(found, signal.SIGSTOP)
    held = ExitStack()
    held.callback(os.kill, found, signal.SIGCONT)
    stack.enter_context(held)

    def go_on() -> None:
        job = yard.cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name)
        assert job["ProcessingJobStatus"] == "InProgress", f"{name} was not held"
        held.close()

    return go_on


def process_of(yard: Yard, job: str) -> int | None:
    """Id of the process that a job of this laptop's AWS runs, beside its guard, if it is there."""
    listed = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    about = (str(yard.cloud.running.run_folder), f"processing-job-{job}/")
    found = [line for line in listed.splitlines() if all(one in line for one in about) and "guard.py" not in line]
    return int(found[0].split()[0]) if found else None
