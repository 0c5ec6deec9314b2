"""The evaluation job's model-quality report against scikit-learn, scipy and pencil and paper."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from jobs.evaluation.binary import BinaryClassification
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.multiclass import MulticlassClassification
from jobs.evaluation.regression import Regression
from jobs.evaluation.report import MISSING_SLICE, build_report

BETAS = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
BINARY_SCALARS = {
    *("recall", "precision", "accuracy", "f0_5", "f1", "f2", "auc"),
    *("true_positive_rate", "true_negative_rate", "false_positive_rate", "false_negative_rate"),
    *(f"{name}_best_constant_classifier" for name in ("recall", "precision", "accuracy", "f0_5", "f1", "f2")),
}


def binary(truth: Any, predicted: Any, scores: Any = None) -> BinaryClassification:
    arrays = [np.asarray(one, dtype=bool) for one in (truth, predicted)]
    return BinaryClassification(*arrays, None if scores is None else np.asarray(scores, dtype=float), "0", "1")


def random_binary(seed: int, rows: int = 400) -> BinaryClassification:
    random = np.random.default_rng(seed)
    truth = random.random(rows) < 0.3
    # Rounded, so that there are ties.
    scores = np.clip(random.normal(0.35 + 0.3 * truth, 0.2), 0, 1).round(2)
    return binary(truth, scores >= 0.5, scores)


@pytest.mark.parametrize("seed", range(5))
def test_binary_metrics_are_those_of_scikit_learn(seed: int) -> None:
    problem = random_binary(seed)
    found = problem.scalars()
    truth, predicted = problem.truth.astype(int), problem.predicted.astype(int)
    (tn, fp), (fn, tp) = sklearn_metrics.confusion_matrix(truth, predicted)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(truth, predicted),
        "precision": sklearn_metrics.precision_score(truth, predicted),
        "recall": sklearn_metrics.recall_score(truth, predicted),
        **{name: sklearn_metrics.fbeta_score(truth, predicted, beta=beta) for name, beta in BETAS.items()},
        "auc": sklearn_metrics.roc_auc_score(truth, problem.scores),
        "true_positive_rate": tp / (tp + fn),
        "true_negative_rate": tn / (tn + fp),
        "false_positive_rate": fp / (fp + tn),
        "false_negative_rate": fn / (fn + tp),
    }
    always = [np.zeros_like(truth), np.ones_like(truth)]
    for name, beta in BETAS.items():
        values = [sklearn_metrics.fbeta_score(truth, one, beta=beta, zero_division=0) for one in always]
        expected[f"{name}_best_constant_classifier"] = max(values)
    for name in ("accuracy", "precision", "recall"):
        score = getattr(sklearn_metrics, f"{name}_score")
        keywords = {} if name == "accuracy" else {"zero_division": 0}
        expected[f"{name}_best_constant_classifier"] = max(score(truth, one, **keywords) for one in always)
    assert found == pytest.approx(expected)
    assert set(found) == BINARY_SCALARS


def test_a_binary_case_worked_out_by_hand() -> None:
    # Three rows are negative, two of them predicted positive; one row is positive, and predicted so.
    report = build_report(binary([0, 0, 0, 1], [0, 1, 1, 1], [0.1, 0.6, 0.7, 0.9]), {})
    metrics = report["binary_classification_metrics"]
    assert report["dataset"] == {"item_count": 4}
    assert metrics["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert metrics["recall"] == {"value": 1.0, "standard_deviation": "NaN"}
    assert metrics["precision"]["value"] == pytest.approx(1 / 3)
    assert metrics["accuracy"]["value"] == 0.5
    assert metrics["accuracy_best_constant_classifier"]["value"] == 0.75
    assert metrics["f0_5"]["value"] == pytest.approx(5 / 13)
    assert metrics["f2"]["value"] == pytest.approx(5 / 7)
    assert metrics["false_positive_rate"]["value"] == pytest.approx(2 / 3)
    assert metrics["auc"]["value"] == 1.0


def test_curves_run_from_left_to_right_and_enclose_the_area() -> None:
    problem = random_binary(1)
    curves = problem.curves()
    roc = curves["receiver_operating_characteristic_curve"]
    area = sklearn_metrics.auc(roc["false_positive_rates"], roc["true_positive_rates"])
    assert area == pytest.approx(problem.scalars()["auc"])
    assert (roc["false_positive_rates"][0], roc["true_positive_rates"][-1]) == (0, 1)
    recalls = curves["precision_recall_curve"]["recalls"]
    assert recalls == sorted(recalls)
    assert (recalls[0], recalls[-1]) == (0, 1)


def test_curves_of_a_hundred_thousand_rows_stay_small() -> None:
    random = np.random.default_rng(0)
    truth = random.random(100_000) < 0.5
    problem = binary(truth, truth, random.normal(truth))
    for curve in problem.curves().values():
        assert {len(values) for values in curve.values()} == {201}
    roc = problem.curves()["receiver_operating_characteristic_curve"]
    area = sklearn_metrics.auc(roc["false_positive_rates"], roc["true_positive_rates"])
    assert area == pytest.approx(problem.scalars()["auc"], abs=0.001)


def test_ratios_of_nothing_are_no_numbers() -> None:
    one_class = build_report(binary([1, 1, 1], [1, 1, 0], [0.9, 0.8, 0.1]), {})["binary_classification_metrics"]
    for name in ("true_negative_rate", "false_positive_rate", "auc"):
        assert one_class[name]["value"] == "NaN", name
    assert one_class["recall"]["value"] == pytest.approx(2 / 3)
    assert one_class["receiver_operating_characteristic_curve"] == {
        "false_positive_rates": [],
        "true_positive_rates": [],
    }
    never = build_report(binary([0, 1], [0, 0]), {})["binary_classification_metrics"]
    assert (never["precision"]["value"], never["recall"]["value"], never["f1"]["value"]) == ("NaN", 0.0, 0.0)
    assert "auc" not in never
    json.dumps(one_class, allow_nan=False)


@pytest.mark.parametrize("seed", range(5))
def test_multiclass_metrics_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 4, 300)
    # The last class is never predicted.
    predicted = np.minimum(np.where(random.random(300) < 0.6, truth, random.integers(0, 4, 300)), 2)
    problem = MulticlassClassification(truth, predicted, ("a", "b", "c", "d"))
    found = problem.scalars()
    weighted: dict[str, Any] = {"average": "weighted", "zero_division": 0}
    for prefix, answers in (("", [predicted]), ("_best_constant_classifier", [np.full(300, one) for one in range(4)])):
        expected = {
            "accuracy": [sklearn_metrics.accuracy_score(truth, one) for one in answers],
            "weighted_recall": [sklearn_metrics.recall_score(truth, one, **weighted) for one in answers],
            "weighted_precision": [sklearn_metrics.precision_score(truth, one, **weighted) for one in answers],
        }
        for name, beta in BETAS.items():
            values = [sklearn_metrics.fbeta_score(truth, one, beta=beta, **weighted) for one in answers]
            expected[f"weighted_{name}"] = values
        for name, values in expected.items():
            assert found[name + prefix] == pytest.approx(max(values)), name + prefix
    assert len(found) == 12
    matrix = problem.confusion_matrix()
    assert matrix["d"] == {
        "a": int(((truth == 3) & (predicted == 0)).sum()),
        "b": int(((truth == 3) & (predicted == 1)).sum()),
        "c": int(((truth == 3) & (predicted == 2)).sum()),
        "d": 0,
    }


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(100, 20, 250)
    predicted = truth + random.normal(2, 8, 250)
    assert Regression(truth, predicted).scalars() == pytest.approx(
        {
            "mae": sklearn_metrics.mean_absolute_error(truth, predicted),
            "mse": sklearn_metrics.mean_squared_error(truth, predicted),
            "rmse": math.sqrt(sklearn_metrics.mean_squared_error(truth, predicted)),
            "r2": sklearn_metrics.r2_score(truth, predicted),
        }
    )


def test_a_truth_that_does_not_vary_has_no_r2() -> None:
    report = build_report(Regression(np.array([5.0, 5.0]), np.array([4.0, 6.0])), {})
    assert report["regression_metrics"]["r2"] == {"value": "NaN", "standard_deviation": "NaN"}
    assert report["regression_metrics"]["mae"]["value"] == 1.0


def test_the_spread_of_accuracy_is_the_binomial_one() -> None:
    rows = 2000
    right = np.arange(rows) < 0.8 * rows
    report = build_report(binary(np.ones(rows), right), {})
    measured = report["binary_classification_metrics"]["accuracy"]["standard_deviation"]
    assert measured == pytest.approx(math.sqrt(0.8 * 0.2 / rows), rel=0.15)


def test_the_same_rows_give_the_same_report() -> None:
    assert build_report(random_binary(2), {}) == build_report(random_binary(2), {})


def test_a_spread_needs_two_hundred_rows() -> None:
    for rows, has_spread in ((199, False), (200, True)):
        metrics = build_report(random_binary(4, rows), {})["binary_classification_metrics"]
        assert isinstance(metrics["accuracy"]["standard_deviation"], float) is has_spread


def test_a_spread_of_what_some_draws_do_not_have_is_no_number() -> None:
    truth = np.arange(250) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = build_report(binary(truth, truth, truth), {})
    assert report["binary_classification_metrics"]["recall"] == {"value": 1.0, "standard_deviation": "NaN"}
    assert report["binary_classification_metrics"]["accuracy"]["standard_deviation"] == 0


def test_a_slice_has_the_metrics_of_its_rows() -> None:
    problem = random_binary(5, 500)
    region = np.array(["north", "south", "south", "", "north"] * 100, dtype=object)
    report = build_report(problem, {"region": region})
    assert set(report["slices"]["region"]) == {"north", "south", MISSING_SLICE}
    for value in ("north", "south"):
        part = report["slices"]["region"][value]
        alone = build_report(problem.select(region == value), {})
        assert part["item_count"] == alone["dataset"]["item_count"] == 200
        whole = alone["binary_classification_metrics"]
        curves = {"receiver_operating_characteristic_curve", "precision_recall_curve"}
        assert part["binary_classification_metrics"] == {name: whole[name] for name in whole if name not in curves}


def test_a_number_is_no_slice() -> None:
    values = np.array([str(number) for number in range(60)], dtype=object)
    with pytest.raises(EvaluationError, match="the column age has 60 values"):
        build_report(binary(np.ones(60), np.ones(60)), {"age": values})
