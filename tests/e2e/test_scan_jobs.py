"""Artifacts that a Processing job looks into: the real job, a hostile artifact, a lost end, and releases that end meanwhile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import SCIKIT_LEARN, Cloud, model_archive, package_request
from tests.e2e.leftovers import nothing_left
from tests.e2e.test_a_promotion import CONSTANT_INFERENCE, answer_of, constant_model, prepare, register, report
from tests.e2e.test_nothing_stranded import eventually, keep_house
from tests.e2e.test_several_artifacts import folder_of

pytestmark = pytest.mark.full

BY_JOB = f"{{max_ratio: 1000, job: {{image: '{SCIKIT_LEARN}', above_mb: 0}}}}"
HOSTILE = model_archive({"constant.json": "1.0", "model.pkl": b"cos\nsystem\n(S'id'\ntR."})
SLOW = model_archive({"constant.json": "1.0", "model.pkl": b"\x80\x04" + b"N0" * 20_000_000 + b"N."})
"""Twenty million opcodes that do nothing."""


def job_of(cloud: Cloud, release_id: str) -> dict[str, Any]:
    """The Processing job of a release, as the hub has it."""
    name = f"lockkeeper-{release_id}-scan"
    return dict(cloud.client("sagemaker").describe_processing_job(ProcessingJobName=name))


def artifact_verdict(release: dict[str, Any]) -> dict[str, Any]:
    return next(one for one in release["verdicts"] if one["gate"] == "artifact")


def kept(cloud: Cloud, release_id: str) -> dict[str, bytes]:
    """What is in the bucket of a release's scan, by the rest of its key."""
    s3, bucket, prefix = cloud.client("s3"), cloud.outputs["BucketName"], f"scans/{release_id}/"
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return {
        one["Key"].removeprefix(prefix): s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed
    }


def scan_started(cloud: Cloud, release_id: str) -> None:
    eventually(lambda: cloud.release_status(release_id) == "open")
    eventually(lambda: "scan started" in json.dumps(cloud.release(release_id)["timeline"]))
    assert job_of(cloud, release_id)["ProcessingJobStatus"] == "InProgress"


def test_a_large_artifact_is_looked_into_by_a_job(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "weighty", tmp_path, artifact=BY_JOB)
    # An earlier try was killed in the middle of its copy.
    s3, bucket = cloud.client("s3"), cloud.outputs["BucketName"]
    s3.create_multipart_upload(Bucket=bucket, Key="scans/weighty-v1-a1/job/1/0")
    model = constant_model(1.0)
    register(cloud, "weighty", 1.0, model=model)
    release = cloud.wait_for("weighty-v1-a1", "promoted")

    (pin,) = release["pins"]["artifacts"]
    assert pin["sha256"] == hashlib.sha256(model).hexdigest()
    assert pin["pinned"] == f"s3://{bucket}/artifacts/{pin['sha256']}/model.tar.gz"
    assert artifact_verdict(release)["verdict"] == "passed"
    assert cloud.cost("weighty-v1-a1")["transitions"] == 11
    job, left = job_of(cloud, "weighty-v1-a1"), kept(cloud, "weighty-v1-a1")
    assert (job["ProcessingJobStatus"], job["NetworkConfig"]) == ("Completed", {"EnableNetworkIsolation": True})
    assert job["ExitMessage"] == hashlib.sha256(left["report/report.json"]).hexdigest()
    assert set(left) == {"job/asked.json", "job/scan.zip", "report/report.json"}
    assert not s3.list_multipart_uploads(Bucket=bucket, Prefix="scans/").get("Uploads")

    register(cloud, "weighty", 2.0, model=HOSTILE)
    by_job = cloud.wait_for("weighty-v2-a1", "failed")
    prepare(cloud, "weighty-at-once", tmp_path)
    register(cloud, "weighty-at-once", 2.0, model=HOSTILE)
    at_once = cloud.wait_for("weighty-at-once-v1-a1", "failed")
    assert artifact_verdict(by_job) == artifact_verdict(at_once)
    assert "os.system" in by_job["reason"]


