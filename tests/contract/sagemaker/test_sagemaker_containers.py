"""The containers the laptop stands in for: scikit-learn with a script, xgboost without one, requirements of a model."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy
import pytest
import xgboost

from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import XGBOOST, Account, archive

pytestmark = pytest.mark.full

TRANSFORM = """
def model_fn(model_dir):
    return "model"

def transform_fn(model, body, content_type, accept):
    return f"{model} {type(body).__name__} {content_type}", "text/plain"
"""
REFUSING = """
class TeapotError(Exception):
    code = 418
    description = "short and stout"

def model_fn(model_dir):
    return 1

def predict_fn(rows, model):
    raise TeapotError
"""
NEEDY = """
import greeting

def model_fn(model_dir):
    return greeting.WORD

def transform_fn(model, body, content_type, accept):
    return model
"""


@pytest.fixture(scope="module")
def booster() -> tuple[bytes, list[float]]:
    """A booster of two features, and its predictions for (1, 2) and (3, 4)."""
    rows = numpy.array([[1, 2], [3, 4], [5, 6], [7, 8]], dtype=numpy.float32)
    matrix = xgboost.DMatrix(rows, label=[1, 2, 3, 4])
    trained = xgboost.train({"max_depth": 2, "nthread": 1}, matrix, num_boost_round=5)
    return bytes(trained.save_raw("json")), trained.predict(xgboost.DMatrix(rows[:2])).tolist()


def serve_booster(account: Account, name: str, data: bytes) -> None:
    account.cloud.objects["s3://models/booster.tar.gz"] = archive({name: data})
    account.add_model("booster", "s3://models/booster.tar.gz", XGBOOST)
    account.add_variants("booster")
    described = account.serve("booster", "booster")
    assert described["EndpointStatus"] == "InService", described


@pytest.mark.parametrize("name", ["xgboost-model", "model.json"])
def test_a_booster_is_served_as_its_framework_predicts(
    account: Account, booster: tuple[bytes, list[float]], name: str
) -> None:
    data, expected = booster
    serve_booster(account, name, data)

    text, headers = account.invoke("booster", "1,2\n3,4\n", accept="text/csv")
    scores = json.loads(account.invoke("booster", "1,2\n3,4\n", accept="application/json")[0])["predictions"]
    rows, _ = account.invoke("booster", "0 0:1 1:2\n0 0:3 1:4", content_type="text/libsvm")

    assert headers["Content-Type"] == "text/csv"
    assert [float(value) for value in text.split(",")] == pytest.approx(expected)
    assert [one["score"] for one in scores] == pytest.approx(expected)
    assert [one["score"] for one in json.loads(rows)["predictions"]] == pytest.approx(expected)
    with pytest.raises(ApiError) as raised:
        account.invoke("booster", "<a/>", content_type="text/xml")
    assert raised.value.details["OriginalStatusCode"] == 415


def test_an_archive_without_a_booster_fails_the_endpoint(account: Account) -> None:
    account.cloud.objects["s3://models/empty.tar.gz"] = archive({"readme.txt": "nothing"})
    account.add_model("empty", "s3://models/empty.tar.gz", XGBOOST)
    account.add_variants("empty")

    assert "the archive holds no xgboost-model" in account.serve("empty", "empty")["FailureReason"]


def test_a_script_may_do_everything_itself(account: Account) -> None:
    account.add_config("transform", TRANSFORM)
    account.serve("transform", "transform")

    assert account.invoke("transform", "1,2")[0] == "model str text/csv"
    assert account.invoke("transform", b"\x00", content_type="application/x-npy")[0] == "model bytes application/x-npy"


def test_a_script_may_refuse_with_a_status_of_its_own(account: Account) -> None:
    account.add_config("teapot", REFUSING)
    account.serve("teapot", "teapot")

    with pytest.raises(ApiError) as raised:
        account.invoke("teapot", "1,2")

    assert (raised.value.details["OriginalStatusCode"], raised.value.details["OriginalMessage"]) == (
        418,
        "short and stout",
    )


def test_a_models_requirements_are_installed_beside_the_laptops_packages(account: Account, tmp_path: Path) -> None:
    account.add_config("needy", NEEDY, **{"code/requirements.txt": f"{wheel(tmp_path)}\n"})

    described = account.serve("needy", "needy")

    assert described["EndpointStatus"] == "InService", described
    assert account.invoke("needy", "1")[0] == "hello"
    with pytest.raises(ImportError):
        __import__("greeting")


def test_requirements_that_do_not_exist_fail_the_endpoint(account: Account, tmp_path: Path) -> None:
    account.add_config("needy", NEEDY, **{"code/requirements.txt": f"{tmp_path}/absent-1-py3-none-any.whl\n"})

    assert "requirements.txt could not be installed" in account.serve("needy", "needy")["FailureReason"]


def test_an_archive_that_is_none_fails_the_endpoint(account: Account) -> None:
    account.add_config("broken")
    account.cloud.objects["s3://models/broken/model.tar.gz"] = b"not a tar"

    assert "Failed to extract model data archive" in account.serve("broken", "broken")["FailureReason"]


def wheel(folder: Path) -> Path:
    """A wheel of one module, so that no index is asked."""
    path = folder / "greeting-1.0-py3-none-any.whl"
    files = {
        "greeting.py": "WORD = 'hello'\n",
        "greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
        "greeting-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "greeting-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path
