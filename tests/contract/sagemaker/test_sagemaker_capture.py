"""Data capture writes what was asked and answered, as SageMaker does; shadow variants get copies and answer nobody."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account, archive

pytestmark = pytest.mark.full

DESTINATION = "s3://captured/wages"
KEY = re.compile(
    rf"{DESTINATION}/doubling/(?P<variant>\w+)/\d{{4}}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl"
)
TRIPLING = "def model_fn(model_dir):\n    return 3.0\n\ndef predict_fn(rows, factor):\n    return rows * factor\n"


def capture(**changes: Any) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": DESTINATION,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        **changes,
    }


def variant(model: str, name: str = "AllTraffic", weight: float = 1.0) -> dict[str, Any]:
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }


def configure(account: Account, name: str, **more: Any) -> None:
    """A doubling model in a configuration of this name, with further parameters."""
    account.add_config("double")
    account.call("CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant("double")], **more)


def records(account: Account, count: int, of: str = "AllTraffic") -> list[dict[str, Any]]:
    """Captured records of a variant, once there are so many."""

    def found() -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for uri in sorted(account.cloud.objects):
            place = KEY.fullmatch(uri)
            if place and place["variant"] == of:
                lines += [json.loads(line) for line in account.cloud.objects[uri].decode().splitlines()]
        return lines

    account.cloud.wait_for(lambda: len(found()) >= count)
    return found()


def test_requests_and_answers_are_captured_in_sagemakers_format(account: Account) -> None:
    configure(account, "captured", DataCaptureConfig=capture())
    described = account.serve("doubling", "captured")
    account.invoke("doubling", "1\n", accept="text/csv", **{"x-amzn-sagemaker-inference-id": "row-7"})

    (record,) = records(account, 1)
    sides = record["captureData"]
    assert sides["endpointInput"] == {
        "observedContentType": "text/csv", "mode": "INPUT", "data": "1\n", "encoding": "CSV",
    }  # fmt: skip
    assert (sides["endpointOutput"]["mode"], sides["endpointOutput"]["data"]) == ("OUTPUT", "2.0\n")
    assert record["eventVersion"] == "0"
    metadata = record["eventMetadata"]
    assert metadata["inferenceId"] == "row-7"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["inferenceTime"])
    assert len(metadata["eventId"]) == 36
    assert described["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 100,
        "DestinationS3Uri": DESTINATION,
        "KmsKeyId": "",
    }


def test_records_of_a_while_share_an_object(account: Account) -> None:
    configure(account, "captured", DataCaptureConfig=capture())
    account.serve("doubling", "captured")
    for number in range(5):
        account.invoke("doubling", f"{number}\n", accept="text/csv")
    asked = [one["captureData"]["endpointInput"]["data"] for one in records(account, 5)]
    assert asked == [f"{number}\n" for number in range(5)]


def test_what_is_no_text_that_the_configuration_names_is_kept_in_base_64(account: Account) -> None:
    header = {"CsvContentTypes": ["text/other"], "JsonContentTypes": ["text/csv"]}
    configure(account, "captured", DataCaptureConfig=capture(CaptureContentTypeHeader=header))
    account.serve("doubling", "captured")
    account.invoke("doubling", "1\n", accept="application/json")
    (record,) = records(account, 1)
    sides = record["captureData"]
    assert sides["endpointInput"]["encoding"] == "JSON"
    assert sides["endpointOutput"]["encoding"] == "BASE64"
    assert json.loads(base64.b64decode(sides["endpointOutput"]["data"])) == 2.0


def test_only_the_side_that_is_asked_for_is_captured(account: Account) -> None:
    configure(account, "captured", DataCaptureConfig=capture(CaptureOptions=[{"CaptureMode": "Output"}]))
    account.serve("doubling", "captured")
    account.invoke("doubling", "1\n", accept="text/csv")
    assert list(records(account, 1)[0]["captureData"]) == ["endpointOutput"]


@pytest.mark.parametrize("changes", [{"EnableCapture": False}, {"InitialSamplingPercentage": 0}])
def test_nothing_is_captured_where_it_is_off(account: Account, changes: dict[str, Any]) -> None:
    configure(account, "off", DataCaptureConfig=capture(**changes))
    account.call(
        "CreateEndpointConfig",
        EndpointConfigName="on",
        ProductionVariants=[variant("double")],
        DataCaptureConfig=capture(),
    )
    account.serve("doubling", "off")
    account.invoke("doubling", "1\n", accept="text/csv")
    account.call("UpdateEndpoint", EndpointName="doubling", EndpointConfigName="on")
    account.settle("doubling")
    account.invoke("doubling", "3\n", accept="text/csv")
    assert [one["captureData"]["endpointInput"]["data"] for one in records(account, 1)] == ["3\n"]


def test_answers_that_are_no_success_are_not_captured(account: Account) -> None:
    configure(account, "captured", DataCaptureConfig=capture())
    account.serve("doubling", "captured")
    with pytest.raises(ApiError):
        account.invoke("doubling", "<row/>", content_type="text/xml")
    account.invoke("doubling", "1\n", accept="text/csv")
    assert [one["captureData"]["endpointInput"]["data"] for one in records(account, 1)] == ["1\n"]


def test_a_role_that_may_not_write_loses_the_records_and_not_the_answers(
    account: Account, caplog: pytest.LogCaptureFixture
) -> None:
    account.cloud.denied.add((ROLE, "s3:PutObject"))
    configure(account, "captured", DataCaptureConfig=capture())
    account.serve("doubling", "captured")
    assert account.invoke("doubling", "1\n", accept="text/csv")[0] == "2.0\n"
    account.cloud.wait_for(lambda: "may not write" in caplog.text)
    assert not [uri for uri in account.cloud.objects if uri.startswith(DESTINATION)]


def with_shadow(account: Account, share: float = 1.0, **more: Any) -> None:
    uri = "s3://models/triple/model.tar.gz"
    account.cloud.objects[uri] = archive({"code/inference.py": TRIPLING})
    account.add_model("triple", uri, SCIKIT_LEARN)
    configure(account, "shadowed", ShadowProductionVariants=[variant("triple", "Shadow", share)], **more)


def test_a_shadow_variant_gets_copies_and_answers_nobody(account: Account) -> None:
    with_shadow(account, DataCaptureConfig=capture())
    described = account.serve("doubling", "shadowed")
    for number in range(4):
        body, headers = account.invoke("doubling", f"{number}\n", accept="text/csv")
        assert (body, headers["x-Amzn-Invoked-Production-Variant"]) == (f"{number * 2.0}\n", "AllTraffic")

    assert [one["VariantName"] for one in described["ProductionVariants"]] == ["AllTraffic"]
    assert [one["VariantName"] for one in described["ShadowProductionVariants"]] == ["Shadow"]
    answered, copied = records(account, 4), records(account, 4, of="Shadow")

    def by_event(found: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
        sides = {one["eventMetadata"]["eventId"]: one["captureData"] for one in found}
        return {event: (side["endpointInput"]["data"], side["endpointOutput"]["data"]) for event, side in sides.items()}

    first, second = by_event(answered), by_event(copied)
    assert first.keys() == second.keys()
    assert all(first[event][0] == second[event][0] for event in first)
    assert {second[event] for event in second} == {(f"{number}\n", f"{number * 3.0}\n") for number in range(4)}
    dimensions = {"EndpointName": "doubling", "VariantName": "Shadow", "EndpointConfigName": "shadowed"}
    assert account.cloud.total("Invocations", **dimensions) == 4
    assert account.cloud.total("Invocation5XXErrors", **dimensions) == 0


def test_a_shadow_variant_of_no_weight_gets_nothing_and_cannot_be_asked_for(account: Account) -> None:
    with_shadow(account, share=0.0)
    account.serve("doubling", "shadowed")
    account.invoke("doubling", "1\n", accept="text/csv")
    with pytest.raises(ApiError, match="Variant Shadow not found"):
        account.invoke("doubling", "1\n", **{"x-amzn-sagemaker-target-variant": "Shadow"})
    assert account.cloud.total("Invocations", EndpointName="doubling", VariantName="Shadow") == 0


def test_shadow_variants_go_where_sagemaker_lets_them(account: Account) -> None:
    account.add_config("double")
    two = [variant("double"), variant("double", "Other")]
    shadow = variant("double", "Shadow")
    for variants, shadows in ((two, [shadow]), (two[:1], [shadow, variant("double", "Further")])):
        refused = account.refusal(
            "CreateEndpointConfig",
            EndpointConfigName="no",
            ProductionVariants=variants,
            ShadowProductionVariants=shadows,
        )
        assert "exactly one production variant" in refused
    same = account.refusal(
        "CreateEndpointConfig",
        EndpointConfigName="no",
        ProductionVariants=two[:1],
        ShadowProductionVariants=[variant("double")],
    )
    assert "different names" in same
