"""A report of 10 MB, a policy of hundreds of gates, requests and answers of 300 KB: pointers travel, never payloads."""

from __future__ import annotations

import json

from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, model_archive, package_request
from tests.e2e.leftovers import items
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, constant_model
from tests.faults.yard import Yard

MEGABYTE = 1_000_000
GATES = 300
BOUND = 200_000
LINES = 100
LINE = "é" * 1500
"""Two bytes in UTF-8 for each letter: whoever counts characters sees half of 3,000."""
ECHO = CONSTANT_INFERENCE.replace("[constant for _ in rows]", "rows")
"""A model that answers what it is asked."""


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

    largest, record = largest_of(yard, release_id)
    figure("10 MB report, largest payload of execution, events and functions", f"{largest} bytes", "< 200 KB")
    figure("10 MB report, largest record of the ledger", f"{record} bytes", "< 400 KB")
    assert len(yard.release(release_id).verdicts) >= GATES
    assert largest < BOUND
    assert record < 2 * BOUND


def test_no_payload_has_what_an_endpoint_is_asked_or_answers(yard: Yard, figure: Figure) -> None:
    """A policy, a request and an answer of 300 KB each; first they are as they should be, then the answer is no number."""
    group, body = "bulky", "\n".join([LINE] * LINES)
    yard.prepare(group)
    model = model_archive({"constant.json": "1.0", "code/inference.py": ECHO})
    largest, record, exchanged = 0, 0, 0
    for version, status, expect in ((1, "promoted", {"rows": LINES}), (2, "failed", {"numeric": True})):
        case = {"name": "bulk", "body": body, "accept": "text/csv", "expect": {"content_type": "text/csv", **expect}}
        contract = yard.cloud.put(f"{group}-models", f"{version}.jsonl", json.dumps(case))
        staging = f"{{startup_timeout: 24h, tests: {{contract: {contract}}}}}"
        yard.apply(group, more=f"# {LINE * LINES}\n", staging=staging)
        release_id = yard.register(group, version, model)
        yard.is_(release_id, status)
        judged = [one for one in yard.release(release_id).verdicts if one.gate == "contract"]
        exchanged += any(one.measured == "1 of 1" or LINE[:100] in one.reason for one in judged)
        found = largest_of(yard, release_id)
        largest, record = max(largest, found[0]), max(record, found[1])
    figure(
        f"policy, request and answer of {len(body.encode())} bytes, largest payload of execution, events and functions",
        f"{largest} bytes",
        "< 200 KB",
    )
    figure("policy, request and answer of 300 KB, largest record of the ledger", f"{record} bytes", "< 400 KB")
    assert exchanged == 2, "the endpoint did not answer what it was asked"
    assert largest < BOUND
    assert record < 2 * BOUND


def largest_of(yard: Yard, release_id: str) -> tuple[int, int]:
    """Bytes of the largest text in an execution, or with which any function was called so far; and of the ledger's largest record."""
    history = yard.cloud.ended_execution(release_id)["events"]
    texts = [text for event in history for text in strings_of(event)]
    texts += [one["event"] for one in yard.plan.invocations()]
    records = [json.dumps(item, ensure_ascii=False) for item in items(yard.cloud)]
    return max(len(text.encode()) for text in texts), max(len(text.encode()) for text in records)


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
