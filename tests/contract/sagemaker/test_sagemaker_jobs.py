"""Training and processing jobs run their entry points under the container contract."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

from tests.contract.sagemaker.account import ROLE, SCIKIT_LEARN, Account, archive

TRAIN = """
import argparse, json, os, pathlib, sys
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
arguments = parser.parse_args()
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "rows.csv").read_text().split()
hyper = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
print(f"train:rows={len(rows)}; depth={arguments.depth} {hyper['depth']}")
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(" ".join(rows))
"""
PROCESS = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:3])
text = (source / "rows.csv").read_text()
(target / "upper").mkdir()
(target / "upper" / "rows.csv").write_text(text.upper())
pathlib.Path("/opt/ml/output").mkdir(exist_ok=True)
pathlib.Path("/opt/ml/output/message").write_text("CompletedWithViolations: one violation.")
"""


def training_request(account: Account, name: str, script: str = TRAIN, **changes: Any) -> dict[str, Any]:
    account.cloud.objects["s3://data/train/rows.csv"] = b"a b c"
    account.cloud.objects[f"s3://data/{name}/sourcedir.tar.gz"] = archive({"train.py": script})
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": SCIKIT_LEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "train:rows", "Regex": "train:rows=([0-9]+);"}],
        },
        "RoleArn": ROLE,
        "HyperParameters": {
            "sagemaker_program": '"train.py"',
            "sagemaker_submit_directory": f"s3://data/{name}/sourcedir.tar.gz",
            "depth": "3",
        },
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://data/out/"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def processing_request(account: Account, name: str, script: str = PROCESS) -> dict[str, Any]:
    account.cloud.objects["s3://data/train/rows.csv"] = b"a b c"
    account.cloud.objects["s3://data/code/process.py"] = script.encode()
    inputs = {"rows": "s3://data/train", "code": "s3://data/code/process.py"}
    base = "/opt/ml/processing"
    return {
        "ProcessingJobName": name,
        "AppSpecification": {
            "ImageUri": SCIKIT_LEARN,
            "ContainerEntrypoint": ["python3", f"{base}/input/code/process.py"],
            "ContainerArguments": [f"{base}/input/rows", f"{base}/output/result"],
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [
            {
                "InputName": input_name,
                "S3Input": {"S3Uri": uri, "LocalPath": f"{base}/input/{input_name}", "S3DataType": "S3Prefix"},
            }
            for input_name, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "result",
                    "S3Output": {
                        "S3Uri": "s3://data/result",
                        "LocalPath": f"{base}/output/result",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 10}
        },
    }


def finish(account: Account, kind: str, name: str) -> dict[str, Any]:
    def describe() -> dict[str, Any]:
        return account.call(f"Describe{kind}", **{f"{kind}Name": name})

    account.cloud.wait_for(lambda: describe()[f"{kind}Status"] in ("Completed", "Failed", "Stopped"))
    return describe()


def test_a_training_job_runs_its_script_and_uploads_its_model(account: Account) -> None:
    account.call("CreateTrainingJob", **training_request(account, "Train-1"))

    job = finish(account, "TrainingJob", "Train-1")

    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["TrainingJobArn"].endswith(":training-job/train-1")
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://data/out/Train-1/output/model.tar.gz"
    assert [(one["MetricName"], one["Value"]) for one in job["FinalMetricDataList"]] == [("train:rows", 3.0)]
    packed = account.cloud.objects["s3://data/out/Train-1/output/model.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        assert files.extractfile("model.txt").read() == b"a b c"  # type: ignore[union-attr]
    secondary = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert secondary == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_training_events_carry_text_times_and_null_fields(account: Account) -> None:
    account.call("CreateTrainingJob", **training_request(account, "train"))
    finish(account, "TrainingJob", "train")

    details = account.cloud.details("SageMaker Training Job State Change")

    assert [one["SecondaryStatus"] for one in details][-1] == "Completed"
    assert details[0]["FailureReason"] is None
    assert details[0]["TrainingEndTime"] is None
    assert int(details[-1]["TrainingEndTime"]) > 1e12


def test_a_failure_file_becomes_the_reason(account: Account) -> None:
    script = "import pathlib, sys\npathlib.Path('/opt/ml/output/failure').write_text('no label column')\nsys.exit(3)\n"
    account.call("CreateTrainingJob", **training_request(account, "fails", script))

    job = finish(account, "TrainingJob", "fails")

    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: no label column, exit code: 3")


def test_a_job_over_its_time_limit_is_stopped(account: Account) -> None:
    limit = {"MaxRuntimeInSeconds": 1}
    request = training_request(account, "slow", "import time\ntime.sleep(60)\n", StoppingCondition=limit)
    account.call("CreateTrainingJob", **request)

    job = finish(account, "TrainingJob", "slow")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_a_job_is_stopped_on_request(account: Account) -> None:
    account.call("CreateTrainingJob", **training_request(account, "long", "import time\ntime.sleep(60)\n"))
    describe = "DescribeTrainingJob"
    account.cloud.wait_for(lambda: account.call(describe, TrainingJobName="long")["SecondaryStatus"] == "Training")

    account.call("StopTrainingJob", TrainingJobName="long")

    assert finish(account, "TrainingJob", "long")["TrainingJobStatus"] == "Stopped"
    assert "is in status Stopped" in account.refusal("StopTrainingJob", TrainingJobName="long")


def test_a_job_name_is_used_once(account: Account) -> None:
    account.call("CreateTrainingJob", **training_request(account, "once"))

    assert account.refusal("CreateTrainingJob", **training_request(account, "once")).startswith("ResourceInUse: ")
    finish(account, "TrainingJob", "once")


def test_a_role_that_may_not_read_an_input_fails_the_job(account: Account) -> None:
    account.cloud.denied.add((ROLE, "s3:GetObject"))
    account.call("CreateTrainingJob", **training_request(account, "blind"))

    assert "not authorized to perform s3:GetObject" in finish(account, "TrainingJob", "blind")["FailureReason"]


def test_a_built_in_algorithm_has_no_stand_in(account: Account) -> None:
    account.call("CreateTrainingJob", **training_request(account, "builtin", HyperParameters={"depth": "3"}))

    assert "built-in algorithms have no stand-in" in finish(account, "TrainingJob", "builtin")["FailureReason"]


def test_a_processing_job_writes_its_outputs_and_its_exit_message(account: Account) -> None:
    account.call("CreateProcessingJob", **processing_request(account, "process"))

    job = finish(account, "ProcessingJob", "process")

    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    assert account.cloud.objects["s3://data/result/upper/rows.csv"] == b"A B C"
    assert job["ExitMessage"].startswith("CompletedWithViolations:")
    last = account.cloud.details("SageMaker Processing Job State Change")[-1]
    assert last["ProcessingJobStatus"] == "Completed"
    assert isinstance(last["ProcessingEndTime"], int)
    assert last["FailureReason"] is None


def test_a_failing_processing_job_shows_the_end_of_its_log(account: Account) -> None:
    account.call("CreateProcessingJob", **processing_request(account, "raises", "raise SystemExit('no rows left')"))

    job = finish(account, "ProcessingJob", "raises")

    assert job["ProcessingJobStatus"] == "Failed"
    assert "exit code: 1" in job["FailureReason"]
    assert "no rows left" in job["FailureReason"]


def test_jobs_see_neither_the_developers_credentials_nor_their_environment(account: Account, monkeypatch: Any) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the developer's")
    script = "import json, os, sys, pathlib\n(pathlib.Path(sys.argv[2]) / 'env.json').write_text(json.dumps(dict(os.environ)))"
    account.call("CreateProcessingJob", **processing_request(account, "environment", script))

    finish(account, "ProcessingJob", "environment")

    seen = json.loads(account.cloud.objects["s3://data/result/env.json"])
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert seen["AWS_REGION"] == "us-east-1"
