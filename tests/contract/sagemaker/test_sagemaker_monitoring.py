"""Monitoring schedules: there are none, and SageMaker says so; what IAM is asked about them and about pipelines' lists."""

from __future__ import annotations

from localcloud.sagemaker.authorization import resource_arn
from localcloud.sagemaker.cloud import Place
from tests.contract.sagemaker.account import Account

PLACE = Place("111122223333", "us-east-1")


def test_a_schedule_that_is_not_there_is_not_found(account: Account) -> None:
    refused = account.refusal("DescribeMonitoringSchedule", MonitoringScheduleName="hourly")
    assert "Monitoring schedule arn:aws:sagemaker:" in refused
    assert refused.endswith("monitoring-schedule/hourly not found")


def test_iam_is_asked_about_the_one_pipeline_whose_executions_are_listed() -> None:
    arn = resource_arn("ListPipelineExecutions", {"PipelineName": "retrain"}, PLACE)
    assert arn == "arn:aws:sagemaker:us-east-1:111122223333:pipeline/retrain"
    assert resource_arn("ListPipelines", {"PipelineName": "retrain"}, PLACE) == "*"
    schedule = resource_arn("DescribeMonitoringSchedule", {"MonitoringScheduleName": "Hourly"}, PLACE)
    assert schedule == "arn:aws:sagemaker:us-east-1:111122223333:monitoring-schedule/hourly"
