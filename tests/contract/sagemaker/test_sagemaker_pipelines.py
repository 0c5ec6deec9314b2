"""Pipelines run their steps through SageMaker's own operations."""

from __future__ import annotations

import json
from typing import Any

from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account
from tests.contract.sagemaker.test_sagemaker_jobs import processing_request, training_request

TOKEN = "t" * 32
JUDGE = """
import json, pathlib, sys
pathlib.Path(sys.argv[2], "report.json").write_text(json.dumps({"metrics": {"accuracy": {"value": 0.8}}}))
"""
EXECUTION_EVENT = "SageMaker Model Building Pipeline Execution Status Change"
STEP_EVENT = "SageMaker Model Building Pipeline Execution Step Status Change"


def get(reference: str) -> dict[str, str]:
    return {"Get": reference}


def definition(account: Account) -> dict[str, Any]:
    """Train, evaluate, and register when the evaluation says so."""
    train = {key: value for key, value in training_request(account, "train").items() if key != "TrainingJobName"}
    judge = processing_request(account, "judge", JUDGE)
    judge.pop("ProcessingJobName")
    accuracy = {
        "Std:JsonGet": {"PropertyFile": get("Steps.Judge.PropertyFiles.Report"), "Path": "metrics.accuracy.value"}
    }
    report = {
        "Std:Join": {
            "On": "/",
            "Values": [
                get("Steps.Judge.ProcessingOutputConfig.Outputs['result'].S3Output.S3Uri"),
                "report.json",
            ],
        }
    }
    container = {"Image": SCIKIT_LEARN, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}
    register = {
        "ModelPackageGroupName": get("Parameters.Group"),
        "InferenceSpecification": {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": report}},
            "Bias": {},
        },
    }
    condition = {"Type": "GreaterThanOrEqualTo", "LeftValue": accuracy, "RightValue": get("Parameters.AtLeast")}
    too_bad = {
        "Std:Join": {"On": " ", "Values": ["accuracy", accuracy, "is below", get("Parameters.AtLeast")]},
    }
    return {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "AtLeast", "Type": "Float", "DefaultValue": 0.7},
            {"Name": "Group", "Type": "String", "DefaultValue": "wages"},
        ],
        "Steps": [
            {
                "Name": "Decide",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [condition],
                    "IfSteps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": register}],
                    "ElseSteps": [{"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": too_bad}}],
                },
            },
            {
                "Name": "Judge",
                "Type": "Processing",
                "DependsOn": ["Train"],
                "Arguments": judge,
                "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "result", "FilePath": "report.json"}],
            },
            {"Name": "Train", "Type": "Training", "Arguments": train},
        ],
    }


def create(account: Account, described: dict[str, Any]) -> None:
    account.call(
        "CreatePipeline",
        PipelineName="retrain",
        PipelineDefinition=json.dumps(described),
        ClientRequestToken=TOKEN,
        RoleArn=ROLE,
    )


def start(account: Account, token: str = TOKEN, **parameters: str) -> str:
    given = [{"Name": name, "Value": value} for name, value in parameters.items()]
    answer = account.call(
        "StartPipelineExecution", PipelineName="retrain", ClientRequestToken=token, PipelineParameters=given
    )
    return str(answer["PipelineExecutionArn"])


