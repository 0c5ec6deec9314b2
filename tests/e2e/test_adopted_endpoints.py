"""Endpoints that the AWS CLI made, with everything on them: adopted as they are, promoted over, and brought back byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud
from tests.e2e.somebodys_role import somebodys_role
from tests.e2e.test_a_promotion import answer_of, constant_model, register
from tests.e2e.test_nothing_stranded import eventually
from tests.patience import PATIENCE

pytestmark = pytest.mark.full

POLICY = """\
model_package_group: {group}
gates:
  quality:
    - {{metric: regression_metrics.mae.value, at_most: 5}}
approval: {{before: []}}
staging: {{instance_type: ml.m5.large, startup_timeout: 24h}}
production:
  endpoint_name: {group}
  strategy: {{bake: 1m}}
  startup_timeout: 24h
{more}"""
"""What is hosted how is left out of it."""


@contextmanager
def by_the_aws_cli(cloud: Cloud, name: str, role: str) -> Iterator[str]:
    """Meanwhile the AWS CLI's endpoint serves, with capture, a key, a network, tags and a variant of its own name; returns the key."""
    key = cloud.client("kms", "production").create_key(Description=name)["KeyMetadata"]["Arn"]
    artifact = cloud.put(f"{name}-models", "by-hand/model.tar.gz", constant_model(3.0))
    container = json.dumps({"Image": SCIKIT_LEARN, "ModelDataUrl": artifact})
    vpc = json.dumps({"Subnets": ["subnet-0a1b2c3d"], "SecurityGroupIds": ["sg-0a1b2c3d"]})
    sagemaker = ("sagemaker",)
    made = ("--model-name", name, "--primary-container", container, "--execution-role-arn", role)
    cloud.aws(*sagemaker, "create-model", *made, "--vpc-config", vpc, "--enable-network-isolation")
    variant = {
        "VariantName": "primary",
        "ModelName": name,
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 2,
        "VolumeSizeInGB": 30,
        "ContainerStartupHealthCheckTimeoutInSeconds": 600,
    }
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{name}-models/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    config = ("--endpoint-config-name", name, "--production-variants", json.dumps([variant]), "--kms-key-id", key)
    more = ("--data-capture-config", json.dumps(capture), "--tags", "Key=team,Value=settlers")
    cloud.aws(*sagemaker, "create-endpoint-config", *config, *more)
    cloud.aws(*sagemaker, "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    client, patience = cloud.client("sagemaker", "production"), {"Delay": 1, "MaxAttempts": PATIENCE}
    try:
        client.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=patience)
        yield key
    finally:
        client.delete_endpoint(EndpointName=name)
        client.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=patience)
        client.delete_endpoint_config(EndpointConfigName=name)
        client.delete_model(ModelName=name)
        cloud.client("kms", "production").schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def as_described(cloud: Cloud, what: str, name: str) -> str:
    """What the AWS CLI prints of it."""
    return json.dumps(cloud.aws("sagemaker", f"describe-{what}", f"--{what}-name", name))


def tags_of(cloud: Cloud, arn: str) -> dict[str, str]:
    pages = cloud.client("sagemaker", "production").list_tags(ResourceArn=arn)
    return {one["Key"]: one["Value"] for one in pages["Tags"]}


def run(cloud: Cloud, *arguments: str, **how: Any) -> str:
    """What the command says, whatever the width of its lines."""
    return " ".join(cloud.lockkeeper(*arguments, **how).split())


