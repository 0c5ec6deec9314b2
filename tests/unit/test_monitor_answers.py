"""Answers in the forms in which models give them, each judged as what it is."""

from __future__ import annotations

import json

import pytest

from tests.unit.monitored import TRUTH, Traffic, of_model_monitor, traffic

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


JOINED = [("CSV", "{}"), ("JSON", "[{}]"), ("JSON", '{{"predictions": [{}]}}')]
"""Three answers in one row: of XGBoost's container (outside of batch transform), and lists of plain values."""


def ask_three_at_once(asked: Traffic, encoding: str, form: str, *, with_rows: bool = True) -> None:
    """600 rows in requests of three, answered in one row that is right of all."""
    for first in range(0, 600, 3):
        three = range(first, first + 3)
        cells = [[n % 40] for n in three]
        body = "\n".join(str(one[0]) for one in cells) if encoding == "CSV" else json.dumps({"instances": cells})
        answer = form.format(",".join("0.9" if n % 2 else "0.2" for n in three))
        record = asked.ask(body, answer, encoding=encoding, name=f"joined{first}")
        if not with_rows:
            del record["captureData"]["endpointInput"]
        asked.capture(record)
    asked.truth({f"joined{n}": f"{n % 2}\n{1 - n % 2}\n{n % 2}" for n in range(0, 600, 3)}, hours=1)


@pytest.mark.parametrize("with_rows", [True, False], ids=["with rows", "answers alone"])
@pytest.mark.parametrize(("encoding", "form"), JOINED)
def test_answers_that_are_joined_to_one_row_are_each_that_of_its_row(
    binary: Traffic, encoding: str, form: str, with_rows: bool
) -> None:
    ask_three_at_once(binary, encoding, form, with_rows=with_rows)
    look = binary.look()
    assert "has another number of rows" not in look.reasons
    report = look.document("model_quality/statistics.json")
    assert report["dataset"]["item_count"] == 600
    assert report["binary_classification_metrics"]["auc"]["value"] == 1


def test_joined_answers_count_each_where_too_few_are_known(binary: Traffic) -> None:
    binary.asked["minimum_rows"] = 1000
    ask_three_at_once(binary, "CSV", "{}", with_rows=False)
    assert "of 600 answers the truth of 600 is known, 1000 are needed" in binary.look().reasons


def test_a_baseline_with_answers_meets_those_that_are_joined(traffic: Traffic) -> None:
    columns = {"_c0": [0.9 if n % 2 else 0.2 for n in range(600)], "_c1": [float(n % 40) for n in range(600)]}
    of_model_monitor(traffic, columns)
    ask_three_at_once(traffic, "CSV", "{}")
    look = traffic.look()
    assert look.violations == []
    described = {one["name"]: one for one in look.document("statistics.json")["features"]}
    assert described["_c0"]["numerical_statistics"]["common"] == {"num_present": 600, "num_missing": 0}


@pytest.mark.parametrize("answer", ["1,0.8", "1", "1,0,1,0"])
def test_an_answer_of_another_number_of_cells_is_nobodys(binary: Traffic, answer: str) -> None:
    binary.capture(*(binary.ask("1\n2\n3", answer, name=f"three{n}") for n in range(200)))
    binary.truth({f"three{n}": "1\n0\n1" for n in range(200)}, hours=1)
    assert "ground truth of 200 requests has another number of rows" in binary.look().reasons


def test_the_one_answer_of_one_row_stays_a_prediction_with_its_probability(binary: Traffic) -> None:
    binary.capture(*(binary.ask(str(n % 40), f"{n % 2},0.{1 + n % 2}", name=f"r{n}") for n in range(600)))
    metrics = binary.look().document("model_quality/statistics.json")["binary_classification_metrics"]
    assert (metrics["accuracy"]["value"], metrics["auc"]["value"]) == (1, 1)
