"""CloudWatch metrics of what was found, by endpoint and feature: the names are Model Monitor's, the namespace is Lockkeeper's."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Iterator, Mapping, Sequence

from jobs.drift_monitor.data_quality import Distance, Traffic

NAMESPACE = "Lockkeeper/Drift"
MOST_AT_ONCE = 500
"""Metrics of one request: CloudWatch takes a thousand and a megabyte."""


def of_traffic(traffic: Traffic, distances: Sequence[Distance]) -> Iterator[dict[str, Any]]:
    """How much of each feature there was, and how far it is from its baseline."""
    for name, column in traffic.columns.items():
        yield _metric(f"feature_data_{name}", column.rows, {"Feature": name})
        yield _metric(f"feature_non_null_{name}", column.present, {"Feature": name})
    for distance in distances:
        yield _metric(f"feature_baseline_drift_{distance.feature}", distance.measured, {"Feature": distance.feature})


def of_quality(report: Mapping[str, Any], key: str) -> Iterator[dict[str, Any]]:
    """Every metric of a model-quality report that is a number."""
    for name, told in report[key].items():
        value = told.get("value") if isinstance(told, dict) else None
        if isinstance(value, (int, float)):
            yield _metric(name, value, {})


def of_bias(analysis: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every post-training bias metric that the rows define."""
    for facet, several in analysis["post_training_bias_metrics"]["facets"].items():
        for one in several:
            for metric in one["metrics"]:
                if metric["value"] is not None:
                    dimensions = {"Facet": facet, "FacetValue": one["value_or_threshold"]}
                    yield _metric(f"bias_metric_{metric['name']}", metric["value"], dimensions)


def of_violations(count: int) -> Iterator[dict[str, Any]]:
    """How many violations there are: an alarm on it needs no name of a feature."""
    yield _metric("violations", count, {})


def _metric(name: str, value: float, dimensions: Mapping[str, str]) -> dict[str, Any]:
    told = [{"Name": key, "Value": _plain(text)} for key, text in dimensions.items()]
    return {"MetricName": _plain(name), "Value": float(value), "Dimensions": told}


def _plain(text: str) -> str:
    """CloudWatch takes ASCII of at most 255 characters, and no text that is blank."""
    return "".join(one if 32 <= ord(one) < 127 else "?" for one in text)[:255].strip() or "?"


def publish(client: Any, endpoint: str, at: datetime, metrics: Sequence[dict[str, Any]]) -> None:
    """Send the metrics, each by its endpoint too."""
    by_endpoint = {"Name": "Endpoint", "Value": endpoint}
    data: list[dict[str, Any]] = [
        {**one, "Timestamp": at, "Dimensions": [by_endpoint, *one["Dimensions"]]} for one in metrics
    ]
    for first in range(0, len(data), MOST_AT_ONCE):
        client.put_metric_data(Namespace=NAMESPACE, MetricData=data[first : first + MOST_AT_ONCE])
