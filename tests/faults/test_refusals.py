"""Throttling, quotas, endpoints that fail or hang: bounded patience, then a clear failure; production is untouched."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localcloud.fault_plan import Fault, When
from tests.conftest import Figure
from tests.e2e.test_a_promotion import answer_of
from tests.e2e.tidy import tidy_cloud
from tests.faults.gated_models import Gate, broken_model
from tests.faults.yard import STATES, Yard

IN_A_ROW = 5
THROTTLED = {"dynamodb": ("ProvisionedThroughputExceededException", 400), "s3": ("SlowDown", 503)}
FUNCTIONS = (*STATES, "RequestApproval", "ReactToRegistry", "ResumeRelease")
FOREVER = 500
QUOTA = "raise the quota in Service Quotas"


def operations_of(yard: Yard, group: str) -> dict[str, list[str]]:
    """The operations that each function calls in an undisturbed release of a group, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    logical = {physical: name for name, physical in yard.functions.items()}
    for one in yard.plan.invocations():
        if group in one["event"]:
            found[logical[one["function"]]] |= dict.fromkeys(one["calls"])
    return {name: list(operations) for name, operations in found.items() if name in FUNCTIONS}


def throttled(yard: Yard, group: str, number: int, operations: dict[str, list[str]]) -> list[Fault]:
    """Every function's `number`-th operation is refused five times in a row."""
    faults = []
    for function, called in operations.items():
        if number < len(called):
            operation = called[number]
            error, status = THROTTLED.get(operation.split(":")[0], ("ThrottlingException", 400))
            name, target = f"{group}.{function}", yard.functions[function]
            faults.append(Fault(name, target, When.INSTEAD, (group,), 0, operation, error, status, IN_A_ROW))
    yard.plan.add(*faults)
    return faults


@pytest.fixture
def patient_yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """A laptop's AWS whose minutes last longer: the SDK backs off in real time, which must not outlast what is scaled."""
    with tidy_cloud(tmp_path_factory.mktemp("patient"), clock_scale=12, faults=True) as cloud:
        yield Yard(cloud, tmp_path_factory.mktemp("policies"))


@pytest.mark.long
def test_five_refusals_in_a_row_of_any_operation_are_waited_out(patient_yard: Yard, figure: Figure) -> None:
    yard = patient_yard
    yard.prepare("unthrottled")
    yard.register("unthrottled", 1)
    yard.is_("unthrottled-v1-a1", "promoted")
    operations = operations_of(yard, "unthrottled")
    assert set(operations) == set(FUNCTIONS)
    most = max(len(called) for called in operations.values())

    def release_under_throttling(number: int) -> list[str]:
        group = f"throttled-{number:02d}"
        yard.prepare(group)
        faults = throttled(yard, group, number, operations)
        yard.register(group, 1)
        problems = yard.ends_as(f"{group}-v1-a1", "promoted")
        if yard.production_changes(group) != 1:
            problems.append(f"{group}: production was changed {yard.production_changes(group)} times")
        for fault in faults:
            happened = len(yard.plan.fired(fault.name))
            # A role is taken by new sandboxes only: there may have been none.
            if happened != IN_A_ROW and fault.operation != "sts:AssumeRole":
                problems.append(f"{fault.name} happened {happened} times")
        return problems + yard.nothing_left(group)

    with ThreadPoolExecutor(most) as pool:
        problems = [one for found in pool.map(release_under_throttling, range(most)) for one in found]
    count = sum(len(called) for called in operations.values())
    figure(
        f"throttling, {IN_A_ROW} refusals in a row",
        f"{count} operations of {len(operations)} functions, {len(problems)} problems",
        "k <= 5 succeed",
    )
    assert problems == []


def refused(yard: Yard, function: str, group: str, operation: str, error: str, times: int = FOREVER) -> None:
    target = yard.functions[function]
    about = (f"{group}-v2-a1",)
    yard.plan.add(Fault(f"{group}.{function}", target, When.INSTEAD, about, 0, operation, error, 400, times))