def finish(account: Account, arn: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ended execution and its steps, in their order."""

    def describe() -> dict[str, Any]:
        return account.call("DescribePipelineExecution", PipelineExecutionArn=arn)

    account.cloud.wait_for(lambda: describe()["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped"))
    steps = account.call("ListPipelineExecutionSteps", PipelineExecutionArn=arn, SortOrder="Ascending")
    return describe(), steps["PipelineExecutionSteps"]


def test_a_pipeline_trains_judges_and_registers(account: Account) -> None:
    create(account, definition(account))

    execution, steps = finish(account, start(account))

    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert [(one["StepName"], one["StepStatus"]) for one in steps] == [
        ("Train", "Succeeded"),
        ("Judge", "Succeeded"),
        ("Decide", "Succeeded"),
        ("Register", "Succeeded"),
    ]
    package = account.call("DescribeModelPackage", ModelPackageName=steps[-1]["Metadata"]["RegisterModel"]["Arn"])
    assert package["ModelPackageGroupName"] == "wages"
    assert package["ModelMetrics"] == {
        "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://data/result/report.json"}}
    }
    assert package["MetadataProperties"]["GeneratedBy"] == execution["PipelineExecutionArn"]
    assert package["CreatedBy"]["IamIdentity"]["Arn"] == "arn:aws:sts::111122223333:assumed-role/models/SageMaker"
    trained = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
    assert trained in account.cloud.objects


def test_the_jobs_of_a_pipeline_say_by_tags_whose_they_are(account: Account) -> None:
    create(account, definition(account))
    arn = start(account)
    _, steps = finish(account, arn)
    jobs = {one["StepName"]: next(iter(one["Metadata"].values())).get("Arn") for one in steps[:2]}
    for name, job in jobs.items():
        tags = {one["Key"]: one["Value"] for one in account.call("ListTags", ResourceArn=job)["Tags"]}
        assert tags == {"sagemaker:pipeline-execution-arn": arn, "sagemaker:pipeline-step-name": name}


def test_a_condition_takes_the_other_branch_and_fails_with_its_message(account: Account) -> None:
    create(account, definition(account))

    execution, steps = finish(account, start(account, AtLeast="0.9"))

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "accuracy 0.8 is below 0.9" in execution["FailureReason"]
    assert steps[-1]["StepName"] == "TooBad"
    assert steps[-2]["Metadata"]["Condition"]["Outcome"] == "False"


def test_a_failing_job_gives_the_execution_its_reason(account: Account) -> None:
    described = definition(account)
    account.cloud.objects["s3://data/code/process.py"] = b"raise SystemExit('no holdout rows')"
    create(account, described)

    execution, steps = finish(account, start(account))

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert "Judge: AlgorithmError: exit code: 1\nno holdout rows" in execution["FailureReason"]
    assert [one["StepStatus"] for one in steps] == ["Succeeded", "Failed"]


def test_pipeline_events_speak_camel_case(account: Account) -> None:
    create(account, definition(account))
    finish(account, start(account))

    executions, steps = account.cloud.details(EXECUTION_EVENT), account.cloud.details(STEP_EVENT)

    assert [one["currentPipelineExecutionStatus"] for one in executions] == ["Executing", "Succeeded"]
    assert executions[1]["previousPipelineExecutionStatus"] == "Executing"
    assert executions[1]["executionEndTime"].endswith("Z")
    assert steps[1]["stepName"] == "Train"
    assert steps[1]["metadata"]["trainingJob"]["arn"].startswith("arn:aws:sagemaker:")
    last = account.cloud.events[-1]
    assert [arn.count("/") for arn in last.resources] == [1, 3]


def test_a_token_starts_one_execution(account: Account) -> None:
    create(account, definition(account))

    first = start(account)

    assert start(account) == first
    assert "with other parameters" in account.refusal(
        "StartPipelineExecution",
        PipelineName="retrain",
        ClientRequestToken=TOKEN,
        PipelineParameters=[{"Name": "AtLeast", "Value": "0.1"}],
    )
    finish(account, first)


def test_unknown_and_ill_typed_parameters_are_refused(account: Account) -> None:
    create(account, definition(account))

    def refusal(name: str, value: str) -> str:
        given = [{"Name": name, "Value": value}]
        return account.refusal(
            "StartPipelineExecution", PipelineName="retrain", ClientRequestToken=TOKEN, PipelineParameters=given
        )

    assert "Unknown pipeline parameters: [Nonsense]" in refusal("Nonsense", "1")
    assert "is not of type Float" in refusal("AtLeast", "much")


def test_definitions_that_cannot_run_are_refused(account: Account) -> None:
    described = definition(account)

    def refusal(**changes: Any) -> str:
        text = json.dumps({**described, **changes})
        return account.refusal(
            "CreatePipeline", PipelineName="p", PipelineDefinition=text, ClientRequestToken=TOKEN, RoleArn=ROLE
        )

    callback = {"Name": "Ask", "Type": "Callback", "Arguments": {}}
    circle = [
        {"Name": name, "Type": "Fail", "DependsOn": [other], "Arguments": {"ErrorMessage": "x"}}
        for name, other in (("A", "B"), ("B", "A"))
    ]
    assert "has the type Callback" in refusal(Steps=[callback])
    assert "wait for each other" in refusal(Steps=circle)
    assert "refers to Parameters.Group, which is not defined" in refusal(Parameters=[described["Parameters"][0]])
    assert "Version has to be 2020-12-01" in refusal(Version="2019")


def test_a_stopped_execution_stops_its_job(account: Account) -> None:
    described = definition(account)
    account.cloud.objects["s3://data/code/process.py"] = b"import time\ntime.sleep(60)"
    create(account, described)
    arn = start(account)
    list_steps = "ListPipelineExecutionSteps"
    account.cloud.wait_for(
        lambda: len(account.call(list_steps, PipelineExecutionArn=arn)["PipelineExecutionSteps"]) == 2
    )

    account.call("StopPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    execution, steps = finish(account, arn)

    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert steps[-1]["StepStatus"] == "Stopped"
    jobs = account.call("ListProcessingJobs")["ProcessingJobSummaries"]
    assert [one["ProcessingJobStatus"] for one in jobs] == ["Stopped"]
