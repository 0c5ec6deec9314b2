"""Training and tuning jobs as SageMaker describes them, and the events that tell of their ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.world import HUB

from tests.unit.harbour import GROUP, IMAGE, REGION, archive

NAME = "wages-night"
BEGAN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TAGS = {
    "lockkeeper:group": GROUP,
    "lockkeeper:inference-image": IMAGE,
    "lockkeeper:content-types": "text/csv application/json",
    "lockkeeper:author": "lin",
}


def job_arn(name: str = NAME, kind: str = "training-job") -> str:
    return f"arn:aws:sagemaker:{REGION}:{HUB}:{kind}/{name.lower()}"


def described(name: str = NAME, **changes: Any) -> dict[str, Any]:
    """DescribeTrainingJob's answer of a job that ended well."""
    return {
        "TrainingJobName": name,
        "TrainingJobArn": job_arn(name),
        "TrainingJobStatus": "Completed",
        "SecondaryStatus": "Completed",
        "ModelArtifacts": {"S3ModelArtifacts": f"s3://models/{name}/output/model.tar.gz"},
        "CreationTime": BEGAN,
        "TrainingEndTime": BEGAN + timedelta(minutes=20),
        "LastModifiedTime": BEGAN + timedelta(minutes=20),
        "SecondaryStatusTransitions": [{"Status": "Training"}, {"Status": "Completed"}],
        "FinalMetricDataList": [
            {"MetricName": "train:accuracy", "Value": 0.99},
            {"MetricName": "validation:accuracy", "Value": 0.81},
        ],
        **changes,
    }


def described_tuning(name: str = "wages-search", best: str | None = NAME, **changes: Any) -> dict[str, Any]:
    """DescribeHyperParameterTuningJob's answer of a search that ended well."""
    chosen = {"BestTrainingJob": {"TrainingJobName": best, "TrainingJobArn": job_arn(best)}} if best else {}
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobArn": job_arn(name, "hyper-parameter-tuning-job"),
        "HyperParameterTuningJobStatus": "Completed",
        "CreationTime": BEGAN,
        "LastModifiedTime": BEGAN + timedelta(minutes=20),
        **chosen,
        **changes,
    }


def train(world: InMemoryWorld, name: str = NAME, *, tags: dict[str, str] | None = None, **changes: Any) -> None:
    """A training job has ended; nobody has told. Its model is where it says."""
    job = described(name, **changes)
    world.training.training_jobs[name] = job
    world.training.tagged[job_arn(name)] = dict(TAGS if tags is None else tags)
    world.objects.stored[f"s3://models/{name}/output/model.tar.gz"] = archive(name.encode())


def tune(world: InMemoryWorld, *, tags: dict[str, str] | None = None, **changes: Any) -> None:
    """A tuning job has ended; nobody has told. SageMaker gives its tags to the jobs that it starts."""
    tuning = described_tuning(**changes)
    arn = str(tuning["HyperParameterTuningJobArn"])
    world.training.tuning_jobs[tuning["HyperParameterTuningJobName"]] = tuning
    world.training.tagged[arn] = dict(TAGS if tags is None else tags)
    if "BestTrainingJob" in tuning:
        train(world, tuning["BestTrainingJob"]["TrainingJobName"], tags=tags, TuningJobArn=arn)


def training_event(name: str = NAME, status: str = "Completed", **changes: Any) -> dict[str, Any]:
    detail = {"TrainingJobName": name, "TrainingJobArn": job_arn(name), "TrainingJobStatus": status, "Tags": {}}
    return _event("SageMaker Training Job State Change", {**detail, **changes})


def tuning_event(name: str = "wages-search", status: str = "Completed", **changes: Any) -> dict[str, Any]:
    arn = job_arn(name, "hyper-parameter-tuning-job")
    detail = {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobArn": arn,
        "HyperParameterTuningJobStatus": status,
        "Tags": [],
    }
    return _event("SageMaker HyperParameter Tuning Job State Change", {**detail, **changes})


def _event(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {"source": "aws.sagemaker", "detail-type": kind, "account": HUB, "region": REGION, "detail": detail}