def with_champion(yard: Yard, group: str) -> None:
    yard.prepare(group)
    yard.register(group, 1)
    yard.is_(f"{group}-v1-a1", "promoted")


def ends_with_production_untouched(yard: Yard, group: str, *words: str) -> list[str]:
    """The second version fails and says why; the first one serves as if nothing had been."""
    problems = yard.ends_as(f"{group}-v2-a1", "failed")
    reason = yard.release(f"{group}-v2-a1").reason
    problems += [f"{group}: {word!r} is not in {reason!r}" for word in words if word not in reason]
    if answer_of(yard.cloud, group) != "1.0" or yard.production_changes(group) != 1:
        problems.append(f"{group}: production was touched")
    return problems + yard.nothing_left(group)


def no_capacity_in_staging(yard: Yard, folder: Path) -> list[str]:
    with_champion(yard, "no-room")
    refused(yard, "DeployToStaging", "no-room", "sagemaker:CreateEndpoint", "ResourceLimitExceeded")
    yard.register("no-room", 2)
    return ends_with_production_untouched(
        yard, "no-room", "ResourceLimitExceeded", "create_endpoint was refused", QUOTA
    )


def no_capacity_in_production(yard: Yard, folder: Path) -> list[str]:
    with_champion(yard, "no-more-room")
    refused(yard, "PromoteToProduction", "no-more-room", "sagemaker:UpdateEndpoint", "ResourceLimitExceeded")
    yard.register("no-more-room", 2)
    return ends_with_production_untouched(yard, "no-more-room", "ResourceLimitExceeded", "cannot be updated", QUOTA)


def no_capacity_for_a_while(yard: Yard, folder: Path) -> list[str]:
    with_champion(yard, "soon-room")
    refused(yard, "DeployToStaging", "soon-room", "sagemaker:CreateEndpoint", "ResourceLimitExceeded", IN_A_ROW)
    yard.register("soon-room", 2)
    return yard.ends_as("soon-room-v2-a1", "promoted") + yard.nothing_left("soon-room")


def no_permission(yard: Yard, folder: Path) -> list[str]:
    with_champion(yard, "forbidden")
    refused(yard, "DeployToStaging", "forbidden", "sagemaker:CreateModel", "AccessDeniedException")
    yard.register("forbidden", 2)
    return ends_with_production_untouched(
        yard, "forbidden", "AccessDeniedException", "create_model was refused", "mend what the message names"
    )


def creation_fails(yard: Yard, folder: Path) -> list[str]:
    with_champion(yard, "broken")
    yard.register("broken", 2, broken_model())
    return ends_with_production_untouched(yard, "broken", "Failed")


def creation_hangs(yard: Yard, folder: Path) -> list[str]:
    """The container does not start; at its timeout the release gives up, and the endpoint goes as soon as it can be deleted."""
    with_champion(yard, "hanging")
    yard.apply("hanging", staging="{startup_timeout: 10m}")
    gate = Gate(folder / "hanging")
    release_id = yard.register("hanging", 2, gate.model(2.0))
    gate.reached(1)
    began = time.monotonic()
    while yard.release(release_id).stage == "DeployToStaging":
        assert time.monotonic() < began + 60, "it hangs still"
        time.sleep(0.1)
    waited = (time.monotonic() - began) * yard.cloud.running.clock_scale / 60
    gate.open(1)
    problems = [] if 5 < waited < 30 else [f"it gave up after {waited:.0f} (scaled) minutes"]
    return problems + ends_with_production_untouched(yard, "hanging", "DeployToStaging")


def test_what_cannot_be_deployed_fails_clearly_and_leaves_production_alone(
    yard: Yard, tmp_path: Path, figure: Figure
) -> None:
    scenes = (
        no_capacity_in_staging,
        no_capacity_in_production,
        no_capacity_for_a_while,
        no_permission,
        creation_fails,
        creation_hangs,
    )
    with ThreadPoolExecutor(3) as pool:
        problems = [one for found in pool.map(lambda scene: scene(yard, tmp_path), scenes) for one in found]
    figure("quota, permission, failed and hanging creation", f"{len(scenes)} kinds, {len(problems)} problems", "0")
    assert problems == []
