"""Updates in stages: canary, linear, alarms that roll back; variants and their weights."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.rollout import Stage, stages
from tests.contract.sagemaker.account import Account
from tests.contract.sagemaker.test_sagemaker_endpoints import TRIPLING

DEPLOYMENT_EVENT = "SageMaker Endpoint Deployment State Change"


def routing(kind: str, percent: int = 50, wait: int = 600, **size: Any) -> dict[str, Any]:
    member = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}[kind]
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {
                "Type": kind,
                "WaitIntervalInSeconds": wait,
                member: {"Type": "CAPACITY_PERCENT", "Value": percent},
            },
            "TerminationWaitInSeconds": 60,
        },
        **size,
    }


def update(account: Account, deployment: dict[str, Any] | None = None, config: str = "triple", **more: Any) -> None:
    given = {"DeploymentConfig": deployment} if deployment else {}
    account.call("UpdateEndpoint", EndpointName="endpoint", EndpointConfigName=config, **given, **more)


@pytest.fixture
def serving(account: Account) -> Account:
    account.add_config("double", instances=2)
    account.add_config("triple", TRIPLING, instances=2)
    account.serve("endpoint", "double")
    return account


def test_stages_follow_the_deployment_config() -> None:
    rolling = {
        "RollingUpdatePolicy": {
            "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
            "WaitIntervalInSeconds": 60,
        }
    }

    assert stages(None) == [Stage(1.0, 0.0)]
    assert stages(routing("CANARY", 10)) == [Stage(0.1, 600.0), Stage(1.0, 60.0)]
    assert [stage.share for stage in stages(routing("LINEAR", 25))] == [0.25, 0.5, 0.75, 1.0]
    assert [stage.share for stage in stages(rolling, 4)] == [0.25, 0.5, 0.75, 1.0]


def test_a_canary_shares_the_traffic_before_it_takes_over(serving: Account) -> None:
    update(serving, routing("CANARY"))
    begun = serving.call("DescribeEndpoint", EndpointName="endpoint")
    assert (begun["EndpointConfigName"], begun["PendingDeploymentSummary"]["EndpointConfigName"]) == (
        "double",
        "triple",
    )
    serving.cloud.wait_for(lambda: "50%" in _last_message(serving))

    answers = Counter(serving.invoke("endpoint", "1", accept="text/csv")[0].strip() for _ in range(100))
    described = serving.settle("endpoint")

    assert set(answers) == {"2.0", "3.0"}
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "triple")
    assert described["LastDeploymentConfig"] == routing("CANARY")
    assert "PendingDeploymentSummary" not in described
    shared = {"EndpointName": "endpoint", "VariantName": "AllTraffic"}
    assert serving.cloud.total("Invocations", **shared) == 100
    assert serving.cloud.total("Invocations", **shared, EndpointConfigName="triple") == answers["3.0"]


def _last_message(account: Account) -> str:
    details = account.cloud.details(DEPLOYMENT_EVENT)
    if not details:
        return ""
    variant = details[-1]["PendingDeploymentSummary"]["ProductionVariants"][0]
    return str(variant["VariantStatus"][0]["StatusMessage"])


def test_an_alarm_takes_the_new_fleet_back(serving: Account) -> None:
    serving.cloud.alarms["errors"] = False
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    update(serving, routing("CANARY", **alarms))
    serving.cloud.wait_for(lambda: "50%" in _last_message(serving))

    serving.cloud.alarms["errors"] = True
    described = serving.settle("endpoint")

    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "double")
    assert "[errors]" in described["FailureReason"]
    answers = {serving.invoke("endpoint", "1", accept="text/csv")[0].strip() for _ in range(20)}
    assert answers == {"2.0"}


def test_an_alarm_that_is_on_before_stops_even_an_update_at_once(serving: Account) -> None:
    serving.cloud.alarms["errors"] = True
    update(serving, {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}, **_at_once()})

    assert serving.settle("endpoint")["EndpointConfigName"] == "double"


def test_alarms_that_the_models_role_may_not_look_at_stop_an_update(serving: Account) -> None:
    serving.cloud.alarms["errors"] = False
    role = serving.call("DescribeModel", ModelName="triple")["ExecutionRoleArn"]
    serving.cloud.denied.add((role, "cloudwatch:DescribeAlarms"))
    update(serving, {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}, **_at_once()})

    described = serving.settle("endpoint")
    assert described["EndpointConfigName"] == "double"
    assert "cloudwatch:DescribeAlarms" in described["FailureReason"]


def _at_once() -> dict[str, Any]:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
        }
    }


def test_deployments_that_cannot_be_are_refused(serving: Account) -> None:
    def refusal(deployment: dict[str, Any], config: str = "triple") -> str:
        return serving.refusal(
            "UpdateEndpoint", EndpointName="endpoint", EndpointConfigName=config, DeploymentConfig=deployment
        )

    serving.add_config("single", TRIPLING)
    late = routing("CANARY")
    late["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    missing = routing("CANARY")
    del missing["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["CanarySize"]

    assert "between 1 and 50 percent" in refusal(routing("CANARY", 60))
    assert "between 10 and 50 percent" in refusal(routing("LINEAR", 5))
    assert "needs a variant of at least 2 instances" in refusal(routing("CANARY"), "single")
    assert "must exceed the waits" in refusal(late)
    assert "CanarySize is required" in refusal(missing)


def test_weights_and_a_target_choose_the_variant(account: Account) -> None:
    account.add_config("double")
    account.add_model(
        "both", "s3://models/double/model.tar.gz", "1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1"
    )
    account.add_variants("both", A=1.0, B=0.0)
    account.serve("endpoint", "both")

    def variants(**headers: str) -> set[str]:
        answers = [account.invoke("endpoint", "1", **headers)[1] for _ in range(10)]
        return {answer["x-Amzn-Invoked-Production-Variant"] for answer in answers}

    assert variants() == {"A"}
    assert variants(X_Amzn_SageMaker_Target_Variant="B") == {"B"}
    with pytest.raises(ApiError, match="Variant C not found"):
        variants(X_Amzn_SageMaker_Target_Variant="C")
    desired = [{"VariantName": "A", "DesiredWeight": 0.0}, {"VariantName": "B", "DesiredWeight": 2.0}]
    account.call("UpdateEndpointWeightsAndCapacities", EndpointName="endpoint", DesiredWeightsAndCapacities=desired)
    described = account.settle("endpoint")
    assert [one["CurrentWeight"] for one in described["ProductionVariants"]] == [0.0, 2.0]
    assert variants() == {"B"}


def test_an_update_keeps_the_capacity_that_it_is_told_to_keep(serving: Account) -> None:
    desired = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 5}]
    serving.call("UpdateEndpointWeightsAndCapacities", EndpointName="endpoint", DesiredWeightsAndCapacities=desired)
    serving.settle("endpoint")

    update(serving, RetainAllVariantProperties=True)

    assert serving.settle("endpoint")["ProductionVariants"][0]["CurrentInstanceCount"] == 5
