"""Training jobs that somebody starts with boto3: a version each, once, released like any other; what fails is told."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from localcloud.sagemaker.quirks import Quirks
from tests.e2e.harness import JOBS, SCIKIT_LEARN, Cloud, allowing, model_archive
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, answer_of, prepare
from tests.e2e.test_events_on_a_bad_day import quirky
from tests.e2e.test_nothing_stranded import eventually, keep_house

pytestmark = pytest.mark.full

TRAIN = f"""
import os, pathlib, sys
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
if os.environ["SM_HP_CONSTANT"] == "none":
    sys.exit("there is no constant")
(model / "code").mkdir()
(model / "code" / "inference.py").write_text({CONSTANT_INFERENCE!r})
(model / "constant.json").write_text(os.environ["SM_HP_CONSTANT"])
error = abs(float(os.environ["SM_HP_CONSTANT"]) - 5.75)
print(f"train:mae=0.0; validation:mae={{error}};")
"""
READER = "reads-of-training@example.com"
THRICE = Quirks(seed=3, duplicate=1.0, delay_seconds=60.0, spelling=1.0)


def job_role(cloud: Cloud, name: str) -> str:
    """A role that training jobs of the registry's account may run under."""
    return cloud.role(name, JOBS, allowing("s3:GetObject", "s3:PutObject", "s3:ListBucket"), "registry")


def definition(cloud: Cloud, group: str, name: str) -> dict[str, Any]:
    """What training and tuning jobs of a constant model have in common."""
    channels = ("train", "validation")
    return {
        "AlgorithmSpecification": {
            "TrainingImage": SCIKIT_LEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": f"{one}:mae", "Regex": f"{one}:mae=([0-9.]+);"} for one in channels],
        },
        "RoleArn": job_role(cloud, f"{name}-role"),
        "OutputDataConfig": {"S3OutputPath": f"s3://{group}-models/trained"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def script(cloud: Cloud, group: str) -> dict[str, str]:
    """The hyperparameters that say what is run."""
    source = cloud.put(f"{group}-models", "source/sourcedir.tar.gz", model_archive({"train.py": TRAIN}))
    return {"sagemaker_program": "train.py", "sagemaker_submit_directory": source}


def tags_of(group: str, changed: dict[str, str]) -> list[dict[str, str]]:
    given = {"group": group, "inference-image": SCIKIT_LEARN, "content-types": "text/csv", "author": "lin", **changed}
    return [{"Key": f"lockkeeper:{tag}", "Value": value} for tag, value in given.items() if value]


def start(cloud: Cloud, group: str, constant: str, tags: dict[str, str] | None = None) -> str:
    """Start a training job of a constant model, with some of its tags changed; returns its name."""
    name = f"{group}-{constant.replace('.', '-')}"
    cloud.client("sagemaker", "registry").create_training_job(
        TrainingJobName=name,
        HyperParameters={**script(cloud, group), "constant": constant},
        Tags=tags_of(group, tags or {}),
        **definition(cloud, group, name),
    )
    return name


def search(cloud: Cloud, group: str, constants: list[str]) -> str:
    """Start a tuning job over constants; returns its name."""
    name = f"{group}-search"
    cloud.client("sagemaker", "registry").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "validation:mae"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "constant", "Values": constants}]},
        },
        TrainingJobDefinition={
            "StaticHyperParameters": script(cloud, group),
            **definition(cloud, group, name),
        },
        Tags=tags_of(group, {}),
    )
    return name


