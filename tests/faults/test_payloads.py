"""A report of 10 MB and a policy of hundreds of gates: pointers travel, never payloads."""

from __future__ import annotations

import json

from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, package_request
from tests.e2e.leftovers import items
from tests.e2e.test_a_promotion import constant_model
from tests.faults.yard import Yard

MEGABYTE = 1_000_000
GATES = 300
BOUND = 200_000


def test_no_payload_grows_with_the_evidence(yard: Yard, figure: Figure) -> None:
    group = "heavy"
    yard.prepare(group)
    yard.cloud.apply(policy_of_many_gates(group), yard.folder_of(group))
    text = report_of(10 * MEGABYTE)
    artifact = yard.cloud.put(f"{group}-models", "1/model.tar.gz", constant_model(1.0))
    statistics = yard.cloud.put(f"{group}-models", "1/report.json", text)
    description = {"ModelPackageDescription": "d" * 1000}
    yard.cloud.client("sagemaker").create_model_package(
        **package_request(group, SCIKIT_LEARN, artifact, statistics), **description
    )
    release_id = f"{group}-v1-a1"
    yard.is_(release_id, "promoted")

    history = yard.cloud.ended_execution(release_id)["events"]
    carried = [len(str(value)) for event in history for value in strings_of(event)]
    invoked = [len(one["event"]) for one in yard.plan.invocations()]
    records = [len(json.dumps(item)) for item in items(yard.cloud)]
    figure(
        "10 MB report, largest payload of execution, events and functions",
        f"{max(carried + invoked)} bytes",
        "< 200 KB",
    )
    figure("10 MB report, largest record of the ledger", f"{max(records)} bytes", "< 400 KB")
    assert len(yard.release(release_id).verdicts) >= GATES
    assert max(carried + invoked) < BOUND
    assert max(records) < 2 * BOUND


def report_of(size: int) -> str:
    """A report with a value for every gate, of exactly so many bytes."""
    values = {f"metric_{number}": {"value": 1.0} for number in range(GATES)}
    text = json.dumps({"regression_metrics": values, "note": ""})
    return text.replace('"note": ""', f'"note": "{"x" * (size - len(text))}"')


def policy_of_many_gates(group: str) -> str:
    gates = "\n".join(
        f"    - {{metric: regression_metrics.metric_{number}.value, at_most: 5}}" for number in range(GATES)
    )
    return f"""\
model_package_group: {group}
gates:
  quality:
{gates}
approval: {{before: []}}
staging: {{}}
production:
  endpoint_name: {group}
  instance_type: ml.m5.large
  strategy: {{bake: 1m}}
"""


def strings_of(event: object) -> list[str]:
    """Every text in a history event, however deep."""
    if isinstance(event, dict):
        return [text for value in event.values() for text in strings_of(value)]
    return [event] if isinstance(event, str) else []
