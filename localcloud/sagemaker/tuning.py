"""Tuning jobs: a few training jobs, one after another, over a grid or at random; the best by its last metric."""

import copy
import itertools
import random
import threading
from collections.abc import Iterator
from typing import Any

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import JsonObject, Place
from localcloud.sagemaker.errors import ApiError, in_use, invalid
from localcloud.sagemaker.jobs import JobRunner
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import new_id, tag_map
from localcloud.sagemaker.training import TrainingJobs

SUMMARY = (
    "HyperParameterTuningJobName", "HyperParameterTuningJobArn", "HyperParameterTuningJobStatus", "CreationTime",
    "HyperParameterTuningEndTime", "LastModifiedTime", "TrainingJobStatusCounters", "ObjectiveStatusCounters",
)  # fmt: skip
STRATEGIES = ("Grid", "Random")
UNDERSTOOD = {
    "Strategy", "HyperParameterTuningJobObjective", "ResourceLimits", "ParameterRanges", "RandomSeed",
    "TrainingJobEarlyStoppingType",
}  # fmt: skip
"""Members of HyperParameterTuningJobConfig that have their effect here."""
OF_TRAINING = (
    "RoleArn", "InputDataConfig", "VpcConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition", "Environment",
    "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining", "CheckpointConfig",
    "RetryStrategy",
)  # fmt: skip
"""Members of a TrainingJobDefinition that its training jobs have as they are."""
POLL_SECONDS = 0.1


class TuningJobs:
    """CreateHyperParameterTuningJob and its kin."""

    def __init__(self, runner: JobRunner, training: TrainingJobs) -> None:
        self._runner = runner
        self._training = training
        self._stopping: dict[str, threading.Event] = {}

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateHyperParameterTuningJob": self.create,
            "DescribeHyperParameterTuningJob": self.describe,
            "ListHyperParameterTuningJobs": self.list_page,
            "StopHyperParameterTuningJob": self.stop,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._runner.store.world(call.place), call["HyperParameterTuningJobName"]
        arn = call.place.arn(f"hyper-parameter-tuning-job/{name.lower()}")
        if arn in world.tags:
            raise in_use(f"A hyperparameter tuning job with the name {name} already exists ({arn}).")
        definition = call.get("TrainingJobDefinition")
        if definition is None:
            raise invalid("TrainingJobDefinition is required.")
        _check(call["HyperParameterTuningJobConfig"], definition)
        if not self._runner.cloud.may_assume(definition["RoleArn"]):
            raise invalid(f"Could not assume role {definition['RoleArn']}.")
        now = self._runner.cloud.now()
        job: JsonObject = {
            **copy.deepcopy({key: value for key, value in call.parameters.items() if key != "Tags"}),
            "HyperParameterTuningJobArn": arn,
            "CreationTime": now,
            "TrainingJobStatusCounters": dict.fromkeys(
                ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
            ),
            "ObjectiveStatusCounters": {"Succeeded": 0, "Pending": 0, "Failed": 0},
        }
        world.tuning_jobs[name] = job
        world.tags[arn] = tag_map(call.get("Tags"))
        self._stopping[arn] = threading.Event()
        self._enter(call.place, job, "InProgress")
        self._runner.background.start(f"tuning {name}", lambda: self._run(call, job))
        return {"HyperParameterTuningJobArn": arn}

    def describe(self, call: Call) -> JsonObject:
        return copy.deepcopy(self._find(call))

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._runner.store.world(call.place).tuning_jobs.values(),
            name="HyperParameterTuningJobName",
            status="HyperParameterTuningJobStatus",
            summary=lambda job: {
                **{key: job[key] for key in SUMMARY if key in job},
                "Strategy": job["HyperParameterTuningJobConfig"]["Strategy"],
                "ResourceLimits": job["HyperParameterTuningJobConfig"]["ResourceLimits"],
            },
            answer="HyperParameterTuningJobSummaries",
        )

    def stop(self, call: Call) -> JsonObject:
        job = self._find(call)
        if job["HyperParameterTuningJobStatus"] != "InProgress":
            raise invalid(f"The tuning job is in status {job['HyperParameterTuningJobStatus']}.")
        self._enter(call.place, job, "Stopping")
        self._stopping[job["HyperParameterTuningJobArn"]].set()
        return {}

    def _find(self, call: Call) -> JsonObject:
        name = call["HyperParameterTuningJobName"]
        job = self._runner.store.world(call.place).tuning_jobs.get(name)
        if job is None:
            raise ApiError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}.")
        return job

    def _run(self, call: Call, job: JsonObject) -> None:
        """Train with each choice in turn, remember the best, and say how it ended."""
        arn = job["HyperParameterTuningJobArn"]
        stopping, closing = self._stopping[arn], self._runner.background.closing
        for number, chosen in enumerate(choices(job["HyperParameterTuningJobConfig"]), start=1):
            if stopping.is_set() or closing.is_set():
                break
            try:
                trained = self._train(call, job, number, chosen)
            except ApiError as error:
                self._enter(call.place, job, "Failed", FailureReason=error.message, **self._ended())
                return
            self._count(job, trained, chosen)
        if stopping.is_set() or closing.is_set():
            self._enter(call.place, job, "Stopped", **self._ended())
        elif "BestTrainingJob" in job:
            self._enter(call.place, job, "Completed", **self._ended())
        else:
            reason = "All training jobs failed, or printed no objective metric. Look at their failure reasons."
            self._enter(call.place, job, "Failed", FailureReason=reason, **self._ended())

    def _train(self, call: Call, job: JsonObject, number: int, chosen: dict[str, str]) -> JsonObject:
        """One training job to its end; SageMaker gives the tuning job's tags to it."""
        definition, arn = job["TrainingJobDefinition"], job["HyperParameterTuningJobArn"]
        store, name = self._runner.store, f"{job['HyperParameterTuningJobName']}-{number:03d}-{new_id(8)}"
        request = {
            **{key: definition[key] for key in OF_TRAINING if key in definition},
            "TrainingJobName": name,
            "AlgorithmSpecification": definition["AlgorithmSpecification"],
            "HyperParameters": {**definition.get("StaticHyperParameters", {}), **chosen},
            "Tags": [{"Key": key, "Value": value} for key, value in store.world(call.place).tags[arn].items()],
        }
        with store.lock:
            self._training.create(Call(call.place, "CreateTrainingJob", request, call.caller_arn))
            trained: JsonObject = store.world(call.place).training_jobs[name]
            trained["TuningJobArn"] = arn
        told_to_stop = False
        while trained["TrainingJobStatus"] not in ("Completed", "Failed", "Stopped"):
            if self._stopping[arn].is_set() and not told_to_stop:
                told_to_stop = True
                self._runner.stop(trained["TrainingJobArn"])
            if self._runner.background.closing.wait(POLL_SECONDS):
                break
        return trained

    def _count(self, job: JsonObject, trained: JsonObject, chosen: dict[str, str]) -> None:
        objective = job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        finals = {one["MetricName"]: one["Value"] for one in trained.get("FinalMetricDataList", [])}
        status = trained["TrainingJobStatus"]
        value = finals.get(objective["MetricName"]) if status == "Completed" else None
        counted = {"Completed": "Completed", "Stopped": "Stopped"}.get(status, "NonRetryableError")
        with self._runner.store.lock:
            job["TrainingJobStatusCounters"][counted] += 1
            job["ObjectiveStatusCounters"]["Failed" if value is None else "Succeeded"] += 1
            if value is not None and _is_better(value, job.get("BestTrainingJob"), objective["Type"]):
                times = ("CreationTime", "TrainingStartTime", "TrainingEndTime")
                job["BestTrainingJob"] = {
                    **{key: trained[key] for key in ("TrainingJobName", "TrainingJobArn", *times)},
                    "TrainingJobStatus": status,
                    "TunedHyperParameters": chosen,
                    "FinalHyperParameterTuningJobObjectiveMetric": {**objective, "Value": value},
                    "ObjectiveStatus": "Succeeded",
                }

    def _ended(self) -> JsonObject:
        return {"HyperParameterTuningEndTime": self._runner.cloud.now()}

    def _enter(self, place: Place, job: JsonObject, status: str, **changes: object) -> None:
        with self._runner.store.lock:
            job |= {
                "HyperParameterTuningJobStatus": status,
                "LastModifiedTime": self._runner.cloud.now(),
                **changes,
            }
        tags = self._runner.tags(place, job["HyperParameterTuningJobArn"])
        self._runner.events.tuning_job_changed(place, job, tags)