def packages(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    sagemaker = cloud.client("sagemaker", "registry")
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    return [sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"]) for one in listed]


def told(cloud: Cloud, job: str) -> list[str]:
    """The mails about a job, each in one line."""
    return [text for mail in cloud.mails(READER) if job in (text := " ".join(mail.replace("=\n", "").split()))]


def looks_at(cloud: Cloud, job: str) -> int:
    """How often Lockkeeper asked about a job."""
    about = (call for call in cloud.calls() if str(call["resource"]).endswith(f"training-job/{job}"))
    return sum(call["action"] == "sagemaker:DescribeTrainingJob" for call in about)


def test_a_tagged_job_is_released_once_though_its_events_come_three_times(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "trained", tmp_path)
    with quirky(cloud, THRICE):
        job = start(cloud, "trained", "7.0", {"reason": "more data"})
        release = cloud.wait_for("trained-v1-a1", "promoted")
        eventually(lambda: looks_at(cloud, job) >= 3)
        time.sleep(1)  # What comes late has come: delays of a minute last a fraction of a second here.

    (package,) = packages(cloud, "trained")
    described = cloud.client("sagemaker", "registry").describe_training_job(TrainingJobName=job)
    metadata = package["CustomerMetadataProperties"]
    assert (metadata["training_job"], metadata["author"]) == (described["TrainingJobArn"], "lin")
    assert metadata["reason"] == "more data"
    assert package["MetadataProperties"]["GeneratedBy"] == described["TrainingJobArn"]
    (container,) = package["InferenceSpecification"]["Containers"]
    assert container["ModelDataUrl"] == described["ModelArtifacts"]["S3ModelArtifacts"]
    judged = next(one for one in release["verdicts"] if "mae" in one["gate"])
    assert (judged["verdict"], judged["measured"]) == ("passed", 1.25)
    assert answer_of(cloud, "trained") == "7.0"
    assert [one["release_id"] for one in json.loads(cloud.lockkeeper("releases", "--group", "trained", "--json"))] == [
        "trained-v1-a1"
    ]


def test_what_fails_and_what_lacks_a_tag_is_told_and_registered_nowhere(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "untrained", tmp_path)
    topic = cloud.outputs["BroadcastTopicArn"]
    asked = {"TopicArn": topic, "Protocol": "email", "Endpoint": READER, "ReturnSubscriptionArn": True}
    subscription = cloud.client("sns").subscribe(**asked)["SubscriptionArn"]
    failed = start(cloud, "untrained", "none")
    anonymous = start(cloud, "untrained", "3.0", {"author": ""})
    strange = start(cloud, "untrained", "4.0", {"group": "nobodys-group"})
    eventually(lambda: all(told(cloud, job) for job in (failed, anonymous, strange)))
    assert "the training code failed" in told(cloud, failed)[0]
    assert "has no tag lockkeeper:author" in told(cloud, anonymous)[0]
    assert "nobodys-group has no policy" in told(cloud, strange)[0]
    assert packages(cloud, "untrained") == []
    cloud.client("sns").unsubscribe(SubscriptionArn=subscription)


def test_a_tuning_jobs_best_is_released_and_no_other_of_its_training_jobs(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "tuned", tmp_path)
    name = search(cloud, "tuned", ["3.0", "5.5", "9.0"])
    cloud.wait_for("tuned-v1-a1", "promoted")

    described = cloud.client("sagemaker", "registry").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    (package,) = packages(cloud, "tuned")
    metadata = package["CustomerMetadataProperties"]
    assert metadata["tuning_job"] == described["HyperParameterTuningJobArn"]
    assert metadata["training_job"] == described["BestTrainingJob"]["TrainingJobArn"]
    assert answer_of(cloud, "tuned") == "5.5"


def test_a_job_whose_event_was_lost_is_found_in_a_look_around(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "overheard", tmp_path)
    with cloud.deaf("ReactToTrainingJobChanged"):
        job = start(cloud, "overheard", "6.0")
        found = eventually(lambda: [one for one in keep_house(cloud) if job in one["what"]])
    assert [one["kind"] for one in found] == ["unheard training job"]
    cloud.wait_for("overheard-v1-a1", "promoted")
    assert answer_of(cloud, "overheard") == "6.0"


def test_jobs_of_the_registrys_account_reach_production(joined_cloud: Cloud, tmp_path: Path) -> None:
    cloud = joined_cloud
    prepare(cloud, "trained-abroad", tmp_path)
    start(cloud, "trained-abroad", "9.0")
    cloud.wait_for("trained-abroad-v1-a1", "promoted")
    assert answer_of(cloud, "trained-abroad") == "9.0"
    search(cloud, "trained-abroad", ["5.5"])
    cloud.wait_for("trained-abroad-v2-a1", "promoted")
    assert answer_of(cloud, "trained-abroad") == "5.5"
