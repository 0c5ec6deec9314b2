"""Production's traffic is looked at by its own schedule: a real job, over what the endpoint really captured."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Cloud, policy_text
from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_drift import a_second_later
from tests.e2e.test_nothing_stranded import eventually
from tests.patience import ALL_DAY

pytestmark = pytest.mark.full

ROWS = 200


def policy_of(monitor: str) -> dict[str, str]:
    production = f"{ALL_DAY['production']}  capture: {{percent: 100}}\n"
    return {"production": f"{production}drift: {{signals: [lockkeeper-monitor], monitor: {monitor}}}\n"}


def monitor_of(group: str, every: str = "1h") -> str:
    """At the laptop's pace an hour is half a minute."""
    baseline, truth = (f"s3://{group}-models/{name}" for name in ("baseline.csv", "truth"))
    return f"{{every: {every}, baseline: {baseline}, ground_truth: {truth}, minimum_rows: {ROWS // 2}}}"


def schedule_of(cloud: Cloud, group: str) -> dict[str, Any] | None:
    scheduler = cloud.client("scheduler")
    try:
        return dict(scheduler.get_schedule(Name=group, GroupName="lockkeeper-monitors"))
    except scheduler.exceptions.ResourceNotFoundException:
        return None


def call(cloud: Cloud, **asked: str) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(
        FunctionName=cloud.physical_name("StartDriftMonitor"), Payload=json.dumps({"drift_monitor": asked})
    )
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def jobs_of(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    """The monitor's jobs of a group that have ended, as production's account has them."""
    sagemaker = cloud.client("sagemaker", "production")
    found = sagemaker.list_processing_jobs(NameContains=f"lockkeeper-monitor-{group}-", MaxResults=100)
    names = [one["ProcessingJobName"] for one in found["ProcessingJobSummaries"]]
    jobs = [dict(sagemaker.describe_processing_job(ProcessingJobName=name)) for name in names]
    return [one for one in jobs if one["ProcessingJobStatus"] in {"Completed", "Failed", "Stopped"}]


def found_by(cloud: Cloud, job: dict[str, Any], name: str = "constraint_violations.json") -> Any:
    """A document that a job left, from where its description says."""
    uri = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return json.loads(cloud.client("s3").get_object(Bucket=bucket, Key=f"{key}/{name}")["Body"].read())


def serve(cloud: Cloud, group: str, folder: Path) -> None:
    """A version in production, whose baseline has numbers below a hundred."""
    prepare(cloud, group, folder, **policy_of(monitor_of(group)))
    baseline = "label,a,b\n" + "".join(f"7,{row % 100},{row % 2}\n" for row in range(1000))
    cloud.put(f"{group}-models", "baseline.csv", baseline)
    register(cloud, group, 7.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")


def ask(cloud: Cloud, group: str, first: int) -> None:
    """Requests with numbers from `first` on, and what would have been right: far from what the model answers."""
    names = [f"{group}-{number}" for number in range(ROWS)]
    right = {"data": "70", "encoding": "CSV"}
    told = [{"groundTruthData": right, "eventMetadata": {"eventId": name}, "eventVersion": "0"} for name in names]
    # Captures tell their times in whole seconds, too.
    a_second_later()
    # Before the requests: a look may come between them.
    cloud.put(f"{group}-models", f"truth/{datetime.now(UTC):%Y/%m/%d/%H}/told.jsonl", "\n".join(map(json.dumps, told)))
    runtime = cloud.client("sagemaker-runtime", "production")
    for number, name in enumerate(names):
        body = f"{first + number % 100},{number % 2}"
        runtime.invoke_endpoint(EndpointName=group, ContentType="text/csv", Body=body, InferenceId=name)


def let_the_monitor_in(cloud: Cloud, group: str) -> None:
    """Ground truth lies with the registry's people here: their bucket lets production's account in, which lets the monitor's role."""
    account = f"arn:aws:iam::{cloud.account('production')}:root"
    bucket = f"arn:aws:s3:::{group}-models"
    may = [("s3:ListBucket", bucket), ("s3:GetObject", f"{bucket}/truth/*")]
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": account}, "Action": action, "Resource": on} for action, on in may
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cloud.client("s3", "registry").put_bucket_policy(Bucket=f"{group}-models", Policy=policy)


def is_monitored(cloud: Cloud, group: str, folder: Path) -> None:
    serve(cloud, group, folder)
    schedule = eventually(lambda: schedule_of(cloud, group))
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    if cloud.joined:
        let_the_monitor_in(cloud, group)
    ask(cloud, group, first=1000)
    # A look may come between two requests; the next one sees them all.
    seen_all = f"CompletedWithViolations: {ROWS} rows, "
    job = eventually(
        lambda: next((one for one in jobs_of(cloud, group) if one.get("ExitMessage", "").startswith(seen_all)), None)
    )
    violations = found_by(cloud, job)["violations"]
    kinds = {(one.get("feature_name") or one["metric_name"], one["constraint_check_type"]) for one in violations}
    assert kinds == {("a", "baseline_drift_check"), ("mae", "GreaterThanThreshold")}, job["ExitMessage"]
    assert found_by(cloud, job, "statistics.json")["dataset"]["item_count"] == ROWS
    assert found_by(cloud, job, "model_quality/statistics.json")["regression_metrics"]["mae"]["value"] == 63
    environment = job["Environment"]
    assert (environment["LOCKKEEPER_RELEASE"], environment["LOCKKEEPER_ENDPOINT"]) == (f"{group}-v1-a1", group)
    metrics = cloud.client("cloudwatch", "production").list_metrics(Namespace="Lockkeeper/Drift")["Metrics"]
    of_endpoint = {one["MetricName"] for one in metrics if {"Name": "Endpoint", "Value": group} in one["Dimensions"]}
    assert {"violations", "feature_baseline_drift_a", "mae"} <= of_endpoint


def test_traffic_that_drifts_is_found_by_the_endpoints_schedule(cloud: Cloud, tmp_path: Path) -> None:
    group = "drifting"
    is_monitored(cloud, group, tmp_path)

    # Whoever asks for one window twice gets one job.
    at = jobs_of(cloud, group)[0]["Environment"]["LOCKKEEPER_WINDOW_TO"]
    assert call(cloud, group=group, at=at)["job"] == ""
    assert "was started before" in call(cloud, group=group, at=at)["why"]

    # Another pace, and none, as the policy in force says; nobody waits for the hour's own look.
    cloud.apply(_text(group, monitor_of(group, "2h")), tmp_path)
    call(cloud)
    assert (schedule_of(cloud, group) or {})["ScheduleExpression"] == "rate(2 hours)"
    cloud.apply(_text(group, ""), tmp_path)
    assert "its policy has no drift.monitor" in call(cloud, group=group)["why"]
    assert schedule_of(cloud, group) is None


def _text(group: str, monitor: str) -> str:
    rules = {"metric": "regression_metrics.mae.value", "bound": "at_most: 5"}
    return policy_text(group, **rules, **(policy_of(monitor) if monitor else {}))


def test_another_accounts_traffic_is_looked_at_there(joined_cloud: Cloud, tmp_path: Path) -> None:
    group = "sagemaker-drifting"  # Its bucket is one of those that the production account's stack was told of.
    is_monitored(joined_cloud, group, tmp_path)
    # The endpoint goes, and nobody tells: the schedule's next call finds nothing to look at, and is the last.
    joined_cloud.client("sagemaker", "production").delete_endpoint(EndpointName=group)
    eventually(lambda: schedule_of(joined_cloud, group) is None)
