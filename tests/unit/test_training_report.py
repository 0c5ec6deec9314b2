"""The metrics that a training job printed last become a report that gates read."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from lockkeeper.domain.evidence import number_at, parse_report
from lockkeeper.domain.training_report import BLOCKS, report_from

from tests.template.project import PROJECT, rows, section


def metrics(**values: Any) -> list[dict[str, Any]]:
    return [{"MetricName": name.replace("__", ":"), "Value": value, "Timestamp": 1} for name, value in values.items()]


def read(document: Any, path: str) -> float | str:
    """What a gate finds at a path, once the report was written and read."""
    return number_at(parse_report(json.dumps(document)), path)


def test_a_validation_metric_is_where_model_monitor_has_it() -> None:
    report = report_from(metrics(validation__accuracy=0.8, validation__auc=0.85))
    assert read(report, "binary_classification_metrics.accuracy.value") == 0.8
    assert read(report, "binary_classification_metrics.auc.value") == 0.85
    assert report is not None
    assert report["binary_classification_metrics"]["auc"]["standard_deviation"] == "NaN"
    assert "dataset" not in report


def test_what_was_measured_on_training_rows_judges_nothing() -> None:
    report = report_from(metrics(train__accuracy=0.99))
    assert isinstance(read(report, "binary_classification_metrics.accuracy.value"), str)
    assert read(report, "metrics.train:accuracy.value") == 0.99


def test_test_rows_come_before_validation_rows_and_these_before_no_channel() -> None:
    everything = metrics(mae=3, validation__mae=2, test__mae=1, train__mae=0)
    path = "regression_metrics.mae.value"
    assert read(report_from(everything), path) == 1
    assert read(report_from([one for one in everything if "test:" not in one["MetricName"]]), path) == 2
    assert read(report_from(everything[:1]), path) == 3


def test_a_channel_without_a_known_name_leaves_the_judging_to_the_next() -> None:
    report = report_from(metrics(test__logloss=0.3, validation__rmse=2))
    assert read(report, "regression_metrics.rmse.value") == 2
    assert read(report, "metrics.test:logloss.value") == 0.3


def test_accuracy_beside_weighted_metrics_is_of_several_classes() -> None:
    report = report_from(metrics(validation__accuracy=0.7, validation__f1_weighted=0.6))
    assert read(report, "multiclass_classification_metrics.accuracy.value") == 0.7
    assert read(report, "multiclass_classification_metrics.weighted_f1.value") == 0.6
    assert report is not None
    assert "binary_classification_metrics" not in report


@pytest.mark.parametrize(
    ("said", "block", "name"),
    [
        ("roc_auc", "binary_classification_metrics", "auc"),
        ("F1-Score", "binary_classification_metrics", "f1"),
        ("mean_absolute_error", "regression_metrics", "mae"),
        ("R2", "regression_metrics", "r2"),
    ],
)
def test_other_names_for_the_same_are_understood(said: str, block: str, name: str) -> None:
    report = report_from([{"MetricName": f"validation:{said}", "Value": 0.5}])
    assert read(report, f"{block}.{name}.value") == 0.5


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, "0.9", True, [1]])
def test_a_value_that_is_no_number_is_inconclusive(value: Any) -> None:
    report = report_from(metrics(validation__accuracy=value))
    found = read(report, "binary_classification_metrics.accuracy.value")
    assert isinstance(found, str)
    assert "no number" in found


@pytest.mark.parametrize("given", [[], [None], [{}], ["x"], [{"MetricName": ""}], [{"Value": 3}]])
def test_no_metrics_are_no_report(given: list[Any]) -> None:
    assert report_from(given) is None


def test_the_page_has_the_names_of_every_block() -> None:
    said = {
        block.strip("`"): set(names.split("`")[1::2])
        for block, names in rows(section(PROJECT / "docs/training.md", "The report"))
    }
    known = {block: set(names) for block, names in BLOCKS.items()}
    known["multiclass_classification_metrics"] |= {"accuracy"}
    assert said == known
