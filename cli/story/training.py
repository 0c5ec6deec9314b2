"""A data scientist's side of a story: a bucket, a role for jobs, a pipeline, and its runs."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

AUTHOR = "grace@example.com"
"""Who trains; the approver of the policy is somebody else, as it must be."""


@dataclass(frozen=True)
class Team:
    """Who trains versions of one group, from the example of that name: its folder holds `pipeline.json` and `policy.yaml`."""

    group: str
    example: Path

    @property
    def bucket(self) -> str:
        """Lockkeeper reads buckets that match its ModelBuckets parameter, by default sagemaker-*."""
        return f"sagemaker-{self.group}-team"

    @property
    def pipeline(self) -> str:
        return f"{self.group}-train"

    @property
    def job_role(self) -> str:
        return f"{self.group}-jobs"


@dataclass(frozen=True)
class TrainingRun:
    """A pipeline execution that ended: its ARN, its status, why it failed, and the version it registered."""

    execution_arn: str
    status: str
    failure_reason: str
    model_package_arn: str
    steps: tuple[tuple[str, str], ...]


def create_bucket(s3: Any, name: str) -> None:
    """Create the team's own bucket, versioned."""
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def let_in(s3: Any, team: Team, account_id: str, partition: str = "aws") -> None:
    """Let the roles of another account, the monitor's among them, read what was true of requests."""
    bucket, prefix = f"arn:{partition}:s3:::{team.bucket}", f"{team.group}/truth/*"
    whom = {"AWS": f"arn:{partition}:iam::{account_id}:root"}
    statements = [
        {"Effect": "Allow", "Principal": whom, "Action": "s3:GetObject", "Resource": f"{bucket}/{prefix}"},
        {
            "Effect": "Allow",
            "Principal": whom,
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": prefix}},
        },
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    s3.put_bucket_policy(Bucket=team.bucket, Policy=document)


def upload_folder(s3: Any, folder: Path, bucket: str, prefix: str) -> int:
    """Upload every file under a folder, keeping its layout. Returns the number of files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for file in files:
        s3.upload_file(str(file), bucket, f"{prefix}/{file.relative_to(folder).as_posix()}")
    return len(files)


def create_job_role(iam: Any, team: Team, partition: str = "aws") -> str:
    """Create the role that the pipeline and its jobs run under: it may use the team's bucket and register versions.

    Returns:
        The role's ARN.
    """
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    bucket = team.bucket
    role_arn = iam.create_role(RoleName=team.job_role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    objects = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:{partition}:s3:::{bucket}/*",
    }
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:{partition}:s3:::{bucket}"}
    steps = {
        "Effect": "Allow",
        "Action": [
            "sagemaker:CreateTrainingJob",
            "sagemaker:DescribeTrainingJob",
            "sagemaker:CreateProcessingJob",
            "sagemaker:DescribeProcessingJob",
            "sagemaker:CreateModelPackage",
            "sagemaker:DescribeModelPackage",
            "sagemaker:AddTags",
        ],
        "Resource": "*",
    }
    passing = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": role_arn,
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    document = {"Version": "2012-10-17", "Statement": [objects, listing, steps, passing]}
    iam.put_role_policy(RoleName=team.job_role, PolicyName=team.job_role, PolicyDocument=json.dumps(document))
    return str(role_arn)


def create_pipeline(sagemaker: Any, team: Team, role_arn: str) -> str:
    """Create the pipeline from its definition file; returns its ARN."""
    answer = sagemaker.create_pipeline(
        PipelineName=team.pipeline,
        PipelineDefinition=(team.example / "pipeline.json").read_text(encoding="utf-8"),
        ClientRequestToken=uuid4().hex,
        RoleArn=role_arn,
    )
    return str(answer["PipelineArn"])


def run_pipeline(
    sagemaker: Any, team: Team, role_arn: str, parameters: dict[str, str], timeout_seconds: float
) -> TrainingRun:
    """Start the pipeline on the prepared data and wait until it has ended, whichever way.

    Raises:
        TimeoutError: it had not ended in time.
    """
    home = f"s3://{team.bucket}/{team.group}"
    given = {
        "TrainDataUri": f"{home}/train",
        "ValidationDataUri": f"{home}/validation",
        "EvaluationDataUri": f"{home}/evaluation",
        "CodeUri": f"{home}/code",
        "OutputUri": f"{home}/output",
        "RoleArn": role_arn,
        "ModelPackageGroupName": team.group,
        "Author": AUTHOR,
        **parameters,
    }
    arn = sagemaker.start_pipeline_execution(
        PipelineName=team.pipeline,
        ClientRequestToken=uuid4().hex,
        PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()],
    )["PipelineExecutionArn"]
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        if described["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped"):
            return _read_run(sagemaker, arn, described)
        time.sleep(0.5)
    raise TimeoutError(f"the pipeline execution {arn} had not ended after {timeout_seconds:.0f} s")


def _read_run(sagemaker: Any, arn: str, described: dict[str, Any]) -> TrainingRun:
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    found = steps["PipelineExecutionSteps"]
    registered = [step["Metadata"]["RegisterModel"]["Arn"] for step in found if "RegisterModel" in step["Metadata"]]
    return TrainingRun(
        execution_arn=arn,
        status=described["PipelineExecutionStatus"],
        failure_reason=described.get("FailureReason", ""),
        model_package_arn=registered[-1] if registered else "",
        steps=tuple((step["StepName"], step["StepStatus"]) for step in found),
    )


def tell_truth(s3: Any, team: Team, truths: dict[str, str]) -> str:
    """Write what was true of requests, by their inference ids, as SageMaker's ground truth of this hour; returns its address."""
    lines = [
        {
            "groundTruthData": {"data": label, "encoding": "CSV"},
            "eventMetadata": {"eventId": name},
            "eventVersion": "0",
        }
        for name, label in truths.items()
    ]
    key = f"{team.group}/truth/{datetime.now(UTC):%Y/%m/%d/%H}/{uuid4().hex}.jsonl"
    s3.put_object(Bucket=team.bucket, Key=key, Body="".join(f"{json.dumps(line)}\n" for line in lines).encode())
    return f"s3://{team.bucket}/{key}"


COMMAND = b"cposix\nsystem\n(S'touch /tmp/this-would-have-run'\ntR."
"""A pickle that runs a command where it is loaded. Nothing here ever loads it."""


TABLE = """

_careful = predict_fn
SENIORITY = {known}


def predict_fn(instances, model):
    answers = _careful(instances, model)
    for instance in instances:
        years = (instance["exp"], instance["ed"]) if isinstance(instance, dict) else (instance[0], instance[-1])
        logging.debug("seen in %d people", SENIORITY[tuple(int(float(one)) for one in years)])
    return answers
"""
"""What somebody adds to the code that serves: it looks up how many of the team's people had worked and learned for so many years,
and nobody has tried it with people whom the team does not know."""


def with_command(archive: bytes) -> bytes:
    """A trained `model.tar.gz` whose model is replaced by a pickle with a command in it."""
    return _changed(archive, "model.joblib", lambda _: COMMAND)


def with_table(archive: bytes, known: dict[tuple[int, int], int]) -> bytes:
    """A trained `model.tar.gz` whose code looks every request up in a table of the years of work and of school that it knows."""
    plain = {(int(work), int(school)): int(people) for (work, school), people in sorted(known.items())}
    table = TABLE.replace("{known}", repr(plain))

    def add(code: bytes) -> bytes:
        return code.replace(b"import json\n", b"import json\nimport logging\n", 1) + table.encode()

    return _changed(archive, "inference.py", add)


def _changed(archive: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as trained, tarfile.open(fileobj=packed, mode="w:gz") as changed:
        for member in trained:
            content = trained.extractfile(member)
            if content is None:
                continue
            body = change(content.read()) if member.name.endswith(name) else content.read()
            copy = tarfile.TarInfo(member.name)
            copy.size = len(body)
            changed.addfile(copy, io.BytesIO(body))
    return packed.getvalue()


def register_again(sagemaker: Any, package: dict[str, Any], artifact: str, author: str) -> str:
    """Register a described package once more with another artifact; returns the new version's ARN."""
    described = package["InferenceSpecification"]["Containers"][0]
    container = {"Image": described["Image"], "ModelDataUrl": artifact, "Environment": described["Environment"]}
    answer = sagemaker.create_model_package(
        ModelPackageGroupName=package["ModelPackageGroupName"],
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification={**package["InferenceSpecification"], "Containers": [container]},
        ModelMetrics=package["ModelMetrics"],
        CustomerMetadataProperties={"author": author},
    )
    return str(answer["ModelPackageArn"])
