"""Production drifts: somebody says so, an alarm goes off, a monitor ends; the pipeline trains anew, and its version goes the way of all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import JOBS, SCIKIT_LEARN, Cloud, allowing, model_archive, package_request, policy_text
from tests.e2e.leftovers import items
from tests.e2e.test_a_promotion import answer_of, constant_model, prepare, register, report
from tests.e2e.test_nothing_stranded import eventually, keep_house
from tests.e2e.test_training_jobs import TRAIN, definition

pytestmark = pytest.mark.full

NAMESPACE = "aws/sagemaker/Endpoints/data-metrics"
"""Where SageMaker's monitor publishes."""
HELD = """
import os, pathlib, time
while pathlib.Path(os.environ["SM_HP_HOLD"]).exists():
    time.sleep(0.1)
"""
"""The beginning of a training that lasts as long as a test wants."""
MONITOR = """
import json, pathlib, sys
output = pathlib.Path(sys.argv[1])
exp = {"feature_name": "exp", "constraint_check_type": "baseline_drift_check",
       "description": "Baseline drift distance: 0.136 exceeds threshold: 0.1"}
(output / "constraint_violations.json").write_text(json.dumps({"violations": [exp]}))
(output / "statistics.json").write_text(json.dumps({"version": 0.0, "dataset": {"item_count": 612}}))
pathlib.Path(sys.argv[2]).write_text("CompletedWithViolations: 1 violation")
"""
"""What a monitor leaves that found something."""


def drift_policy(cloud: Cloud, group: str, folder: Path, **more: Any) -> None:
    """A policy that listens to everybody and starts the group's pipeline."""
    retrain = {
        "pipeline": f"{group}-train",
        "parameters": {"Reason": "{reason}", "Champion": "{champion}"},
        "cooldown": "0s",
        "give_up_after": 3,
        **more,
    }
    signals = ["alarm", "model-monitor", "lockkeeper-monitor", "event"]
    drift = {"signals": signals, "alarms": [f"{group}-drift"], "retrain": retrain}
    text = policy_text(group, metric="regression_metrics.mae.value", bound="at_most: 5")
    cloud.apply(f"{text}drift: {json.dumps(drift)}\n", folder)


def held_training(cloud: Cloud, group: str, hold: Path) -> dict[str, Any]:
    """A training step's request, whose job does not end while there is this file."""
    source = cloud.put(f"{group}-models", "held/sourcedir.tar.gz", model_archive({"train.py": HELD + TRAIN}))
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": source}
    more = {"constant": "7.0", "hold": str(hold)}
    return {**definition(cloud, group, f"{group}-held"), "HyperParameters": {**given, **more}}


@contextmanager
def pipeline(cloud: Cloud, group: str, hold: Path | None = None) -> Iterator[None]:
    """A pipeline that registers the model of its default parameters, and says why; it goes on for as long as there is a file `hold`."""
    artifact = cloud.put(f"{group}-models", "retrained/model.tar.gz", constant_model(2.0))
    statistics = cloud.put(f"{group}-models", "retrained/report.json", report(1.0))
    request = package_request(group, SCIKIT_LEARN, artifact, statistics)
    request["CustomerMetadataProperties"] = {"champion": {"Get": "Parameters.Champion"}}
    described: dict[str, Any] = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Reason", "Type": "String"}, {"Name": "Champion", "Type": "String"}],
        "Steps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": request}],
    }
    if hold:
        trained = held_training(cloud, group, hold)
        described["Steps"].append(
            {"Name": "Train", "Type": "Training", "DependsOn": ["Register"], "Arguments": trained}
        )
    may = ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"]
    more = ["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:AddTags", "iam:PassRole"]
    arn = cloud.role(f"{group}-jobs", JOBS, allowing(*may, *(more if hold else [])), "registry")
    sagemaker = cloud.client("sagemaker", "registry")
    sagemaker.create_pipeline(
        PipelineName=f"{group}-train",
        PipelineDefinition=json.dumps(described),
        ClientRequestToken="p" * 32,
        RoleArn=arn,
    )
    try:
        yield
    finally:
        sagemaker.delete_pipeline(PipelineName=f"{group}-train", ClientRequestToken="d" * 32)


def executions(cloud: Cloud, group: str) -> list[str]:
    found = cloud.client("sagemaker", "registry").list_pipeline_executions(PipelineName=f"{group}-train")
    return [one["PipelineExecutionArn"] for one in found["PipelineExecutionSummaries"]]


def answers(cloud: Cloud, group: str) -> list[str]:
    """What signals were answered, in the order of their finding."""
    found = [item for item in items(cloud) if item["pk"] == f"GROUP#{group}" and item["sk"].startswith("DRIFT#")]
    return [item["answer"] for item in sorted(found, key=lambda item: str(item["sk"]))]


