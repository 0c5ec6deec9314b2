"""The monitor's documents against the formats of Model Monitor and Clarify, whatever the traffic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.monitored import TRUTH, Look, Traffic, traffic

__all__ = ["traffic"]

FORMATS = Path(__file__).parent / "model_monitor_formats"
BASELINE = "label,age,city,empty\n" + "".join(f"{n % 2},{n % 40}.5,{'NYC' if n % 3 else 'LA'},\n" for n in range(300))


def check(document: Any, name: str) -> None:
    schema = json.loads((FORMATS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


def check_data_quality(look: Look, folder: str = "") -> None:
    check(look.document(f"{folder}statistics.json"), "data_quality.statistics")
    check(look.document(f"{folder}constraints.json"), "data_quality.constraints")
    check(look.document(f"{folder}constraint_violations.json"), "constraint_violations")


@pytest.mark.parametrize("schema", sorted(FORMATS.glob("*.json")), ids=lambda path: path.name)
def test_the_schemas_are_schemas(schema: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text()))


@pytest.mark.parametrize(
    "row",
    [
        "1.5,NYC,",
        "1,NYC,",
        "x,NYC,",
        ",,",
        "1",
        "1,2,3,4,5",
        "1e300,NYC,",
        "-1e-320,NYC,",
        "inf,nan,",
        "\U0001f600,\u202e,",
    ],
)
def test_data_quality_keeps_the_format(traffic: Traffic, row: str) -> None:
    traffic.baseline(BASELINE)
    traffic.capture(*(traffic.ask(row) for _ in range(150)))
    look = traffic.look()
    assert look.status == 0
    check_data_quality(look)


def test_without_rows_and_without_a_baseline_the_format_is_kept(traffic: Traffic) -> None:
    check_data_quality(traffic.look())
    traffic.capture(*(traffic.ask("1,NYC") for _ in range(150)))
    check_data_quality(traffic.look())


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("BinaryClassification", "{0},0.{0}5"), ("BinaryClassification", "{0}"), ("MulticlassClassification", "{0}"),
     ("Regression", "{0}.5")],
)  # fmt: skip
def test_model_quality_and_bias_keep_the_format(traffic: Traffic, kind: str, answer: str) -> None:
    traffic.baseline(BASELINE)
    bound = {"metric": "DPPL", "facet": "city", "value": None, "least": 0.5, "most": 0.6}
    question = {"problem_type": kind, "positive_above": 0.7}
    traffic.asked |= {"ground_truth": TRUTH, "question": question, "bias": [bound]}
    traffic.asked |= {"at_least": {"accuracy": 1, "r2": 1}, "at_most": {"mae": 0.01}}
    rows = [f"{n % 40}.5,{'NYC' if n % 3 else 'LA'}," for n in range(300)]
    traffic.capture(*(traffic.ask(row, answer.format(n % 2), name=f"r{n}") for n, row in enumerate(rows)))
    traffic.truth({f"r{n}": str(int(n % 5 == 0)) for n in range(300)})
    look = traffic.look()
    assert {one["constraint_check_type"] for one in look.violations} >= {"bias_drift_check"}
    check_data_quality(look)
    check_data_quality(look, "data_quality/")
    check(look.document("model_quality/statistics.json"), "model_quality.statistics")
    check(look.document("model_quality/constraints.json"), "model_quality.constraints")
    check(look.document("bias/statistics.json"), "bias.statistics")
    for folder in ("model_quality", "bias"):
        check(look.document(f"{folder}/constraint_violations.json"), "constraint_violations")


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"violations": [{"constraint_check_type": "baseline_drift_check", "description": "x"}]}, "constraint_violations"),
        ({"violations": [{"feature_name": "a", "constraint_check_type": "other", "description": "x"}]}, "constraint_violations"),
        ({"version": 0, "dataset": {"item_count": 1}, "features": [{"name": "a", "inferred_type": "Integral"}]},
         "data_quality.statistics"),
        ({"version": 0, "features": [{"name": "a", "inferred_type": "Integral"}]}, "data_quality.constraints"),
        ({"version": 0, "dataset": {"item_count": 1}}, "model_quality.statistics"),
    ],
)  # fmt: skip
def test_the_schemas_refuse_something_else(document: Any, name: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(document, name)
