"""Endpoints serve, are updated without losing a request, and fail with a reason."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from localcloud.sagemaker import fleet
from localcloud.sagemaker.deployments import FAULTS
from localcloud.sagemaker.errors import ApiError
from tests.contract.sagemaker.account import SCIKIT_LEARN, Account, archive

BROKEN = "def model_fn(model_dir):\n    raise RuntimeError('no such weights')\n"
TRIPLING = "def model_fn(model_dir):\n    return 3.0\n\ndef predict_fn(rows, factor):\n    return rows * factor\n"
ENDPOINT_EVENT = "SageMaker Endpoint State Change"


def test_an_endpoint_serves_its_model(account: Account) -> None:
    account.add_config("double")

    described = account.serve("Doubling", "double")

    assert described["EndpointStatus"] == "InService"
    assert described["EndpointArn"] == "arn:aws:sagemaker:us-east-1:111122223333:endpoint/doubling"
    assert described["ProductionVariants"][0]["DeployedImages"][0]["ResolvedImage"].split("@")[1].startswith("sha256:")
    body, headers = account.invoke("Doubling", "1,2\n3,4\n", accept="text/csv")
    assert body == "2.0,4.0\n6.0,8.0\n"
    assert headers["x-Amzn-Invoked-Production-Variant"] == "AllTraffic"


def test_endpoint_events_have_the_shape_of_aws(account: Account) -> None:
    account.add_config("double")
    account.serve("Doubling", "double")

    creating, in_service = account.cloud.details(ENDPOINT_EVENT)

    assert (creating["EndpointStatus"], in_service["EndpointStatus"]) == ("CREATING", "IN_SERVICE")
    assert in_service["EndpointName"] == "Doubling"
    assert in_service["ProductionVariants"] == [{"DesiredWeight": 1.0, "DesiredInstanceCount": 1.0}]
    assert in_service["CreationTime"] > 1e12
    assert isinstance(in_service["CreationTime"], float)
    assert in_service["Tags"] == {}
    assert account.cloud.events[-1].resources == ["arn:aws:sagemaker:us-east-1:111122223333:endpoint/doubling"]


def test_an_unknown_content_type_is_the_callers_error(account: Account) -> None:
    account.add_config("double")
    account.serve("doubling", "double")

    with pytest.raises(ApiError) as raised:
        account.invoke("doubling", "<row/>", content_type="text/xml")

    assert (raised.value.code, raised.value.status) == ("ModelError", 424)
    assert raised.value.details["OriginalStatusCode"] == 415
    assert "Received client error (415) from primary with message" in raised.value.message
    dimensions = {"EndpointName": "doubling", "VariantName": "AllTraffic"}
    assert account.cloud.total("Invocation4XXErrors", **dimensions) == 1
    assert account.cloud.total("Invocations", **dimensions, EndpointConfigName="double") == 1


def test_a_model_that_raises_answers_500_without_its_stack_trace(account: Account) -> None:
    account.add_config(
        "raise", "def model_fn(d):\n    return 1\n\ndef predict_fn(rows, model):\n    raise KeyError('x')\n"
    )
    account.serve("raising", "raise")

    with pytest.raises(ApiError) as raised:
        account.invoke("raising", "1,2")

    assert raised.value.details["OriginalStatusCode"] == 500
    assert "Traceback" not in raised.value.message


def test_a_model_that_cannot_be_loaded_fails_the_endpoint_with_its_reason(account: Account) -> None:
    account.add_config("broken", BROKEN)

    described = account.serve("broken", "broken")

    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert "no such weights" in described["FailureReason"]


def test_a_missing_artifact_fails_the_endpoint(account: Account) -> None:
    account.add_config("gone")
    account.cloud.objects.clear()

    assert (
        "Could not find model data at s3://models/gone/model.tar.gz" in account.serve("gone", "gone")["FailureReason"]
    )


def test_a_role_that_may_not_pull_the_image_fails_the_endpoint(account: Account) -> None:
    account.add_config("locked")
    account.cloud.denied.add(("arn:aws:iam::111122223333:role/models", "ecr:BatchGetImage"))

    assert "ecr:BatchGetImage" in account.serve("locked", "locked")["FailureReason"]


def test_a_role_that_may_not_log_serves_all_the_same(account: Account) -> None:
    account.add_config("silent")
    account.cloud.denied.add(("arn:aws:iam::111122223333:role/models", "logs:PutLogEvents"))

    assert account.serve("silent", "silent")["EndpointStatus"] == "InService"


def test_a_role_that_may_not_read_the_artifact_fails_the_endpoint(account: Account) -> None:
    account.add_config("secret")
    account.cloud.denied.add(("arn:aws:iam::111122223333:role/models", "s3:GetObject"))

    assert "Could not access model data at" in account.serve("secret", "secret")["FailureReason"]


def test_scikit_learn_without_a_script_fails_as_the_container_does(account: Account) -> None:
    account.cloud.objects["s3://models/model.tar.gz"] = archive({"model.joblib": b"weights"})
    account.add_model("bare", "s3://models/model.tar.gz", SCIKIT_LEARN)
    account.add_variants("bare")

    assert "inference.py" in account.serve("bare", "bare")["FailureReason"]


def test_a_container_outside_the_catalogue_is_refused_by_name(account: Account) -> None:
    account.cloud.objects["s3://models/model.tar.gz"] = archive({"model.pth": b"weights"})
    account.add_model("torch", "s3://models/model.tar.gz", "1.dkr.ecr.eu-west-1.amazonaws.com/pytorch-inference:2.3.0")
    account.add_variants("torch")

    reason = account.serve("torch", "torch")["FailureReason"]

    assert "pytorch-inference" in reason
    assert "sagemaker-scikit-learn" in reason


def test_an_update_loses_no_request(account: Account) -> None:
    account.add_config("double")
    account.add_config("triple", TRIPLING)
    account.serve("endpoint", "double")
    answers: list[str] = []
    done = threading.Event()

    def keep_asking() -> None:
        while not done.is_set():
            answers.append(account.invoke("endpoint", "1", accept="text/csv")[0].strip())

    askers = [threading.Thread(target=keep_asking) for _ in range(3)]
    for asker in askers:
        asker.start()
    account.call("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="triple")
    assert account.status("endpoint") == "Updating"
    assert "Cannot update in-progress endpoint" in account.refusal(
        "UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="triple"
    )
    described = account.settle("endpoint")
    done.set()
    for asker in askers:
        asker.join()

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "triple")
    assert account.invoke("endpoint", "1", accept="text/csv")[0].strip() == "3.0"
    assert set(answers) == {"2.0", "3.0"}
    assert answers.count("2.0") + answers.count("3.0") == len(answers)


def test_a_failing_update_leaves_the_old_fleet_serving(account: Account) -> None:
    account.add_config("double")
    account.add_config("broken", BROKEN)
    account.serve("endpoint", "double")

    account.call("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="broken")
    described = account.settle("endpoint")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "double")
    assert "no such weights" in described["FailureReason"]
    assert account.invoke("endpoint", "1", accept="text/csv")[0].strip() == "2.0"
    statuses = [detail["EndpointStatus"] for detail in account.cloud.details(ENDPOINT_EVENT)]
    assert statuses == ["CREATING", "IN_SERVICE", "UPDATING", "ROLLING_BACK", "IN_SERVICE"]


def test_a_rollback_fails_when_a_fault_says_so_and_the_next_update_mends_it(account: Account, tmp_path: Path) -> None:
    account.add_config("double")
    account.add_config("broken", BROKEN)
    account.serve("endpoint", "double")
    (tmp_path / FAULTS).write_text(json.dumps({"failing_rollbacks": ["endpoint"]}))

    account.call("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="broken")

    assert account.settle("endpoint")["EndpointStatus"] == "UpdateRollbackFailed"
    account.call("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName="double")
    assert account.settle("endpoint")["EndpointStatus"] == "InService"
    assert account.invoke("endpoint", "1", accept="text/csv")[0].strip() == "2.0"


def test_a_deleted_endpoint_serves_no_more_and_frees_its_name(account: Account) -> None:
    account.add_config("double")
    account.serve("endpoint", "double")

    account.call("DeleteEndpoint", EndpointName="endpoint")
    account.cloud.wait_for(lambda: account.cloud.details(ENDPOINT_EVENT)[-1]["EndpointStatus"] == "DELETED")

    assert "Could not find endpoint" in account.refusal("DescribeEndpoint", EndpointName="endpoint")
    with pytest.raises(ApiError, match="ValidationError: Endpoint endpoint of account 111122223333 not found"):
        account.invoke("endpoint", "1")
    assert account.serve("endpoint", "double")["EndpointStatus"] == "InService"


def test_a_model_that_does_not_answer_in_time_has_no_status(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "INVOKE_SECONDS", 0.2)
    hanging = "def model_fn(d):\n    return 1\n\ndef predict_fn(rows, model):\n    import time\n    time.sleep(2)\n"
    account.add_config("hang", hanging)
    account.serve("hanging", "hang")

    with pytest.raises(ApiError) as raised:
        account.invoke("hanging", "1,2")

    assert (raised.value.code, raised.value.status) == ("ModelError", 424)
    assert raised.value.details["OriginalStatusCode"] == 0
    assert "Received server error (0) from primary" in raised.value.message
    assert "Your invocation timed out while waiting for a response" in str(raised.value.details["OriginalMessage"])


def test_a_container_that_ends_is_started_again(account: Account) -> None:
    script = (
        TRIPLING + "\ndef input_fn(body, kind):\n    import os, numpy\n    if body == 'die':\n        os._exit(9)\n"
    )
    account.add_config("mortal", script + "    return numpy.array([float(body)])\n")
    account.serve("mortal", "mortal")

    with pytest.raises(ApiError) as raised:
        account.invoke("mortal", "die")

    assert raised.value.details["OriginalStatusCode"] == 503
    account.cloud.wait_for(lambda: _answers(account, "mortal"))


def _answers(account: Account, endpoint: str) -> bool:
    try:
        return account.invoke(endpoint, "2", accept="text/csv")[0].strip() == "6.0"
    except ApiError:
        return False