def retraining(cloud: Cloud, group: str, number: int) -> dict[str, Any]:
    found = [
        item for item in items(cloud) if (item["pk"], item["sk"]) == (f"GROUP#{group}", f"RETRAINING#{number:06d}")
    ]
    return found[0] if found else {}


def helped(cloud: Cloud, group: str, number: int) -> dict[str, Any]:
    """The retraining, once its version's release has said that it helped."""

    def look() -> dict[str, Any]:
        keep_house(cloud)
        found = retraining(cloud, group, number)
        return found if found.get("stage") == "helped" else {}

    return dict(eventually(look))


def a_second_later() -> None:
    """Times of events have whole seconds: what is said in the second of a promotion would be about the version before."""
    time.sleep(1.1)


def tell(cloud: Cloud, group: str, finding: str, kind: str = "hub", column: str = "exp") -> None:
    """Somebody's own tool has found drift, and says so on the default bus of their account."""
    a_second_later()
    detail = {
        "model_package_group": group,
        "drifted": [{"name": column, "measured": 0.136, "threshold": 0.1}],
        "id": finding,
    }
    event = {"Source": "lockkeeper.drift", "DetailType": "Drift Detected", "Detail": json.dumps(detail)}
    answer = cloud.client("events", kind).put_events(Entries=[event])
    assert answer["FailedEntryCount"] == 0