def test_a_folder_is_looked_into_by_a_job_and_answers_in_production(cloud: Cloud, tmp_path: Path) -> None:
    group = "weighty-folder"
    prepare(cloud, group, tmp_path, artifact=BY_JOB)
    for name, body in {"constant.json": "3.0", "code/inference.py": CONSTANT_INFERENCE}.items():
        cloud.put(f"{group}-models", f"model/{name}", body)
    statistics = cloud.put(f"{group}-models", "report.json", report(1.0))
    request = package_request(group, SCIKIT_LEARN, "", statistics)
    (container,) = request["InferenceSpecification"]["Containers"]
    del container["ModelDataUrl"]
    container.update(folder_of(f"s3://{group}-models/model/"))
    cloud.client("sagemaker", "registry").create_model_package(**request)
    release = cloud.wait_for(f"{group}-v1-a1", "promoted")
    assert "own code: code/inference.py" in artifact_verdict(release)["reason"]
    assert set(kept(cloud, f"{group}-v1-a1")) == {"job/asked.json", "job/scan.zip", "report/report.json"}
    assert answer_of(cloud, group) == "3.0"


def test_a_job_whose_end_nobody_heard_is_found(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "unheard-scan", tmp_path, artifact=BY_JOB)
    with cloud.deaf("ResumeReleaseJobEnded"):
        register(cloud, "unheard-scan", 1.0)
        eventually(lambda: cloud.release_status("unheard-scan-v1-a1") == "open")
        eventually(lambda: "scan started" in json.dumps(cloud.release("unheard-scan-v1-a1")["timeline"]))
        eventually(lambda: job_of(cloud, "unheard-scan-v1-a1")["ProcessingJobStatus"] == "Completed")
        assert cloud.release_status("unheard-scan-v1-a1") == "open"
        found = [one["what"] for one in keep_house(cloud)]
    assert any("unheard-scan-v1-a1/ScanArtifact" in what for what in found), found
    cloud.wait_for("unheard-scan-v1-a1", "promoted")


def test_a_newer_version_stops_the_scan_of_the_older(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "outrun", tmp_path, artifact=BY_JOB)
    register(cloud, "outrun", 1.0, model=SLOW)
    scan_started(cloud, "outrun-v1-a1")
    register(cloud, "outrun", 2.0)
    cloud.wait_for("outrun-v1-a1", "superseded")
    eventually(lambda: job_of(cloud, "outrun-v1-a1")["ProcessingJobStatus"] == "Stopped")
    cloud.wait_for("outrun-v2-a1", "promoted")


def test_a_release_that_dies_takes_its_scan_along(cloud: Cloud, tmp_path: Path) -> None:
    prepare(cloud, "dying-scan", tmp_path, artifact=BY_JOB)
    register(cloud, "dying-scan", 1.0, model=SLOW)
    scan_started(cloud, "dying-scan-v1-a1")
    cloud.stop("dying-scan-v1-a1")
    cloud.wait_for("dying-scan-v1-a1", "failed")
    eventually(lambda: job_of(cloud, "dying-scan-v1-a1")["ProcessingJobStatus"] == "Stopped")

    register(cloud, "dying-scan", 2.0, model=SLOW)
    scan_started(cloud, "dying-scan-v2-a1")
    with cloud.deaf("ReapReleaseExecutionDied"):
        cloud.stop("dying-scan-v2-a1")
        cloud.ended_execution("dying-scan-v2-a1")
        keep_house(cloud)
    cloud.wait_for("dying-scan-v2-a1", "failed")
    eventually(lambda: job_of(cloud, "dying-scan-v2-a1")["ProcessingJobStatus"] == "Stopped")
    assert nothing_left(cloud, about="dying-scan") == []
