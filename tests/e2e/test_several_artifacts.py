"""Inference pipelines and models that are folders in S3 travel to production; what was scanned is what answers there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
import xgboost
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from tests.e2e.harness import SCIKIT_LEARN, XGBOOST, Cloud, model_archive, package_request, policy_text
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, answer_of, prepare, report
from tests.e2e.test_bad_input import failed
from tests.e2e.test_models_of_other_people import csv_lines, houses, regression_report

SCALER_INFERENCE = """
import os, joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "scaler.joblib"))

def predict_fn(rows, scaler):
    return scaler.transform(rows.reshape(-1, scaler.n_features_in_))
"""
LINEAR_INFERENCE = """
import os, joblib

def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model", "linear.joblib"))

def output_fn(prices, accept):
    return "\\n".join(str(price) for price in prices), "text/csv"
"""
PEOPLE = '{{before: [production], approvers: [{{name: {0}, aws_principal: "arn:aws:iam::111122223333:role/{0}"}}]}}'


def joblib_bytes(model: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def folder_of(uri: str) -> dict[str, Any]:
    return {"ModelDataSource": {"S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}}}


def put_folder(cloud: Cloud, bucket: str, files: dict[str, bytes | str]) -> str:
    """Write the files below `model/` of a bucket; returns the prefix."""
    for name, body in files.items():
        cloud.put(bucket, f"model/{name}", body)
    return f"s3://{bucket}/model/"


def register_folder(cloud: Cloud, group: str, uri: str) -> None:
    """Register a folder with a report that is good enough."""
    statistics = cloud.put(f"{group}-models", "report.json", report(1.0))
    request = package_request(group, SCIKIT_LEARN, "", statistics)
    request["InferenceSpecification"]["Containers"] = [{"Image": SCIKIT_LEARN, **folder_of(uri)}]
    cloud.client("sagemaker", "registry").create_model_package(**request)


def production_model(cloud: Cloud, release: dict[str, Any]) -> dict[str, Any]:
    name = f"lockkeeper-{release['release_id']}-production"
    return dict(cloud.client("sagemaker", "production").describe_model(ModelName=name))


@pytest.mark.full
def test_a_scaler_and_a_booster_in_series_answer_as_one_model(cloud: Cloud, tmp_path: Path) -> None:
    sold = houses()
    features = numpy.array([row for _, row in sold], dtype=numpy.float32)
    prices = numpy.array([price for price, _ in sold])
    scaler = StandardScaler().fit(features)
    scaled = numpy.asarray(scaler.transform(features), dtype=numpy.float32)
    booster = xgboost.train({"max_depth": 3, "nthread": 1}, xgboost.DMatrix(scaled, label=prices), num_boost_round=30)
    expected = booster.predict(xgboost.DMatrix(scaled))
    prepare(cloud, "in-series", tmp_path)
    cloud.apply(policy_text("in-series", metric="regression_metrics.mae.value", bound="at_most: 30000"), tmp_path)
    scaling = model_archive({"scaler.joblib": joblib_bytes(scaler), "code/inference.py": SCALER_INFERENCE})
    boosting = model_archive({"xgboost-model": bytes(booster.save_raw("json"))})
    statistics = cloud.put("in-series-models", "report.json", regression_report(list(prices - expected)))
    request = package_request("in-series", SCIKIT_LEARN, "", statistics)
    request["InferenceSpecification"]["Containers"] = [
        {
            "Image": SCIKIT_LEARN,
            "ModelDataUrl": cloud.put("in-series-models", "scaler/model.tar.gz", scaling),
            # What it hands on is what the next container reads.
            "Environment": {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"},
        },
        {"Image": XGBOOST, "ModelDataUrl": cloud.put("in-series-models", "booster/model.tar.gz", boosting)},
    ]
    cloud.client("sagemaker").create_model_package(**request)

    release = cloud.wait_for("in-series-v1-a1", "promoted")

    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="in-series",
        ContentType="text/csv",
        Accept="text/csv",
        Body=csv_lines([row for _, row in sold[:20]]),
    )
    told = [float(value) for value in answer["Body"].read().decode().split(",")]
    assert told == pytest.approx(list(expected[:20]), rel=1e-3)
    pins, containers = release["pins"], production_model(cloud, release)["Containers"]
    assert [one["ModelDataUrl"] for one in containers] == [pin["pinned"] for pin in pins["artifacts"]]
    assert [one["Image"] for one in containers] == pins["images"]
    assert pins["environments"] == [{"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"}, {}]
    shown = cloud.lockkeeper("show", "in-series-v1-a1")
    assert all(pin["sha256"] in shown for pin in pins["artifacts"])
    assert all(word in shown for word in ("container 1", "container 2", "scaler/model.tar.gz", "booster/model.tar.gz"))


@pytest.mark.full
def test_a_folder_in_s3_is_served_as_it_was_scanned(cloud: Cloud, tmp_path: Path) -> None:
    sold = houses()
    features, prices = numpy.array([row for _, row in sold]), numpy.array([price for price, _ in sold])
    linear = LinearRegression().fit(features, prices)
    prepare(cloud, "unpacked", tmp_path, approval=PEOPLE.format("Nina"))
    files = {"model/linear.joblib": joblib_bytes(linear), "code/inference.py": LINEAR_INFERENCE}
    uri = put_folder(cloud, "unpacked-models", files)
    register_folder(cloud, "unpacked", uri)
    cloud.wait_for("unpacked-v1-a1", "awaiting-approval")
    # Whoever may write to the source changes nothing about what was scanned.
    cloud.put("unpacked-models", "model/code/inference.py", "raise SystemExit('not scanned')\n")
    cloud.lockkeeper("approve", "unpacked-v1-a1", "--comment", "as scanned", person=cloud.person("Nina"))

    release = cloud.wait_for("unpacked-v1-a1", "promoted")

    answer = cloud.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="unpacked", ContentType="text/csv", Accept="text/csv", Body=csv_lines([row for _, row in sold[:9]])
    )
    told = [float(value) for value in answer["Body"].read().decode().split()]
    assert told == pytest.approx(list(linear.predict(features[:9])), rel=1e-4)
    (pin,) = release["pins"]["artifacts"]
    source = production_model(cloud, release)["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
    assert (source["S3Uri"], source["S3DataType"], source["CompressionType"]) == (pin["pinned"], "S3Prefix", "None")
    assert (pin["source"], pin["objects"]) == (uri, 2)
    listed = json.loads(cloud.client("s3").get_object(**place_of(pin["manifest"]))["Body"].read())["objects"]
    assert {one["path"]: one["bytes"] for one in listed} == {name: len(body) for name, body in files.items()}
    assert "2 files" in cloud.lockkeeper("show", "unpacked-v1-a1")


def place_of(uri: str) -> dict[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


@pytest.mark.full
@pytest.mark.parametrize("tamper", ["added", "removed", "changed"])
def test_a_sealed_folder_that_was_tampered_with_never_serves(cloud: Cloud, tmp_path: Path, tamper: str) -> None:
    group = f"folder-{tamper}"
    prepare(cloud, group, tmp_path, approval=PEOPLE.format(f"Omar-{tamper}"))
    files = {"constant.json": "4.0", "code/inference.py": CONSTANT_INFERENCE}
    register_folder(cloud, group, put_folder(cloud, f"{group}-models", {**files, "name.txt": tamper}))
    release = cloud.wait_for(f"{group}-v1-a1", "awaiting-approval")
    pinned, s3 = place_of(release["pins"]["artifacts"][0]["pinned"]), cloud.client("s3")
    if tamper == "removed":
        s3.delete_object(Bucket=pinned["Bucket"], Key=f"{pinned['Key']}name.txt")
    else:
        name = "name.txt" if tamper == "changed" else "code/sitecustomize.py"
        s3.put_object(Bucket=pinned["Bucket"], Key=pinned["Key"] + name, Body=b"print('mine now')\n")
    cloud.lockkeeper("approve", f"{group}-v1-a1", "--comment", "fine", person=cloud.person(f"Omar-{tamper}"))

    failed(cloud, f"{group}-v1-a1", f"({tamper}: ", "not what was scanned any more")
    assert cloud.client("sagemaker").list_endpoints(NameContains=group)["Endpoints"] == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("case", "files", "words"),
    [
        ("hostile", {"model.pkl": b"cos\nsystem\n(S'true'\ntR."}, ("model.pkl: the pickle names os.system",)),
        ("marker", {"empty/": b""}, ("a key that ends with a / is no file", "delete the object empty/")),
        ("nothing", {}, ("nothing is below s3://folder-nothing-models/model/",)),
    ],
)
def test_a_folder_that_cannot_be_released_says_why(
    cloud: Cloud, tmp_path: Path, case: str, files: dict[str, bytes | str], words: tuple[str, ...]
) -> None:
    group = f"folder-{case}"
    prepare(cloud, group, tmp_path)
    register_folder(cloud, group, put_folder(cloud, f"{group}-models", files))

    failed(cloud, f"{group}-v1-a1", *words)


@pytest.mark.full
def test_a_folder_is_served_in_other_accounts(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "folder-abroad", tmp_path)
    files = {"constant.json": "8.0", "code/inference.py": CONSTANT_INFERENCE}
    register_folder(cloud, "folder-abroad", put_folder(cloud, "folder-abroad-models", files))

    release = cloud.wait_for("folder-abroad-v1-a1", "promoted")

    assert answer_of(cloud, "folder-abroad") == "8.0"
    assert release["pins"]["artifacts"][0]["pinned"].startswith(f"s3://{cloud.outputs['BucketName']}/artifacts/")


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({"ProductId": "prod-0123456789abc"}, {}, "a product of AWS Marketplace", "without Lockkeeper"),
    ({"Environment": {"HF_MODEL_ID": "team/model"}}, {}, "from Hugging Face's hub", "download the model"),
    ({"Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/code.tar.gz"}}, {}, "its code from S3", "repack the model"),
    ({"BaseModel": {"HubContentName": "base"}}, {}, "takes its model from a hub", "a bucket of yours"),
    ({"IsCheckpoint": True}, {}, "a checkpoint of a training", "at its end"),
    (
        {"AdditionalS3DataSource": {"S3DataType": "S3Object", "S3Uri": "s3://b/k", "CompressionType": "None"}},
        {},
        "reads further data",
        "beside the model",
    ),
    ({}, {"CertifyForMarketplace": True}, "certified for AWS Marketplace", "without CertifyForMarketplace"),
    (
        {},
        {"SourceAlgorithmSpecification": {"SourceAlgorithms": [{"AlgorithmName": "an-algorithm"}]}},
        "made of an algorithm",
        "no SourceAlgorithmSpecification",
    ),
]


@pytest.mark.full
def test_kinds_that_are_not_supported_are_refused_by_name_before_anything_is_deployed(
    cloud: Cloud, tmp_path: Path
) -> None:
    prepare(cloud, "unsupported", tmp_path)
    for version, (container, package, what, cure) in enumerate(REFUSED, 1):
        request = package_request("unsupported", SCIKIT_LEARN, "s3://unsupported-models/model.tar.gz", None, **package)
        request["InferenceSpecification"]["Containers"][0].update(container)
        cloud.client("sagemaker").create_model_package(**request)

        failed(cloud, f"unsupported-v{version}-a1", what, cure)
