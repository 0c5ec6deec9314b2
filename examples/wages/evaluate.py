"""Judges a trained wages classifier on held-out people: the script of a SageMaker processing job.

It writes `evaluation.json` in the format of SageMaker Model Monitor's model quality statistics for a binary
classification (https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html).
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    fbeta_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

LABEL = "label"
DECISION_THRESHOLD = 0.5

# How Model Monitor estimates the spread of a metric: five draws of 80 % of the rows, none below 200 rows.
SPREAD_DRAWS = 5
SPREAD_SHARE = 0.8
SPREAD_MINIMUM_ROWS = 200
SPREAD_SEED = 0

F_SCORES = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}


def read_model(archive: Path) -> tuple[Any, list[str]]:
    """Read the classifier and the names of its features from a `model.tar.gz`, without unpacking it to disk.

    Raises:
        KeyError: the archive lacks `model.joblib` or `features.json`.
    """
    with tarfile.open(archive) as opened:
        # SageMaker writes "model.joblib", other tools "./model.joblib".
        members = {PurePosixPath(member.name).as_posix(): member for member in opened if member.isfile()}
        classifier = joblib.load(io.BytesIO(_read(opened, members["model.joblib"])))
        features = json.loads(_read(opened, members["features.json"]))
    return classifier, [feature["name"] for feature in features]


def measure(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute every scalar metric of the format.

    Args:
        labels: 0 or 1, one a row.
        probabilities: the model's probability of label 1, one a row.

    Returns:
        Metric names of the format and their values. A `..._best_constant_classifier` is the same metric of the better
        of the two classifiers that always give one answer.
    """
    predictions = (probabilities >= DECISION_THRESHOLD).astype(int)
    (true_negatives, false_positives), (false_negatives, true_positives) = _confusion(labels, predictions)
    values = _scores(labels, predictions)
    always_no = _scores(labels, np.zeros_like(labels))
    always_yes = _scores(labels, np.ones_like(labels))
    for name in list(values):
        values[f"{name}_best_constant_classifier"] = max(always_no[name], always_yes[name])
    positives = max(true_positives + false_negatives, 1)
    negatives = max(true_negatives + false_positives, 1)
    return {
        **values,
        "true_positive_rate": float(true_positives / positives),
        "true_negative_rate": float(true_negatives / negatives),
        "false_positive_rate": float(false_positives / negatives),
        "false_negative_rate": float(false_negatives / positives),
        "auc": float(roc_auc_score(labels, probabilities)),
    }


def build_statistics(labels: np.ndarray, probabilities: np.ndarray) -> dict:
    """Build the document: every metric with its spread, the confusion matrix (truth, then answer) and two curves."""
    values = measure(labels, probabilities)
    spread = _spread(labels, probabilities)
    metrics: dict = {name: {"value": values[name], "standard_deviation": spread.get(name, "NaN")} for name in values}
    matrix = _confusion(labels, (probabilities >= DECISION_THRESHOLD).astype(int))
    metrics["confusion_matrix"] = {
        str(truth): {str(answer): int(matrix[truth][answer]) for answer in (0, 1)} for truth in (0, 1)
    }
    false_positive_rates, true_positive_rates, _ = roc_curve(labels, probabilities)
    metrics["receiver_operating_characteristic_curve"] = {
        "false_positive_rates": false_positive_rates.tolist(),
        "true_positive_rates": true_positive_rates.tolist(),
    }
    precisions, recalls, _ = precision_recall_curve(labels, probabilities)
    metrics["precision_recall_curve"] = {"precisions": precisions.tolist(), "recalls": recalls.tolist()}
    return {"version": 0.0, "dataset": {"item_count": len(labels)}, "binary_classification_metrics": metrics}


def evaluate(model: Path, data: Path, output: Path) -> None:
    """Judge the archive `model` on every CSV file under `data` and write `evaluation.json` into `output`."""
    classifier, names = read_model(model)
    rows = pd.concat([pd.read_csv(file) for file in sorted(data.glob("*.csv"))], ignore_index=True)
    probabilities = classifier.predict_proba(rows[names])[:, 1]
    statistics = build_statistics(rows[LABEL].to_numpy(), probabilities)
    output.mkdir(parents=True, exist_ok=True)
    (output / "evaluation.json").write_text(json.dumps(statistics, indent=2), encoding="utf-8")
    accuracy = statistics["binary_classification_metrics"]["accuracy"]["value"]
    print(f"evaluated {len(rows)} rows: accuracy={accuracy:.6f};", flush=True)


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    return opened.read() if opened is not None else b""


def _confusion(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return confusion_matrix(labels, predictions, labels=[0, 1])


def _scores(labels: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return {
        "recall": float(recall_score(labels, predictions, zero_division=0)),
        "precision": float(precision_score(labels, predictions, zero_division=0)),
        "accuracy": float(accuracy_score(labels, predictions)),
        **{
            name: float(fbeta_score(labels, predictions, beta=beta, zero_division=0)) for name, beta in F_SCORES.items()
        },
    }


def _spread(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    if len(labels) < SPREAD_MINIMUM_ROWS:
        return {}
    random = np.random.default_rng(SPREAD_SEED)
    draws = []
    for _ in range(SPREAD_DRAWS):
        chosen = random.choice(len(labels), int(len(labels) * SPREAD_SHARE), replace=False)
        draws.append(measure(labels[chosen], probabilities[chosen]))
    return {name: float(np.std([draw[name] for draw in draws])) for name in draws[0]}


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the three paths from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="model.tar.gz")
    parser.add_argument("--data", type=Path, required=True, help="folder of CSV files with header and label")
    parser.add_argument("--output", type=Path, required=True, help="folder for evaluation.json")
    return parser.parse_args(words)


if __name__ == "__main__":
    given = parse_arguments()
    evaluate(given.model, given.data, given.output)
