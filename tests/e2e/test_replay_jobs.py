"""Suites that a Processing job sends: the real job on a real endpoint, a lost end, and a release that dies meanwhile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud, model_archive
from tests.e2e.leftovers import nothing_left
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, ask_for_replay, prepare, register
from tests.e2e.test_nothing_stranded import eventually, keep_house

pytestmark = pytest.mark.full

BY_JOB = f", job: {{image: '{SCIKIT_LEARN}', above_rows: 100}}"
SLOW = CONSTANT_INFERENCE.replace("import json, os", "import json, os, time").replace(
    "    return [constant for _ in rows]",
    "    time.sleep(2 if len(rows) > 1 else 0)\n    return [constant for _ in rows]",
)


def job_of(cloud: Cloud, release_id: str) -> dict[str, Any]:
    """The Processing job of a release, as the staging account has it."""
    name = f"lockkeeper-{release_id}-replay"
    return dict(cloud.client("sagemaker", "staging").describe_processing_job(ProcessingJobName=name))


def replay_of(release: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in release["verdicts"] if one["gate"] == "replay: mae")


def test_a_large_suite_is_sent_by_a_job(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "many", tmp_path)
    ask_for_replay(cloud, "many", tmp_path, rows=120, more=BY_JOB)
    register(cloud, "many", 1.0)
    release = cloud.wait_for("many-v1-a1", "promoted")
    assert (replay_of(release)["verdict"], replay_of(release)["measured"]) == ("passed", 0.5)
    assert cloud.cost("many-v1-a1")["transitions"] == 10

    job = job_of(cloud, "many-v1-a1")
    assert job["ProcessingJobStatus"] == "Completed"
    kept = cloud.client("s3").get_object(Bucket=cloud.outputs["BucketName"], Key="dossiers/many-v1-a1/replay.json")
    answers = kept["Body"].read()
    assert job["ExitMessage"] == hashlib.sha256(answers).hexdigest()
    assert len(json.loads(answers)["answers"]) == 120

    register(cloud, "many", 0.4)  # Its error is more than twice the champion's.
    release = cloud.wait_for("many-v2-a1", "failed")
    assert "(champion 0.5 on the same 120 rows)" in release["reason"]


def test_a_job_whose_end_nobody_heard_is_found(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unheard-job", tmp_path)
    ask_for_replay(cloud, "unheard-job", tmp_path, rows=120, more=BY_JOB)
    with cloud.deaf("ResumeReleaseJobEnded"):
        register(cloud, "unheard-job", 1.0)
        cloud.wait_for("unheard-job-v1-a1", "testing")
        eventually(lambda: "replay started" in json.dumps(cloud.release("unheard-job-v1-a1")["timeline"]))
        eventually(lambda: job_of(cloud, "unheard-job-v1-a1")["ProcessingJobStatus"] == "Completed")
        assert cloud.release_status("unheard-job-v1-a1") == "testing"
        found = [one["what"] for one in keep_house(cloud)]
    assert any("unheard-job-v1-a1/TestStaging" in what for what in found), found
    assert replay_of(cloud.wait_for("unheard-job-v1-a1", "promoted"))["verdict"] == "passed"


def test_a_release_that_dies_takes_its_job_along(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "dying", tmp_path)
    ask_for_replay(cloud, "dying", tmp_path, rows=500, more=BY_JOB)
    model = model_archive({"constant.json": "1.0", "code/inference.py": SLOW})
    register(cloud, "dying", 1.0, model=model)
    eventually(lambda: cloud.release_status("dying-v1-a1") == "testing")
    eventually(lambda: "replay started" in json.dumps(cloud.release("dying-v1-a1")["timeline"]))
    assert job_of(cloud, "dying-v1-a1")["ProcessingJobStatus"] == "InProgress"
    cloud.stop("dying-v1-a1")
    assert cloud.wait_for("dying-v1-a1")["status"] == "failed"
    eventually(lambda: job_of(cloud, "dying-v1-a1")["ProcessingJobStatus"] == "Stopped")
    assert nothing_left(cloud, about="dying") == []


def test_a_job_that_cannot_do_its_work_leaves_the_replay_inconclusive(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unwell", tmp_path)
    image = SCIKIT_LEARN.replace("sagemaker-scikit-learn", "pytorch-inference")
    ask_for_replay(cloud, "unwell", tmp_path, rows=120, more=BY_JOB.replace(SCIKIT_LEARN, image))
    register(cloud, "unwell", 1.0)
    release = cloud.wait_for("unwell-v1-a1", "failed")
    assert replay_of(release)["verdict"] == "inconclusive"
    assert "lockkeeper-unwell-v1-a1-replay is Failed" in release["reason"]
    assert "pytorch-inference" in release["reason"]
