"""Models that jobs run: a parameter names the champion at every moment, and a version is named once a job has compared it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Figure
from tests.e2e.harness import SCIKIT_LEARN, Cloud, policy_text
from tests.e2e.leftovers import nothing_left
from tests.e2e.test_a_promotion import prepare, register
from tests.e2e.test_nothing_stranded import eventually

pytestmark = pytest.mark.full


def name_of(group: str) -> str:
    return f"/lockkeeper/{group}/champion"


def told(cloud: Cloud, group: str) -> dict[str, Any] | None:
    """What a job reads of the group's champion, as it would; None where there is no such parameter."""
    ssm = cloud.client("ssm", "production")
    try:
        found = ssm.get_parameter(Name=name_of(group))
    except ssm.exceptions.ParameterNotFound:
        return None
    return dict(json.loads(found["Parameter"]["Value"]))


def known_to_jobs(cloud: Cloud, group: str, folder: Path, bake: str = "1m") -> None:
    """A policy of target batch, whose suite has 120 rows that are labelled 1.5."""
    suite = "label,a\n" + "".join(f"1.5,{row}\n" for row in range(120))
    dataset = cloud.put(f"{group}-models", "holdout.csv", suite)
    replay = f"{{dataset: {dataset}, at_most: {{mae: 1}}, job: {{image: '{SCIKIT_LEARN}'}}}}"
    text = policy_text(
        group,
        metric="regression_metrics.mae.value",
        bound="at_most: 5",
        staging=f"{{instance_type: ml.m5.large, startup_timeout: 24h, tests: {{replay: {replay}}}}}",
    )
    of_endpoints = ("  endpoint_name:", "  instance_type:", "  startup_timeout:")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith(of_endpoints))
    text = kept.replace("production:\n", "production:\n  target: batch\n").replace("bake: 1m", f"bake: {bake}")
    cloud.apply(f"{text}\n", folder)


@contextmanager
def watched(cloud: Cloud, group: str) -> Iterator[list[str]]:
    """Everything that the parameter names while the block runs, each change once; empty for a moment without a parameter."""
    seen: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            found = told(cloud, group)
            name = found["model_name"] if found else ""
            if seen[-1:] != [name]:
                seen.append(name)
            ended.wait(0.05)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def models(cloud: Cloud, group: str) -> set[str]:
    pages = cloud.client("sagemaker", "production").get_paginator("list_models").paginate(NameContains=f"-{group}-v")
    return {one["ModelName"] for page in pages for one in page["Models"]}


def test_jobs_are_told_of_every_champion_and_of_nothing_else(cloud: Cloud, tmp_path: Path, figure: Figure) -> None:
    group = "nightly"
    first, second = (f"lockkeeper-{group}-v{version}-a1-production" for version in (1, 2))
    prepare(cloud, group, tmp_path)
    known_to_jobs(cloud, group, tmp_path)
    with watched(cloud, group) as seen:
        register(cloud, group, 1.0)  # Off by 0.5.
        release = cloud.wait_for(f"{group}-v1-a1", "promoted")
        arn = release["model_package_arn"]
        found = told(cloud, group)
        assert found is not None
        assert found.pop("since").endswith("Z")
        assert found == {
            "model_name": first,
            "release_id": f"{group}-v1-a1",
            "version": 1,
            "model_package_arn": arn,
        }
        assert cloud.cost(f"{group}-v1-a1")["transitions"] == 10

        register(cloud, group, 1.4)  # Off by 0.1.
        release = cloud.wait_for(f"{group}-v2-a1", "promoted")
        compared = next(one for one in release["verdicts"] if one["gate"] == "replay: mae against the champion")
        assert (compared["verdict"], "champion 0.5 on the same 120 rows" in compared["required"]) == ("passed", True)
        job = f"lockkeeper-{group}-v2-a1-replay"
        ended = cloud.client("sagemaker", "staging").describe_processing_job(ProcessingJobName=job)
        assert ended["ProcessingJobStatus"] == "Completed"

        register(cloud, group, 0.9)  # Off by 0.6: within the bound, and worse than what serves.
        release = cloud.wait_for(f"{group}-v3-a1", "failed")
        assert "replay: mae against the champion" in release["reason"]

        cloud.ended_execution(f"{group}-v2-a1")
        cloud.lockkeeper("rollback", group, "--reason", "the report looks odd")
        eventually(lambda: cloud.is_closed_as(f"{group}-v2-a1", "rolled-back"))
        eventually(lambda: seen[-1] == first)
        release = cloud.release(f"{group}-v2-a1")

    known = "lockkeeper-"
    figure(
        "batch: models that jobs were told of, in order",
        " ".join(name.removeprefix(known + group + "-").removesuffix("-a1-production") or "none" for name in seen),
        "none v1 v2 v1",
    )
    assert seen == ["", first, second, first]
    back = [entry["why"] for entry in release["timeline"] if entry["what"] == "the champion is named again"]
    assert back == [f"parameter {name_of(group)} names {first}; jobs that read it from now on run that"]
    again = told(cloud, group)
    assert again is not None
    assert (again["version"], again["release_id"]) == (1, f"{group}-v1-a1")
    assert models(cloud, group) == {first}
    assert f"parameter {name_of(group)}" in cloud.lockkeeper("show", f"{group}-v1-a1")
    assert nothing_left(cloud, about=f"{group}-v") == []


def test_a_first_version_that_goes_back_in_its_bake_leaves_no_parameter(cloud: Cloud, tmp_path: Path) -> None:
    goes_back(cloud, "nightly-first", tmp_path)


def test_jobs_of_another_account_are_told_there(joined_cloud: Cloud, tmp_path: Path) -> None:
    goes_back(joined_cloud, "nightly-abroad", tmp_path)


def goes_back(cloud: Cloud, group: str, folder: Path) -> None:
    prepare(cloud, group, folder)
    known_to_jobs(cloud, group, folder, bake="7d")
    register(cloud, group, 1.0)
    cloud.wait_for(f"{group}-v1-a1", "baking")
    assert told(cloud, group) is not None
    cloud.lockkeeper("rollback", group, "--reason", "the report looks odd")
    cloud.wait_for(f"{group}-v1-a1", "rolled-back")
    assert (told(cloud, group), models(cloud, group)) == (None, set())
    assert nothing_left(cloud, about=group) == []