def test_what_was_adopted_comes_back_byte_for_byte(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    group = "settlers"
    person = cloud.person("OnCallForSettlers")
    cloud.bucket(f"{group}-models")
    cloud.group(group)
    with somebodys_role(cloud) as role, by_the_aws_cli(cloud, group, role) as key:
        config, endpoint = as_described(cloud, "endpoint-config", group), as_described(cloud, "endpoint", group)
        assert "has a policy" in run(cloud, "adopt", group, expect=1, person=person)
        cloud.apply(POLICY.format(group=group, more=f"  execution_role_arn: {role}\n"), tmp_path)
        said = run(cloud, "adopt", group, person=person)
        assert "endpoint adopted by arn:aws:sts::111122223333:assumed-role/OnCallForSettlers/person" in said
        untouched = as_described(cloud, "endpoint", group) == endpoint
        assert untouched, "adopting changes nothing"
        assert "has a champion: what was adopted, configuration settlers" in run(cloud, "adopt", group, expect=1)

        register(cloud, group, 1.0)
        release = cloud.wait_for(f"{group}-v1-a1", "promoted")
        cloud.ended_execution(f"{group}-v1-a1")
        assert answer_of(cloud, group) == "1.0"
        lost = what_is_lost(cloud, json.loads(config), release["endpoints"]["production"]["config_name"], key)
        figure("settings of an endpoint of before that a promotion loses", ", ".join(lost) or "none of 11", "none")
        assert lost == []

        said = run(cloud, "rollback", group, "--reason", "customers complain", person=person)
        assert "back to what was adopted, configuration settlers" in said
        eventually(lambda: cloud.is_closed_as(f"{group}-v1-a1", "rolled-back"))
        served = json.loads(as_described(cloud, "endpoint", group))["EndpointConfigName"]
        same = as_described(cloud, "endpoint-config", group) == config
        figure("configurations after adopting, promoting and rolling back", f"{same:d} of 1 byte for byte", "1 of 1")
        assert (served, same) == (group, True)
        assert answer_of(cloud, group) == "3.0"
        assert "settlers serves what was adopted, configuration settlers" in run(cloud, "releases", "--group", group)


def what_is_lost(cloud: Cloud, before: dict[str, Any], config_name: str, key: str) -> list[str]:
    """Settings of the original configuration and model that the new ones do not have."""
    sagemaker = cloud.client("sagemaker", "production")
    after = sagemaker.describe_endpoint_config(EndpointConfigName=config_name)
    (old,), (new,) = before["ProductionVariants"], after["ProductionVariants"]
    own = {"ModelName"}
    lost = [name for name in old.keys() - own if new.get(name) != old[name]]
    lost += [name for name in ("DataCaptureConfig", "KmsKeyId") if after.get(name) != before[name]]
    assert before["KmsKeyId"] == key
    model = sagemaker.describe_model(ModelName=new["ModelName"])
    lost += [] if model.get("VpcConfig", {}).get("Subnets") == ["subnet-0a1b2c3d"] else ["VpcConfig"]
    lost += [] if model["EnableNetworkIsolation"] else ["EnableNetworkIsolation"]
    lost += [] if tags_of(cloud, after["EndpointConfigArn"]).get("team") == "settlers" else ["tags"]
    return sorted(lost)


def test_while_an_alarm_is_on_nobody_is_asked_and_the_model_is_not_blamed(
    cloud: Cloud, tmp_path: Path, figure: Figure
) -> None:
    group, alarm = "uneasy-waters", "uneasy-waters-errors"
    cloud.bucket(f"{group}-models")
    cloud.group(group)
    cloudwatch = cloud.client("cloudwatch", "production")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="Waters",
        MetricName="Errors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="somebody is drowning")
    asks = "approval: {before: [staging], approvers: [{name: Ada, email: ada-uneasy@example.com}]}"
    text = POLICY.format(group=group, more=f"  instance_type: ml.m5.large\n  alarms: [{alarm}]\n")
    cloud.apply(text.replace("approval: {before: []}", asks), tmp_path)
    confirmations = len(cloud.mails("ada-uneasy@example.com"))
    arn = register(cloud, group, 1.0)
    release = cloud.wait_for(f"{group}-v1-a1", "failed")
    assert f"preflight: alarm {alarm}: it is in ALARM" in release["reason"]
    asked = len(cloud.mails("ada-uneasy@example.com")) - confirmations
    figure("people asked about a version that production could not have taken", f"{asked} asked", "0")
    assert asked == 0
    package = cloud.client("sagemaker", "registry").describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "PendingManualApproval"

    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="saved")
    many = text.replace("ml.m5.large\n  alarms", "ml.m5.large\n  initial_instances: 60\n  alarms")
    cloud.apply(many, tmp_path)
    run(cloud, "replay", f"{group}/1")
    short = cloud.wait_for(f"{group}-v1-a2", "failed")
    assert "ask for 61 in Service Quotas: ml.m5.large for endpoint usage" in short["reason"]
