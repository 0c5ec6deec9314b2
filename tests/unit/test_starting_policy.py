"""A first policy from what an endpoint runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from lockkeeper.domain.deployed import Deployed
from lockkeeper.domain.policy import parse_policy
from typer import BadParameter
from typer.testing import CliRunner

from cli.init_command import person, write
from cli.main import app
from cli.problems import CommandRefused
from cli.starting_policy import is_in, policy_for, refuse_what_is_not_deployed

ROLE = "arn:aws:iam::333344445555:role/Serving"
METRIC = "binary_classification_metrics.auc.value"


def config(**variant: Any) -> dict[str, Any]:
    one = {"VariantName": "main", "ModelName": "churn", "InstanceType": "ml.c5.xlarge", "InitialInstanceCount": 3}
    return {"EndpointConfigName": "churn-2025", "ProductionVariants": [{**one, **variant}]}


def deployed(tags: dict[str, str] | None = None, **container: Any) -> Deployed:
    endpoint = {"EndpointName": "churn", "EndpointStatus": "InService"}
    model = {"ExecutionRoleArn": ROLE, "PrimaryContainer": container}
    return Deployed(endpoint, config(), model, tags or {})


def test_the_policy_is_valid_and_says_what_is_deployed() -> None:
    policy = parse_policy(policy_for("churn-models", deployed(), METRIC), source="written")
    production = policy.production
    assert (policy.model_package_group, policy.mode) == ("churn-models", "observe")
    assert (production.endpoint_name, production.instance_type) == ("churn", "ml.c5.xlarge")
    assert (production.initial_instances, production.execution_role_arn) == (3, ROLE)
    assert policy.gates.quality[0].metric == METRIC
    assert policy.approval.before == ()


def test_named_people_are_asked_whatever_their_names_hold() -> None:
    people = (
        ('Ada: "the" {first} #1', "ada@example.com"),
        ("Grace", "grace@example.com"),
        ("\N{OLD PERSIAN SIGN A}\N{GRINNING FACE}", "dara@example.com"),
        ("\U00020bb7\N{CJK UNIFIED IDEOGRAPH-7530} " + "long " * 17 + "name", "yoshida@example.com"),
    )
    approval = parse_policy(policy_for("churn", deployed(), METRIC, people), source="written").approval
    assert approval.before == ("production",)
    assert [(one.name, one.email) for one in approval.approvers] == list(people)


def test_a_metric_of_ones_own_is_written_with_what_is_better() -> None:
    (rule,) = parse_policy(policy_for("churn", deployed(), "mine.loss", (), "lower"), source="written").gates.quality
    assert (rule.metric, rule.better) == ("mine.loss", "lower")


class NoAws:
    """In place of a session: nothing may be asked."""

    def __init__(self, *_arguments: object) -> None:
        raise AssertionError("AWS was asked")


INIT = ["init", "churn", "--endpoint", "churn"]


@pytest.mark.parametrize(
    ("arguments", "said", "cure"),
    [
        (["--metric", "mine.loss"], "nobody knows which values of mine.loss are better", "--better lower"),
        (["--out", "no/such/folder/p.yaml"], "there is no folder no/such/folder", "make it"),
    ],
)
def test_what_would_stop_it_at_the_end_stops_it_before_aws_is_asked(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str, cure: str
) -> None:
    monkeypatch.setattr(boto3, "Session", NoAws)
    result = CliRunner(env={"NO_COLOR": "1"}).invoke(app, [*INIT, *arguments])
    assert result.exit_code == 1
    assert said in result.stderr
    assert cure in result.stderr


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="cannot be written: Is a directory"):
        write(tmp_path, "text")


def test_a_person_is_told_whose_the_endpoint_is_and_names_but_not_values_of_the_environment() -> None:
    text = policy_for(
        "churn", deployed({"aws:cloudformation:stack-name": "platform"}, Environment={"TOKEN": "s3cret"}), METRIC
    )
    assert "CloudFormation stack platform" in text
    assert "TOKEN" in text
    assert "s3cret" not in text


@pytest.mark.parametrize(
    ("status", "change", "said"),
    [
        ("Updating", {}, "it is Updating, not InService"),
        ("InService", {"ProductionVariants": [*config()["ProductionVariants"]] * 2}, "2 production variants"),
        ("InService", {"ShadowProductionVariants": [{}]}, "shadow"),
        ("InService", {"AsyncInferenceConfig": {"OutputConfig": {}}}, "asynchronous"),
        ("InService", {"ProductionVariants": [{"ModelName": "m", "ServerlessConfig": {}}]}, "serverless"),
        ("InService", {"ProductionVariants": [{"VariantName": "main"}]}, "inference components"),
    ],
)
def test_what_a_release_cannot_replace_is_refused_by_name(status: str, change: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandRefused, match=said):
        refuse_what_is_not_deployed(
            Deployed({"EndpointName": "churn", "EndpointStatus": status}, {**config(), **change})
        )


def test_an_endpoint_of_one_model_is_taken() -> None:
    refuse_what_is_not_deployed(Deployed({"EndpointName": "churn", "EndpointStatus": "InService"}, config()))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"PrimaryContainer": {"Mode": "MultiModel"}}, "multi-model"),
        ({"Containers": [{}, {}], "InferenceExecutionConfig": {"Mode": "Direct"}}, "one by one"),
    ],
)
def test_a_model_that_a_release_cannot_replace_is_refused_by_name(model: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandRefused, match=said):
        refuse_what_is_not_deployed(Deployed({"EndpointName": "churn", "EndpointStatus": "InService"}, config(), model))


def test_a_metric_is_one_that_the_report_has() -> None:
    report = {"binary_classification_metrics": {"auc": {"value": 0.8}, "accuracy": {"value": "NaN"}}}
    assert is_in(report, METRIC)
    assert not is_in(report, "binary_classification_metrics.accuracy.value")
    assert not is_in(report, "regression_metrics.mae.value")


@pytest.mark.parametrize("written", ["Ada", "=ada@example.com", "Ada=nobody", "  =a@b"])
def test_an_approver_is_a_name_with_an_address(written: str) -> None:
    with pytest.raises(BadParameter):
        person(written)