def choices(config: JsonObject) -> Iterator[dict[str, str]]:
    """The hyperparameters of each training job, as text, in their order."""
    ranges, most = config.get("ParameterRanges", {}), config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    words = {one["Name"]: one["Values"] for one in ranges.get("CategoricalParameterRanges", [])}
    if config["Strategy"] == "Grid":
        grid = (dict(zip(words, row, strict=True)) for row in itertools.product(*words.values()))
        yield from itertools.islice(grid, most)
        return
    chance = random.Random(config.get("RandomSeed", 0))  # noqa: S311 - no secret
    for _ in range(most):
        chosen = {name: chance.choice(values) for name, values in words.items()}
        for one in ranges.get("IntegerParameterRanges", []):
            chosen[one["Name"]] = str(chance.randint(int(one["MinValue"]), int(one["MaxValue"])))
        for one in ranges.get("ContinuousParameterRanges", []):
            chosen[one["Name"]] = str(chance.uniform(float(one["MinValue"]), float(one["MaxValue"])))
        yield chosen


def _is_better(value: float, best: Any, kind: str) -> bool:
    if best is None:
        return True
    known = best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]
    return bool(value > known if kind == "Maximize" else value < known)


def _check(config: JsonObject, definition: JsonObject) -> None:
    """Raise ApiError for what SageMaker refuses, and for what the laptop does not have."""
    if config["Strategy"] not in STRATEGIES:
        raise _absent(f"strategy {config['Strategy']}: it has {' and '.join(STRATEGIES)}")
    further = sorted(set(config) - UNDERSTOOD) + sorted(set(config["ResourceLimits"]) & {"MaxRuntimeInSeconds"})
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        further.append("TrainingJobEarlyStoppingType")
    known = {*OF_TRAINING, "AlgorithmSpecification", "StaticHyperParameters", "DefinitionName"}
    further += sorted(set(definition) - known)
    ranges = config.get("ParameterRanges", {})
    further += ["AutoParameters"] if ranges.get("AutoParameters") else []
    if further:
        raise _absent(f"{further[0]} of a tuning job")
    numbers = ranges.get("IntegerParameterRanges") or ranges.get("ContinuousParameterRanges")
    if config["Strategy"] == "Grid" and numbers:
        raise invalid("Grid search takes categorical hyperparameter ranges only.")
    if "HyperParameterTuningJobObjective" not in config:
        raise invalid("HyperParameterTuningJobObjective is required.")
    if config["Strategy"] == "Random" and not config["ResourceLimits"].get("MaxNumberOfTrainingJobs"):
        raise invalid("MaxNumberOfTrainingJobs is required.")


def _absent(what: str) -> ApiError:
    return ApiError("UnsupportedOperationException", f"The laptop's SageMaker has no {what}.", 501)
