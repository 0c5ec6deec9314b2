"""How production is changed is told by the policy: what cannot work is refused with its line and its cure, before anything runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from lockkeeper.adapters.cloudwatch_alarms import alarm_request
from lockkeeper.adapters.deployment_config import deployment_config
from lockkeeper.domain.alarms import Watched
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.domain.rollout import Deployment
from lockkeeper.domain.strategy import Strategy
from lockkeeper.use_cases.open_release import SLACK, timeouts_of

from tests.unit.test_policy import GOOD, refusal

SHIFTED = GOOD.replace(
    "    bake: 10m\n",
    "    canary: {percent: 10, wait: 10m}\n  initial_instances: 2\n  alarms: [wages-errors, {errors_5xx: 5}]\n",
)
CANARY, ERRORS = "canary: {percent: 10, wait: 10m}", "{errors_5xx: 5}"
METRIC = "{metric: {namespace: Wages, name: Predicted, above: 2}}"


def policy_of(text: str) -> Policy:
    return parse_policy(text, source="wages.yaml")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("percent: 10", "percent: 51", 13, "canary.percent: Input should be less than or equal to 50"),
        ("percent: 10", "percent: 0", 13, "canary.percent: Input should be greater than or equal to 1"),
        ("canary: {percent: 10", "linear: {percent: 9", 13, "linear.percent: Input should be greater than or equal to 10"),
        ("canary: {percent: 10", "linear: {percent: 51", 13, "linear.percent: Input should be less than or equal to 50"),
        ("canary: {percent: 10", "rolling: {percent: 4", 13, "rolling.percent: Input should be greater than or equal to 5"),
        ("canary: {percent: 10", "rolling: {percent: 51", 13, "rolling.percent: Input should be less than or equal to 50"),
        ("wait: 10m", "wait: 61m", 13, "canary.wait: it must be between 0s and 1h"),
        ("percent: 10, ", "", 13, "canary.percent: missing; add it"),
        (", wait: 10m", "", 13, "canary.wait: missing; add it"),
        ("wait: 10m}", "wait: 10m}\n    linear: {percent: 10, wait: 10m}", 12, "canary and linear at once; keep one of them"),
        ("wait: 10m}", "wait: 10m}\n    timeout: 599s", 14, "timeout: it must be between 10m and 8h"),
        ("wait: 10m}", "wait: 10m}\n    timeout: 9h", 14, "timeout: it must be between 10m and 8h"),
        ("wait: 10m}", "wait: 10m}\n    timeout: 10m", 12, "timeout is 600 s and canary waits for 600 s altogether; set timeout higher"),
        (CANARY, "linear: {percent: 10, wait: 1h}", 12, "waits for 32400 s altogether, longer than the 28800 s"),
        (CANARY, "timeout: 1h", 12, "timeout without canary, linear or rolling; remove it"),
        ("  alarms: [wages-errors, {errors_5xx: 5}]\n", "", 9, "canary without alarms: nothing would take a bad version back; add alarms"),
        ("  initial_instances: 2\n", "", 9, "canary on one instance: there is no part of it to shift; set initial_instances to 2"),
        (ERRORS, "{errors_5xx: 5, period: 11m}", 9, "alarm errors_5xx takes 660 s to go off, canary waits 600 s; set wait to"),
        (ERRORS, "{errors_5xx: 5, period: 5m, evaluation_periods: 3}", 9, "takes 900 s to go off, canary waits 600 s"),
        (ERRORS, "{errors_5xx: 0}", 15, "alarms.1.errors_5xx: Input should be greater than or equal to 1"),
        (ERRORS, "{errors_5xx: 5, period: 90s}", 15, "CloudWatch evaluates periods of 10s, 20s, 30s and whole minutes"),
        (ERRORS, "{errors_5xx: 5, period: 30s}", 15, "SageMaker publishes once a minute; set period to 60s or more"),
        (ERRORS, "{errors_5xx: 5, period: 1h, evaluation_periods: 25}", 15, "must be at most a day"),
        (ERRORS, "{period: 60s}", 15, "give exactly one of errors_5xx, model_latency_ms, metric and the name"),
        (ERRORS, "{errors_5xx: 5, name: other}", 15, "give exactly one of errors_5xx, model_latency_ms, metric and the name"),
        (ERRORS, "{name: other, period: 60s}", 15, "period of an alarm that is there already; change the alarm itself"),
        (ERRORS, "{name: Wages-Errors}", 9, "an alarm is named twice"),
        (ERRORS, "{errors_5xx: 5}, {errors_5xx: 9}", 9, "two alarms watch the same; keep the stricter one"),
        (ERRORS, "{model_latency_ms: {}}", 15, "give exactly one of p50, p90, p95 and p99"),
        (ERRORS, "{model_latency_ms: {p50: 1, p99: 2}}", 15, "give exactly one of p50, p90, p95 and p99"),
        (ERRORS, METRIC.replace(", above: 2", ""), 15, "give exactly one of above and below"),
        (ERRORS, METRIC.replace("above: 2", "above: 2, below: 1"), 15, "give exactly one of above and below"),
        (ERRORS, METRIC.replace("above: 2", "above: 2, statistic: Mode"), 15, "alarms.1.metric.statistic"),
        (
            ERRORS,
            METRIC.replace("Wages", "AWS/SageMaker").replace("above: 2", "above: 2, dimensions: {EndpointName: a}"),
            15,
            "metrics of AWS/SageMaker are asked of the new fleet; leave dimensions out",
        ),
        ("[wages-errors, ", "[" + ", ".join(f"alarm-{number}" for number in range(10)) + ", ", 15, "at most 10 items"),
        ("wait: 10m}", "wait: 10m}\n    extend_up_to: 2h", 12, "extend_up_to without minimum_invocations"),
        ("wait: 10m}", "wait: 10m}\n    minimum_invocations: 1\n    extend_up_to: 59m", 12, "extend_up_to must be at least bake"),
        ("wait: 10m}", "wait: 10m}\n    minimum_invocations: 1\n    extend_up_to: 31d", 12, "extend_up_to must be at least bake"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_line_and_its_cure(old: str, new: str, line: int, said: str) -> None:
    assert old in SHIFTED
    (told,) = refusal(SHIFTED.replace(old, new, 1)).splitlines()
    assert told.startswith(f"wages.yaml:{line}: ")
    assert said in told


def test_a_policy_of_before_strategies_means_what_it_meant() -> None:
    production = policy_of(GOOD + "  alarms: [wages-errors]\n").production
    assert (production.strategy.shift, production.strategy.in_words) == (None, "all at once")
    assert (production.named_alarms, production.made_alarms) == (("wages-errors",), ())
    assert timeouts_of(policy_of(GOOD))["production"] == 3600
    assert timeouts_of(policy_of(GOOD))["bake"] == 600 + SLACK


@pytest.mark.parametrize(
    ("strategy", "waits", "timeout"),
    [
        ("canary: {percent: 10, wait: 10m}", 600, None),
        ("linear: {percent: 25, wait: 10m}", 1800, None),
        ("linear: {percent: 30, wait: 10m}", 1800, None),
        ("rolling: {percent: 50, wait: 10m}", 600, None),
        ("canary: {percent: 10, wait: 10m}\n    timeout: 2h", 600, 7200),
        # A shadow of three hours at most, an hour to bring it up and one to be late.
        ("canary: {percent: 10, wait: 10m}\n    shadow: {}", 600, 600 + 3 * 3600 + 3600 + SLACK),
    ],
)
def test_the_state_waits_for_as_long_as_sagemaker_may_take(strategy: str, waits: int, timeout: int | None) -> None:
    policy = policy_of(SHIFTED.replace(CANARY, strategy))
    shift = policy.production.strategy.shift
    assert shift is not None
    assert shift.waits == waits
    assert timeouts_of(policy)["production"] == 3600 + (timeout or waits)


def blue_green(**more: Any) -> dict[str, Any]:
    return {"BlueGreenUpdatePolicy": {"TerminationWaitInSeconds": 0, **more}}


def share(percent: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": percent}


@pytest.mark.parametrize(
    ("strategy", "policy"),
    [
        ({}, blue_green(TrafficRoutingConfiguration={"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0})),
        (
            {"canary": {"percent": 10, "wait": "10m"}},
            blue_green(
                TrafficRoutingConfiguration={"Type": "CANARY", "WaitIntervalInSeconds": 600, "CanarySize": share(10)}
            ),
        ),
        (
            {"linear": {"percent": 20, "wait": "1m"}, "timeout": "1h"},
            blue_green(
                TrafficRoutingConfiguration={
                    "Type": "LINEAR",
                    "WaitIntervalInSeconds": 60,
                    "LinearStepSize": share(20),
                },
                MaximumExecutionTimeoutInSeconds=3600,
            ),
        ),
        (
            {"rolling": {"percent": 50, "wait": "1m"}, "timeout": "1h"},
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": share(50),
                    "WaitIntervalInSeconds": 60,
                    "MaximumExecutionTimeoutInSeconds": 3600,
                }
            },
        ),
    ],
)
def test_a_strategy_is_sagemakers_deployment_config(strategy: dict[str, Any], policy: dict[str, Any]) -> None:
    deployment = Deployment(Strategy.model_validate(strategy), ("a", "b"))
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}, {"AlarmName": "b"}]}}
    assert deployment_config(deployment) == {**rollback, **policy}


def test_all_at_once_without_alarms_needs_no_deployment_config() -> None:
    assert deployment_config(Deployment(Strategy(), ())) is None


FLEET = [
    {"Name": "EndpointName", "Value": "wages"},
    {"Name": "VariantName", "Value": "AllTraffic"},
    {"Name": "EndpointConfigName", "Value": "new"},
]


@pytest.mark.parametrize(
    ("alarm", "request_part"),
    [
        (
            "{errors_5xx: 5, evaluation_periods: 2}",
            {
                "Namespace": "AWS/SageMaker",
                "MetricName": "Invocation5XXErrors",
                "Dimensions": FLEET,
                "Statistic": "Sum",
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "Threshold": 5.0,
                "Period": 60,
                "EvaluationPeriods": 2,
            },
        ),
        (
            "{model_latency_ms: {p95: 200}}",
            {
                "Namespace": "AWS/SageMaker",
                "MetricName": "ModelLatency",
                "Dimensions": FLEET,
                "ExtendedStatistic": "p95",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 200_000.0,
                "Period": 60,
                "EvaluationPeriods": 1,
            },
        ),
        (
            "{metric: {namespace: Wages, name: Predicted, statistic: Minimum, below: 0, dimensions: {Who: all}}, period: 10s}",
            {
                "Namespace": "Wages",
                "MetricName": "Predicted",
                "Dimensions": [{"Name": "Who", "Value": "all"}],
                "Statistic": "Minimum",
                "ComparisonOperator": "LessThanThreshold",
                "Threshold": 0.0,
                "Period": 10,
                "EvaluationPeriods": 1,
            },
        ),
        (
            "{metric: {namespace: AWS/SageMaker, name: OverheadLatency, statistic: p99, above: 1}}",
            {
                "Namespace": "AWS/SageMaker",
                "MetricName": "OverheadLatency",
                "Dimensions": FLEET,
                "ExtendedStatistic": "p99",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 1.0,
                "Period": 60,
                "EvaluationPeriods": 1,
            },
        ),
    ],
)
def test_an_alarm_that_is_made_sees_the_new_fleet_alone(alarm: str, request_part: dict[str, Any]) -> None:
    production = policy_of(SHIFTED.replace(ERRORS, alarm)).production
    (made,) = production.made_alarms
    request = alarm_request("name", made, Watched("wages", "new", "AllTraffic"))
    assert request == {"AlarmName": "name", "TreatMissingData": "notBreaching", **request_part}


def test_a_strategy_is_told_in_words_with_its_numbers() -> None:
    words = [
        Strategy.model_validate({kind: {"percent": 20, "wait": "1m"}}).in_words
        for kind in ("canary", "linear", "rolling")
    ]
    assert [re.findall(r"\d+", one) for one in words] == [["20", "60"]] * 3
    assert len(set(words)) == 3