def test_what_somebody_tells_trains_anew_and_the_version_is_promoted(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group = "driftwood"
    prepare(cloud, group, tmp_path)
    drift_policy(cloud, group, tmp_path)
    first = register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    with pipeline(cloud, group):
        for _ in range(3):
            tell(cloud, group, "evidently-1")
        release = cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert answer_of(cloud, group) == "2.0"
        assert answers(cloud, group) == ["retraining started"]
        ended = helped(cloud, group, 1)
        assert (ended["version"], ended["release_id"]) == ("2", f"{group}-v2-a1")
        assert ended["outcome"] == "version 2 was promoted and serves"
        (execution,) = executions(cloud, group)
        assert ended["execution_arn"] == execution
        given = cloud.client("sagemaker", "registry").list_pipeline_parameters_for_execution(
            PipelineExecutionArn=execution
        )["PipelineParameters"]
        said = {one["Name"]: one["Value"] for one in given}
        assert said == {"Reason": "event says that exp 0.136 (threshold 0.1) drifted", "Champion": first}
        assert release["model_package_arn"].endswith(f"{group}/2")
        tell(cloud, group, "evidently-2")
        cloud.wait_for(f"{group}-v3-a1", "promoted")
        assert retraining(cloud, group, 1)["stage"] == "did not help", "the same drifted again"
        helped(cloud, group, 2)
        figure("three equal findings and another", f"{len(executions(cloud, group))} retrainings", "2")


def test_a_release_that_has_begun_is_told_by_the_end_of_its_pipeline_why_it_was_made(
    cloud: Cloud, tmp_path: Path
) -> None:
    """As where the event of a version comes before anybody has written down whose execution made it."""
    group, hold = "driftfound", tmp_path / "hold"
    hold.touch()
    prepare(cloud, group, tmp_path)
    drift_policy(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    with pipeline(cloud, group, hold):
        tell(cloud, group, "evidently-1")
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert retraining(cloud, group, 1)["stage"] == "running"
        before = reasons_of(cloud, f"{group}-v2-a1")
        lose_the_link(cloud, group, 1, 2)
        hold.unlink()
        eventually(lambda: retraining(cloud, group, 1)["stage"] == "helped")
        (told,) = reasons_of(cloud, f"{group}-v2-a1")[len(before) :]
        assert f"{group}-r1: event says" in told


def reasons_of(cloud: Cloud, release_id: str) -> list[str]:
    """What a release was told of the retraining that made its version, each time."""
    return [one["why"] for one in cloud.release(release_id)["timeline"] if one["what"] == "made by a retraining"]


def lose_the_link(cloud: Cloud, group: str, number: int, version: int) -> None:
    """Nobody has found out yet that this retraining made that version, and its release does not know."""
    dynamodb, table = cloud.client("dynamodb"), cloud.outputs["TableName"]
    place = {"S": f"GROUP#{group}"}
    dynamodb.delete_item(TableName=table, Key={"pk": place, "sk": {"S": f"RETRAINED#{version:010d}"}})
    dynamodb.update_item(
        TableName=table,
        Key={"pk": place, "sk": {"S": f"RETRAINING#{number:06d}"}},
        UpdateExpression="SET version = :none",
        ExpressionAttributeValues={":none": {"N": "0"}},
    )
    dynamodb.update_item(
        TableName=table,
        Key={"pk": {"S": f"RELEASE#{group}-v{version}-a1"}, "sk": {"S": "RELEASE"}},
        UpdateExpression="REMOVE made_by",
    )


def test_a_pipeline_that_fails_is_told_with_its_step_and_closes_the_retraining(cloud: Cloud, tmp_path: Path) -> None:
    group = "driftless"
    prepare(cloud, group, tmp_path)
    # The registry takes no brackets in a version's metadata, and this reason has some.
    drift_policy(cloud, group, tmp_path, parameters={"Reason": "none", "Champion": "{reason}"})
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    with pipeline(cloud, group):
        tell(cloud, group, "evidently-1")
        ended = eventually(lambda: retraining(cloud, group, 1).get("outcome"))
        assert f"{group}-train failed at step Register: 1 validation error detected" in ended
        assert retraining(cloud, group, 1)["stage"] == "did not help"
        tell(cloud, group, "evidently-2")
        eventually(lambda: retraining(cloud, group, 2))


def test_an_alarm_of_drift_trains_anew(cloud: Cloud, tmp_path: Path) -> None:
    group = "driftalarm"
    prepare(cloud, group, tmp_path)
    drift_policy(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    with pipeline(cloud, group):
        cloudwatch = cloud.client("cloudwatch", "production")
        metric: dict[str, Any] = {
            "MetricName": "feature_baseline_drift_exp",
            "Dimensions": [{"Name": "Endpoint", "Value": group}],
        }
        cloudwatch.put_metric_alarm(
            AlarmName=f"{group}-drift",
            Namespace=NAMESPACE,
            **metric,
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0.1,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="ignore",
        )
        a_second_later()
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[{**metric, "Value": 0.136}])
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert answers(cloud, group) == ["retraining started"]
        ended = helped(cloud, group, 1)
        assert "alarm says that feature_baseline_drift_exp 0.136 (threshold 0.1) drifted" in ended["why"]


def test_a_monitors_findings_are_read_and_kept_although_its_pipeline_is_not_there(cloud: Cloud, tmp_path: Path) -> None:
    group = "driftmonitor"
    prepare(cloud, group, tmp_path)
    drift_policy(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    name, bucket = f"lockkeeper-monitor-{group}", cloud.outputs["BucketName"]
    code = cloud.put(f"{group}-models", "code/monitor.py", MONITOR)
    place = "/opt/ml/processing"
    source = {"S3Uri": code, "LocalPath": f"{place}/input", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    left = {
        "S3Uri": f"s3://{bucket}/monitoring/{group}/{name}",
        "LocalPath": f"{place}/output",
        "S3UploadMode": "EndOfJob",
    }
    sagemaker = cloud.client("sagemaker", "production")
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        RoleArn=cloud.role(f"{group}-jobs", JOBS, allowing("s3:*", "kms:*", "ecr:*", "logs:*"), "production"),
        AppSpecification={
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": [
                "python3",
                f"{place}/input/monitor.py",
                f"{place}/output",
                "/opt/ml/output/message",
            ],
        },
        Environment={"LOCKKEEPER_GROUP": group, "LOCKKEEPER_RELEASE": f"{group}-v1-a1", "LOCKKEEPER_ENDPOINT": group},
        ProcessingInputs=[{"InputName": "code", "S3Input": source}],
        ProcessingOutputConfig={"Outputs": [{"OutputName": "found", "S3Output": left}]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
    )
    eventually(lambda: answers(cloud, group))
    job = sagemaker.describe_processing_job(ProcessingJobName=name)
    assert answers(cloud, group) == ["no such pipeline"], job
    (kept,) = [item for item in items(cloud) if item["pk"] == f"GROUP#{group}" and item["sk"].startswith("SIGNAL#")]
    assert "lockkeeper-monitor says that exp 0.136 (threshold 0.1) drifted on 612 rows" in kept["reason"]
    tell_of_schedule(cloud, group)


def tell_of_schedule(cloud: Cloud, group: str) -> None:
    """SageMaker's own monitor is closed to new customers: its schedules are told of, and there are none."""
    arn = f"arn:aws:sagemaker:us-east-1:{cloud.account('production')}:monitoring-schedule/{group}"
    event = {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Monitoring Schedule State Change",
        "account": cloud.account("production"),
        "resources": [arn],
        "detail": {},
    }
    answer = cloud.client("lambda").invoke(FunctionName=cloud.physical_name("ReactToDrift"), Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == {"ignored": f"monitoring schedule {group} has run no job"}


def test_drift_is_told_and_answered_across_accounts(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud, group = joined_cloud, "driftapart"
    prepare(cloud, group, tmp_path)
    drift_policy(cloud, group, tmp_path)
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "promoted")
    with pipeline(cloud, group):
        tell(cloud, group, "a stranger's", "staging")
        tell(cloud, group, "production's", "production")
        cloud.wait_for(f"{group}-v2-a1", "promoted")
        assert answers(cloud, group) == ["retraining started"]
        helped(cloud, group, 1)
    tell_of_schedule(cloud, group)
