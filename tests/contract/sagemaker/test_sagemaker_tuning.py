"""Tuning jobs run training jobs, and know the best of them."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.sagemaker.authorization import passed_roles
from localcloud.sagemaker.tuning import choices
from tests.contract.sagemaker.account import ROLE, Account
from tests.contract.sagemaker.test_sagemaker_jobs import training_request

SCORE = """
import argparse, os, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--kind", default="plain")
arguments = parser.parse_args()
if arguments.kind == "broken":
    sys.exit("it is broken")
print(f"validation:score={10 - abs(arguments.depth - 2)};")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(str(arguments.depth))
"""
EVENT = "SageMaker HyperParameter Tuning Job State Change"
OBJECTIVE = {"Type": "Maximize", "MetricName": "validation:score"}


def ranges(**words: list[str]) -> dict[str, Any]:
    return {"CategoricalParameterRanges": [{"Name": name, "Values": values} for name, values in words.items()]}


def tuning_request(account: Account, name: str = "search", **config: Any) -> dict[str, Any]:
    training = training_request(account, name, SCORE)
    specification = {
        **training["AlgorithmSpecification"],
        "MetricDefinitions": [{"Name": "validation:score", "Regex": "validation:score=([0-9.]+);"}],
    }
    static = {key: value for key, value in training["HyperParameters"].items() if key != "depth"}
    kept = ("RoleArn", "InputDataConfig", "OutputDataConfig", "ResourceConfig", "StoppingCondition")
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": OBJECTIVE,
            "ResourceLimits": {"MaxParallelTrainingJobs": 1},
            "ParameterRanges": ranges(depth=["1", "2", "3"]),
            **config,
        },
        "TrainingJobDefinition": {
            **{key: training[key] for key in kept},
            "AlgorithmSpecification": specification,
            "StaticHyperParameters": static,
        },
        "Tags": [{"Key": "team", "Value": "pay"}],
    }


def finish(account: Account, name: str = "search") -> dict[str, Any]:
    def describe() -> dict[str, Any]:
        return account.call("DescribeHyperParameterTuningJob", HyperParameterTuningJobName=name)

    account.cloud.wait_for(lambda: describe()["HyperParameterTuningJobStatus"] in ("Completed", "Failed", "Stopped"))
    return describe()


def test_a_grid_is_trained_and_the_best_is_known(account: Account) -> None:
    account.call("CreateHyperParameterTuningJob", **tuning_request(account))

    job = finish(account)

    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["HyperParameterTuningJobArn"].endswith(":hyper-parameter-tuning-job/search")
    assert job["TrainingJobStatusCounters"]["Completed"] == job["ObjectiveStatusCounters"]["Succeeded"] == 3
    best = job["BestTrainingJob"]
    assert best["TunedHyperParameters"] == {"depth": "2"}
    assert best["FinalHyperParameterTuningJobObjectiveMetric"] == {**OBJECTIVE, "Value": 10.0}
    trained = account.call("DescribeTrainingJob", TrainingJobName=best["TrainingJobName"])
    assert trained["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert trained["ModelArtifacts"]["S3ModelArtifacts"] in account.cloud.objects
    tags = account.call("ListTags", ResourceArn=trained["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "pay"}]


def test_its_changes_are_told(account: Account) -> None:
    account.call("CreateHyperParameterTuningJob", **tuning_request(account, ParameterRanges=ranges(depth=["1"])))
    job = finish(account)
    told = account.cloud.details(EVENT)
    assert [one["HyperParameterTuningJobStatus"] for one in told] == ["InProgress", "Completed"]
    assert told[-1]["HyperParameterTuningJobArn"] == job["HyperParameterTuningJobArn"]
    assert told[-1]["Tags"] == {"team": "pay"}
    assert told[-1]["TrainingJobStatusCounters"]["Completed"] == 1


def test_what_fails_is_counted_and_does_not_win(account: Account) -> None:
    mixed = ranges(depth=["2"], kind=["broken", "plain"])
    account.call("CreateHyperParameterTuningJob", **tuning_request(account, ParameterRanges=mixed))
    job = finish(account)
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"depth": "2", "kind": "plain"}


def test_a_search_without_any_model_fails_with_a_reason(account: Account) -> None:
    broken = ranges(depth=["2"], kind=["broken"])
    account.call("CreateHyperParameterTuningJob", **tuning_request(account, ParameterRanges=broken))
    job = finish(account)
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert "All training jobs failed" in job["FailureReason"]


def test_a_stopped_search_ends_and_keeps_its_name(account: Account) -> None:
    many = ranges(depth=[str(depth) for depth in range(1, 30)])
    account.call("CreateHyperParameterTuningJob", **tuning_request(account, ParameterRanges=many))
    account.call("StopHyperParameterTuningJob", HyperParameterTuningJobName="search")
    assert finish(account)["HyperParameterTuningJobStatus"] == "Stopped"
    assert "ResourceInUse" in account.refusal("CreateHyperParameterTuningJob", **tuning_request(account))
    refusal = account.refusal("StopHyperParameterTuningJob", HyperParameterTuningJobName="search")
    assert "is in status Stopped" in refusal
    (listed,) = account.call("ListHyperParameterTuningJobs")["HyperParameterTuningJobSummaries"]
    assert (listed["HyperParameterTuningJobName"], listed["Strategy"]) == ("search", "Grid")


def test_a_random_search_is_the_same_for_the_same_seed() -> None:
    config = {
        "Strategy": "Random",
        "RandomSeed": 5,
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4},
        "ParameterRanges": {
            **ranges(kind=["a", "b"]),
            "IntegerParameterRanges": [{"Name": "depth", "MinValue": "2", "MaxValue": "9"}],
            "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.1", "MaxValue": "0.3"}],
        },
    }
    chosen = list(choices(config))
    assert chosen == list(choices(config))
    assert len(chosen) == 4
    assert all(2 <= int(one["depth"]) <= 9 and 0.1 <= float(one["rate"]) <= 0.3 for one in chosen)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"Strategy": "Bayesian"}, "has no strategy Bayesian"),
        ({"TrainingJobEarlyStoppingType": "Auto"}, "has no TrainingJobEarlyStoppingType"),
        ({"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 1.0}}, "has no TuningJobCompletionCriteria"),
        (
            {"ParameterRanges": {"IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "2"}]}},
            "categorical hyperparameter ranges only",
        ),
        ({"Strategy": "Random"}, "MaxNumberOfTrainingJobs is required"),
    ],
)
def test_what_is_not_there_is_refused(account: Account, config: dict[str, Any], said: str) -> None:
    assert said in account.refusal("CreateHyperParameterTuningJob", **tuning_request(account, **config))


def test_a_search_that_is_not_there_is_not_found(account: Account) -> None:
    assert "can't find a tuning job" in account.refusal(
        "DescribeHyperParameterTuningJob", HyperParameterTuningJobName="nothing"
    )


def test_whoever_starts_a_search_passes_its_role() -> None:
    assert list(passed_roles({"TrainingJobDefinition": {"RoleArn": ROLE}})) == [ROLE]
