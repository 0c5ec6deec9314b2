"""Processing jobs that run an archive of Lockkeeper's own modules: what SageMaker is asked, and what it says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lockkeeper.adapters.refusals import is_missing, says_exists, translated
from lockkeeper.domain.job import JobState, WantedJob

if TYPE_CHECKING:
    from collections.abc import Callable

PROCESSING = "/opt/ml/processing"
"""Where a Processing job's container finds what it is given."""


class SageMakerJobs:
    """Implements `ports.Jobs` in the account that `client` acts in. `role` is the ARN of the jobs' own role there."""

    def __init__(self, client: Callable[[], Any], region: str, role: Callable[[], str]) -> None:
        self._make_client = client
        self._region = region
        self._role = role
        self._made: Any = None

    def arn_of(self, name: str) -> str:
        # The jobs are where their role is.
        _, partition, _, _, account, _ = self._role().split(":", 5)
        return f"arn:{partition}:sagemaker:{self._region}:{account}:processing-job/{name.lower()}"

    def start(self, job: WantedJob) -> bool:
        given, left = f"{PROCESSING}/input/job", f"{PROCESSING}/output"
        kept = {"S3Uri": f"{job.folder}/{job.results}".rstrip("/"), "LocalPath": left, "S3UploadMode": "EndOfJob"}
        others = {name: f"{PROCESSING}/input/{name}" for name in job.inputs}
        options = {"given": given, "left": left, "message": "/opt/ml/output/message", **others, **job.options}
        cluster = {"InstanceCount": 1, "InstanceType": job.instance_type, "VolumeSizeInGB": job.volume_gb}
        try:
            self._client.create_processing_job(
                ProcessingJobName=job.name,
                RoleArn=self._role(),
                AppSpecification={
                    "ImageUri": job.image,
                    "ContainerEntrypoint": ["python3", f"{given}/{job.archive}"],
                    "ContainerArguments": [word for name, value in options.items() for word in (f"--{name}", value)],
                },
                Environment={"AWS_DEFAULT_REGION": self._region, **job.environment},
                NetworkConfig={"EnableNetworkIsolation": job.isolated},
                ProcessingInputs=[
                    _input("job", f"{job.folder}/job/", given),
                    *(_input(name, f"{uri.rstrip('/')}/", others[name]) for name, uri in job.inputs.items()),
                ],
                ProcessingOutputConfig={"Outputs": [{"OutputName": job.results or "results", "S3Output": kept}]},
                ProcessingResources={"ClusterConfig": cluster},
                StoppingCondition={"MaxRuntimeInSeconds": job.seconds},
                Tags=[{"Key": name, "Value": value} for name, value in job.tags.items()],
            )
        except ClientError as error:
            if says_exists(error):
                return False
            raise translated(error, "create_processing_job was refused") from error
        return True

    def look(self, name: str) -> JobState | None:
        try:
            answer = self._client.describe_processing_job(ProcessingJobName=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return JobState(answer["ProcessingJobStatus"], answer.get("FailureReason", ""), answer.get("ExitMessage", ""))

    def stop(self, name: str) -> None:
        job = self.look(name)
        if job is None or job.ended or job.status == "Stopping":
            return
        try:
            self._client.stop_processing_job(ProcessingJobName=name)
        except ClientError as error:
            ended = self.look(name)
            if not (ended and ended.ended):
                raise translated(error, f"{name} cannot be stopped") from error

    @property
    def _client(self) -> Any:
        if self._made is None:
            self._made = self._make_client()
        return self._made


def _input(name: str, uri: str, path: str) -> dict[str, Any]:
    source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": name, "S3Input": source}
