"""Serial inference pipelines, and models that are folders in S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account, archive

SCALER = """
import json

def model_fn(model_dir):
    with open(f"{model_dir}/factor.json") as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type != "text/csv":
        raise ValueError(content_type)
    return [float(cell) for cell in body.split(",")]

def predict_fn(row, factor):
    return [cell * factor for cell in row]

def output_fn(row, accept):
    return json.dumps({"asked": accept, "row": row}), "application/json"
"""
SUM = """
import json

def model_fn(model_dir):
    return 0

def input_fn(body, content_type):
    if content_type != "application/json":
        raise ValueError(content_type)
    return json.loads(body)

def predict_fn(question, model):
    return sum(question["row"]), question["asked"]

def output_fn(answer, accept):
    return f"{answer[0]} {answer[1]} {accept}", "text/plain"
"""


def container(account: Account, name: str, script: str, **files: str) -> dict[str, Any]:
    uri = f"s3://models/{name}/model.tar.gz"
    account.cloud.objects[uri] = archive({"code/inference.py": script, **files})
    return {"Image": SCIKIT_LEARN, "ModelDataUrl": uri}


def add_series(account: Account, *containers: dict[str, Any], **more: Any) -> None:
    account.call("CreateModel", ModelName="series", Containers=list(containers), ExecutionRoleArn=ROLE, **more)
    account.add_variants("series")


def add_folder(account: Account, **files: str) -> None:
    """A model whose data is a folder in S3."""
    account.cloud.objects |= {f"s3://models/folder/{name}": body.encode() for name, body in files.items()}
    source = {"S3Uri": "s3://models/folder/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    primary = {"Image": SCIKIT_LEARN, "ModelDataSource": {"S3DataSource": source}}
    account.call("CreateModel", ModelName="folder", PrimaryContainer=primary, ExecutionRoleArn=ROLE)
    account.add_variants("folder")


def test_one_containers_answer_is_the_next_ones_request_under_its_own_type(account: Account) -> None:
    first = container(account, "scaler", SCALER, **{"factor.json": "10"})
    add_series(account, first, container(account, "sum", SUM))

    described = account.serve("series", "series")
    text, headers = account.invoke("series", "1,2", accept="text/plain")

    assert described["EndpointStatus"] == "InService", described
    # The first is asked for its default type, the last for what the caller accepts.
    assert (text, headers["Content-Type"]) == ("30.0 application/json text/plain", "text/plain")
    assert len(described["ProductionVariants"][0]["DeployedImages"]) == 2


def test_a_containers_refusal_ends_the_series_and_names_it(account: Account) -> None:
    first = container(account, "scaler", SCALER, **{"factor.json": "10"})
    add_series(account, {**first, "ContainerHostname": "scaler"}, {**first, "ContainerHostname": "again"})
    account.serve("series", "series")

    with pytest.raises(ApiError) as raised:
        account.invoke("series", "1,2")
    with pytest.raises(ApiError) as earlier:
        account.invoke("series", "1,2", content_type="application/json")

    assert "server error (500) from again" in str(raised.value)
    assert "server error (500) from scaler" in str(earlier.value)


def test_a_container_that_does_not_start_fails_the_series_under_its_name(account: Account) -> None:
    first = container(account, "scaler", SCALER, **{"factor.json": "10"})
    add_series(account, first, container(account, "broken", "raise RuntimeError('no weights')\n"))

    reason = account.serve("series", "series")["FailureReason"]

    assert "The container-2 container" in reason
    assert "no weights" in reason


def test_containers_are_invoked_in_series_only(account: Account) -> None:
    one = container(account, "sum", SUM)
    add_series(account, one, one, InferenceExecutionConfig={"Mode": "Direct"})

    assert "invokes none directly" in account.serve("series", "series")["FailureReason"]


def test_names_of_containers_are_all_or_none_and_differ(account: Account) -> None:
    one = container(account, "sum", SUM)
    for names in (["a", "a"], ["a", ""]):
        wanted = [{**one, **({"ContainerHostname": name} if name else {})} for name in names]
        refusal = account.refusal("CreateModel", ModelName="m", Containers=wanted, ExecutionRoleArn=ROLE)
        assert "needs a ContainerHostname of its own" in refusal


def test_a_folder_in_s3_is_the_containers_model_folder(account: Account) -> None:
    add_folder(account, **{"code/inference.py": SCALER, "factor.json": "3"})

    described = account.serve("folder", "folder")

    assert described["EndpointStatus"] == "InService", described
    assert json.loads(account.invoke("folder", "1,2")[0])["row"] == [3.0, 6.0]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["code/inference.py", "weights", "weights/part"], "is a file and a folder"),
        (["code/inference.py", "empty/"], "is no name of a file"),
        (["code/inference.py", "a//b"], "is no name of a file"),
    ],
)
def test_keys_that_make_no_folder_fail_the_endpoint(account: Account, names: list[str], words: str) -> None:
    add_folder(account, **dict.fromkeys(names, ""))

    assert words in account.serve("folder", "folder")["FailureReason"]


def test_a_folder_is_served_to_roles_that_may_list_it(account: Account) -> None:
    account.cloud.denied.add((ROLE, "s3:ListBucket"))
    add_folder(account, **{"code/inference.py": SCALER, "factor.json": "3"})

    assert "s3:ListBucket" in account.serve("folder", "folder")["FailureReason"]


@pytest.mark.parametrize(
    ("uri", "kind", "compression", "words"),
    [
        ("s3://models/folder", "S3Prefix", "None", "end with a forward slash"),
        ("s3://models/folder/", "S3Prefix", "Gzip", "takes S3DataType S3Object"),
        ("s3://models/folder/", "S3Object", "None", "is no object"),
    ],
)
def test_model_data_that_contradicts_itself_is_refused(
    account: Account, uri: str, kind: str, compression: str, words: str
) -> None:
    source = {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}
    one = {"Image": SCIKIT_LEARN, "ModelDataSource": {"S3DataSource": source}}
    twice = {**one, "ModelDataUrl": "s3://models/model.tar.gz"}
    account.call("CreateModelPackageGroup", ModelPackageGroupName="group")

    assert words in account.refusal("CreateModel", ModelName="m", PrimaryContainer=one, ExecutionRoleArn=ROLE)
    refusal = account.refusal(
        "CreateModelPackage", ModelPackageGroupName="group", InferenceSpecification={"Containers": [twice]}
    )
    assert "Only one of ModelDataUrl and ModelDataSource" in refusal
