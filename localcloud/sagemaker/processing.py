"""Processing jobs: an entry point over inputs and outputs in S3, run for real."""

import copy
import json

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import JsonObject, Place
from localcloud.sagemaker.errors import WorkFailedError, in_use, invalid
from localcloud.sagemaker.hosting_role import may_run_job
from localcloud.sagemaker.job_folders import JobFolder
from localcloud.sagemaker.job_runs import JobRun
from localcloud.sagemaker.jobs import JobRunner
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import tag_map

SUMMARY = (
    "ProcessingJobName", "ProcessingJobArn", "CreationTime", "ProcessingEndTime", "LastModifiedTime",
    "ProcessingJobStatus", "FailureReason", "ExitMessage",
)  # fmt: skip
DEFAULT_SECONDS = 86_400
LARGEST_MESSAGE = 1024


class ProcessingJobs:
    """CreateProcessingJob and its kin."""

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateProcessingJob": self.create,
            "DescribeProcessingJob": self.describe,
            "ListProcessingJobs": self.list_page,
            "StopProcessingJob": self.stop,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._runner.store.world(call.place), call["ProcessingJobName"]
        arn = call.place.arn(f"processing-job/{name.lower()}")
        if arn in world.tags:
            raise in_use(
                "Job name must be unique within an AWS account and region, and a processing job with this name "
                f"already exists ({arn})"
            )
        if not self._runner.cloud.may_assume(call["RoleArn"]):
            raise invalid(
                f"Could not assume role {call['RoleArn']}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )
        now = self._runner.cloud.now()
        job = {
            **copy.deepcopy({key: value for key, value in call.parameters.items() if key != "Tags"}),
            "ProcessingJobArn": arn,
            "ProcessingJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        world.processing_jobs[name] = job
        world.tags[arn] = tag_map(call.get("Tags"))
        self._enter(call.place, job, "InProgress")
        self._runner.start(call.place, arn, lambda run: self._run(call.place, job, run))
        return {"ProcessingJobArn": arn}

    def describe(self, call: Call) -> JsonObject:
        return copy.deepcopy(self._find(call))

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._runner.store.world(call.place).processing_jobs.values(),
            name="ProcessingJobName",
            status="ProcessingJobStatus",
            summary=lambda job: {key: job[key] for key in SUMMARY if key in job},
            answer="ProcessingJobSummaries",
        )

    def stop(self, call: Call) -> JsonObject:
        job = self._find(call)
        if job["ProcessingJobStatus"] != "InProgress":
            raise invalid(
                f"The request was rejected because the processing job is in status {job['ProcessingJobStatus']}."
            )
        self._enter(call.place, job, "Stopping")
        self._runner.stop(job["ProcessingJobArn"])
        return {}

    def _find(self, call: Call) -> JsonObject:
        name = call["ProcessingJobName"]
        job = self._runner.store.world(call.place).processing_jobs.get(name)
        if job is None:
            raise invalid(f"Could not find requested job with name: {name}")
        return job

    def _run(self, place: Place, job: JsonObject, run: JobRun) -> None:
        """Take the job from its inputs to its outputs, or to the reason why there are none."""
        folder = JobFolder(self._runner.folder(place, job["ProcessingJobArn"]))
        try:
            command = self._stage(place, job, folder)
            image = job["AppSpecification"]["ImageUri"]
            requirements = folder.root / "processing" / "input" / "code" / "requirements.txt"
            may_run_job(self._runner.cloud, place, job["RoleArn"], image, job["ProcessingJobName"])
            python = self._runner.python_for(image, requirements, run.log_file)
            self._enter(place, job, job["ProcessingJobStatus"], ProcessingStartTime=self._runner.cloud.now())
            seconds = job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_SECONDS)
            status = run.execute(command, folder.root, python, self._environment(place, job, folder), seconds)
            self._read_message(job, folder)
            if run.timed_out:
                raise WorkFailedError("ClientError: Job exceeded the MaxRuntimeInSeconds of its stopping condition.")
            if status and not run.stopped.is_set():
                raise WorkFailedError(f"{folder.failure_reason(status)}\n{run.last_lines()}"[:LARGEST_MESSAGE])
            self._upload(place, job, folder)
        except WorkFailedError as error:
            self._end(place, job, "Failed", FailureReason=str(error))
            return
        self._end(place, job, "Stopped" if run.stopped.is_set() else "Completed")

    def _stage(self, place: Place, job: JsonObject, folder: JobFolder) -> list[str]:
        """Bring the inputs and the configuration into the folder; returns the command."""
        folder.make(("processing", "config", "output"))
        for described in job.get("ProcessingInputs", []):
            source = described.get("S3Input")
            if source is None:
                raise WorkFailedError(f"ClientError: the input {described['InputName']} is not in S3.")
            target = folder.at(source["LocalPath"])
            self._runner.fetch(place, job["RoleArn"], source["S3Uri"], target)
        for output in _outputs(job):
            folder.at(output["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
        folder.write_json("config/processingjobconfig.json", _shown(job))
        folder.write_json("config/resourceconfig.json", {"current_host": "algo-1", "hosts": ["algo-1"]})
        specification = job["AppSpecification"]
        command = specification.get("ContainerEntrypoint", []) + specification.get("ContainerArguments", [])
        if not command:
            raise WorkFailedError("ClientError: a ContainerEntrypoint is needed: the catalogue's images have none.")
        folder.relocate_files()
        return [folder.relocated(word) for word in command]

    def _environment(self, place: Place, job: JsonObject, folder: JobFolder) -> dict[str, str]:
        environment = {
            "PROCESSING_JOB_NAME": job["ProcessingJobName"],
            "PROCESSING_JOB_ARN": job["ProcessingJobArn"],
            "SM_CONFIG_DIR": "/opt/ml/config",
            **self._runner.cloud.job_environment(place, job["RoleArn"]),
            **job.get("Environment", {}),
        }
        return {name: folder.relocated(value) for name, value in environment.items()}

    def _upload(self, place: Place, job: JsonObject, folder: JobFolder) -> None:
        for output in _outputs(job):
            local, uri = folder.at(output["S3Output"]["LocalPath"]), output["S3Output"]["S3Uri"].rstrip("/")
            for path in sorted(local.rglob("*")):
                if path.is_file():
                    self._runner.put(place, job["RoleArn"], path, f"{uri}/{path.relative_to(local).as_posix()}")

    def _read_message(self, job: JsonObject, folder: JobFolder) -> None:
        """What the container left in /opt/ml/output/message is the job's ExitMessage."""
        message = folder.root / "output" / "message"
        if message.is_file():
            job["ExitMessage"] = message.read_text(encoding="utf-8", errors="replace")[:LARGEST_MESSAGE]

    def _end(self, place: Place, job: JsonObject, status: str, **changes: object) -> None:
        self._enter(place, job, status, ProcessingEndTime=self._runner.cloud.now(), **changes)

    def _enter(self, place: Place, job: JsonObject, status: str, **changes: object) -> None:
        """Set the status and further members, and tell the bus."""
        with self._runner.store.lock:
            job |= {"ProcessingJobStatus": status, "LastModifiedTime": self._runner.cloud.now(), **changes}
        self._runner.events.processing_job_changed(place, job, self._runner.tags(place, job["ProcessingJobArn"]))


def _outputs(job: JsonObject) -> list[JsonObject]:
    found = [output for output in job.get("ProcessingOutputConfig", {}).get("Outputs", []) if "S3Output" in output]
    # The definition of a pipeline may leave LocalPath to a feature store, which has no stand-in here.
    return [output for output in found if output["S3Output"].get("LocalPath")]


def _shown(job: JsonObject) -> JsonObject:
    """processingjobconfig.json: the request as the container sees it."""
    described: JsonObject = json.loads(json.dumps(job))
    return described
