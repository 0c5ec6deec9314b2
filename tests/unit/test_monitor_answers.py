"""Answers in the forms in which models give them, each judged as what it is."""

from __future__ import annotations

import json

import pytest

from tests.unit.monitored import TRUTH, Traffic, traffic

__all__ = ["traffic"]

BASELINE = "label,age\n" + "".join(f"{n % 2},{n % 40}\n" for n in range(600))


@pytest.fixture
def binary(traffic: Traffic) -> Traffic:
    traffic.baseline(BASELINE)
    traffic.asked |= {"ground_truth": TRUTH, "question": {"problem_type": "BinaryClassification"}}
    traffic.truth({f"r{n}": str(n % 2) for n in range(600)})
    return traffic


@pytest.mark.parametrize("answer", ['{"score": %s}', '{"predictions": [{"probability": %s}]}'])
def test_a_probability_alone_is_enough_by_name_too(binary: Traffic, answer: str) -> None:
    answers = [answer % ("0.9" if n % 2 else "0.2") for n in range(600)]
    binary.capture(*(binary.ask(f"[{n % 40}]", answers[n], encoding="JSON", name=f"r{n}") for n in range(600)))
    metrics = binary.look().document("model_quality/statistics.json")["binary_classification_metrics"]
    assert (metrics["accuracy"]["value"], metrics["auc"]["value"]) == (1, 1)


def test_a_number_that_is_called_score_is_judged_as_a_number(binary: Traffic) -> None:
    binary.asked |= {"question": {"problem_type": "Regression"}, "at_most": {"mae": 0.1}}
    answers = [json.dumps({"predictions": [{"score": n % 2 + 2.5}]}) for n in range(600)]
    binary.capture(*(binary.ask(f"[{n % 40}]", answers[n], encoding="JSON", name=f"r{n}") for n in range(600)))
    look = binary.look()
    assert look.kinds == {("mae", "GreaterThanThreshold")}
    assert look.document("model_quality/statistics.json")["regression_metrics"]["mae"]["value"] == 2.5


def test_a_score_alone_is_no_label_of_several_classes(binary: Traffic) -> None:
    binary.asked |= {"question": {"problem_type": "MulticlassClassification"}, "at_least": {"accuracy": 0.9}}
    binary.capture(*(binary.ask(f"[{n % 40}]", '{"score": 0.7}', encoding="JSON", name=f"r{n}") for n in range(600)))
    look = binary.look()
    assert look.violations == []
    assert "600 of 600 rows have no usable value in the column prediction" in look.reasons
