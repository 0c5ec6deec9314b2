"""Training jobs: script mode and custom entry points, run for real."""

import copy
import json
from pathlib import Path

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import JsonObject, Place
from localcloud.sagemaker.errors import WorkFailedError, in_use, invalid
from localcloud.sagemaker.job_folders import JobFolder, stage_script_mode, unquoted
from localcloud.sagemaker.job_runs import JobRun, metric_values
from localcloud.sagemaker.jobs import JobRunner, channel_configuration
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import tag_map

SUMMARY = (
    "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "TrainingJobStatus",
    "SecondaryStatus",
)  # fmt: skip
FOLDERS = ("code", "model", "output/data", "input/config", "input/data")
DEFAULT_SECONDS = 86_400
MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds",
}


class TrainingJobs:
    """CreateTrainingJob and its kin."""

    def __init__(self, runner: JobRunner) -> None:
        self._runner = runner

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": self.describe,
            "ListTrainingJobs": self.list_page,
            "StopTrainingJob": self.stop,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._runner.store.world(call.place), call["TrainingJobName"]
        arn = call.place.arn(f"training-job/{name.lower()}")
        if arn in world.tags:
            raise in_use(
                "Training job names must be unique within an AWS account and region, and a training job with this "
                f"name already exists ({arn})"
            )
        if not self._runner.cloud.may_assume(call["RoleArn"]):
            raise invalid(
                f"Could not assume role {call['RoleArn']}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )
        if not call["AlgorithmSpecification"].get("TrainingImage"):
            raise invalid("AlgorithmSpecification.TrainingImage is required: algorithms have no stand-in here.")
        now = self._runner.cloud.now()
        job = {
            **copy.deepcopy({key: value for key, value in call.parameters.items() if key != "Tags"}),
            "TrainingJobArn": arn,
            "TrainingJobStatus": "InProgress",
            "SecondaryStatus": "Starting",
            "SecondaryStatusTransitions": [],
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        for member in ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining"):
            job.setdefault(member, False)
        world.training_jobs[name] = job
        world.tags[arn] = tag_map(call.get("Tags"))
        self._enter(call.place, job, "InProgress", "Starting")
        self._runner.start(call.place, arn, lambda run: self._run(call.place, job, run))
        return {"TrainingJobArn": arn}

    def describe(self, call: Call) -> JsonObject:
        return copy.deepcopy(self._find(call))

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._runner.store.world(call.place).training_jobs.values(),
            name="TrainingJobName",
            status="TrainingJobStatus",
            summary=lambda job: {key: job[key] for key in SUMMARY if key in job},
            answer="TrainingJobSummaries",
        )

    def stop(self, call: Call) -> JsonObject:
        job = self._find(call)
        if job["TrainingJobStatus"] != "InProgress":
            raise invalid(
                "The request was rejected because the training job is in status " + job["TrainingJobStatus"] + "."
            )
        self._enter(call.place, job, "Stopping", "Stopping")
        self._runner.stop(job["TrainingJobArn"])
        return {}

    def _find(self, call: Call) -> JsonObject:
        job = self._runner.store.world(call.place).training_jobs.get(call["TrainingJobName"])
        if job is None:
            raise invalid("Requested resource not found.")
        return job

    def _run(self, place: Place, job: JsonObject, run: JobRun) -> None:
        """Take the job from its inputs to its model, or to the reason why there is none."""
        folder = JobFolder(self._runner.folder(place, job["TrainingJobArn"]))
        try:
            folder.make(FOLDERS)
            self._enter(place, job, "InProgress", "Downloading")
            command = self._stage(place, job, folder)
            image = job["AlgorithmSpecification"]["TrainingImage"]
            python = self._runner.python_for(image, folder.root / "code" / "requirements.txt", run.log_file)
            self._enter(place, job, "InProgress", "Training", TrainingStartTime=self._runner.cloud.now())
            seconds = job["StoppingCondition"].get("MaxRuntimeInSeconds", DEFAULT_SECONDS)
            status = run.execute(command, folder.root / "code", python, self._environment(place, job, folder), seconds)
            self._collect_metrics(job, run)
            if status and not run.stopped.is_set() and not run.timed_out:
                raise WorkFailedError(_with_output(folder.failure_reason(status), run))
            self._enter(place, job, job["TrainingJobStatus"], "Uploading")
            self._upload(place, job, folder)
        except WorkFailedError as error:
            self._enter(place, job, "Failed", "Failed", FailureReason=str(error), **self._ended(job))
            return
        if run.timed_out:
            self._enter(place, job, "Stopped", "MaxRuntimeExceeded", **self._ended(job))
        elif run.stopped.is_set():
            self._enter(place, job, "Stopped", "Stopped", **self._ended(job))
        else:
            self._enter(place, job, "Completed", "Completed", **self._ended(job))

    def _stage(self, place: Place, job: JsonObject, folder: JobFolder) -> list[str]:
        """Bring inputs, source and configuration into the folder; returns the command."""
        for channel in job.get("InputDataConfig", []):
            source = channel["DataSource"].get("S3DataSource")
            if source is None:
                raise WorkFailedError(f"ClientError: channel {channel['ChannelName']} is not in S3.")
            target = folder.root / "input" / "data" / channel["ChannelName"]
            self._runner.fetch(place, job["RoleArn"], source["S3Uri"], target)
        hyperparameters = job.get("HyperParameters", {})
        resources = job["ResourceConfig"]
        folder.write_json("input/config/hyperparameters.json", hyperparameters)
        folder.write_json("input/config/inputdataconfig.json", channel_configuration(job))
        folder.write_json(
            "input/config/resourceconfig.json",
            {
                "current_host": "algo-1",
                "hosts": ["algo-1"],
                "current_instance_type": resources.get("InstanceType"),
                "network_interface_name": "lo",
            },
        )
        specification = job["AlgorithmSpecification"]
        command = specification.get("ContainerEntrypoint", []) + specification.get("ContainerArguments", [])
        if not command:
            command = self._stage_script(place, job, folder, hyperparameters)
        folder.relocate_files()
        return [folder.relocated(word) for word in command]

    def _stage_script(
        self, place: Place, job: JsonObject, folder: JobFolder, hyperparameters: dict[str, str]
    ) -> list[str]:
        if "sagemaker_program" not in hyperparameters:
            raise WorkFailedError(
                "ClientError: the laptop's AWS trains in script mode (hyperparameters sagemaker_program and "
                "sagemaker_submit_directory) or by ContainerEntrypoint; built-in algorithms have no stand-in."
            )
        source = unquoted(hyperparameters.get("sagemaker_submit_directory", ""))
        fetched = folder.root / "source"
        self._runner.fetch(place, job["RoleArn"], source, fetched)
        for archive in sorted(fetched.iterdir()):
            folder.unpack(archive, "code")
        return stage_script_mode(folder, job, hyperparameters)

    def _environment(self, place: Place, job: JsonObject, folder: JobFolder) -> dict[str, str]:
        hyperparameters = {name: unquoted(value) for name, value in job.get("HyperParameters", {}).items()}
        shown = {name: value for name, value in hyperparameters.items() if not name.startswith("sagemaker_")}
        channels = [channel["ChannelName"] for channel in job.get("InputDataConfig", [])]
        environment = {
            "TRAINING_JOB_NAME": job["TrainingJobName"],
            "TRAINING_JOB_ARN": job["TrainingJobArn"],
            "SM_MODEL_DIR": "/opt/ml/model",
            "SM_OUTPUT_DIR": "/opt/ml/output",
            "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
            "SM_INPUT_DIR": "/opt/ml/input",
            "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
            "SM_CHANNELS": json.dumps(sorted(channels)),
            "SM_HPS": json.dumps(shown),
            "SM_HOSTS": '["algo-1"]',
            "SM_CURRENT_HOST": "algo-1",
            "SM_NUM_CPUS": "1",
            "SM_NUM_GPUS": "0",
            "SM_LOG_LEVEL": "20",
            "SM_USER_ENTRY_POINT": hyperparameters.get("sagemaker_program", ""),
            **{f"SM_CHANNEL_{name.upper()}": f"/opt/ml/input/data/{name}" for name in channels},
            **{f"SM_HP_{name.upper().replace('-', '_')}": value for name, value in shown.items()},
            **self._runner.cloud.job_environment(place, job["RoleArn"]),
            **job.get("Environment", {}),
        }
        return {name: folder.relocated(value) for name, value in environment.items()}

    def _upload(self, place: Place, job: JsonObject, folder: JobFolder) -> None:
        """Keep what the job has put into its model and output folders, as AWS does even for a stopped job."""
        base = f"{job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job['TrainingJobName']}/output"
        for source, name in (("model", "model.tar.gz"), ("output/data", "output.tar.gz")):
            if not any((folder.root / source).iterdir()):
                continue
            archive = Path(folder.root / name)
            folder.pack(source, archive)
            self._runner.put(place, job["RoleArn"], archive, f"{base}/{name}")
            if source == "model":
                job["ModelArtifacts"] = {"S3ModelArtifacts": f"{base}/{name}"}

    def _collect_metrics(self, job: JsonObject, run: JobRun) -> None:
        definitions = job["AlgorithmSpecification"].get("MetricDefinitions", [])
        now = self._runner.cloud.now()
        job["FinalMetricDataList"] = [
            {"MetricName": name, "Value": value, "Timestamp": now}
            for name, value in metric_values(definitions, run.output())
        ]

    def _ended(self, job: JsonObject) -> JsonObject:
        now = self._runner.cloud.now()
        seconds = max(1, round(now - job.get("TrainingStartTime", now)))
        return {"TrainingEndTime": now, "TrainingTimeInSeconds": seconds, "BillableTimeInSeconds": seconds}

    def _enter(self, place: Place, job: JsonObject, status: str, secondary: str, **changes: object) -> None:
        """Set both statuses and further members, and tell the bus. A job that is being stopped stays in Stopping."""
        now = self._runner.cloud.now()
        with self._runner.store.lock:
            if job["TrainingJobStatus"] == "Stopping" and status == "InProgress":
                status, secondary = "Stopping", "Stopping"
            transitions = job["SecondaryStatusTransitions"]
            if transitions and "EndTime" not in transitions[-1]:
                transitions[-1]["EndTime"] = now
            transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": MESSAGES[secondary]})
            job |= {"TrainingJobStatus": status, "SecondaryStatus": secondary, "LastModifiedTime": now, **changes}
        self._runner.events.training_job_changed(place, job, self._runner.tags(place, job["TrainingJobArn"]))


def _with_output(reason: str, run: JobRun) -> str:
    """The reason with the end of the log, which is all that a person has when no failure file was written."""
    last = run.last_lines()
    return f"{reason}\n{last}"[:1024] if last else reason
