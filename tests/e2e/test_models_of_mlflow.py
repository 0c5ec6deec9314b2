"""Packages that SageMaker's MLflow syncs into the registry: judged by the model card, served from the logged model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
from sklearn.linear_model import LinearRegression

from tests.e2e.harness import Cloud, policy_text
from tests.e2e.mlflow_folder import Metrics, group_name, logged_model, specification, synced_package
from tests.e2e.test_bad_input import failed
from tests.e2e.test_models_of_other_people import csv_lines, houses
from tests.e2e.test_nothing_stranded import eventually

pytestmark = pytest.mark.full

OWN_CLASS = b"ccloudpickle.cloudpickle\n_make_skeleton_class\n(tR."
"""How the pickle of a custom pyfunc model begins: cloudpickle builds its class anew, code and all."""

TRAINING: Metrics = {"training_mean_absolute_error": 1.0}


def trained() -> tuple[LinearRegression, list[list[float]], Metrics]:
    """A regressor of house prices, rows that it has not seen, and what MLflow's evaluation says of it on those."""
    sold = houses()
    held_out, known = sold[::5], [house for number, house in enumerate(sold) if number % 5]
    model = LinearRegression().fit([row for _, row in known], [price for price, _ in known])
    rows = [row for _, row in held_out]
    errors = numpy.abs(model.predict(rows) - [price for price, _ in held_out])
    return model, rows, {"mean_absolute_error": float(errors.mean()), "max_error": float(errors.max())}


def policy(group: str) -> str:
    return policy_text(group, metric="regression_metrics.mean_absolute_error.value", bound="at_most: 20000")


def log(cloud: Cloud, group: str, files: dict[str, bytes | str]) -> str:
    """Put a logged model into the artifact store; returns its location."""
    for name, body in files.items():
        cloud.put(f"{group}-models", f"mlflow/7/models/m-1/artifacts/{name}", body)
    return f"s3://{group}-models/mlflow/7/models/m-1/artifacts/"


def prepared(cloud: Cloud, folder: Path, name: str) -> str:
    """A synced group with its bucket and policy; returns its name."""
    group = group_name(name, "tracking")
    cloud.bucket(f"{group}-models")
    cloud.group(group)
    cloud.apply(policy(group), folder)
    return group


def files_of(group: str, model: Any) -> dict[str, bytes | str]:
    return logged_model(model, f"{group}-models", "mlflow/7/models/m-1/artifacts", "m-1")


def answers(cloud: Cloud, group: str, rows: list[list[float]]) -> list[float]:
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=group, ContentType="text/csv", Accept="application/json", Body=csv_lines(rows)
    )
    return [float(value) for value in json.loads(answer["Body"].read())]


def test_a_synced_version_is_judged_by_its_card_and_served_from_its_folder(cloud: Cloud, tmp_path: Path) -> None:
    model, rows, evaluation = trained()
    group = prepared(cloud, tmp_path, "houses-synced")
    uri = log(cloud, group, files_of(group, model))
    request = synced_package(group, TRAINING, evaluation, specification(uri))
    cloud.client("sagemaker").create_model_package(**request)

    release = cloud.wait_for(f"{group}-v1-a1", "promoted")

    verdict = next(one for one in release["verdicts"] if one["gate"].startswith("quality: regression_metrics.mean"))
    assert verdict["measured"] == pytest.approx(evaluation["mean_absolute_error"])
    assert answers(cloud, group, rows[:9]) == pytest.approx(list(model.predict(rows[:9])), rel=1e-4)
    (pin,) = release["pins"]["artifacts"]
    assert (pin["source"], pin["objects"]) == (uri, len(files_of(group, model)))


def test_metadata_alone_is_released_when_it_gets_its_containers(cloud: Cloud, tmp_path: Path) -> None:
    model, rows, evaluation = trained()
    group = prepared(cloud, tmp_path, "houses-later")
    sagemaker = cloud.client("sagemaker")
    arn = sagemaker.create_model_package(**synced_package(group, TRAINING, evaluation))["ModelPackageArn"]

    def ignored() -> bool:
        logs = (cloud.running.logs / "lambda").glob("*ReactToRegistry*")
        return any(group in text and "no container yet" in text for text in (log.read_text() for log in logs))

    eventually(ignored)
    assert cloud.release_status(f"{group}-v1-a1") == "not opened"
    uri = log(cloud, group, files_of(group, model))
    sagemaker.update_model_package(ModelPackageArn=arn, InferenceSpecification=specification(uri))

    cloud.wait_for(f"{group}-v1-a1", "promoted")
    assert answers(cloud, group, rows[:9]) == pytest.approx(list(model.predict(rows[:9])), rel=1e-4)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("worse", ("9e+04 does not meet <= 20000",)),
        ("unjudged", ("has no model-quality report", "model card that has evaluation metrics")),
        ("pyfunc", ("python_model.pkl: the pickle names", "cloudpickle")),
        ("no-script", ("is Failed", "inference.py")),
    ],
)
def test_a_synced_version_that_cannot_be_released_says_why(
    cloud: Cloud, tmp_path: Path, case: str, words: tuple[str, ...]
) -> None:
    model, _, evaluation = trained()
    group = prepared(cloud, tmp_path, f"houses-{case}")
    files = files_of(group, model)
    if case == "pyfunc":
        files["python_model.pkl"] = OWN_CLASS
    if case == "no-script":
        del files["code/inference.py"]
    judged = {"worse": {"mean_absolute_error": 90000.0}, "unjudged": None}.get(case, evaluation)
    request = synced_package(group, TRAINING, judged, specification(log(cloud, group, files)))
    cloud.client("sagemaker").create_model_package(**request)

    failed(cloud, f"{group}-v1-a1", *words)
