"""What training and processing jobs have in common: how they are run, stopped and told about."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.sagemaker import images
from localcloud.sagemaker.background import Background
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place, download_tree, split_uri
from localcloud.sagemaker.environments import Environments
from localcloud.sagemaker.errors import WorkFailedError
from localcloud.sagemaker.events import EventPublisher
from localcloud.sagemaker.job_runs import JobRun
from localcloud.sagemaker.store import Store


@dataclass
class JobRunner:
    """What runs jobs. `runs` holds those under way, by ARN."""

    store: Store
    cloud: Cloud
    events: EventPublisher
    background: Background
    environments: Environments
    work: Path
    logs: Path
    runs: dict[str, JobRun] = field(default_factory=dict)

    def start(self, place: Place, arn: str, work: Callable[[JobRun], None]) -> None:
        """Do a job's work in the background, with a run that can be stopped."""
        name = arn.rpartition("/")[2]
        run = JobRun(self.logs / f"{place.account}-{place.region}-{name}.log")
        self.runs[arn] = run

        def do() -> None:
            try:
                work(run)
            finally:
                self.runs.pop(arn, None)
                shutil.rmtree(self.folder(place, arn), ignore_errors=True)

        self.background.start(f"job {name}", do)

    def folder(self, place: Place, arn: str) -> Path:
        """Where a job works."""
        return self.work / place.account / place.region / arn.rpartition(":")[2].replace("/", "-")

    def stop(self, arn: str) -> None:
        """Ask a job to end. One that has ended already does not mind."""
        run = self.runs.get(arn)
        if run is not None:
            run.stopped.set()

    def stop_all(self) -> None:
        """Ask all jobs to end."""
        for run in list(self.runs.values()):
            run.stopped.set()

    def python_for(self, image: str, requirements: Path, log_file: Path) -> Path:
        """The interpreter that stands in for an image, with a source's own requirements."""
        framework = images.framework_of(image)
        own = requirements.read_text(encoding="utf-8") if requirements.is_file() else ""
        log_file.parent.mkdir(parents=True, exist_ok=True)
        return self.environments.python_with(f"{framework.requirement}\n{own}".strip(), log_file)

    def fetch(self, place: Place, role_arn: str, uri: str, target: Path) -> None:
        """Download an input under a job's role. Raises WorkFailedError when it may not, or there is nothing."""
        bucket, prefix = split_uri(uri)
        self._allow(place, role_arn, "s3:ListBucket", f"s3://{bucket}", {"s3:prefix": prefix})
        for stored in self.cloud.list_objects(place, uri):
            self._allow(place, role_arn, "s3:GetObject", f"s3://{bucket}/{stored.key}")
        target.mkdir(parents=True, exist_ok=True)
        download_tree(self.cloud, place, uri, target)

    def put(self, place: Place, role_arn: str, source: Path, uri: str) -> None:
        """Upload a file under a job's role. Raises WorkFailedError when it may not or there is no such bucket."""
        self._allow(place, role_arn, "s3:PutObject", uri)
        try:
            self.cloud.upload(place, source, uri)
        except FileNotFoundError:
            raise WorkFailedError(f"ClientError: the bucket of {uri} does not exist.") from None

    def _allow(
        self, place: Place, role_arn: str, action: str, uri: str, conditions: Mapping[str, str] | None = None
    ) -> None:
        if not self.cloud.may(place, role_arn, action, uri, conditions):
            raise WorkFailedError(
                f"ClientError: Data access failed: AccessDenied: the role {role_arn} is not authorized to perform "
                f"{action} on {uri}"
            )

    def tags(self, place: Place, arn: str) -> dict[str, str]:
        """The tags of a job."""
        return dict(self.store.world(place).tags.get(arn, {}))


def channel_configuration(job: JsonObject) -> JsonObject:
    """inputdataconfig.json of a training job."""
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", "File"),
            "S3DistributionType": channel.get("DataSource", {})
            .get("S3DataSource", {})
            .get("S3DataDistributionType", "FullyReplicated"),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in job.get("InputDataConfig", [])
    }
