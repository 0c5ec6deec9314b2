"""What the pages tell a newcomer to type, typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import Cloud
from tests.removal import remove_bucket, remove_role

PROJECT = Path(__file__).resolve().parents[2]
BUCKET = "wages-team-models"


def commands_of(page: str, heading: str) -> str:
    """The first shell block below a heading."""
    return (PROJECT / page).read_text().split(heading, 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]


def registered_documents(cloud: Cloud, group: str) -> dict[str, dict[str, Any]]:
    """The documents that the ModelMetrics of the only version of a group refer to, by part and member."""
    sagemaker, s3 = cloud.client("sagemaker", "registry"), cloud.client("s3", "registry")
    (package,) = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    described = sagemaker.describe_model_package(ModelPackageName=package["ModelPackageArn"])
    documents = {}
    for part, members in described["ModelMetrics"].items():
        for member, source in members.items():
            bucket, key = source["S3Uri"].removeprefix("s3://").split("/", 1)
            documents[f"{part}.{member}"] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return documents


@pytest.mark.full
def test_the_wages_page_brings_a_version_to_its_approver(cloud: Cloud, tmp_path: Path) -> None:
    cloud.remember("wages")
    train = partial(cloud.client("sagemaker").delete_pipeline, PipelineName="wages-train", ClientRequestToken="d" * 32)
    cloud.at_the_end += [train, partial(remove_role, cloud.client("iam"), "wages-jobs")]
    script = commands_of("examples/wages/README.md", "## Use it").replace("build/wages", str(tmp_path / "wages"))
    # A team's own bucket, as the page's reader has one.
    example = (PROJECT / "examples" / "wages" / "policy.yaml").read_text().replace("sagemaker-your-team", BUCKET)
    policy = tmp_path / "policy.yaml"
    policy.write_text(example)
    script = script.replace("sagemaker-your-team", BUCKET).replace("examples/wages/policy.yaml", str(policy))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=PROJECT,
        env={**cloud.environment, "PATH": path, "AWS_PAGER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    release = cloud.wait_for("wages-v1-a1", "awaiting-approval")
    assert release["author"].startswith("grace@example.com")
    cloud.mailed("ada@example.com", "Approve wages version 1")
    documents = registered_documents(cloud, "wages")
    assert documents["ModelQuality.Statistics"]["slices"]["sex"]["female"]["item_count"] == 51
    for member in ("Report", "PreTrainingReport", "PostTrainingReport"):
        (facet,) = documents[f"Bias.{member}"]["post_training_bias_metrics"]["facets"]["sex"]
        assert {"DPPL", "DI"} <= {metric["name"] for metric in facet["metrics"]}
    remove_bucket(cloud.client("s3"), BUCKET)
